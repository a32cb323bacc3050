r"""Batch and layer normalisation, forward and backward, equal to Keras' layers.

Both subtract a mean, divide by a standard deviation, then scale by gamma and shift by beta. They differ in
what is averaged over: batch normalisation over every axis but the last (each channel on its own, examples
mixed), layer normalisation over the last axis (each example, position on its own).
"""

import numpy as np

from course_utils.checking import array_with_axes, at_least, require_shape, upstream_array


def _check_arguments(x, gamma, beta, epsilon):
    """Return x (..., channels), gamma and beta (channels,); epsilon must not be negative."""
    x = array_with_axes(x, "x", ("batch", "...", "channels"))
    at_least(0, epsilon=epsilon)
    gamma, beta = array_with_axes(gamma, "gamma", ("channels",)), array_with_axes(beta, "beta", ("channels",))
    require_shape(gamma, x.shape[-1:], "gamma")
    require_shape(beta, x.shape[-1:], "beta")
    return x, gamma, beta


def _standardize(x, axes, epsilon):
    """Return ((x - mean) / deviation, 1 / deviation) with the biased variance (divided by n, not n - 1)."""
    centered = x - x.mean(axis=axes, keepdims=True)
    variance = (centered**2).mean(axis=axes, keepdims=True)  # 1 along the averaged axes
    scale = (1 / np.sqrt(variance + epsilon)).astype(x.dtype, copy=False)
    return centered * scale, scale


def _normalize(x, gamma, beta, epsilon, axes):
    standardized, _ = _standardize(x, axes, epsilon)
    return standardized * gamma + beta  # (..., channels)


def _normalize_backward(upstream, x, gamma, beta, epsilon, axes):
    """Return the gradients of x, gamma, beta; the mean and the variance depend on x too, hence the two corrections."""
    upstream = upstream_array(upstream, x.shape, np.result_type(x, gamma, beta))
    standardized, scale = _standardize(x, axes, epsilon)
    slope = upstream * gamma  # gradient of the standardised x
    through_mean = slope.mean(axis=axes, keepdims=True)
    through_variance = standardized * (slope * standardized).mean(axis=axes, keepdims=True)
    all_but_last = tuple(range(x.ndim - 1))
    gamma_gradient = (upstream * standardized).sum(axis=all_but_last)  # (channels,)
    beta_gradient = upstream.sum(axis=all_but_last)  # (channels,)
    return scale * (slope - through_mean - through_variance), gamma_gradient, beta_gradient


def batch_norm(x, gamma, beta, epsilon=1e-3):
    r"""Normalise each channel by its own mean and variance in this batch: what Keras does in training.

    y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, with \mu and \sigma^2 (biased) over every
    axis but the last.

    Source: S. Ioffe, C. Szegedy, "Batch normalization", arXiv:1502.03167, algorithm 1.

    Args:
        x: (batch, ..., channels).
        gamma, beta: (channels,).

    Returns:
        The shape of x.

    Raises:
        ValueError: other shapes.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalize(x, gamma, beta, epsilon, tuple(range(x.ndim - 1)))


def batch_norm_backward(upstream, x, gamma, beta, epsilon=1e-3):
    r"""Return the gradients of `batch_norm` as (x, gamma, beta).

    With \hat x the standardised x, h = g \gamma, and means over the axes that were averaged:
    dL/dx = (h - \overline{h} - \hat x \, \overline{h \hat x}) / \sqrt{\sigma^2 + \epsilon},
    dL/d\gamma = \sum g \hat x,  dL/d\beta = \sum g.  upstream: the shape of x.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalize_backward(upstream, x, gamma, beta, epsilon, tuple(range(x.ndim - 1)))


def batch_norm_inference(x, gamma, beta, moving_mean, moving_variance, epsilon=1e-3):
    r"""Return what the same Keras layer does in prediction: fixed averages, so examples do not see each other.

    y = \gamma (x - m) / \sqrt{v + \epsilon} + \beta.  moving_mean, moving_variance: (channels,); the rest as
    `batch_norm`. It is linear in x and can be folded into the convolution before it.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    moving_mean = array_with_axes(moving_mean, "moving_mean", ("channels",))
    moving_variance = array_with_axes(moving_variance, "moving_variance", ("channels",))
    require_shape(moving_mean, x.shape[-1:], "moving_mean")
    require_shape(moving_variance, x.shape[-1:], "moving_variance")
    return (x - moving_mean) / np.sqrt(moving_variance + epsilon) * gamma + beta  # (..., channels)


def layer_norm(x, gamma, beta, epsilon=1e-3):
    r"""Normalise each vector along the last axis by its own mean and variance: `LayerNormalization`.

    y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, with \mu and \sigma^2 (biased) over the
    last axis.

    Source: J. Ba, J. Kiros, G. Hinton, "Layer normalization", arXiv:1607.06450.

    Args:
        x: (batch, ..., features).
        gamma, beta: (features,).

    Returns:
        The shape of x; the same in training and prediction.

    Raises:
        ValueError: other shapes.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalize(x, gamma, beta, epsilon, -1)


def layer_norm_backward(upstream, x, gamma, beta, epsilon=1e-3):
    """Return the gradients of `layer_norm` as (x, gamma, beta): means are over the last axis."""
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalize_backward(upstream, x, gamma, beta, epsilon, -1)
