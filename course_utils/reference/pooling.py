r"""Pooling, forward and backward, equal to Keras. It has no parameters.

Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of the IEEE
1998, https://doi.org/10.1109/5.726791 (average); M. Ranzato et al., CVPR 2007,
https://doi.org/10.1109/CVPR.2007.383157 (maximum); M. Lin, Q. Chen, S. Yan, "Network in network",
arXiv:1312.4400 (global average).
"""

import numpy as np

from course_utils.checking import array_with_axes, expect, integer_pair, one_of, upstream_array
from course_utils.reference.convolution import IMAGE_AXES, PADDINGS, padding_amounts


def _check_arguments(images, size, stride, padding):
    """Return images, window (height, width), stride (down, right), padding ((top, bottom), (left, right))."""
    images = array_with_axes(images, "images", IMAGE_AXES)
    size = integer_pair(size, "size")
    stride = size if stride is None else integer_pair(stride, "stride")
    one_of(PADDINGS, padding=padding)
    height, width = images.shape[1:3]
    fits = padding == "same" or (size[0] <= height and size[1] <= width)
    wanted = (
        f'padding="valid" 时不能超过图像 {height} × {width}',
        f'with padding="valid" at most {height} × {width}',
    )
    expect(fits, "size", *wanted, size)
    paddings = tuple(
        padding_amounts(images.shape[1 + axis], size[axis], stride[axis], padding) for axis in (0, 1)
    )
    return images, size, stride, paddings


def _windows(images, size, stride, paddings, fill):
    """Return every window, its numbers along the last axis: (batch, rows, columns, c, window height * width)."""
    around = ((0, 0), *paddings, (0, 0))
    padded = np.pad(images, around, constant_values=fill)  # (batch, padded h, padded w, c)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]  # (batch, rows, columns, c, window h, window w)
    return windows.reshape(*windows.shape[:4], -1)  # (batch, rows, columns, c, window h * w)


def _scatter(shares, size, stride, paddings, images):
    """Add each window's shares back to its pixels: (batch, rows, columns, c, h * w) -> shape of images."""
    (top, bottom), (left, right) = paddings
    batch, height, width, channels = images.shape
    rows, columns = shares.shape[1:3]
    padded = np.zeros((batch, height + top + bottom, width + left + right, channels), shares.dtype)
    for place, (row, column) in enumerate(np.ndindex(size)):
        target_rows = slice(row, row + stride[0] * (rows - 1) + 1, stride[0])
        target_columns = slice(column, column + stride[1] * (columns - 1) + 1, stride[1])
        padded[:, target_rows, target_columns] += shares[..., place]  # (batch, rows, columns, c)
    return padded[:, top : top + height, left : left + width]  # (batch, height, width, c)


def max_pool2d(images, size, stride=None, padding="valid"):
    r"""Return the largest number in each window: `keras.layers.MaxPooling2D`.

    y[n, i, j, c] = \max_{0 \le u < h, 0 \le v < w} x[n, i s + u - p, j s + v - p, c]; padding never wins.

    Args:
        images: (batch, height, width, channels).
        size: window, a positive integer or a pair (height, width).
        stride: the same, or None for the window's size (windows side by side).
        padding: "valid" or "same".

    Returns:
        (batch, rows, columns, channels), rows and columns as `convolution.output_size`.

    Raises:
        ValueError: other shapes, a window larger than the image ("valid"), an unknown padding.
    """
    images, size, stride, paddings = _check_arguments(images, size, stride, padding)
    return _windows(images, size, stride, paddings, -np.inf).max(axis=-1)  # (batch, rows, columns, c)


def max_pool2d_backward(upstream, images, size, stride=None, padding="valid"):
    r"""Return the gradient of `max_pool2d` by images: each upstream number goes to the window's largest pixel.

    Among equal pixels the first (row by row) gets it, as in TensorFlow. Windows that overlap add up.

    Args:
        upstream: (batch, rows, columns, channels).

    Returns:
        The shape of images.
    """
    images, size, stride, paddings = _check_arguments(images, size, stride, padding)
    windows = _windows(images, size, stride, paddings, -np.inf)  # (batch, rows, columns, c, h * w)
    upstream = upstream_array(upstream, windows.shape[:4], images.dtype)
    winner = windows.argmax(axis=-1)[..., np.newaxis]  # (batch, rows, columns, c, 1)
    won = winner == np.arange(windows.shape[-1])  # (batch, rows, columns, c, h * w)
    shares = upstream[..., np.newaxis] * won  # (batch, rows, columns, c, h * w)
    return _scatter(shares, size, stride, paddings, images)


def _pixels_in_window(images, size, stride, paddings):
    """Return how many real pixels, not padding, each window covers: (1, rows, columns, 1, 1)."""
    ones = np.ones((1, *images.shape[1:3], 1), images.dtype)
    return _windows(ones, size, stride, paddings, 0).sum(axis=-1, keepdims=True)


def average_pool2d(images, size, stride=None, padding="valid"):
    r"""Return the mean of each window: `keras.layers.AveragePooling2D`.

    y[n, i, j, c] = \frac{1}{|W_{ij}|} \sum_{(u, v) \in W_{ij}} x[n, u, v, c], where W_{ij} holds the window's
    pixels inside the image: padding is not counted. Arguments, result and errors as in `max_pool2d`.
    """
    images, size, stride, paddings = _check_arguments(images, size, stride, padding)
    windows = _windows(images, size, stride, paddings, 0)  # (batch, rows, columns, c, h * w)
    count = _pixels_in_window(images, size, stride, paddings)[..., 0]  # (1, rows, columns, 1)
    return windows.sum(axis=-1) / count  # (batch, rows, columns, c)


def average_pool2d_backward(upstream, images, size, stride=None, padding="valid"):
    r"""Return the gradient of `average_pool2d` by images: each pixel of a window gets upstream / |W|.

    Args:
        upstream: (batch, rows, columns, channels).

    Returns:
        The shape of images.
    """
    images, size, stride, paddings = _check_arguments(images, size, stride, padding)
    count = _pixels_in_window(images, size, stride, paddings)  # (1, rows, columns, 1, 1)
    output_shape = (len(images), *count.shape[1:3], images.shape[3])
    upstream = upstream_array(upstream, output_shape, images.dtype)
    share = upstream[..., np.newaxis] / count  # (batch, rows, columns, c, 1)
    shares = np.broadcast_to(share, (*output_shape, size[0] * size[1]))  # (batch, rows, columns, c, h * w)
    return _scatter(shares, size, stride, paddings, images)


def global_average_pool2d(images):
    r"""Return the mean of each channel over the whole image: `keras.layers.GlobalAveragePooling2D`.

    y[n, c] = \frac{1}{H W} \sum_{i, j} x[n, i, j, c].  images: (batch, height, width, channels).

    Returns:
        (batch, channels).

    Raises:
        ValueError: other shapes.
    """
    return array_with_axes(images, "images", IMAGE_AXES).mean(axis=(1, 2))  # (batch, channels)


def global_average_pool2d_backward(upstream, images):
    """Return the gradient of `global_average_pool2d`: upstream (batch, channels) / (H W) for each pixel."""
    images = array_with_axes(images, "images", IMAGE_AXES)
    batch, height, width, channels = images.shape
    share = upstream_array(upstream, (batch, channels), images.dtype) / (height * width)
    share = share[:, np.newaxis, np.newaxis]  # (batch, 1, 1, channels)
    return np.broadcast_to(share, images.shape).copy()  # (batch, height, width, channels)


def global_max_pool2d(images):
    r"""Return the largest number of each channel: `keras.layers.GlobalMaxPooling2D`.

    y[n, c] = \max_{i, j} x[n, i, j, c].  images: (batch, height, width, channels).

    Returns:
        (batch, channels).

    Raises:
        ValueError: other shapes.
    """
    return array_with_axes(images, "images", IMAGE_AXES).max(axis=(1, 2))  # (batch, channels)


def global_max_pool2d_backward(upstream, images):
    """Return the gradient of `global_max_pool2d`: to the largest pixel; equal ones share it, as in TensorFlow.

    Args:
        upstream: (batch, channels).

    Returns:
        The shape of images. (`max_pool2d_backward` gives all to the first.)
    """
    images = array_with_axes(images, "images", IMAGE_AXES)
    batch, _, _, channels = images.shape
    upstream = upstream_array(upstream, (batch, channels), images.dtype)
    winners = images == images.max(axis=(1, 2), keepdims=True)  # (batch, height, width, channels)
    count = winners.sum(axis=(1, 2), keepdims=True)  # (batch, 1, 1, channels)
    share = upstream[:, np.newaxis, np.newaxis] / count  # (batch, 1, 1, channels)
    return (winners * share).astype(images.dtype, copy=False)  # (batch, height, width, channels)
