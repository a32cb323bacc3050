"""The NumPy recurrent cells against Keras' layers, TensorFlow's gradients and finite differences."""

import functools

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close

from course_utils.reference import recurrent as ours

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
random = functools.partial(helpers.random, scale=0.8)
# name: (forward, backward, Keras' layer, gates, shape of the bias, options of ours and of Keras)
CELLS = {
    "simple_rnn": (ours.simple_rnn, ours.simple_rnn_backward, keras.layers.SimpleRNN, 1, (UNITS,), {}),
    "lstm": (ours.lstm, ours.lstm_backward, keras.layers.LSTM, 4, (4 * UNITS,), {}),
    "gru": (ours.gru, ours.gru_backward, keras.layers.GRU, 3, (2, 3 * UNITS), {"reset_after": True}),
    "gru_before": (ours.gru, ours.gru_backward, keras.layers.GRU, 3, (3 * UNITS,), {"reset_after": False}),
}
NAMES = list(CELLS)


def arguments(name, dtype="float64", time=TIME):
    """Inputs, weights and an initial state in which every number differs from every other."""
    _, _, _, gates, bias_shape, _ = CELLS[name]
    parts = {
        "inputs": random(BATCH, time, FEATURES, seed=1, dtype=dtype),
        "kernel": random(FEATURES, gates * UNITS, seed=2, dtype=dtype),
        "recurrent_kernel": random(UNITS, gates * UNITS, seed=3, dtype=dtype),
        "bias": random(*bias_shape, seed=4, dtype=dtype),
        "initial_state": random(BATCH, UNITS, seed=5, dtype=dtype),
    }
    if name == "lstm":
        parts["initial_state"] = (parts["initial_state"], random(BATCH, UNITS, seed=6, dtype=dtype))
    return parts


def flat(parts):
    """The arrays of a result in which states may be pairs."""
    return [array for part in parts for array in (flat(part) if isinstance(part, (tuple, list)) else [part])]


def keras_layer(name, parts):
    _, _, make, _, _, options = CELLS[name]
    layer = make(UNITS, return_sequences=True, return_state=True, dtype=parts["inputs"].dtype.name, **options)
    layer.build(parts["inputs"].shape)
    layer.set_weights([parts["kernel"], parts["recurrent_kernel"], parts["bias"]])
    return layer


def upstreams(name, dtype="float64"):
    state = random(BATCH, UNITS, seed=8, dtype=dtype)
    if name == "lstm":
        state = (state, random(BATCH, UNITS, seed=9, dtype=dtype))
    return random(BATCH, TIME, UNITS, seed=7, dtype=dtype), state


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("with_state", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_states_and_gradients_equal_keras(name, with_state, dtype):
    forward, backward, _, _, _, options = CELLS[name]
    parts = arguments(name, dtype)
    if not with_state:
        parts["initial_state"] = None
    layer = keras_layer(name, parts)
    upstream, upstream_state = upstreams(name, dtype)
    inputs = tf.constant(parts["inputs"])
    states = [tf.constant(array) for array in flat([parts["initial_state"]])] if with_state else []
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        outputs, *final = layer(inputs, initial_state=states or None)
        loss = tf.reduce_sum(outputs * upstream)
        for state, weight in zip(final, flat([upstream_state]), strict=True):
            loss += tf.reduce_sum(state * weight)
    weights = [weight.value for weight in layer.weights]
    expected = tape.gradient(loss, [inputs, *weights, *states])

    found_outputs, found_state = forward(**parts, **options)
    assert_close(found_outputs, outputs, dtype)
    for found, state in zip(flat([found_state]), final, strict=True):
        assert_close(found, state, dtype)
    gradients = backward(upstream, **parts, **options, upstream_state=upstream_state)
    if not with_state:
        assert gradients[4] is None
        gradients = gradients[:4]
    for gradient, value in zip(flat(gradients), expected, strict=True):
        assert_close(gradient, value, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_finite_differences(name):
    forward, backward, _, _, _, options = CELLS[name]
    parts = arguments(name)
    upstream, upstream_state = upstreams(name)

    def loss(*arrays):
        arrays = iter(arrays)
        moved = {
            name: tuple(next(arrays) for _ in value) if isinstance(value, tuple) else next(arrays)
            for name, value in parts.items()
        }
        outputs, state = forward(**moved, **options)
        pairs = zip(flat([state]), flat([upstream_state]), strict=True)
        return (outputs * upstream).sum() + sum((part * weight).sum() for part, weight in pairs)

    arrays = flat(parts.values())
    gradients = flat(backward(upstream, **parts, **options, upstream_state=upstream_state))
    assert [gradient.shape for gradient in gradients] == [array.shape for array in arrays]
    helpers.assert_gradients(loss, arrays, gradients, tolerance=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_without_bias_equals_keras_and_a_bias_of_zeros(name):
    forward, backward, make, _, bias_shape, options = CELLS[name]
    parts = {**arguments(name), "bias": None}
    layer = make(UNITS, return_sequences=True, use_bias=False, dtype="float64", **options)
    layer.build(parts["inputs"].shape)
    layer.set_weights([parts["kernel"], parts["recurrent_kernel"]])
    states = flat([parts["initial_state"]])
    assert_close(forward(**parts, **options)[0], layer(parts["inputs"], initial_state=states))
    upstream, _ = upstreams(name)
    without = flat(backward(upstream, **parts, **options))
    zeros = flat(backward(upstream, **{**parts, "bias": np.zeros(bias_shape)}, **options))
    assert without[3] is None
    for found, expected in zip(without[:3] + without[4:], zeros[:3] + zeros[4:], strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_goes_on(name):
    """Two halves, the second started with the first one's state, are the whole; so are their gradients."""
    forward, backward, _, _, _, options = CELLS[name]
    parts = arguments(name)
    upstream, _ = upstreams(name)
    outputs, state = forward(**parts, **options)
    early = {**parts, "inputs": parts["inputs"][:, :2]}
    early_outputs, middle = forward(**early, **options)
    late = {**parts, "inputs": parts["inputs"][:, 2:], "initial_state": middle}
    late_outputs, last = forward(**late, **options)
    assert_close(np.concatenate([early_outputs, late_outputs], axis=1), outputs)
    for found, expected in zip(flat([last]), flat([state]), strict=True):
        assert_close(found, expected)

    whole = backward(upstream, **parts, **options)
    late_gradients = backward(upstream[:, 2:], **late, **options)
    early_gradients = backward(upstream[:, :2], **early, **options, upstream_state=late_gradients[4])
    assert_close(np.concatenate([early_gradients[0], late_gradients[0]], axis=1), whole[0])
    for place in (1, 2, 3):
        assert_close(early_gradients[place] + late_gradients[place], whole[place])
    for found, expected in zip(flat([early_gradients[4]]), flat([whole[4]]), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_and_one_of_everything(name):
    forward, backward, _, gates, bias_shape, options = CELLS[name]
    parts = arguments(name, time=1)
    outputs, state = forward(**parts, **options)
    assert_close(outputs[:, 0], flat([state])[0])
    ones = [np.ones((1, 1, 1)), np.ones((1, gates)), np.ones((1, gates)), np.ones((*bias_shape[:-1], gates))]
    assert forward(*ones, **options)[0].shape == (1, 1, 1)
    assert backward(np.ones((1, 1, 1)), *ones, **options)[1].shape == (1, gates)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_not_changed_and_types_are_promoted(name):
    forward, backward, _, _, _, options = CELLS[name]
    parts = arguments(name, "float32")
    copies = [array.copy() for array in flat(parts.values())]
    upstream, upstream_state = upstreams(name)
    gradients = flat(backward(upstream, **parts, **options, upstream_state=upstream_state))
    assert {gradient.dtype.name for gradient in gradients} == {"float32"}  # whatever upstream's type
    for array, copy in zip(flat(parts.values()), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    mixed = {**parts, "kernel": parts["kernel"].astype("float64")}
    assert forward(**mixed, **options)[0].dtype == "float64"
    exact = {**parts, "initial_state": arguments(name)["initial_state"]}
    assert forward(**exact, **options)[0].dtype == "float64"
    rough_state = {**arguments(name), "initial_state": parts["initial_state"]}
    outputs, state = forward(**rough_state, **options)
    assert {array.dtype.name for array in flat([outputs, state])} == {"float64"}
    gradients = flat(backward(upstream.astype("float32"), **rough_state, **options))
    assert {gradient.dtype.name for gradient in gradients} == {"float64"}


def test_large_arguments_do_not_overflow():
    parts = arguments("lstm")
    with np.errstate(all="raise", under="ignore"):
        outputs, (_, cell) = ours.lstm(**{**parts, "inputs": parts["inputs"] * 1e4})
    assert np.isfinite(outputs).all() and np.isfinite(cell).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": np.ones((3, 4))}, r"inputs: .*expected shape \(batch, time, features\).*found \(3, 4\)"),
        ({"inputs": np.ones((3, 0, 4))}, r"inputs.*found \(3, 0, 4\)"),
        ({"inputs": np.ones((3, 6, 4), int)}, "inputs: .*expected float32 or float64.*; found int64"),
        ({"inputs": np.ones((3, 6, 7))}, r"kernel: .*expected shape \(7, \d+\); found \(4, \d+\)"),
        ({"kernel": np.ones((4, 6))}, r"kernel: .*expected shape \(4, \d+\); found \(4, 6\)"),
        (
            {"recurrent_kernel": np.ones((5, 6))},
            r"recurrent_kernel: .*expected shape \(5, \d+\); found \(5, 6\)",
        ),
        ({"recurrent_kernel": np.ones(5)}, r"recurrent_kernel: .*expected shape \(units, .*found \(5,\)"),
        ({"bias": np.ones((3, 1))}, r"bias: .*expected shape .*found \(3, 1\)"),
        ({"bias": np.ones(7)}, r"bias: .*expected shape .*found \(7,\)"),
    ],
)
def test_bad_arguments(name, changes, words):
    forward, backward, _, _, _, options = CELLS[name]
    parts = {**arguments(name), **changes}
    with pytest.raises(ValueError, match=words):
        forward(**parts, **options)
    with pytest.raises(ValueError, match=words):
        backward(np.ones((BATCH, TIME, UNITS)), **parts, **options)


@pytest.mark.parametrize("name", NAMES)
def test_bad_states_and_upstreams(name):
    forward, backward, _, _, _, options = CELLS[name]
    parts, wrong = arguments(name), np.ones((BATCH, UNITS + 1))
    upstream, upstream_state = upstreams(name)
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(3, 6, 5\); found \(3, 5\)"):
        backward(upstream[:, 0], **parts, **options)
    for place in range(2 if name == "lstm" else 1):
        states = flat([parts["initial_state"]])
        states[place] = wrong
        state = states if name == "lstm" else states[0]
        with pytest.raises(ValueError, match=r"initial_state.*expected shape \(3, 5\); found \(3, 6\)"):
            forward(**{**parts, "initial_state": state}, **options)
        with pytest.raises(ValueError, match=r"upstream_state.*expected shape \(3, 5\); found \(3, 6\)"):
            backward(upstream, **parts, **options, upstream_state=state)


@pytest.mark.parametrize("state", [np.ones((BATCH, UNITS)), np.ones((2, BATCH, UNITS)), (None,), [1, 2, 3]])
def test_the_state_of_lstm_is_a_pair(state):
    parts = {**arguments("lstm"), "initial_state": state}
    with pytest.raises(ValueError, match=r"initial_state: .*expected a pair \(hidden, cell\); found"):
        ours.lstm(**parts)
    with pytest.raises(ValueError, match=r"upstream_state: .*expected a pair \(hidden, cell\); found"):
        ours.lstm_backward(np.ones((BATCH, TIME, UNITS)), **arguments("lstm"), upstream_state=state)


def test_half_a_state_of_lstm():
    parts = arguments("lstm")
    hidden, _ = parts["initial_state"]
    half, whole = {**parts, "initial_state": (hidden, None)}, (hidden, np.zeros_like(hidden))
    assert_close(ours.lstm(**half)[0], ours.lstm(**{**parts, "initial_state": whole})[0])
    gradients = ours.lstm_backward(np.ones((BATCH, TIME, UNITS)), **half)[4]
    assert gradients[0].shape == hidden.shape and gradients[1] is None


def test_the_bias_of_gru_tells_its_variants_apart():
    after, before = arguments("gru"), arguments("gru_before")
    with pytest.raises(ValueError, match=r"bias: .*expected shape \(rows, 3 \* units\).*found \(15,\)"):
        ours.gru(**{**after, "bias": before["bias"]})
    with pytest.raises(ValueError, match=r"bias: .*expected shape \(3 \* units,\).*found \(2, 15\)"):
        ours.gru(**{**before, "bias": after["bias"]}, reset_after=False)
