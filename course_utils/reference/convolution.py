r"""Cross-correlation and its relatives, forward and backward, equal to Keras.

What deep-learning libraries call convolution is cross-correlation: the kernel is slid over the image as it
is. Convolution in the mathematical sense turns the kernel by 180 degrees first (`convolve2d`).

Sources: I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning* (MIT Press, 2016), section 9.1;
V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
"""

import numpy as np

from course_utils.checking import (
    array_with_axes,
    expect,
    integer_pair,
    one_of,
    positive_integer,
    require_shape,
    upstream_array,
)

IMAGE_AXES = ("batch", "height", "width", "channels")
KERNEL_AXES = ("kernel height", "kernel width", "input channels", "output channels")
PADDINGS = ("valid", "same")


# ---- Sizes -------------------------------------------------------------------------------------------------


def padding_amounts(size, kernel, stride=1, padding="valid", dilation=1):
    r"""Return the zeros to add (before, after) along one axis, as TensorFlow computes them.

    With the effective kernel size e = (k - 1) d + 1:

    * `"valid"`: none.
    * `"same"`: total = \max((\lceil n/s \rceil - 1) s + e - n, 0); the smaller half goes before, so an odd
      total puts the extra zero at the bottom or the right.
    * `"causal"`: e - 1 zeros, all before: an output never sees a later input.

    Source: TensorFlow, "Notes on padding",
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2

    Raises:
        ValueError: another padding word, a size below 1, or a kernel that does not fit ("valid").
    """
    size, kernel = positive_integer(size, "size"), positive_integer(kernel, "kernel")
    stride, dilation = positive_integer(stride, "stride"), positive_integer(dilation, "dilation")
    effective = (kernel - 1) * dilation + 1
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + effective - size, 0)
        return total // 2, total - total // 2
    if padding == "causal":
        return effective - 1, 0
    one_of((*PADDINGS, "causal"), padding=padding)
    wanted = (
        f'加空洞后长度不能超过输入的 {size}（否则用 padding="same"）',
        f'with padding="valid" an effective size of at most {size}, the input (else use padding="same")',
    )
    expect(effective <= size, "kernel", *wanted, effective)
    return 0, 0


def output_size(size, kernel, stride=1, padding="valid", dilation=1):
    r"""Return the number of positions of the kernel along one axis.

    \lfloor (n + p_{before} + p_{after} - e) / s \rfloor + 1 with e = (k - 1) d + 1, which is
    \lceil n/s \rceil for `"same"` and `"causal"`.

    `padding` is "valid", "same" or "causal".

    Source: arXiv:1603.07285, relationships 6 and 15.

    Raises:
        ValueError: as `padding_amounts` does.
    """
    before, after = padding_amounts(size, kernel, stride, padding, dilation)
    effective = (kernel - 1) * dilation + 1
    return (size + before + after - effective) // stride + 1


def receptive_field(layers):
    r"""Return how many input pixels (along one axis) one output of a stack of layers can see.

    r_l = r_{l-1} + (k_l - 1) d_l j_{l-1},  j_l = j_{l-1} s_l,  r_0 = j_0 = 1,
    where j is the distance in input pixels between neighbouring outputs ("jump").

    Source: A. Araujo, W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks",
    Distill 2019, https://doi.org/10.23915/distill.00021

    Args:
        layers: sequence of (kernel, stride) or (kernel, stride, dilation), input side first; pooling counts
            as a layer.

    Returns:
        An int.

    Raises:
        ValueError: an entry of another length, or with a number below 1.
    """
    field, jump = 1, 1
    for layer in layers:
        wanted = "(kernel, stride) or (kernel, stride, dilation)"
        fits = isinstance(layer, (tuple, list)) and len(layer) in (2, 3)
        expect(fits, "layers", f"每层应为 {wanted}", wanted, repr(layer))
        kernel, stride, dilation = (positive_integer(value, "layers") for value in (*layer, 1)[:3])
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


# ---- Shared steps ------------------------------------------------------------------------------------------


def _check_arguments(images, kernel, bias, padding, stride, dilation, kernel_axes=KERNEL_AXES):
    """Return checked arrays and pairs; the kernel's third axis must match the image's channels."""
    images = array_with_axes(images, "images", IMAGE_AXES)
    kernel = array_with_axes(kernel, "kernel", kernel_axes)
    one_of(PADDINGS, padding=padding)
    _check_channels(images, kernel, 2)
    return images, kernel, bias, integer_pair(stride, "stride"), integer_pair(dilation, "dilation")


def _check_channels(images, kernel, axis):
    """Refuse a kernel whose input channels, on this axis, are not those of the images."""
    channels = images.shape[3]
    wanted = (
        f"第 {axis + 1} 维（输入通道）应为 {channels}，图像形状为 {images.shape}",
        f"{channels} input channels (axis {axis}) for images of shape {images.shape}",
    )
    expect(kernel.shape[axis] == channels, "kernel", *wanted, f"{kernel.shape[axis]} in shape {kernel.shape}")


def _add_bias(output, bias):
    """Add one number per output channel, when there is a bias."""
    if bias is None:
        return output
    bias = array_with_axes(bias, "bias", ("output channels",))
    require_shape(bias, output.shape[-1:], "bias")
    return output + bias  # (batch, height, width, out) + (out,)


def _paddings(images, kernel, stride, padding, dilation):
    """Return ((top, bottom), (left, right))."""
    return tuple(
        padding_amounts(images.shape[1 + axis], kernel.shape[axis], stride[axis], padding, dilation[axis])
        for axis in (0, 1)
    )


def _patches(images, kernel, stride, padding, dilation):
    """Return every patch the kernel sees, without copies: (batch, rows, columns, in, kernel h, kernel w)."""
    vertical, horizontal = _paddings(images, kernel, stride, padding, dilation)
    padded = np.pad(images, ((0, 0), vertical, horizontal, (0, 0)))  # (batch, padded h, padded w, channels)
    effective = tuple((kernel.shape[axis] - 1) * dilation[axis] + 1 for axis in (0, 1))
    patches = np.lib.stride_tricks.sliding_window_view(padded, effective, axis=(1, 2))
    # every stride-th position, and inside the window every dilation-th pixel
    # (b, rows, columns, c, kh, kw)
    return patches[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]


def _scatter(upstream, kernel, stride, dilation, size, paddings):
    """Spread each upstream number over the patch it came from: the transpose of cross-correlation.

    upstream (batch, rows, columns, out), kernel (kh, kw, in, out) -> (batch, *size, in).
    Patches overlap, so contributions are added; the loop runs over the kernel's few positions, not over the
    image.
    """
    (top, bottom), (left, right) = paddings
    batch, rows, columns, _ = upstream.shape
    padded_size = (size[0] + top + bottom, size[1] + left + right)
    padded = np.zeros((batch, *padded_size, kernel.shape[2]), np.result_type(upstream, kernel))
    for row, column in np.ndindex(kernel.shape[:2]):
        first_row, first_column = row * dilation[0], column * dilation[1]
        target_rows = slice(first_row, first_row + stride[0] * (rows - 1) + 1, stride[0])
        target_columns = slice(first_column, first_column + stride[1] * (columns - 1) + 1, stride[1])
        padded[:, target_rows, target_columns] += upstream @ kernel[row, column].T  # (b, rows, columns, in)
    return padded[:, top : top + size[0], left : left + size[1]]  # (batch, height, width, in)


def _bias_gradient(upstream, bias):
    return None if bias is None else upstream.sum(axis=(0, 1, 2))  # (out,)


# ---- Cross-correlation and convolution ---------------------------------------------------------------------


def cross_correlate2d(images, kernel, bias=None, stride=1, padding="valid", dilation=1):
    r"""Slide a kernel over images without turning it: what `keras.layers.Conv2D` computes.

    y[n, i, j, o] = b[o] + \sum_{u, v, c} x[n, i s + u d - p, j s + v d - p, c] \, w[u, v, c, o]

    Keras allows either stride or dilation above 1, not both; this function allows both.

    Source: Goodfellow et al. 2016, equation 9.6; dilation: F. Yu, V. Koltun, arXiv:1511.07122.

    Args:
        images: (batch, height, width, in).
        kernel: (kernel height, kernel width, in, out).
        bias: (out,) or None.
        stride, dilation: a positive integer or a pair (vertical, horizontal).
        padding: "valid" or "same".

    Returns:
        (batch, rows, columns, out), rows and columns from `output_size`.

    Raises:
        ValueError: other shapes, unequal channels, a kernel that does not fit, an unknown padding.
    """
    images, kernel, bias, stride, dilation = _check_arguments(images, kernel, bias, padding, stride, dilation)
    patches = _patches(images, kernel, stride, padding, dilation)  # (b, rows, columns, in, kh, kw)
    output = np.tensordot(patches, kernel, axes=((4, 5, 3), (0, 1, 2)))  # (b, rows, columns, out)
    return _add_bias(output, bias)


def cross_correlate2d_backward(upstream, images, kernel, bias=None, stride=1, padding="valid", dilation=1):
    r"""Return the gradients of `cross_correlate2d` as (images, kernel, bias); the last is None when bias is None.

    dL/dw[u, v, c, o] = \sum_{n, i, j} g[n, i, j, o] \, x[n, i s + u d - p, j s + v d - p, c]
    dL/dx adds g[n, i, j, o] w[u, v, c, o] back to every pixel that was multiplied (a transposed convolution).
    dL/db[o] = \sum_{n, i, j} g[n, i, j, o]

    Source: arXiv:1603.07285, chapter 4.

    Args:
        upstream: (batch, rows, columns, out), the shape of the output; the rest as in `cross_correlate2d`.
    """
    images, kernel, bias, stride, dilation = _check_arguments(images, kernel, bias, padding, stride, dilation)
    patches = _patches(images, kernel, stride, padding, dilation)  # (b, rows, columns, in, kh, kw)
    upstream = upstream_array(upstream, (*patches.shape[:3], kernel.shape[3]), np.result_type(images, kernel))
    kernel_gradient = np.tensordot(patches, upstream, axes=((0, 1, 2), (0, 1, 2)))  # (in, kh, kw, out)
    kernel_gradient = kernel_gradient.transpose(1, 2, 0, 3)  # (kh, kw, in, out)
    paddings = _paddings(images, kernel, stride, padding, dilation)
    size = images.shape[1:3]
    image_gradient = _scatter(upstream, kernel, stride, dilation, size, paddings)  # (b, h, w, in)
    return image_gradient, kernel_gradient, _bias_gradient(upstream, bias)


def _turn(kernel):
    """Turn a kernel by 180 degrees (flip both spatial axes)."""
    return array_with_axes(kernel, "kernel", KERNEL_AXES)[::-1, ::-1]


def convolve2d(images, kernel, bias=None, stride=1, padding="valid", dilation=1):
    r"""Convolve in the mathematical sense: cross-correlate with the kernel rotated by 180 degrees.

    y[n, i, j, o] = b[o] + \sum_{u, v, c} x[n, i s + (h-1-u) d - p, j s + (w-1-v) d - p, c] \, w[u, v, c, o]

    for a kernel of h x w. Arguments, result and errors as in `cross_correlate2d`; padding is placed as
    there.

    Source: Goodfellow et al. 2016, equations 9.4 and 9.6.
    """
    return cross_correlate2d(images, _turn(kernel), bias, stride, padding, dilation)


def convolve2d_backward(upstream, images, kernel, bias=None, stride=1, padding="valid", dilation=1):
    """Return the gradients of `convolve2d` as (images, kernel, bias or None): the kernel's is turned back."""
    image_gradient, turned_gradient, bias_gradient = cross_correlate2d_backward(
        upstream, images, _turn(kernel), bias, stride, padding, dilation
    )
    return image_gradient, _turn(turned_gradient), bias_gradient


# ---- One kernel per channel --------------------------------------------------------------------------------

DEPTHWISE_AXES = ("kernel height", "kernel width", "channels", "multiplier")


def depthwise_cross_correlate2d(images, kernel, bias=None, stride=1, padding="valid", dilation=1):
    r"""Filter every channel on its own: `keras.layers.DepthwiseConv2D`.

    y[n, i, j, c m + k] = b[c m + k] + \sum_{u, v} x[n, i s + u d - p, j s + v d - p, c] \, w[u, v, c, k]

    with m kernels per channel.

    Source: F. Chollet, "Xception", arXiv:1610.02357.

    Args:
        images: (batch, height, width, channels).
        kernel: (kernel height, kernel width, channels, m).
        bias: (channels m,) or None. The rest as `cross_correlate2d`.

    Returns:
        (batch, rows, columns, channels m). Followed by a 1x1 `cross_correlate2d` it is a separable
        convolution.
    """
    images, kernel, bias, stride, dilation = _check_arguments(
        images, kernel, bias, padding, stride, dilation, DEPTHWISE_AXES
    )
    patches = _patches(images, kernel, stride, padding, dilation)  # (b, rows, columns, c, kh, kw)
    separate = np.einsum("nijcuv,uvcm->nijcm", patches, kernel)  # (b, rows, columns, c, m)
    output = separate.reshape(*separate.shape[:3], -1)  # (b, rows, columns, c m)
    return _add_bias(output, bias)


def depthwise_cross_correlate2d_backward(
    upstream, images, kernel, bias=None, stride=1, padding="valid", dilation=1
):
    r"""Return the gradients of `depthwise_cross_correlate2d` as (images, kernel, bias or None).

    The sums of `cross_correlate2d_backward` with each channel kept apart.

    Args:
        upstream: (b, rows, columns, channels m).
    """
    images, kernel, bias, stride, dilation = _check_arguments(
        images, kernel, bias, padding, stride, dilation, DEPTHWISE_AXES
    )
    channels, multiplier = kernel.shape[2:]
    patches = _patches(images, kernel, stride, padding, dilation)  # (b, rows, columns, c, kh, kw)
    upstream = upstream_array(
        upstream, (*patches.shape[:3], channels * multiplier), np.result_type(images, kernel)
    )
    separate = upstream.reshape(*patches.shape[:4], multiplier)  # (b, rows, columns, c, m)
    kernel_gradient = np.einsum("nijcuv,nijcm->uvcm", patches, separate)  # (kh, kw, c, m)
    # a depthwise kernel is a full kernel that is zero between different channels
    full_kernel = np.zeros((*kernel.shape[:2], channels, channels, multiplier), kernel.dtype)
    full_kernel[:, :, np.arange(channels), np.arange(channels)] = kernel
    full_kernel = full_kernel.reshape(*kernel.shape[:3], -1)  # (kh, kw, c, c m)
    paddings = _paddings(images, kernel, stride, padding, dilation)
    size = images.shape[1:3]
    image_gradient = _scatter(upstream, full_kernel, stride, dilation, size, paddings)  # (b, h, w, c)
    return image_gradient, kernel_gradient, _bias_gradient(upstream, bias)


# ---- Transposed --------------------------------------------------------------------------------------------

TRANSPOSE_AXES = ("kernel height", "kernel width", "output channels", "input channels")


def _check_transpose(images, kernel, padding, stride):
    """Return checked arguments and the output's (height, width)."""
    images = array_with_axes(images, "images", IMAGE_AXES)
    kernel = array_with_axes(kernel, "kernel", TRANSPOSE_AXES)
    stride = integer_pair(stride, "stride")
    one_of(PADDINGS, padding=padding)
    _check_channels(images, kernel, 3)
    size = tuple(
        images.shape[1 + axis] * stride[axis]
        + (max(kernel.shape[axis] - stride[axis], 0) if padding == "valid" else 0)
        for axis in (0, 1)
    )
    return images, kernel, stride, size


def transpose_cross_correlate2d(images, kernel, bias=None, stride=1, padding="valid"):
    r"""Spread each input pixel over a patch, scaled by the kernel: `keras.layers.Conv2DTranspose`.

    y[n, i s + u - p, j s + v - p, o] accumulates x[n, i, j, c] \, w[u, v, o, c]; then b[o] is added.

    Source: arXiv:1603.07285, chapter 4.

    Args:
        images: (batch, height, width, in).
        kernel: (kernel height, kernel width, **out, in**), as Keras lays it out, because it is the kernel of
            the cross-correlation (out -> in) whose image gradient this is.
        bias: (out,) or None.

    Returns:
        (batch, rows, columns, out); rows = height s for "same", height s + max(k - s, 0) for "valid".

    Raises:
        ValueError: other shapes, unequal channels, an unknown padding.
    """
    images, kernel, stride, size = _check_transpose(images, kernel, padding, stride)
    paddings = tuple(
        padding_amounts(size[axis], kernel.shape[axis], stride[axis], padding) for axis in (0, 1)
    )
    return _add_bias(_scatter(images, kernel, stride, (1, 1), size, paddings), bias)  # (batch, *size, out)


def transpose_cross_correlate2d_backward(upstream, images, kernel, bias=None, stride=1, padding="valid"):
    r"""Return the gradients of `transpose_cross_correlate2d` as (images, kernel, bias or None).

    The transpose of a transpose: the image gradient is the cross-correlation of upstream with the kernel, and
    the kernel gradient is that cross-correlation's, with images and upstream in exchanged roles.
    """
    images, kernel, stride, size = _check_transpose(images, kernel, padding, stride)
    upstream = upstream_array(upstream, (len(images), *size, kernel.shape[2]), np.result_type(images, kernel))
    image_gradient = cross_correlate2d(upstream, kernel, None, stride, padding)  # (batch, height, width, in)
    _, kernel_gradient, _ = cross_correlate2d_backward(images, upstream, kernel, None, stride, padding)
    return image_gradient, kernel_gradient, _bias_gradient(upstream, bias)


# ---- Sequences ---------------------------------------------------------------------------------------------


def _as_images(sequences, kernel, stride, padding, dilation):
    """Return a sequence as an image of width 1; "causal" becomes zeros in front and "valid".

    Returns:
        Images (batch, time, 1, in), kernel (size, 1, in, out), the options of `cross_correlate2d`, and the
        number of zeros put in front.
    """
    sequences = array_with_axes(sequences, "sequences", ("batch", "time", "features"))
    kernel = array_with_axes(kernel, "kernel", ("kernel size", "input features", "output features"))
    stride, dilation = positive_integer(stride, "stride"), positive_integer(dilation, "dilation")
    one_of((*PADDINGS, "causal"), padding=padding)
    front = 0
    if padding == "causal":
        front, _ = padding_amounts(sequences.shape[1], len(kernel), stride, "causal", dilation)
        sequences = np.pad(sequences, ((0, 0), (front, 0), (0, 0)))  # (batch, front + time, in)
        padding = "valid"
    options = ((stride, 1), padding, (dilation, 1))
    return sequences[:, :, np.newaxis], kernel[:, np.newaxis], options, front


def cross_correlate1d(sequences, kernel, bias=None, stride=1, padding="valid", dilation=1):
    r"""Cross-correlate over time: `keras.layers.Conv1D`.

    y[n, t, o] = b[o] + \sum_{u, c} x[n, t s + u d - p, c] \, w[u, c, o]

    Source: A. van den Oord et al., "WaveNet", arXiv:1609.03499.

    Args:
        sequences: (batch, time, in).
        kernel: (kernel size, in, out).
        bias: (out,) or None.
        stride, dilation: positive integers.
        padding: "valid", "same" or "causal" ((k - 1) d zeros in front, so that y[t] depends on x[0..t s]
            only: WaveNet's layer).

    Returns:
        (batch, steps, out).

    Raises:
        ValueError: as `cross_correlate2d`.
    """
    images, kernel, options, _ = _as_images(sequences, kernel, stride, padding, dilation)
    return cross_correlate2d(images, kernel, bias, *options)[:, :, 0]  # (batch, steps, out)


def cross_correlate1d_backward(upstream, sequences, kernel, bias=None, stride=1, padding="valid", dilation=1):
    """Return the gradients of `cross_correlate1d` as (sequences, kernel, bias or None)."""
    images, kernel, options, front = _as_images(sequences, kernel, stride, padding, dilation)
    upstream = array_with_axes(upstream, "upstream", ("batch", "steps", "output features"))
    image_gradient, kernel_gradient, bias_gradient = cross_correlate2d_backward(
        upstream[:, :, np.newaxis], images, kernel, bias, *options
    )
    # the gradient of the zeros in front is dropped
    sequence_gradient = image_gradient[:, front:, 0]  # (batch, time, in)
    return sequence_gradient, kernel_gradient[:, 0], bias_gradient  # ..., (size, in, out), (out,)
