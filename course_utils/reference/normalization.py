r"""Batch and layer normalisation, forward and backward, equal to Keras' layers.

Both subtract a mean, divide by a standard deviation, then scale by gamma and shift by beta. They differ in
what is averaged over: batch normalisation over every axis but the last (each channel on its own, examples
mixed), layer normalisation over the last axis (each example, position on its own).
"""

import numpy as np

from course_utils.reference import array_with_axes, error, float_array, require_shape, upstream_array


def _check_arguments(x, gamma, beta, epsilon):
    """Return x (..., channels), gamma and beta (channels,); epsilon must not be negative."""
    x = float_array(x, "x")
    if x.ndim < 2 or x.size == 0:
        raise error(
            f"x 的形状应为 (batch, ..., channels)，各维非零，实际为 {x.shape}",
            f"x: expected shape (batch, ..., channels), none of them 0, found {x.shape}",
        )
    if not epsilon >= 0:
        raise error(
            f"epsilon 应为非负数，实际为 {epsilon!r}",
            f"epsilon: expected a number of at least 0, found {epsilon!r}",
        )
    gamma, beta = array_with_axes(gamma, "gamma", ("channels",)), array_with_axes(beta, "beta", ("channels",))
    require_shape(gamma, x.shape[-1:], "gamma")
    require_shape(beta, x.shape[-1:], "beta")
    return x, gamma, beta


def _standardise(x, axes, epsilon):
    """Return ((x - mean) / deviation, 1 / deviation) with the biased variance (divided by n, not n - 1)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)  # 1 along the averaged axes
    scale = (1 / np.sqrt(variance + epsilon)).astype(x.dtype, copy=False)
    return centred * scale, scale


def _normalise(x, gamma, beta, epsilon, axes):
    standardised, _ = _standardise(x, axes, epsilon)
    return standardised * gamma + beta  # (..., channels)


def _normalise_backward(upstream, x, gamma, beta, epsilon, axes):
    """Gradients of x, gamma, beta; the mean and the variance depend on x too, hence the two corrections."""
    upstream = upstream_array(upstream, x.shape, np.result_type(x, gamma, beta))
    standardised, scale = _standardise(x, axes, epsilon)
    slope = upstream * gamma  # gradient of the standardised x
    through_mean = slope.mean(axis=axes, keepdims=True)
    through_variance = standardised * (slope * standardised).mean(axis=axes, keepdims=True)
    all_but_last = tuple(range(x.ndim - 1))
    gamma_gradient = (upstream * standardised).sum(axis=all_but_last)  # (channels,)
    beta_gradient = upstream.sum(axis=all_but_last)  # (channels,)
    return scale * (slope - through_mean - through_variance), gamma_gradient, beta_gradient


def batch_norm(x, gamma, beta, epsilon=1e-3):
    r"""Normalise each channel by its own mean and variance in this batch: what Keras does in training.

    y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, with \mu and \sigma^2 (biased) over every
    axis but the last.

    x: (batch, ..., channels). gamma, beta: (channels,). Returns the shape of x. Raises ValueError for other
    shapes.
    Source: S. Ioffe, C. Szegedy, "Batch normalization", arXiv:1502.03167, algorithm 1.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalise(x, gamma, beta, epsilon, tuple(range(x.ndim - 1)))


def batch_norm_backward(upstream, x, gamma, beta, epsilon=1e-3):
    r"""Gradients of ``batch_norm`` as (x, gamma, beta).

    With \hat x the standardised x, h = g \gamma, and means over the axes that were averaged:
    dL/dx = (h - \overline{h} - \hat x \, \overline{h \hat x}) / \sqrt{\sigma^2 + \epsilon},
    dL/d\gamma = \sum g \hat x,  dL/d\beta = \sum g.  upstream: the shape of x.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalise_backward(upstream, x, gamma, beta, epsilon, tuple(range(x.ndim - 1)))


def batch_norm_inference(x, gamma, beta, moving_mean, moving_variance, epsilon=1e-3):
    r"""What the same Keras layer does in prediction: fixed averages, so examples do not see each other.

    y = \gamma (x - m) / \sqrt{v + \epsilon} + \beta.  moving_mean, moving_variance: (channels,); the rest as
    ``batch_norm``. It is linear in x and can be folded into the convolution before it.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    moving_mean = array_with_axes(moving_mean, "moving_mean", ("channels",))
    moving_variance = array_with_axes(moving_variance, "moving_variance", ("channels",))
    require_shape(moving_mean, x.shape[-1:], "moving_mean")
    require_shape(moving_variance, x.shape[-1:], "moving_variance")
    return (x - moving_mean) / np.sqrt(moving_variance + epsilon) * gamma + beta  # (..., channels)


def layer_norm(x, gamma, beta, epsilon=1e-3):
    r"""Normalise each vector along the last axis by its own mean and variance: ``LayerNormalization``.

    y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, with \mu and \sigma^2 (biased) over the
    last axis.

    x: (batch, ..., features). gamma, beta: (features,). Returns the shape of x; the same in training and
    prediction.
    Raises ValueError for other shapes. Source: J. Ba, J. Kiros, G. Hinton, "Layer normalization",
    arXiv:1607.06450.
    """
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalise(x, gamma, beta, epsilon, -1)


def layer_norm_backward(upstream, x, gamma, beta, epsilon=1e-3):
    """Gradients of ``layer_norm`` as (x, gamma, beta): means are over the last axis."""
    x, gamma, beta = _check_arguments(x, gamma, beta, epsilon)
    return _normalise_backward(upstream, x, gamma, beta, epsilon, -1)
