"""The NumPy activations against Keras, TensorFlow's gradients, finite differences, and at extreme inputs."""

import functools

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close

from course_utils.reference import activations as ours

random = functools.partial(helpers.random, scale=3)
CASES = {
    "relu": (ours.relu, ours.relu_backward, {}, keras.activations.relu),
    "sigmoid": (ours.sigmoid, ours.sigmoid_backward, {}, keras.activations.sigmoid),
    "tanh": (ours.tanh, ours.tanh_backward, {}, keras.activations.tanh),
    "gelu": (ours.gelu, ours.gelu_backward, {}, keras.activations.gelu),
    "gelu approximate": (
        ours.gelu,
        ours.gelu_backward,
        {"approximate": True},
        lambda x: keras.activations.gelu(x, approximate=True),
    ),
    "softmax": (ours.softmax, ours.softmax_backward, {}, keras.ops.softmax),
    "softmax axis 1": (
        ours.softmax,
        ours.softmax_backward,
        {"axis": 1},
        lambda x: keras.ops.softmax(x, axis=1),
    ),
    "log_softmax": (ours.log_softmax, ours.log_softmax_backward, {}, keras.ops.log_softmax),
    "log_softmax axis 0": (
        ours.log_softmax,
        ours.log_softmax_backward,
        {"axis": 0},
        lambda x: keras.ops.log_softmax(x, axis=0),
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 4), (1, 2)])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_keras(case, shape, dtype):
    forward, backward, options, keras_function = CASES[case]
    x, upstream = random(*shape, dtype=dtype), random(*shape, seed=1, dtype=dtype)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        output = keras_function(variable)
        loss = tf.reduce_sum(output * upstream)
    assert_close(forward(x, **options), output, dtype)
    assert_close(backward(upstream, x, **options), tape.gradient(loss, variable), dtype)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case):
    forward, backward, options, _ = CASES[case]
    x, upstream = random(4, 5), random(4, 5, seed=1)
    gradient = backward(upstream, x, **options)
    helpers.assert_gradients(lambda moved: forward(moved, **options), [x], [gradient], upstream)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_extreme_inputs_stay_finite_without_warnings(case, dtype):
    forward, backward, options, _ = CASES[case]
    x = np.array([[1000, -1000, 0.0], [1e30, -1e30, 5]], dtype=dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(forward(x, **options)).all()
        assert np.isfinite(backward(np.ones_like(x), x, **options)).all()


def test_known_extremes():
    assert ours.softmax(np.array([1000.0, 1000.0])).tolist() == [0.5, 0.5]
    assert ours.log_softmax(np.array([0.0, -1000.0])).tolist() == [0, -1000]
    assert ours.sigmoid(-1000) == 0 and ours.sigmoid(1000) == 1
    assert ours.sigmoid(-700) == pytest.approx(np.exp(-700), rel=1e-12)  # small, not lost
    assert ours.sigmoid_backward(1, 100.0) == pytest.approx(np.exp(-100.0), rel=1e-12)
    assert ours.gelu(-10.0) == pytest.approx(-7.619853024160527e-23, rel=1e-9)


def test_kink_of_relu_has_gradient_zero():
    assert ours.relu_backward(np.ones(3), np.array([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]


def test_gradient_of_sigmoid_where_it_rounds_to_1():
    x = np.array([40.0, 100.0])  # 1 - sigmoid(x) is 0 here, its gradient is not
    np.testing.assert_allclose(ours.sigmoid_backward(np.ones(2), x), np.exp(-x), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_softmax_jacobian(dtype):
    x, upstream = random(3, 4, dtype=dtype), random(3, 4, seed=2, dtype=dtype)
    jacobian = ours.softmax_jacobian(x)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        output = tf.nn.softmax(variable)
    assert_close(jacobian, tape.batch_jacobian(output, variable), dtype)
    np.testing.assert_allclose(jacobian.sum(axis=-1), 0, atol=1e-6)
    product = np.einsum("bi,bij->bj", upstream, jacobian)
    assert_close(ours.softmax_backward(upstream, x), product, dtype)


def test_plain_numbers_and_lists_become_float64():
    assert ours.relu([-1, 2]).tolist() == [0, 2]
    assert ours.tanh(0).dtype == ours.softmax([1, 2]).dtype == np.float64
    assert ours.relu(np.float32(-2.5)).dtype == np.float32


@pytest.mark.parametrize("case", CASES)
def test_bad_arguments(case):
    forward, backward, options, _ = CASES[case]
    with pytest.raises(ValueError, match="x: .*expected float32 or float64.*; found int64"):
        forward(np.ones((3, 3), np.int64), **options)
    with pytest.raises(ValueError, match="x: .*expected float32 or float64.*; found bool"):
        forward(np.ones((3, 3), bool), **options)
    with pytest.raises(ValueError, match="x: .*expected float32 or float64.*; found float16"):
        backward(np.ones((3, 3)), np.ones((3, 3), "float16"), **options)
    with pytest.raises(ValueError, match="x: .*expected a regular array"):
        forward([[1.0], [1.0, 2.0]], **options)
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(3, 2\); found \(2, 3\)"):
        backward(np.ones((2, 3)), np.ones((3, 2)), **options)


@pytest.mark.parametrize("function", [ours.softmax, ours.log_softmax])
@pytest.mark.parametrize("axis", [2, -3, 1.0, None])
def test_bad_axis(function, axis):
    with pytest.raises(ValueError, match=r"axis: .*expected an integer from -2 to 1 for x of shape \(2, 3\)"):
        function(np.ones((2, 3)), axis=axis)


def test_softmax_of_nothing():
    with pytest.raises(ValueError, match=r"at least one number along axis -1; found shape \(2, 0\)"):
        ours.softmax(np.ones((2, 0)))
    with pytest.raises(ValueError, match="axis"):
        ours.softmax(3.0)
