"""Automatic differentiation against TensorFlow's tape and against finite differences."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_gradients

from course_utils.reference import optimizers
from course_utils.reference.autodiff import Tensor, cross_entropy, topological_order

LABELS = np.array([2, 0, 2, 1])
ROWS, COLUMNS = np.array([0, 3, 0, 0]), np.array([1, 2, 1, 0])

# name: (function of tensors, the same in TensorFlow, shapes of the arguments)
# a "+" at the end of a name asks for positive arguments
OPERATIONS = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, [(2, 3), (2, 3)]),
    "add a bias": (lambda a, b: a + b, lambda a, b: a + b, [(4, 3), (3,)]),
    "add a column and a row": (lambda a, b: a + b, lambda a, b: a + b, [(4, 1), (1, 3)]),
    "add a scalar tensor": (lambda a, b: a + b, lambda a, b: a + b, [(), (2, 3)]),
    "add numbers on both sides": (lambda a: 2 + a + 3.5, lambda a: 2 + a + 3.5, [(2, 3)]),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b, [(2, 1, 3), (4, 1)]),
    "subtract numbers on both sides": (lambda a: 2 - (a - 3), lambda a: 2 - (a - 3), [(2, 3)]),
    "negate": (lambda a: -a, lambda a: -a, [(2, 3)]),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b, [(2, 3), (2, 3)]),
    "multiply, broadcast": (lambda a, b: a * b, lambda a, b: a * b, [(2, 1, 3), (4, 1)]),
    "multiply by itself": (lambda a: a * a, lambda a: a * a, [(3,)]),
    "multiply by numbers": (lambda a: 2 * a * 0.5, lambda a: 2 * a * 0.5, [(2, 3)]),
    "multiply by an array": (lambda a: np.arange(3.0) * a, lambda a: np.arange(3.0) * a, [(2, 3)]),
    "divide +": (lambda a, b: a / b, lambda a, b: a / b, [(2, 3), (2, 3)]),
    "divide, broadcast +": (lambda a, b: a / b, lambda a, b: a / b, [(3,), (4, 1)]),
    "divide a number +": (lambda a: 2 / a / 3, lambda a: 2 / a / 3, [(2, 3)]),
    "square": (lambda a: a**2, lambda a: a**2, [(2, 3)]),
    "root +": (lambda a: a**0.5, lambda a: a**0.5, [(2, 3)]),
    "inverse cube +": (lambda a: a**-3, lambda a: a**-3, [(2, 3)]),
    "matmul": (lambda a, b: a @ b, lambda a, b: a @ b, [(4, 3), (3, 2)]),
    "matmul, batch": (lambda a, b: a @ b, lambda a, b: a @ b, [(5, 4, 3), (5, 3, 2)]),
    "matmul, broadcast batch": (lambda a, b: a @ b, lambda a, b: a @ b, [(2, 1, 4, 3), (5, 3, 2)]),
    "matmul, shared matrix": (lambda a, b: a @ b, lambda a, b: a @ b, [(2, 5, 4, 3), (3, 2)]),
    "matmul with arrays": (
        lambda a: np.ones((2, 4)) @ a @ np.ones((3, 2)),
        lambda a: np.ones((2, 4)) @ a @ np.ones((3, 2)),
        [(4, 3)],
    ),
    "exp": (lambda a: a.exp(), tf.exp, [(2, 3)]),
    "log +": (lambda a: a.log(), tf.math.log, [(2, 3)]),
    "tanh": (lambda a: a.tanh(), tf.tanh, [(2, 3)]),
    "relu": (lambda a: a.relu(), tf.nn.relu, [(4, 3)]),
    "sigmoid": (lambda a: a.sigmoid(), tf.sigmoid, [(2, 3)]),
    "sum": (lambda a: a.sum(), tf.reduce_sum, [(2, 3)]),
    "sum of an axis": (lambda a: a.sum(axis=1), lambda a: tf.reduce_sum(a, 1), [(2, 3, 4)]),
    "sum of the last axis, kept": (
        lambda a: a.sum(-1, keepdims=True),
        lambda a: tf.reduce_sum(a, -1, keepdims=True),
        [(2, 3, 4)],
    ),
    "sum of two axes": (lambda a: a.sum((0, 2)), lambda a: tf.reduce_sum(a, (0, 2)), [(2, 3, 4)]),
    "mean": (lambda a: a.mean(), tf.reduce_mean, [(2, 3)]),
    "mean of an axis": (lambda a: a.mean(0), lambda a: tf.reduce_mean(a, 0), [(2, 3)]),
    "mean of two axes, kept": (
        lambda a: a.mean((0, -1), True),
        lambda a: tf.reduce_mean(a, (0, -1), True),
        [(2, 3, 4)],
    ),
    "max": (lambda a: a.max(), tf.reduce_max, [(2, 3)]),
    "max of an axis": (lambda a: a.max(axis=1), lambda a: tf.reduce_max(a, 1), [(2, 3, 4)]),
    "max of two axes, kept": (
        lambda a: a.max((0, 2), True),
        lambda a: tf.reduce_max(a, (0, 2), True),
        [(2, 3, 4)],
    ),
    "reshape": (lambda a: a.reshape(4, 3), lambda a: tf.reshape(a, (4, 3)), [(2, 6)]),
    "reshape, tuple and -1": (lambda a: a.reshape((3, -1)), lambda a: tf.reshape(a, (3, -1)), [(2, 6)]),
    "reshape, flat": (lambda a: a.reshape(-1), lambda a: tf.reshape(a, (-1,)), [(2, 6)]),
    "transpose": (lambda a: a.transpose(), tf.transpose, [(2, 3, 4)]),
    "transpose, given axes": (
        lambda a: a.transpose(1, 2, 0),
        lambda a: tf.transpose(a, (1, 2, 0)),
        [(2, 3, 4)],
    ),
    "transpose, tuple": (lambda a: a.transpose((2, 0, 1)), lambda a: tf.transpose(a, (2, 0, 1)), [(2, 3, 4)]),
    "one row": (lambda a: a[-1], lambda a: a[-1], [(4, 3)]),
    "slices": (lambda a: a[1:, ::2], lambda a: a[1:, ::2], [(4, 3)]),
    "reversed, new axis": (lambda a: a[::-1, None], lambda a: a[::-1, None], [(4, 3)]),
    "repeated rows": (lambda a: a[ROWS], lambda a: tf.gather(a, ROWS), [(4, 3)]),
    "repeated elements": (
        lambda a: a[ROWS, COLUMNS],
        lambda a: tf.gather_nd(a, np.stack([ROWS, COLUMNS], 1)),
        [(4, 3)],
    ),
    "log_softmax": (lambda a: a.log_softmax(), tf.nn.log_softmax, [(4, 3)]),
    "log_softmax, first axis": (
        lambda a: a.log_softmax(axis=0),
        lambda a: tf.nn.log_softmax(a, axis=0),
        [(4, 3)],
    ),
    "cross_entropy": (
        lambda a: cross_entropy(a, LABELS),
        lambda a: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, a)),
        [(4, 3)],
    ),
    "diamond": (
        lambda a, b: (a * b).tanh() * (a * b).exp() + a,
        lambda a, b: tf.tanh(a * b) * tf.exp(a * b) + a,
        [(2, 3), (3,)],
    ),
}


def arguments_of(name):
    generator = np.random.default_rng(7)
    arrays = [generator.normal(size=shape) for shape in OPERATIONS[name][2]]
    return [np.abs(array) + 0.5 if name.endswith("+") else array for array in arrays]


def gradients_and_upstream(name, arrays):
    """Our gradients for a random upstream of the result's shape, the result, and that upstream."""
    tensors = [Tensor(array) for array in arrays]
    result = OPERATIONS[name][0](*tensors)
    upstream = np.random.default_rng(8).normal(size=result.shape)
    result.backward(upstream)
    return [tensor.gradient for tensor in tensors], result.data, upstream


@pytest.mark.parametrize("name", OPERATIONS)
def test_equal_to_tensorflow(name):
    arrays = arguments_of(name)
    gradients, result, upstream = gradients_and_upstream(name, arrays)
    variables = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        expected = OPERATIONS[name][1](*variables)
    expected_gradients = tape.gradient(expected, variables, output_gradients=tf.constant(upstream))
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)
    for gradient, array, other in zip(gradients, arrays, expected_gradients, strict=True):
        assert isinstance(gradient, np.ndarray)
        assert gradient.shape == array.shape and gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, tf.convert_to_tensor(other), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
def test_equal_to_finite_differences(name):
    arrays = arguments_of(name)
    gradients, _, upstream = gradients_and_upstream(name, arrays)
    assert_gradients(
        lambda *moved: OPERATIONS[name][0](*map(Tensor, moved)).data, arrays, gradients, upstream, step=1e-5
    )


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda a: a.max(axis=1), lambda a: tf.reduce_max(a, axis=1)),
        (lambda a: a.max(), tf.reduce_max),
        (lambda a: a.relu(), tf.nn.relu),
    ],
)
def test_ties_and_kinks_follow_tensorflow(ours, theirs):
    array = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]])
    tensor, variable = Tensor(array), tf.constant(array)
    ours(tensor).sum().backward()
    with tf.GradientTape() as tape:
        tape.watch(variable)
        total = tf.reduce_sum(theirs(variable))
    np.testing.assert_allclose(tensor.gradient, tape.gradient(total, variable), atol=1e-15)


def test_a_tensor_used_several_times_adds_up():
    a = Tensor(3.0)
    (a * a + a * 2 + a).backward()
    assert a.gradient == 2 * 3 + 2 + 1 and a.gradient.shape == ()


def test_a_diamond_is_walked_once_a_node():
    """40 diamonds in a row have 2^40 paths; an order by tensors needs 2 visits each."""
    start = tensor = Tensor(1.0)
    for _ in range(40):
        tensor = tensor * 0.5 + tensor * 0.5
    assert len(topological_order(tensor)) == 1 + 3 * 40
    tensor.backward()
    assert start.gradient == 1.0


def test_every_tensor_stands_after_its_parents():
    a, b = Tensor(np.ones(3)), Tensor(2.0)
    c = a * b
    order = topological_order((c + a).exp().sum() * c.max() + b)
    position = {id(tensor): number for number, tensor in enumerate(order)}
    for tensor in order:
        assert all(position[id(parent)] < position[id(tensor)] for parent, _ in tensor.parents)
    assert len(position) == len(order)


def test_gradients_accumulate_over_calls_and_graphs():
    """Also when the same graph is walked twice: old gradients inside it must not flow again."""
    a = Tensor([1.0, 2.0])
    loss = ((a * 3) ** 2).sum()
    loss.backward()
    once = a.gradient.copy()
    np.testing.assert_array_equal(once, [18.0, 36.0])
    loss.backward()
    np.testing.assert_array_equal(a.gradient, 2 * once)
    (a * 5).sum().backward()
    np.testing.assert_array_equal(a.gradient, 2 * once + 5)
    a.gradient = None
    (a * 5).sum().backward()
    np.testing.assert_array_equal(a.gradient, [5.0, 5.0])


def test_intermediate_gradients_and_given_arrays():
    data = np.array([1.0, 2.0])
    a = Tensor(data)
    hidden = a * 3
    upstream = np.array([1.0, 10.0])
    hidden.backward(upstream)
    hidden.gradient[0] = 99
    np.testing.assert_array_equal(upstream, [1.0, 10.0])
    np.testing.assert_array_equal(data, [1.0, 2.0])
    np.testing.assert_array_equal(a.gradient, [3.0, 30.0])


def test_a_deep_chain_needs_no_recursion():
    start = tensor = Tensor(1.0)
    for _ in range(10_000):
        tensor = tensor + 1e-3
    tensor.backward(np.float64(2.0))
    assert start.gradient == 2.0
    del tensor  # freeing the chain must not overflow the stack either


def test_float32_stays_float32():
    a, b = Tensor(np.ones((2, 3), "float32")), Tensor(np.ones(3, "float32"))
    loss = ((a * 2 + b / 3 - 1.5) ** 2).sigmoid().mean(0).max() + a.relu().log_softmax()[0].sum()
    loss.backward()
    assert {loss.data.dtype, loss.gradient.dtype, a.gradient.dtype, b.gradient.dtype} == {np.dtype("float32")}
    mixed = Tensor(np.ones(3, "float32"))
    (mixed * np.ones(3)).sum().backward()
    assert mixed.gradient.dtype == np.float32


def test_constants_receive_no_gradient():
    images, weight = Tensor(np.ones((2, 3)), needs_gradient=False), Tensor(np.ones((3, 1)))
    hidden = (images * 2).exp()
    (hidden @ weight).sum().backward()
    assert images.gradient is None and hidden.gradient is None and not hidden.needs_gradient
    assert weight.gradient.shape == (3, 1)


def test_large_numbers_do_not_overflow():
    a = Tensor([[1000.0, -1000.0]])
    with np.errstate(all="raise", under="ignore"):
        (a.sigmoid().sum() + cross_entropy(a, np.array([1]))).backward()
    np.testing.assert_allclose(a.gradient, [[1.0, -1.0]])


def tensor_of(*shape):
    return Tensor(np.ones(shape))


WRONG = [
    (lambda: tensor_of(2, 3).backward(), r"expected one number .*; found shape \(2, 3\)"),
    (lambda: tensor_of(2, 3).backward(np.ones(3)), r"upstream: .*shape \(2, 3\); found \(3,\)"),
    (lambda: Tensor(1.0, needs_gradient=False).backward(), "needs_gradient; found a constant"),
    (lambda: tensor_of(2, 3) + tensor_of(2), r"\+: .*expected shapes .* found \(2, 3\) and \(2,\)"),
    (lambda: tensor_of(2, 3) * np.ones(2), r"\*: .*expected shapes that broadcast"),
    (lambda: np.ones(2) - tensor_of(2, 3), "expected shapes that broadcast"),
    (lambda: tensor_of(2, 3) / tensor_of(4, 3), "/: .*expected shapes that broadcast"),
    (lambda: tensor_of(2, 3) @ tensor_of(2, 3), r"\(\.\.\., k, m\); found \(2, 3\) and \(2, 3\)"),
    (lambda: tensor_of(2, 3) @ tensor_of(3), r"found \(2, 3\) and \(3,\)"),
    (lambda: tensor_of(2) ** tensor_of(2), "expected a number as exponent .*; found Tensor"),
    (lambda: Tensor(np.arange(3)), "expected float32 or float64.*; found int64"),
    (lambda: tensor_of(2, 3).reshape(4, 2), "reshape"),
    (lambda: tensor_of(2, 3).transpose(0, 0), "repeated axis"),
    (lambda: cross_entropy(tensor_of(2, 3), np.array([0])), r"labels \(batch,\); found \(2, 3\) and \(1,\)"),
    (lambda: cross_entropy(tensor_of(2, 3), np.array([0, 3])), "from 0 to 2; found 0 to 3"),
    (lambda: cross_entropy(tensor_of(2, 3), np.array([0, -1])), "found -1 to 0"),
    (lambda: cross_entropy(tensor_of(2, 3), np.array([0.0, 1.0])), "found float64"),
]


@pytest.mark.parametrize("call, message", WRONG)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_network_learns_two_circles_with_tensorflow_beside_it():
    """A 2-16-2 network trained 100 updates: gradients equal to TensorFlow's at every tenth, loss lower."""
    generator = np.random.default_rng(0)
    angle, labels = generator.uniform(0, 2 * np.pi, 200), np.arange(200) % 2
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)  # (200, 2)
    points = circle * (1 + labels[:, None])  # (200, 2), radius 1 or 2
    kernels = [generator.normal(size=(2, 16)), generator.normal(size=(16, 2)) * 0.3]
    parameters = [kernels[0], np.zeros(16), kernels[1], np.zeros(2)]
    optimizer, losses = optimizers.Adam(learning_rate=0.05), []
    for number in range(100):
        tensors = [Tensor(parameter) for parameter in parameters]
        kernel, bias, output_kernel, output_bias = tensors
        loss = cross_entropy((points @ kernel + bias).tanh() @ output_kernel + output_bias, labels)
        loss.backward()
        losses.append(loss.data)
        if number % 10 == 0:
            variables = [tf.constant(parameter) for parameter in parameters]
            with tf.GradientTape() as tape:
                tape.watch(variables)
                hidden = tf.tanh(points @ variables[0] + variables[1])
                logits = hidden @ variables[2] + variables[3]
                expected = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
            assert abs(float(expected) - loss.data) < 1e-9
            for tensor, gradient in zip(tensors, tape.gradient(expected, variables), strict=True):
                np.testing.assert_allclose(tensor.gradient, gradient, rtol=0, atol=1e-9)
        parameters = optimizer.update(parameters, [tensor.gradient for tensor in tensors])
    assert losses[0] > 0.5 and losses[-1] < 0.1
