r"""Activation functions, forward and backward, computed so that no finite input overflows.

Each `f_backward(upstream, x, ...)` takes the input `x` of `f` (not its output) and returns one array.
All functions accept an array of any shape; the softmaxes normalise along one axis.
"""

import math

import numpy as np

from course_utils.checking import expect, float_array, upstream_array

# NumPy has no error function; Python's own is exact to the last bits.
# One call per number is slow, but needs no new dependency.
_COMPLEMENTARY_ERROR = np.frompyfunc(math.erfc, 1, 1)


def relu(x):
    r"""Return max(x, 0). Any shape in, the same shape out.

    Source: V. Nair, G. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    x = float_array(x, "x")
    return np.maximum(x, x.dtype.type(0))


def relu_backward(upstream, x):
    """Return upstream where x > 0, else 0. At the kink x = 0 the gradient is 0, as in TensorFlow."""
    x = float_array(x, "x")
    return upstream_array(upstream, x.shape, x.dtype) * (x > 0)


def sigmoid(x):
    r"""Return 1 / (1 + e^{-x}). Any shape in, the same shape out.

    Computed as e^{-|x|} / (1 + e^{-|x|}) for negative x, so the exponential never overflows.
    """
    x = float_array(x, "x")
    small = np.exp(-np.abs(x))  # in [0, 1]
    return np.where(x >= 0, 1, small) / (1 + small)


def sigmoid_backward(upstream, x):
    r"""Return upstream * s (1 - s), s = sigmoid(x); 1 - s is computed as sigmoid(-x), exact where s rounds to 1."""
    x = float_array(x, "x")
    return upstream_array(upstream, x.shape, x.dtype) * sigmoid(x) * sigmoid(-x)


def tanh(x):
    r"""Return (e^x - e^{-x}) / (e^x + e^{-x}) = 2 sigmoid(2x) - 1. Any shape in, the same shape out."""
    return np.tanh(float_array(x, "x"))


def tanh_backward(upstream, x):
    r"""Return upstream * (1 - tanh(x)^2)."""
    x = float_array(x, "x")
    return upstream_array(upstream, x.shape, x.dtype) * (1 - np.tanh(x) ** 2)


def _normal_distribution(x):
    r"""Return Phi(x), the probability that a standard normal variable is below x: erfc(-x / \sqrt 2) / 2.

    With erfc and not 1 + erf, which cancels for very negative x.
    """
    return np.asarray(_COMPLEMENTARY_ERROR(-x / math.sqrt(2)), dtype=x.dtype) / 2


def _gelu_tanh(x):
    r"""Return tanh(\sqrt{2/\pi} (x + 0.044715 x^3)); clipped where tanh is 1 anyway: x^3 cannot overflow."""
    x = np.clip(x, -100, 100)
    return np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def gelu(x, approximate=False):
    r"""Return x \Phi(x), \Phi the standard normal distribution; any shape in, the same shape out.

    approximate=True: x/2 (1 + tanh(\sqrt{2/\pi} (x + 0.044715 x^3))), as in GPT-2.
    The default is that of `keras.activations.gelu`; note that `keras.ops.gelu` defaults to the
    approximation.

    Source: D. Hendrycks, K. Gimpel, "Gaussian error linear units", arXiv:1606.08415.
    """
    x = float_array(x, "x")
    if approximate:
        return x * (1 + _gelu_tanh(x)) / 2
    return x * _normal_distribution(x)


def gelu_backward(upstream, x, approximate=False):
    r"""Return upstream * (\Phi(x) + x \phi(x)), \phi(x) = e^{-x^2/2} / \sqrt{2\pi}.

    With approximate=True the derivative of the approximation.
    """
    x = float_array(x, "x")
    near = np.clip(x, -100, 100)  # beyond, the slope is 0 or 1 and squares would overflow
    if approximate:
        curve = _gelu_tanh(x)
        inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * near**2)
        slope = (1 + curve) / 2 + near * (1 - curve**2) * inner_slope / 2
    else:
        slope = _normal_distribution(x) + near * np.exp(-(near**2) / 2) / math.sqrt(2 * math.pi)
    return upstream_array(upstream, x.shape, x.dtype) * slope


def _check_axis(x, axis):
    """Return x as a float array that has this axis."""
    x = float_array(x, "x")
    is_axis = isinstance(axis, (int, np.integer)) and -x.ndim <= axis < x.ndim
    wanted = f"an integer from {-x.ndim} to {x.ndim - 1} for x of shape {x.shape}"
    expect(is_axis, "axis", f"应为 {-x.ndim} 到 {x.ndim - 1} 的整数（x 的形状为 {x.shape}）", wanted, axis)
    expect(
        x.shape[axis],
        "x",
        f"沿轴 {axis} 不能为空",
        f"at least one number along axis {axis}",
        f"shape {x.shape}",
    )
    return x


def softmax(x, axis=-1):
    r"""Return p_i = e^{x_i} / \sum_j e^{x_j} along `axis`; any shape in, the same shape out.

    The largest x is subtracted first: p does not change (the factor cancels) and no exponential exceeds 1.

    Source: J. Bridle 1990, https://doi.org/10.1007/978-3-642-76153-9_28; stability: Goodfellow et al. 2016,
    4.1.

    Raises:
        ValueError: x has no such axis.
    """
    x = _check_axis(x, axis)
    exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def softmax_backward(upstream, x, axis=-1):
    r"""Return dL/dx_i = p_i (g_i - \sum_j g_j p_j): upstream g times `softmax_jacobian`, without building it."""
    x = _check_axis(x, axis)
    upstream = upstream_array(upstream, x.shape, x.dtype)
    probabilities = softmax(x, axis)
    return probabilities * (upstream - (upstream * probabilities).sum(axis=axis, keepdims=True))


def softmax_jacobian(x):
    r"""Return J[i, j] = dp_i / dx_j = p_i (\delta_{ij} - p_j) along the last axis; symmetric, each row sums to 0.

    Args:
        x: (..., classes).

    Returns:
        (..., classes, classes).
    """
    probabilities = softmax(x)  # (..., classes)
    diagonal = probabilities[..., np.newaxis] * np.eye(probabilities.shape[-1], dtype=probabilities.dtype)
    products = probabilities[..., np.newaxis] * probabilities[..., np.newaxis, :]  # (..., classes, classes)
    return diagonal - products


def log_softmax(x, axis=-1):
    r"""Return \log p_i = x_i - \log \sum_j e^{x_j} along `axis`; any shape in, the same shape out.

    The largest x is subtracted first (log-sum-exp): the result is finite where log(softmax(x)) is -inf.

    Raises:
        ValueError: x has no such axis.
    """
    x = _check_axis(x, axis)
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def log_softmax_backward(upstream, x, axis=-1):
    r"""Return dL/dx_i = g_i - p_i \sum_j g_j."""
    x = _check_axis(x, axis)
    upstream = upstream_array(upstream, x.shape, x.dtype)
    return upstream - softmax(x, axis) * upstream.sum(axis=axis, keepdims=True)
