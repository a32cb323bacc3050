"""Showing that several ways to compute a thing agree: the course's equality cells."""

from collections.abc import Callable

import numpy as np

from course_utils import language
from course_utils.checking import expect


def equal(values: dict, tolerance: float = 1e-5) -> None:
    """Print that all values are equal within `tolerance`, or raise with the largest difference.

    Args:
        values: name -> array (NumPy, Keras or TensorFlow), at least two, all of one shape.
        tolerance: largest |a - b| allowed, relative to max(1, |a|): absolute below one, relative above.

    Raises:
        AssertionError: shapes differ, something is not finite, or the values do.
    """
    expect(len(values) >= 2, "values", "应至少有两个可比较的值", "at least two to compare", list(values))
    arrays = {name: np.asarray(value, dtype="float64") for name, value in values.items()}
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if array.shape != first.shape:
            said = language.words("has shape", "的形状为")
            raise AssertionError(f"{first_name} {said} {first.shape}, {name}: {array.shape}")
        if not np.all(np.isfinite(array)):
            said = language.words("holds infinite or undefined numbers", "含有无穷或非数")
            raise AssertionError(f"{name} {said}")
        difference = np.max(np.abs(array - first) / np.maximum(1.0, np.abs(first)), initial=0.0)
        if difference > tolerance:
            said = language.words("largest difference", "最大差")
            raise AssertionError(f"{first_name} ≠ {name}: {said} {difference:.2e} > {tolerance:g}")
    said = language.words(
        f"equal within {tolerance:g}, shape {first.shape}",
        f"相等（误差不超过 {tolerance:g}），形状 {first.shape}",
    )
    print(f"{' = '.join(arrays)}  ✓ {said}")


def finite_differences(function: Callable, point, step: float = 1e-5) -> np.ndarray:
    r"""Return the gradient of a scalar function by central differences, in float64.

    $\partial f / \partial x_i \approx (f(x + h e_i) - f(x - h e_i)) / 2h$, with an error of order $h^2$.

    Args:
        function: takes an array of `point`'s shape, returns a number.
        point: where to differentiate; any shape. Costs two calls per entry, so keep it small.
        step: h.
    """
    point = np.array(point, dtype="float64")
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        upper, lower = point.copy(), point.copy()
        upper[index] += step
        lower[index] -= step
        gradient[index] = (float(function(upper)) - float(function(lower))) / (2 * step)
    return gradient
