r"""The course's mathematics in NumPy: short enough to read, vectorised enough to use, equal to Keras.

Rules that hold for every module of this package:

* **Types.** float32 or float64 arrays in, the same type out (mixed types follow NumPy's promotion).
  An integer array is refused: ``images.astype("float32")`` says what you mean.
  Plain Python numbers and lists become float64.
* **Layout.** Images are (batch, height, width, channels), kernels (height, width, in, out), as in Keras.
* **Gradients.** The gradient of ``f`` is ``f_backward(upstream, *the arguments of f)``, where ``upstream`` is
  the derivative of the final loss with respect to the output of ``f`` and has that output's shape. It returns
  the gradients of the floating-point array arguments of ``f``, in their order: one array when there is one
  such argument, otherwise a tuple. Losses return the gradient of their first argument only: targets and
  labels are data.
* **Errors.** A wrong shape or argument raises ``ValueError`` that names what was expected and what was found.

This file holds the checks that the modules share.
"""

import numpy as np


def error(chinese, english):
    """Return a bilingual ``ValueError`` (the caller raises it)."""
    return ValueError(f"{chinese} · {english}")


def float_array(value, name):
    """Return ``value`` as a float32 or float64 array; another type of array is a ``ValueError``."""
    if not isinstance(value, (np.ndarray, np.generic)):
        try:
            value = np.asarray(value)
        except ValueError as problem:  # a ragged list
            raise error(
                f"{name} 应为形状规则的数值数组",
                f"{name}: expected a regular array of numbers, found a ragged list",
            ) from problem
        if value.dtype.kind in "iu":
            value = value.astype(np.float64)
    if value.dtype not in (np.float32, np.float64):
        raise error(
            f"{name} 的类型应为 float32 或 float64，实际为 {value.dtype}，请用 astype 转换",
            f"{name}: expected float32 or float64, found {value.dtype}; convert it with .astype('float32')",
        )
    return np.asarray(value)


def array_with_axes(value, name, axes):
    """Return ``value`` as a float array that has one dimension per name in ``axes``, none of them empty."""
    value = float_array(value, name)
    if value.ndim != len(axes) or 0 in value.shape:
        expected = "(" + ", ".join(axes) + ("," if len(axes) == 1 else "") + ")"
        raise error(
            f"{name} 的形状应为 {expected}，各维非零，实际为 {value.shape}",
            f"{name}: expected shape {expected}, none of them 0, found {value.shape}",
        )
    return value


def require_shape(value, expected, name):
    """Raise ``ValueError`` unless the array ``value`` has exactly the shape ``expected``."""
    if value.shape != tuple(expected):
        raise error(
            f"{name} 的形状应为 {tuple(expected)}，实际为 {value.shape}",
            f"{name}: expected shape {tuple(expected)}, found {value.shape}",
        )


def upstream_array(upstream, expected, dtype):
    """Return ``upstream`` in the output's type after checking that it has the output's shape."""
    upstream = float_array(upstream, "upstream").astype(dtype, copy=False)
    require_shape(upstream, expected, "upstream")
    return upstream


def positive_integer(value, name):
    """Return ``value`` as an ``int`` of at least 1."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1:
        raise error(
            f"{name} 应为正整数，实际为 {value!r}",
            f"{name}: expected an integer of at least 1, found {value!r}",
        )
    return int(value)


def integer_pair(value, name):
    """Return ``(vertical, horizontal)`` from one positive integer for both or from a pair of them."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise error(
                f"{name} 应为一个正整数或一对正整数，实际为 {value!r}",
                f"{name}: expected one positive integer or a pair of them, found {value!r}",
            )
        return positive_integer(value[0], name), positive_integer(value[1], name)
    return (positive_integer(value, name),) * 2
