"""The NumPy convolutions against Keras, TensorFlow's gradients and finite differences.

TensorFlow on the CPU computes dilated convolutions in float64, except transposed ones, and Keras refuses a
stride and a dilation together: those are compared through a kernel with explicit zeros between its numbers.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close, assert_gradients, random

from course_utils.reference import convolution as ours

# (height, width, kernel height, kernel width, stride, dilation): odd and even, uneven "same" padding
GEOMETRIES = [
    (7, 8, 3, 3, 1, 1),
    (7, 8, 3, 2, 2, 1),
    (8, 9, 2, 4, 3, 1),
    (6, 10, 5, 1, 2, 1),
    (9, 11, 3, 2, 1, 2),
    (10, 12, 2, 3, 1, (3, 2)),
    (5, 6, 1, 1, 1, 1),
    (6, 7, 2, 2, 3, 1),
]


def tensorflow_gradients(function, upstream, *arrays):
    """Gradients of sum(upstream * function(*arrays)) for every array."""
    variables = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        for variable in variables:
            tape.watch(variable)
        loss = tf.reduce_sum(function(*variables) * upstream)
    return tape.gradient(loss, variables)


def stuffed(kernel, dilation):
    """The same dilated kernel with its zeros written out."""
    height, width = kernel.shape[:2]
    full = np.zeros(((height - 1) * dilation + 1, (width - 1) * dilation + 1, *kernel.shape[2:]))
    full[::dilation, ::dilation] = kernel
    return full


# ---- Forward -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_cross_correlation_equals_keras(geometry, padding, dtype):
    height, width, rows, columns, stride, dilation = geometry
    for channels, filters in itertools.product((1, 3), (1, 4)):
        images = random(2, height, width, channels, dtype=dtype)
        kernel = random(rows, columns, channels, filters, seed=1, dtype=dtype)
        bias = random(filters, seed=2, dtype=dtype)
        expected = keras.ops.conv(images, kernel, stride, padding, dilation_rate=dilation) + bias
        actual = ours.cross_correlate2d(images, kernel, bias, stride, padding, dilation)
        assert_close(actual, expected, dtype)


def test_two_strides_and_two_dilations():
    images, kernel = random(2, 9, 11, 3), random(3, 2, 3, 4)
    expected = tf.nn.conv2d(images, kernel, strides=(2, 3), padding="SAME")
    assert_close(ours.cross_correlate2d(images, kernel, stride=(2, 3), padding="same"), expected)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_dilation_is_a_kernel_with_zeros(stride, dilation, padding):
    images, kernel = random(2, 11, 12, 2), random(3, 3, 2, 3)
    expected = keras.ops.conv(images, stuffed(kernel, dilation), stride, padding)
    assert_close(ours.cross_correlate2d(images, kernel, None, stride, padding, dilation), expected)


def test_uneven_same_padding_puts_the_extra_zero_last():
    image = np.arange(1.0, 5.0).reshape(1, 4, 1, 1)
    kernel = np.array([1.0, 10.0]).reshape(2, 1, 1, 1)
    output = ours.cross_correlate2d(image, kernel, padding="same")
    assert output.ravel().tolist() == [21, 32, 43, 4]


def test_a_worked_example_of_the_flip():
    image = np.arange(9.0).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    # by hand: 1*0 + 2*1 + 3*3 + 4*4 = 27 unflipped, 4*0 + 3*1 + 2*3 + 1*4 = 13 flipped
    assert ours.cross_correlate2d(image, kernel)[0, 0, 0, 0] == 27
    assert ours.convolve2d(image, kernel)[0, 0, 0, 0] == 13


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolution_equals_keras_with_a_turned_kernel(geometry, padding, dtype):
    height, width, rows, columns, stride, dilation = geometry
    images = random(2, height, width, 3, dtype=dtype)
    kernel = random(rows, columns, 3, 2, dtype=dtype)
    turned = np.flip(kernel, (0, 1)).copy()
    expected = keras.ops.conv(images, turned, stride, padding, dilation_rate=dilation)
    assert_close(ours.convolve2d(images, kernel, None, stride, padding, dilation), expected, dtype)


def test_convolution_in_one_dimension_equals_numpy():
    signal, kernel = random(9), random(4)
    image = signal.reshape(1, 9, 1, 1)
    output = ours.convolve2d(image, kernel.reshape(4, 1, 1, 1))
    assert_close(output.ravel(), np.convolve(signal, kernel, mode="valid"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_depthwise_equals_keras(geometry, padding, dtype):
    height, width, rows, columns, stride, dilation = geometry
    for channels, multiplier in ((1, 1), (3, 1), (3, 2)):
        images = random(2, height, width, channels, dtype=dtype)
        kernel = random(rows, columns, channels, multiplier, seed=1, dtype=dtype)
        bias = random(channels * multiplier, dtype=dtype)
        expected = keras.ops.depthwise_conv(images, kernel, stride, padding, dilation_rate=dilation) + bias
        actual = ours.depthwise_cross_correlate2d(images, kernel, bias, stride, padding, dilation)
        assert_close(actual, expected, dtype)


def test_depthwise_then_one_by_one_is_keras_separable_layer():
    images = random(2, 7, 6, 3)
    layer = keras.layers.SeparableConv2D(
        5, 3, padding="same", dtype="float64", bias_initializer="random_normal"
    )
    expected = layer(images)
    depthwise, pointwise, bias = layer.get_weights()
    middle = ours.depthwise_cross_correlate2d(images, depthwise, padding="same")
    assert_close(ours.cross_correlate2d(middle, pointwise, bias), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_equals_keras(size, stride, padding, dtype):
    images = random(2, 4, 5, 3, dtype=dtype)
    layer = keras.layers.Conv2DTranspose(
        2, (size, 3), stride, padding, dtype=dtype, bias_initializer="random_normal"
    )
    expected = layer(images)
    assert_close(
        ours.transpose_cross_correlate2d(images, *layer.get_weights(), stride=stride, padding=padding),
        expected,
        dtype,
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 4)])
def test_one_dimension_equals_keras(stride, dilation, padding, dtype):
    for size in (1, 2, 3):
        layer = keras.layers.Conv1D(
            4, size, stride, padding, dilation_rate=dilation, dtype=dtype, bias_initializer="random_normal"
        )
        sequences = random(2, 13, 3, dtype=dtype)
        expected = layer(sequences)
        actual = ours.cross_correlate1d(sequences, *layer.get_weights(), stride, padding, dilation)
        assert_close(actual, expected, dtype)


def test_causal_output_never_sees_the_future():
    sequences, kernel = random(1, 12, 2), random(3, 2, 2)
    before = ours.cross_correlate1d(sequences, kernel, padding="causal", dilation=2)
    sequences[:, 7:] += 1
    after = ours.cross_correlate1d(sequences, kernel, padding="causal", dilation=2)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert not np.allclose(before[:, 7], after[:, 7])


# ---- Gradients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_gradients_equal_tensorflow(geometry, padding, dtype):
    height, width, rows, columns, stride, dilation = geometry
    images = random(2, height, width, 3, dtype=dtype)
    for forward, backward, reference, shape in (
        (ours.cross_correlate2d, ours.cross_correlate2d_backward, keras.ops.conv, (3, 2)),
        (
            ours.convolve2d,
            ours.convolve2d_backward,
            lambda x, kernel, *rest, **options: keras.ops.conv(
                x, tf.reverse(kernel, (0, 1)), *rest, **options
            ),
            (3, 2),
        ),
        (
            ours.depthwise_cross_correlate2d,
            ours.depthwise_cross_correlate2d_backward,
            keras.ops.depthwise_conv,
            (3, 2),
        ),
    ):
        kernel = random(rows, columns, *shape, dtype=dtype)
        output = forward(images, kernel, None, stride, padding, dilation)
        bias = random(output.shape[-1], dtype=dtype)
        upstream = random(*output.shape, seed=3, dtype=dtype)
        expected = tensorflow_gradients(
            lambda x, w, b, reference=reference: reference(x, w, stride, padding, dilation_rate=dilation) + b,
            upstream,
            images,
            kernel,
            bias,
        )
        actual = backward(upstream, images, kernel, bias, stride, padding, dilation)
        assert len(actual) == 3
        for ours_one, expected_one in zip(actual, expected, strict=True):
            assert_close(ours_one, expected_one, dtype)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", ["cross_correlate2d", "convolve2d", "depthwise_cross_correlate2d"])
def test_gradients_equal_finite_differences(name, padding):
    forward, backward = getattr(ours, name), getattr(ours, name + "_backward")
    arguments = {"stride": (2, 1), "padding": padding, "dilation": (1, 2)}
    images, kernel = random(1, 5, 6, 2), random(2, 3, 2, 2)
    bias = random(forward(images, kernel, **arguments).shape[-1])
    upstream = random(*forward(images, kernel, bias, **arguments).shape, seed=5)
    actual = backward(upstream, images, kernel, bias, **arguments)
    assert_gradients(lambda *moved: forward(*moved, **arguments), [images, kernel, bias], actual, upstream)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 3), (3, 1), (4, 2)])
def test_transposed_gradients(size, stride, padding):
    images = random(2, 3, 4, 3)
    layer = keras.layers.Conv2DTranspose(2, size, stride, padding, dtype="float64")
    layer.build(images.shape)
    kernel, bias = random(*layer.kernel.shape), random(2)
    upstream = random(*layer.compute_output_shape(images.shape), seed=4)
    arrays = [images, kernel, bias]
    expected = tensorflow_gradients(
        lambda x, w, b: keras.ops.conv_transpose(x, w, stride, padding) + b, upstream, *arrays
    )
    actual = ours.transpose_cross_correlate2d_backward(upstream, *arrays, stride, padding)
    for gradient, expected_one in zip(actual, expected, strict=True):
        assert_close(gradient, expected_one)
    forward = ours.transpose_cross_correlate2d
    assert_gradients(lambda *moved: forward(*moved, stride, padding), arrays, actual, upstream)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_one_dimension_gradients(stride, dilation, padding):
    layer = keras.layers.Conv1D(2, 3, stride, padding, dilation_rate=dilation, dtype="float64")
    sequences = random(2, 9, 3)
    layer.build(sequences.shape)
    kernel, bias = random(3, 3, 2), random(2)
    layer.set_weights([kernel, bias])
    upstream = random(*layer(sequences).shape, seed=6)
    expected_input = tensorflow_gradients(layer, upstream, sequences)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(sequences) * upstream)
    expected = [*expected_input, *tape.gradient(loss, layer.trainable_variables)]
    actual = ours.cross_correlate1d_backward(upstream, sequences, kernel, bias, stride, padding, dilation)
    for gradient, expected_one in zip(actual, expected, strict=True):
        assert_close(gradient, expected_one)
    assert_gradients(
        lambda moved: ours.cross_correlate1d(moved, kernel, bias, stride, padding, dilation),
        [sequences],
        actual[:1],
        upstream,
    )


def test_without_bias_its_gradient_is_none():
    images, kernel = random(1, 3, 3, 1), random(2, 2, 1, 1)
    for name in (
        "cross_correlate2d",
        "convolve2d",
        "depthwise_cross_correlate2d",
        "transpose_cross_correlate2d",
    ):
        output = getattr(ours, name)(images, kernel)
        assert getattr(ours, name + "_backward")(np.ones_like(output), images, kernel)[2] is None
    assert ours.cross_correlate1d_backward(np.ones((1, 2, 1)), random(1, 3, 1), random(2, 1, 1))[2] is None


# ---- Sizes -------------------------------------------------------------------------------------------------


def test_output_size_equals_keras_for_every_geometry():
    for size, kernel, stride, padding, dilation in itertools.product(
        range(5, 12), range(1, 5), range(1, 4), ("valid", "same", "causal"), range(1, 4)
    ):
        if (stride > 1 and dilation > 1) or (padding == "valid" and (kernel - 1) * dilation + 1 > size):
            continue
        layer = keras.layers.Conv1D(1, kernel, stride, padding, dilation_rate=dilation)
        expected = layer.compute_output_shape((1, size, 1))[1]
        assert ours.output_size(size, kernel, stride, padding, dilation) == expected


def test_receptive_field_is_where_the_gradient_is_not_zero():
    stack = [(3, 1), (2, 2), (3, 1, 2), (3, 2)]
    sequences = np.ones((1, 60, 1))
    inputs = [sequences]
    for kernel, stride, dilation in ((*layer, 1)[:3] for layer in stack):
        inputs.append(
            ours.cross_correlate1d(inputs[-1], np.ones((kernel, 1, 1)), None, stride, "valid", dilation)
        )
    upstream = np.zeros_like(inputs[-1])
    upstream[0, 2, 0] = 1
    for layer, array in zip(stack[::-1], inputs[-2::-1], strict=True):
        kernel, stride, dilation = (*layer, 1)[:3]
        upstream, _, _ = ours.cross_correlate1d_backward(
            upstream, array, np.ones((kernel, 1, 1)), None, stride, "valid", dilation
        )
    seen = np.flatnonzero(upstream)
    assert seen[-1] - seen[0] + 1 == ours.receptive_field(stack) == 16


def test_receptive_field_of_known_networks():
    assert ours.receptive_field([]) == 1
    assert ours.receptive_field([(3, 1)] * 2) == 5
    assert ours.receptive_field([(2, 1, 2**power) for power in range(10)]) == 1024  # WaveNet's block


# ---- Errors ------------------------------------------------------------------------------------------------

IMAGES, KERNEL = np.ones((2, 5, 5, 3)), np.ones((3, 3, 3, 4))


@pytest.mark.parametrize("name", ["cross_correlate2d", "convolve2d", "depthwise_cross_correlate2d"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"images": np.ones((5, 5, 3))},
            r"images: .*expected shape \(batch, height, width, channels\).*\(5, 5, 3\)",
        ),
        ({"images": np.ones((0, 5, 5, 3))}, r"images: .*expected shape.*\(0, 5, 5, 3\)"),
        ({"images": np.ones((2, 5, 5, 3), int)}, "images: .*expected float32 or float64.*; found int64"),
        ({"images": np.ones((2, 5, 5, 3), "float16")}, "found float16"),
        ({"images": [[1.0], [1.0, 2.0]]}, "ragged"),
        ({"kernel": np.ones((3, 3, 3))}, r"kernel: .*expected shape \(kernel height.*\(3, 3, 3\)"),
        (
            {"kernel": np.ones((3, 3, 2, 4))},
            r"expected 3 input channels.*\(2, 5, 5, 3\).*found 2.*\(3, 3, 2, 4\)",
        ),
        ({"kernel": np.ones((6, 3, 3, 4))}, "effective size of at most 5.*found 6"),
        ({"dilation": 3}, "effective size of at most 5.*found 7"),
        ({"bias": np.ones(99)}, r"bias: .*expected shape \(\d+,\); found \(99,\)"),
        ({"bias": np.ones((1, 4))}, r"bias: .*expected shape \(output channels,\)"),
        ({"stride": 0}, "stride: .*expected an integer of at least 1; found 0"),
        ({"stride": 1.5}, "stride.*1.5"),
        ({"stride": True}, "stride.*True"),
        ({"stride": (1, 2, 3)}, "stride: .*expected one positive integer or a pair"),
        ({"dilation": (1, 0)}, "dilation.*found 0"),
        ({"padding": "full"}, "padding: .*expected one of.*found 'full'"),
        ({"padding": "causal"}, "padding: .*expected one of.*found 'causal'"),
        ({"padding": 1}, "padding.*found 1"),
    ],
)
def test_bad_arguments(name, changes, words):
    forward, backward = getattr(ours, name), getattr(ours, name + "_backward")
    arguments = {"images": IMAGES, "kernel": KERNEL, **changes}
    with pytest.raises(ValueError, match=words):
        forward(**arguments)
    if "bias" not in changes:
        with pytest.raises(ValueError, match=words):
            backward(np.ones((2, 3, 3, 4)), **arguments)


@pytest.mark.parametrize(
    ("name", "arrays", "expected"),
    [
        ("cross_correlate2d", (IMAGES, KERNEL), r"\(2, 3, 3, 4\)"),
        ("convolve2d", (IMAGES, KERNEL), r"\(2, 3, 3, 4\)"),
        ("depthwise_cross_correlate2d", (IMAGES, KERNEL), r"\(2, 3, 3, 12\)"),
        ("transpose_cross_correlate2d", (IMAGES, np.ones((3, 3, 4, 3))), r"\(2, 7, 7, 4\)"),
    ],
)
def test_upstream_must_have_the_outputs_shape(name, arrays, expected):
    with pytest.raises(ValueError, match=rf"upstream: .*expected shape {expected}; found \(2, 5, 5, 4\)"):
        getattr(ours, name + "_backward")(np.ones((2, 5, 5, 4)), *arrays)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.ones((5, 5))}, "images: .*expected shape"),
        ({"kernel": np.ones((3, 3))}, "kernel: .*expected shape"),
        ({"kernel": np.ones((3, 3, 3, 4))}, r"expected 3 input channels \(axis 3\).*\(3, 3, 3, 4\)"),
        ({"stride": 0}, "stride"),
        ({"padding": "causal"}, "padding"),
        ({"bias": np.ones(3)}, r"bias: .*expected shape \(4,\); found \(3,\)"),
    ],
)
def test_bad_transposed_arguments(changes, words):
    arguments = {"images": IMAGES, "kernel": np.ones((3, 3, 4, 3)), **changes}
    with pytest.raises(ValueError, match=words):
        ours.transpose_cross_correlate2d(**arguments)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sequences": np.ones((5, 3))}, "sequences: .*expected shape"),
        ({"kernel": np.ones((2, 3))}, "kernel: .*expected shape"),
        ({"kernel": np.ones((2, 4, 3))}, "expected 3 input channels"),
        ({"kernel": np.ones((6, 3, 3))}, "effective size of at most 5"),
        ({"stride": 0}, "stride"),
        ({"dilation": 0}, "dilation"),
        ({"stride": (1, 1)}, "stride"),
        ({"padding": "past"}, "padding: .*expected one of.*causal.*found 'past'"),
        ({"bias": np.ones(2)}, "bias"),
    ],
)
def test_bad_sequence_arguments(changes, words):
    arguments = {"sequences": np.ones((2, 5, 3)), "kernel": np.ones((2, 3, 4)), **changes}
    with pytest.raises(ValueError, match=words):
        ours.cross_correlate1d(**arguments)


def test_bad_sequence_upstream():
    with pytest.raises(ValueError, match="upstream"):
        ours.cross_correlate1d_backward(np.ones((2, 5, 4)), np.ones((2, 5, 3)), np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="upstream"):
        ours.cross_correlate1d_backward(np.ones((2, 4)), np.ones((2, 5, 3)), np.ones((2, 3, 4)))


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1),
        (5, 0),
        (5, 3, 0),
        (5, 3, 1, "valid", 0),
        (5, 3, 1, "full"),
        (5, 6),
        (5, 3, 1, "valid", 3),
        (5.0, 3),
    ],
)
def test_bad_sizes(arguments):
    with pytest.raises(ValueError, match="expected"):
        ours.output_size(*arguments)


@pytest.mark.parametrize("layers", [[3], [(3,)], [(3, 0)], [(3, 1, 1, 1)], [(0, 1)]])
def test_bad_layers(layers):
    with pytest.raises(ValueError, match="layers: .*expected"):
        ours.receptive_field(layers)
