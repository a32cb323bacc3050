"""Computing a formula exactly as a book prints it: an index outside an array is an error, not the last element.

x_ij = at(x, i, j, first=1)                     # x's corner is x_11
for p, q in positions(0, 2, 2): ...             # the double sum over p, q = 0 … 2
computable(lambda i, j: at(x, i, j, first=1))   # {(i, j): value} where all its indices exist
"""

import itertools

import numpy as np

from course_utils import exercises
from course_utils.language import words


def at(array, row, column, first):
    """Return the number with these indices, counted from `first`.

    Raises:
        IndexError: there is none. (Python itself would take array[-1] for the last one and hide a mistake.)
    """
    row, column = row - first, column - first
    if not (0 <= row < array.shape[0] and 0 <= column < array.shape[1]):
        raise IndexError(f"({row + first}, {column + first}) in an array of shape {array.shape}")
    return array[row, column]


def positions(first, last_row, last_column):
    """Return the pairs of a double sum from `first` to the two last ones, both included; none if a sum is empty."""
    return itertools.product(range(first, last_row + 1), range(first, last_column + 1))


def computable(formula, most=9):
    """Return {(i, j): value} for those of 0 … `most` where the formula reads only numbers that exist."""
    values = {}
    for i, j in positions(0, most, most):
        try:
            values[i, j] = formula(i, j)
        except IndexError:
            continue
    return values


def compare(formulas, results) -> None:
    """Print for each formula which rows it can compute, and whether their numbers are those of each result.

    Args:
        formulas: {name: function of (i, j)}.
        results: {name: (rows, columns)}.
    """
    for name, formula in formulas.items():
        values = computable(formula)
        rows = sorted({i for i, _ in values})
        block = np.reshape(list(values.values()), (len(rows), -1))
        verdicts = [
            f"{'=' if exercises.close(block, result) else '≠'} {label}" for label, result in results.items()
        ]
        label = words("rows", "行")
        print(f"{name}: {label} {rows[0]}…{rows[-1]}   {'   '.join(verdicts)}")


def along_diagonal(name, formula, result) -> None:
    """Print a formula's numbers at (0, 0), (1, 1), … beside those of a result that begins at (2, 2).

    Args:
        name: of the formula.
        formula: function of (i, j).
        result: (rows, columns), the true convolution with a kernel of 3, counted from 0.
    """
    values = computable(formula)
    for i in range(len(result) + 2):
        right = f"{result[i - 2, i - 2]:6.2f}" if i >= 2 else "     –"
        outside = words("reads outside the kernel", "读到了核外")
        found = f"{values[i, i]:6.2f}" if (i, i) in values else outside
        print(f"{name} ({i}, {i})   {words('convolution', '卷积')} {right}   {name} {found}")
