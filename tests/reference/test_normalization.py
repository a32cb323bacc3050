"""The NumPy normalisations against Keras' layers, TensorFlow's gradients and finite differences."""

import functools

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close

from course_utils.reference import normalization as ours

random = functools.partial(helpers.random, mean=1.0, scale=2.0)
CASES = {
    "batch": (ours.batch_norm, ours.batch_norm_backward, keras.layers.BatchNormalization),
    "layer": (ours.layer_norm, ours.layer_norm_backward, keras.layers.LayerNormalization),
}
SHAPES = [(6, 5), (4, 3, 5), (3, 4, 2, 5), (2, 1)]


def arguments(shape, dtype="float64"):
    return (
        random(*shape, dtype=dtype),
        random(shape[-1], seed=1, dtype=dtype),
        random(shape[-1], seed=2, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("epsilon", [1e-3, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_keras(case, shape, epsilon, dtype):
    forward, backward, make_layer = CASES[case]
    x, gamma, beta = arguments(shape, dtype)
    upstream = random(*shape, seed=3, dtype=dtype)
    layer = make_layer(epsilon=epsilon, dtype=dtype)
    layer.build(shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        output = layer(variable, training=True)
        loss = tf.reduce_sum(output * upstream)
    gradients = tape.gradient(loss, [variable, layer.gamma.value, layer.beta.value])
    assert_close(forward(x, gamma, beta, epsilon), output, dtype)
    actual = backward(upstream, x, gamma, beta, epsilon)
    for gradient, expected in zip(actual, gradients, strict=True):
        assert_close(gradient, expected, dtype)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 3)])
@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case, shape):
    forward, backward, _ = CASES[case]
    arrays, upstream = arguments(shape), random(*shape, seed=3)
    helpers.assert_gradients(forward, arrays, backward(upstream, *arrays), upstream, tolerance=1e-6)


def test_default_epsilon_is_that_of_keras_layers():
    x, gamma, beta = arguments((8, 4))
    x *= 0.01  # small enough for epsilon to show
    for forward, _, make_layer in CASES.values():
        layer = make_layer(dtype="float64")
        layer.build(x.shape)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
        assert_close(forward(x, gamma, beta), layer(x, training=True))


def test_what_is_averaged_over():
    x = random(50, 6)
    ones, zeros = np.ones(6), np.zeros(6)
    np.testing.assert_allclose(ours.batch_norm(x, ones, zeros, 0).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(ours.batch_norm(x, ones, zeros, 0).var(axis=0), 1, atol=1e-12)
    np.testing.assert_allclose(ours.layer_norm(x, ones, zeros, 0).mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(ours.layer_norm(x, ones, zeros, 0).var(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_inference_equals_keras(shape, dtype):
    x, gamma, beta = arguments(shape, dtype)
    mean, variance = random(shape[-1], seed=4, dtype=dtype), np.abs(random(shape[-1], seed=5, dtype=dtype))
    layer = keras.layers.BatchNormalization(dtype=dtype)
    layer.build(shape)
    layer.set_weights([gamma, beta, mean, variance])
    actual = ours.batch_norm_inference(x, gamma, beta, mean, variance)
    assert_close(actual, layer(x, training=False), dtype)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.ones(3)}, r"x: .*expected shape \(batch, \.\.\., channels\).*found \(3,\)"),
        ({"x": np.ones((0, 3))}, r"found \(0, 3\)"),
        ({"x": np.ones((2, 3), np.int64)}, "x: .*expected float32 or float64.*; found int64"),
        ({"gamma": np.ones(2)}, r"gamma: .*expected shape \(3,\); found \(2,\)"),
        ({"gamma": np.ones((1, 3))}, r"gamma: .*expected shape \(channels,\).*found \(1, 3\)"),
        ({"beta": np.ones(4)}, r"beta: .*expected shape \(3,\); found \(4,\)"),
        ({"epsilon": -1e-3}, "epsilon: .*expected at least 0; found -0.001"),
        ({"epsilon": float("nan")}, "epsilon"),
    ],
)
def test_bad_arguments(case, changes, words):
    forward, backward, _ = CASES[case]
    good = {"x": np.ones((2, 3)), "gamma": np.ones(3), "beta": np.ones(3), **changes}
    with pytest.raises(ValueError, match=words):
        forward(**good)
    with pytest.raises(ValueError, match=words):
        backward(np.ones((2, 3)), **good)
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(2, 3\); found \(3, 2\)"):
        backward(np.ones((3, 2)), np.ones((2, 3)), np.ones(3), np.ones(3))


def test_bad_moving_averages():
    x, ones = np.ones((2, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"moving_mean: .*expected shape \(3,\); found \(2,\)"):
        ours.batch_norm_inference(x, ones, ones, np.ones(2), ones)
    with pytest.raises(ValueError, match=r"moving_variance: .*expected shape \(3,\); found \(4,\)"):
        ours.batch_norm_inference(x, ones, ones, ones, np.ones(4))
    with pytest.raises(ValueError, match="gamma"):
        ours.batch_norm_inference(x, np.ones(1), ones, ones, ones)
