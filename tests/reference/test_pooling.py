"""The NumPy pooling functions against Keras, TensorFlow's gradients and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close, assert_gradients

from course_utils.reference import convolution
from course_utils.reference import pooling as ours

CASES = {
    "max": (ours.max_pool2d, ours.max_pool2d_backward, tf.nn.max_pool2d, keras.layers.MaxPooling2D),
    "average": (
        ours.average_pool2d,
        ours.average_pool2d_backward,
        tf.nn.avg_pool2d,
        keras.layers.AveragePooling2D,
    ),
}
GLOBAL_CASES = {
    "max": (ours.global_max_pool2d, ours.global_max_pool2d_backward, keras.layers.GlobalMaxPooling2D),
    "average": (
        ours.global_average_pool2d,
        ours.global_average_pool2d_backward,
        keras.layers.GlobalAveragePooling2D,
    ),
}
SIZES = [(1, 1), (2, 2), (3, 2), (2, 4)]


def apart(*shape, seed=0, dtype="float64"):
    """Numbers at least 0.01 apart, so that no window has a tie and no small step changes its winner."""
    count = int(np.prod(shape))
    values = np.random.default_rng(seed).permutation(count) * 0.01 - count * 0.005
    return values.reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [None, 1, 2, 3, (3, 1)])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_keras(case, size, stride, padding, dtype):
    forward, backward, tensorflow_function, make_layer = CASES[case]
    images = apart(2, 7, 8, 3, dtype=dtype)
    assert_close(
        forward(images, size, stride, padding), make_layer(size, stride, padding, dtype=dtype)(images), dtype
    )
    # the gradient through tf.nn: some Keras layers turn float64 arrays into float32 first
    variable = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        output = tensorflow_function(variable, size, size if stride is None else stride, padding.upper())
        upstream = apart(*output.shape, seed=1, dtype=dtype)
        loss = tf.reduce_sum(output * upstream)
    assert_close(forward(images, size, stride, padding), output, dtype)
    assert_close(backward(upstream, images, size, stride, padding), tape.gradient(loss, variable), dtype)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case, size, stride, padding):
    forward, backward, _, _ = CASES[case]
    images = apart(2, 5, 4, 2)
    upstream = apart(*forward(images, size, stride, padding).shape, seed=2)
    gradient = backward(upstream, images, size, stride, padding)
    assert_gradients(
        lambda moved: forward(moved, size, stride, padding), [images], [gradient], upstream, step=1e-5
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (1, 1, 1, 1), (3, 2, 6, 1)])
@pytest.mark.parametrize("case", GLOBAL_CASES)
def test_global_pooling(case, shape, dtype):
    forward, backward, make_layer = GLOBAL_CASES[case]
    images = apart(*shape, dtype=dtype)
    upstream = apart(shape[0], shape[3], seed=1, dtype=dtype)
    variable = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        output = make_layer(dtype=dtype)(variable)
        loss = tf.reduce_sum(output * upstream)
    assert_close(forward(images), output, dtype)
    actual = backward(upstream, images)
    assert_close(actual, tape.gradient(loss, variable), dtype)
    if dtype == "float64":
        assert_gradients(forward, [images], [actual], upstream, step=1e-5)


def test_ties_are_broken_as_tensorflow_does():
    images = np.ones((1, 4, 4, 1))
    variable = tf.constant(images)
    for function, backward in (
        (lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), lambda g: ours.max_pool2d_backward(g, images, 2)),
        (
            lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME"),
            lambda g: ours.max_pool2d_backward(g, images, 3, 1, "same"),
        ),
        (lambda x: keras.ops.max(x, axis=(1, 2)), lambda g: ours.global_max_pool2d_backward(g, images)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(variable)
            output = function(variable)
            loss = tf.reduce_sum(output)
        assert_close(backward(np.ones(output.shape)), tape.gradient(loss, variable))


def test_padding_is_neither_averaged_nor_the_maximum():
    images = np.full((1, 3, 3, 1), -5.0)
    assert (ours.average_pool2d(images, 2, 2, "same") == -5).all()
    assert (ours.max_pool2d(images, 2, 2, "same") == -5).all()


def test_worked_example():
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    assert ours.max_pool2d(image, 2).ravel().tolist() == [5, 7, 13, 15]
    assert ours.average_pool2d(image, 2).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert ours.max_pool2d(image, 2, 1).shape == (1, 3, 3, 1)
    # each side of the window is held against its own side of the image
    assert ours.max_pool2d(np.ones((1, 2, 6, 1)), (1, 6)).shape == (1, 2, 1, 1)
    assert ours.max_pool2d(image, 3).shape[1] == convolution.output_size(4, 3, 3)


IMAGES = np.ones((2, 5, 6, 3))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"images": np.ones((5, 6, 3))},
            r"images: .*expected shape \(batch, height, width, channels\).*\(5, 6, 3\)",
        ),
        ({"images": np.ones((2, 0, 6, 3))}, "images: .*expected shape"),
        ({"images": np.ones((2, 5, 6, 3), np.uint8)}, "images: .*expected float32 or float64.*; found uint8"),
        ({"size": 0}, "size: .*expected an integer of at least 1; found 0"),
        ({"size": 2.0}, "size"),
        ({"size": (2, 2, 1)}, "size: .*expected one positive integer or a pair"),
        ({"size": 6}, r"size: .*with padding=\"valid\".* 5 × 6; found \(6, 6\)"),
        ({"size": (1, 7)}, r"found \(1, 7\)"),
        ({"stride": 0}, "stride: .*expected an integer of at least 1; found 0"),
        ({"padding": "causal"}, "padding: .*expected .* found 'causal'"),
        ({"padding": None}, "padding"),
    ],
)
def test_bad_arguments(case, changes, words):
    forward, backward, _, _ = CASES[case]
    arguments = {"images": IMAGES, "size": 2, **changes}
    with pytest.raises(ValueError, match=words):
        forward(**arguments)
    with pytest.raises(ValueError, match=words):
        backward(np.ones((2, 2, 3, 3)), **arguments)


def test_bad_upstream():
    for _, backward, _, _ in CASES.values():
        with pytest.raises(
            ValueError, match=r"upstream: .*expected shape \(2, 2, 3, 3\); found \(2, 5, 6, 3\)"
        ):
            backward(IMAGES, IMAGES, 2)
    for _, backward, _ in GLOBAL_CASES.values():
        with pytest.raises(ValueError, match=r"upstream: .*expected shape \(2, 3\); found \(3, 2\)"):
            backward(np.ones((3, 2)), IMAGES)


@pytest.mark.parametrize("case", GLOBAL_CASES)
def test_bad_global_arguments(case):
    forward, backward, _ = GLOBAL_CASES[case]
    for bad in (np.ones((2, 3)), np.ones((2, 5, 6, 3), int), np.ones((2, 0, 6, 3))):
        with pytest.raises(ValueError, match="images: .*expected"):
            forward(bad)
        with pytest.raises(ValueError, match="images: .*expected"):
            backward(np.ones((2, 3)), bad)
