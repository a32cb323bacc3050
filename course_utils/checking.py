"""Checks of arguments, each with its message in both languages, written once.

    checking.share(sparsity=sparsity)
    checking.at_least(1, steps=steps, samples=samples)
    images = checking.array_with_axes(images, "images", ("batch", "height", "width", "channels"))

A check that fails raises a `ValueError` of one form: "name: 应为 … · expected …; found …". Checks of plain
values take them by name and return nothing; checks of arrays take (value, name) and return the array. A demand
that one function alone makes is written there, with `expect`.
"""

import numpy as np


def expect(condition, name, chinese, english, found):
    """Raise the `ValueError` of an argument unless a condition holds.

    Args:
        condition: what must be true.
        name: of the argument.
        chinese: what it should be, a clause such as "应为 4 行".
        english: the same, to be read after "expected", such as "4 lines".
        found: what it is instead; a text or a type is shown as it is, anything else as Python writes it.
    """
    if not condition:
        found = found.item() if isinstance(found, np.generic) else found
        shown = str(found) if isinstance(found, (str, np.dtype)) else repr(found)
        raise ValueError(f"{name}: {chinese} · expected {english}; found {shown}")


# ---------------------------------------------------------------- numbers


def at_least(lowest, **values):
    """Refuse numbers (or arrays with a number) below `lowest`."""
    for name, value in values.items():
        fits = np.all(np.greater_equal(value, lowest))
        expect(fits, name, f"应至少为 {lowest}", f"at least {lowest}", _shown(value))


def positive(**values):
    """Refuse numbers (or arrays with a number) that are not above 0."""
    for name, value in values.items():
        expect(np.all(np.greater(value, 0)), name, "应大于 0", "more than 0", _shown(value))


def between(lowest, highest, **values):
    """Refuse numbers (or arrays with a number) outside `lowest` to `highest`, both included."""
    for name, value in values.items():
        fits = np.greater_equal(value, lowest) & np.less_equal(value, highest)
        wanted = f"应在 {lowest} 到 {highest} 之间", f"from {lowest} to {highest}"
        expect(np.all(fits), name, *wanted, _shown(value))


def share(**values):
    """Refuse numbers (or arrays with a number) outside 0 to 1, both included."""
    between(0, 1, **values)


def inside(lowest, highest, **values):
    """Refuse numbers outside `lowest` to `highest`, and the two ends as well."""
    for name, value in values.items():
        wanted = f"应大于 {lowest} 且小于 {highest}", f"more than {lowest} and less than {highest}"
        expect(lowest < value < highest, name, *wanted, value)


def multiple_of(divisor, **values):
    """Refuse whole numbers that `divisor` does not divide."""
    for name, value in values.items():
        expect(value % divisor == 0, name, f"应为 {divisor} 的倍数", f"a multiple of {divisor}", value)


def positive_integer(value, name):
    """Return a value as an `int` of at least 1."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    expect(whole and value >= 1, name, "应为正整数", "an integer of at least 1", value)
    return int(value)


def integer_pair(value, name):
    """Return (vertical, horizontal) from one positive integer for both or from a pair of them."""
    if not isinstance(value, (tuple, list)):
        return (positive_integer(value, name),) * 2
    expect(
        len(value) == 2, name, "应为一个正整数或一对正整数", "one positive integer or a pair of them", value
    )
    return positive_integer(value[0], name), positive_integer(value[1], name)


# ---------------------------------------------------------------- words and collections


def one_of(choices, **values):
    """Refuse what is not among some choices."""
    shown = ", ".join(map(repr, choices))
    for name, value in values.items():
        expect(value in choices, name, f"应为 {shown} 之一", f"one of {shown}", repr(value))


def not_empty(**values):
    """Refuse arrays and collections without anything in them."""
    for name, value in values.items():
        is_array = isinstance(value, np.ndarray)
        found = f"shape {value.shape}" if is_array else "none"
        expect(value.size if is_array else len(value), name, "不能为空", "at least one", found)


# ---------------------------------------------------------------- arrays


def float_array(value, name):
    """Return a value as a float32 or float64 array; lists and plain numbers become float64.

    An integer array is refused: `images.astype("float32")` says what is meant.
    """
    if not isinstance(value, (np.ndarray, np.generic)):
        try:
            value = np.asarray(value)
        except ValueError:
            expect(False, name, "应为形状规则的数值数组", "a regular array of numbers", "a ragged list")
        if value.dtype.kind in "iu":
            value = value.astype(np.float64)
    wanted = (
        "应为 float32 或 float64（用 astype 转换）",
        "float32 or float64 (convert with .astype('float32'))",
    )
    expect(value.dtype in (np.float32, np.float64), name, *wanted, str(value.dtype))
    return np.asarray(value)


def array_with_axes(value, name, axes):
    """Return a value as a float array with one dimension for each name in `axes`, none of them empty.

    "..." among the names stands for any number of dimensions.
    """
    return _with_axes(float_array(value, name), name, axes)


def integer_array(value, name, axes):
    """Return a value as an array of whole numbers with these axes; see `array_with_axes`."""
    value = np.asarray(value)
    expect(
        value.dtype.kind in "iu", name, "应为整数", "whole numbers", f"{value.dtype} of shape {value.shape}"
    )
    return _with_axes(value, name, axes)


def require_shape(value, expected, name):
    """Refuse an array that does not have exactly this shape."""
    expected = tuple(expected)
    expect(
        value.shape == expected, name, f"形状应为 {expected}", f"shape {expected}", f"{tuple(value.shape)}"
    )


def upstream_array(upstream, expected, dtype):
    """Return an upstream gradient in the output's type, if it has the output's shape."""
    upstream = float_array(upstream, "upstream").astype(dtype, copy=False)
    require_shape(upstream, expected, "upstream")
    return upstream


def _with_axes(value, name, axes):
    fits = value.ndim >= len(axes) - 1 if "..." in axes else value.ndim == len(axes)
    shape = "(" + ", ".join(axes) + ("," if len(axes) == 1 else "") + ")"
    wanted = f"形状应为 {shape}，各维非零", f"shape {shape}, none of them 0"
    expect(fits and 0 not in value.shape, name, *wanted, f"{value.shape}")
    return value


def _shown(value):
    """Return a number as it is, the range of an array as a text."""
    value = np.asarray(value)
    if value.size == 1:
        return value.item()
    return f"{value.min()} to {value.max()}" if value.size else "none"
