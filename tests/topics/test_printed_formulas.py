"""Formulas computed as printed: what lies outside an array is an error, and a double sum has both its ends."""

import numpy as np
import pytest

from course_utils.topics import printed_formulas
from course_utils.topics.printed_formulas import at, computable, positions

ARRAY = np.arange(12.0).reshape(3, 4)


def test_indices_count_from_first():
    assert at(ARRAY, 0, 0, first=0) == at(ARRAY, 1, 1, first=1) == 0
    assert at(ARRAY, 3, 4, first=1) == 11


@pytest.mark.parametrize(
    "row, column, first", [(-1, 0, 0), (0, -1, 0), (3, 0, 0), (0, 4, 0), (0, 1, 1), (4, 4, 1)]
)
def test_outside_is_an_error_not_the_last_element(row, column, first):
    with pytest.raises(IndexError, match=r"in an array of shape \(3, 4\)"):
        at(ARRAY, row, column, first)


def test_both_ends_of_a_double_sum_belong_to_it():
    assert list(positions(1, 2, 3)) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert list(positions(0, -1, 5)) == []


def test_only_positions_whose_indices_exist_are_kept():
    values = computable(lambda i, j: at(ARRAY, i + 1, j, first=0))
    assert sorted(values) == [(i, j) for i in range(2) for j in range(4)]
    assert values[1, 3] == 11


def test_a_formula_is_compared_with_each_result(capsys):
    formulas = {
        "same": lambda i, j: at(ARRAY, i, j, first=1),
        "minus": lambda i, j: -at(ARRAY, i, j, first=0),
    }
    printed_formulas.compare(formulas, {"array": ARRAY, "negative": -ARRAY})
    first, second = capsys.readouterr().out.splitlines()
    assert "1…3" in first and "= array" in first and "≠ negative" in first
    assert "0…2" in second and "≠ array" in second and "= negative" in second
