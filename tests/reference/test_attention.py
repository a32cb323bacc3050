"""The NumPy attention, masks and positions against Keras, TensorFlow's gradients and finite differences.

Keras rounds 1/sqrt(size) to float32 even in float64, an error of 1e-8 unless it is a power of two: sizes of 4 and 16
compare to the last digits, other sizes with TensorFlow's softmax.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_close, assert_gradients, random

from course_utils.reference import attention as ours

BATCH, HEADS, QUERIES, KEYS = 2, 3, 4, 5


def arguments(size=4, value_size=7, dtype="float64"):
    shapes = [(QUERIES, size), (KEYS, size), (KEYS, value_size)]
    return [random(BATCH, HEADS, *shape, seed=seed, dtype=dtype) for seed, shape in enumerate(shapes)]


def random_mask(*shape):
    """Forbids a third, but every query keeps a key."""
    mask = np.random.default_rng(9).random(shape) > 1 / 3
    mask[..., 1] = True
    return mask


MASKS = {
    "none": None,
    "full": random_mask(BATCH, HEADS, QUERIES, KEYS),
    "for all heads": random_mask(BATCH, 1, QUERIES, KEYS),
    "for all": random_mask(QUERIES, KEYS),
    "keys": random_mask(BATCH, 1, 1, KEYS),
}


def by_tensorflow(query, key, value, mask):
    """The formula in TensorFlow, float64 throughout, forbidden scores at minus infinity."""
    scores = tf.einsum("bhqd,bhkd->bhqk", query, key) / np.sqrt(query.shape[-1]).astype(
        query.dtype.as_numpy_dtype
    )
    if mask is not None:
        scores = tf.where(mask, scores, tf.constant(-np.inf, scores.dtype))
    weights = tf.nn.softmax(scores)
    return tf.einsum("bhqk,bhkv->bhqv", weights, value), weights


def by_keras(query, key, value, mask):
    """Keras' function wants (batch, time, heads, size)."""
    mask = None if mask is None else np.broadcast_to(mask, (BATCH, HEADS, QUERIES, KEYS))
    swapped = (keras.ops.swapaxes(array, 1, 2) for array in (query, key, value))
    return keras.ops.swapaxes(keras.ops.dot_product_attention(*swapped, mask=mask), 1, 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("size", [1, 4, 6, 16])
def test_attention_and_gradients(size, mask, dtype):
    query, key, value = arguments(size, dtype=dtype)
    upstream = random(BATCH, HEADS, QUERIES, 7, seed=3, dtype=dtype)
    tensors = [tf.constant(array) for array in (query, key, value)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        expected, expected_weights = by_tensorflow(*tensors, mask)
        loss = tf.reduce_sum(expected * upstream)
    output, weights = ours.scaled_dot_product_attention(query, key, value, mask)
    assert_close(output, expected, dtype)
    assert_close(weights, expected_weights, dtype)
    assert_close(weights.sum(axis=-1), np.ones(weights.shape[:-1]), dtype)
    if size != 6 or dtype == "float32":
        assert_close(output, by_keras(query, key, value, mask), dtype)
    gradients = ours.scaled_dot_product_attention_backward(upstream, query, key, value, mask)
    for gradient, taped in zip(gradients, tape.gradient(loss, tensors), strict=True):
        assert_close(gradient, taped, dtype)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_attention_gradients_equal_finite_differences(mask):
    arrays = arguments(size=3, value_size=2)
    upstream = random(BATCH, HEADS, QUERIES, 2, seed=3)
    gradients = ours.scaled_dot_product_attention_backward(upstream, *arrays, mask)
    assert_gradients(
        lambda *moved: ours.scaled_dot_product_attention(*moved, mask)[0], arrays, gradients, upstream
    )


def test_a_query_that_may_see_nothing_gets_zeros():
    query, key, value = arguments()
    mask = random_mask(BATCH, HEADS, QUERIES, KEYS)
    mask[1, 2, 3] = False
    output, weights = ours.scaled_dot_product_attention(query, key, value, mask)
    upstream = random(*output.shape, seed=3)
    gradients = ours.scaled_dot_product_attention_backward(upstream, query, key, value, mask)
    assert all(np.isfinite(array).all() for array in (output, weights, *gradients))
    assert not weights[1, 2, 3].any() and not output[1, 2, 3].any() and not gradients[0][1, 2, 3].any()
    np.testing.assert_allclose(np.delete(weights.sum(axis=-1).ravel(), (1 * HEADS + 2) * QUERIES + 3), 1)
    nothing = np.zeros((QUERIES, KEYS), bool)
    output, weights = ours.scaled_dot_product_attention(query, key, value, nothing)
    gradients = ours.scaled_dot_product_attention_backward(upstream, query, key, value, nothing)
    assert not any(array.any() for array in (output, weights, *gradients))


def test_what_the_mask_forbids_is_not_seen_and_gets_no_gradient():
    query, key, value = arguments()
    mask = random_mask(BATCH, 1, QUERIES, KEYS)
    mask[..., 4] = False  # nobody sees the last key
    output, weights = ours.scaled_dot_product_attention(query, key, value, mask)
    assert (weights[np.broadcast_to(~mask, weights.shape)] == 0).all()
    other_key, other_value = key.copy(), value.copy()
    other_key[..., 4, :], other_value[..., 4, :] = 1e6, -1e6
    np.testing.assert_array_equal(
        output, ours.scaled_dot_product_attention(query, other_key, other_value, mask)[0]
    )
    gradients = ours.scaled_dot_product_attention_backward(np.ones_like(output), query, key, value, mask)
    assert not gradients[1][..., 4, :].any() and not gradients[2][..., 4, :].any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_scores_stay_finite(dtype):
    query, key, value = arguments(dtype=dtype)
    scale = {"float64": 1e150, "float32": 1e18}[dtype]
    output, weights = ours.scaled_dot_product_attention(query * scale, key * scale, value)
    assert np.isfinite(output).all() and output.dtype == dtype
    np.testing.assert_array_equal(weights.max(axis=-1), 1)  # all on the best key


def test_masks():
    np.testing.assert_array_equal(
        ours.causal_mask(3), [[True, False, False], [True, True, False], [True, True, True]]
    )
    tokens = np.array([[5, 3, 0, 0], [0, 1, 2, 3]])
    mask = ours.padding_mask(tokens)
    assert mask.shape == (2, 1, 1, 4) and mask.dtype == bool
    np.testing.assert_array_equal(mask[:, 0, 0], [[True, True, False, False], [False, True, True, True]])
    np.testing.assert_array_equal(ours.padding_mask(tokens, padding=3)[:, 0, 0], tokens != 3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("length", [1, 5])
def test_causal_mask_equals_keras(length, dtype):
    query, key, value = (random(1, 2, length, 4, seed=seed, dtype=dtype) for seed in range(3))
    expected = keras.ops.dot_product_attention(
        *(a.swapaxes(1, 2) for a in (query, key, value)), is_causal=True
    )
    output, _ = ours.scaled_dot_product_attention(query, key, value, ours.causal_mask(length))
    assert_close(output, np.swapaxes(expected, 1, 2), dtype)


# ---------------------------------------------------------------- multi-head attention


def built_layer(query, key, value, heads, size, value_size, features, dtype):
    layer = keras.layers.MultiHeadAttention(
        heads, size, value_dim=value_size, output_shape=features, dtype=dtype
    )
    layer.build(query.shape, value.shape, key.shape)
    layer.set_weights(
        [
            random(*weight.shape, seed=7 + place, dtype=dtype) / 2
            for place, weight in enumerate(layer.get_weights())
        ]
    )
    return layer


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mask", [None, random_mask(BATCH, QUERIES, KEYS), random_mask(QUERIES, KEYS)])
@pytest.mark.parametrize(
    ("heads", "size", "value_size", "features"), [(3, 4, 5, 6), (1, 16, 2, 1), (2, 1, 1, 3)]
)
def test_multi_head_attention_and_gradients_equal_keras(heads, size, value_size, features, mask, dtype):
    inputs = [
        random(BATCH, time, width, seed=time * width, dtype=dtype) for time, width in [(4, 8), (5, 7), (5, 6)]
    ]
    query, key, value = inputs
    layer = built_layer(query, key, value, heads, size, value_size, features, dtype)
    upstream = random(BATCH, QUERIES, features, seed=3, dtype=dtype)
    tensors = [tf.constant(array) for array in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        keras_mask = None if mask is None else np.broadcast_to(mask, (BATCH, QUERIES, KEYS))
        query_tensor, key_tensor, value_tensor = tensors
        expected, scores = layer(
            query_tensor, value_tensor, key_tensor, attention_mask=keras_mask, return_attention_scores=True
        )
        loss = tf.reduce_sum(expected * upstream)
    taped = tape.gradient(loss, [*tensors, *(weight.value for weight in layer.weights)])
    parameters = layer.get_weights()
    output, weights = ours.multi_head_attention(*inputs, *parameters, mask=mask)
    assert_close(output, expected, dtype)
    assert_close(weights, scores, dtype)
    gradients = ours.multi_head_attention_backward(upstream, *inputs, *parameters, mask=mask)
    assert len(gradients) == 11
    for gradient, right in zip(gradients, taped, strict=True):
        # Sums of dozens of numbers: float32 is held to its own rounding of their size.
        scale = max(1, np.abs(right).max()) if dtype == "float32" else 1
        assert_close((gradient / scale).astype(dtype), np.asarray(right) / scale, dtype)


def test_self_attention_with_a_causal_mask_equals_keras():
    x = random(BATCH, QUERIES, 8)
    layer = built_layer(x, x, x, 2, 4, 4, 8, "float64")
    output, _ = ours.multi_head_attention(x, x, x, *layer.get_weights(), mask=ours.causal_mask(QUERIES))
    assert_close(output, layer(x, x, use_causal_mask=True))


def test_multi_head_gradients_equal_finite_differences():
    query, key, value = random(1, 2, 3), random(1, 3, 2, seed=1), random(1, 3, 2, seed=2)
    layer = built_layer(query, key, value, 2, 3, 2, 3, "float64")
    arrays = [query, key, value, *layer.get_weights()]
    mask = random_mask(1, 2, 2, 3)
    upstream = random(1, 2, 3, seed=3)
    gradients = ours.multi_head_attention_backward(upstream, *arrays, mask=mask)
    assert_gradients(
        lambda *moved: ours.multi_head_attention(*moved, mask=mask)[0], arrays, gradients, upstream
    )


def test_keras_row_without_any_key():
    """What the module's text says of Keras: should it change, the text has to."""
    x = random(1, 3, 8)
    layer = built_layer(x, x, x, 2, 4, 4, 8, "float64")
    mask = np.ones((1, 3, 3), bool)
    mask[0, 1] = False
    output, weights = ours.multi_head_attention(x, x, x, *layer.get_weights(), mask=mask)
    asked, scores = layer(x, x, attention_mask=mask, return_attention_scores=True)
    assert_close(output, asked)
    assert not weights[0, :, 1].any() and not np.asarray(scores)[0, :, 1].any()
    uniform = layer(x, x, attention_mask=mask)
    assert_close(output[:, [0, 2]], np.asarray(uniform)[:, [0, 2]])
    assert np.abs(output[:, 1] - np.asarray(uniform)[:, 1]).max() > 0.01


# ---------------------------------------------------------------- positions


def test_sinusoidal_positions_by_their_formula():
    length, size = 7, 6
    table = ours.sinusoidal_positions(length, size)
    assert table.shape == (length, size) and table.dtype == np.float64
    for place in range(length):
        for pair in range(size // 2):
            angle = place / 10000 ** (2 * pair / size)
            np.testing.assert_allclose(table[place, 2 * pair], np.sin(angle), atol=1e-12)
            np.testing.assert_allclose(table[place, 2 * pair + 1], np.cos(angle), atol=1e-12)
    np.testing.assert_allclose(ours.sinusoidal_positions(3, 4, base=100)[2, 2], np.sin(2 / 100 ** (2 / 4)))


def test_sinusoidal_positions_shift_by_a_rotation():
    table = ours.sinusoidal_positions(64, 16)
    products = table @ table.T
    for shift in (1, 5, 20):
        np.testing.assert_allclose(np.diag(products, shift), products[0, shift], rtol=1e-12)
        pairs = [table[:, 2 * i : 2 * i + 2] for i in range(8)]  # (64, 2) each
        for pair in pairs:
            turn, *_ = np.linalg.lstsq(pair[:-shift], pair[shift:], rcond=None)
            np.testing.assert_allclose(pair[:-shift] @ turn, pair[shift:], atol=1e-12)
            np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rotary_by_complex_numbers(dtype):
    """Neighbours as one complex number, times e^(i angle)."""
    x = random(2, 3, 5, 8, dtype=dtype)
    angles = np.arange(5)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    expected = np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)
    assert_close(ours.rotary(x), expected.astype(dtype), dtype)
    np.testing.assert_allclose(np.linalg.norm(ours.rotary(x), axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(ours.rotary(x)[..., 0, :], x[..., 0, :])  # position 0 is not turned


def test_rotary_depends_on_the_distance_alone():
    query, key = random(8), random(8, seed=1)
    at = (
        ours.rotary(np.tile(query, (40, 1))) @ ours.rotary(np.tile(key, (40, 1))).T
    )  # (query place, key place)
    for shift in range(-39, 40):
        np.testing.assert_allclose(np.diag(at, shift), np.diag(at, shift)[0], rtol=1e-9)
    assert len(np.unique(np.round(at[0], 6))) == 40
    assert not np.isclose(at[0, 3], at[3, 0])  # before and after differ


def test_rotary_positions_and_base():
    x = random(2, 6, 4)
    np.testing.assert_array_equal(ours.rotary(x, np.arange(6)), ours.rotary(x))
    later = ours.rotary(x[:, 2:], np.arange(2, 6))
    np.testing.assert_array_equal(later, ours.rotary(x)[:, 2:])
    np.testing.assert_allclose(ours.rotary(x, np.zeros(6)), x)
    angle = 3 / 100**0.5
    expected = x[0, 3, 2] * np.cos(angle) - x[0, 3, 3] * np.sin(angle)
    np.testing.assert_allclose(ours.rotary(x, base=100.0)[0, 3, 2], expected)


@pytest.mark.parametrize("positions", [None, np.array([4, 0, 7])])
def test_rotary_gradient(positions):
    x, upstream = random(2, 3, 4), random(2, 3, 4, seed=1)
    gradient = ours.rotary_backward(upstream, x, positions)
    assert_gradients(lambda moved: ours.rotary(moved, positions), [x], [gradient], upstream)
    assert ours.rotary_backward(upstream.astype("float32"), x.astype("float32")).dtype == np.float32


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"query": np.ones((2, 4, 4))},
            r"query: .*expected shape \(batch, heads, time, size\).*found \(2, 4, 4\)",
        ),
        ({"query": np.ones((2, 3, 4, 4), int)}, "query: .*expected float32 or float64.*; found int64"),
        ({"query": np.ones((2, 3, 0, 4))}, r"query.*found \(2, 3, 0, 4\)"),
        ({"key": np.ones((2, 3, 5, 6))}, r"key: .*expected shape \(2, 3, 5, 4\); found \(2, 3, 5, 6\)"),
        ({"key": np.ones((2, 2, 5, 4))}, r"key: .*expected shape \(2, 3, 5, 4\); found \(2, 2, 5, 4\)"),
        ({"value": np.ones((2, 3, 4, 7))}, r"value: .*expected shape \(2, 3, 5, 7\); found \(2, 3, 4, 7\)"),
        ({"mask": np.ones((4, 5))}, r"mask: .*expected booleans \(True = attend\); found float64"),
        (
            {"mask": np.ones((5, 4), bool)},
            r"mask: .*expected a shape that broadcasts to .*\(2, 3, 4, 5\); found \(5, 4\)",
        ),
        ({"mask": np.ones((7, 2, 3, 4, 5), bool)}, r"mask: .*found \(7, 2, 3, 4, 5\)"),
        ({"mask": np.ones((2, 4, 5), bool)}, r"mask: .*found \(2, 4, 5\)"),
    ],
)
def test_bad_arguments(changes, words):
    query, key, value = arguments()
    good = {"query": query, "key": key, "value": value, "mask": None, **changes}
    with pytest.raises(ValueError, match=words):
        ours.scaled_dot_product_attention(**good)
    with pytest.raises(ValueError, match=words):
        ours.scaled_dot_product_attention_backward(np.ones((2, 3, 4, 7)), **good)


def test_bad_upstream():
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(2, 3, 4, 7\); found \(2, 3, 4, 4\)"):
        ours.scaled_dot_product_attention_backward(np.ones((2, 3, 4, 4)), *arguments())
    x = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(2, 3, 4\); found \(2, 4, 3\)"):
        ours.rotary_backward(np.ones((2, 4, 3)), x)


@pytest.mark.parametrize(
    ("place", "array", "words"),
    [
        (0, np.ones((2, 4)), r"query: .*expected shape \(batch, time, features\)"),
        (1, np.ones((1, 5, 7)), r"key: .*expected shape \(2, 5, 7\); found \(1, 5, 7\)"),
        (2, np.ones((2, 4, 6)), r"value: .*expected shape \(2, 5, 6\); found \(2, 4, 6\)"),
        (3, np.ones((8, 12)), r"query_kernel: .*expected shape \(features, heads, size\).*found \(8, 12\)"),
        (3, np.ones((9, 3, 4)), r"query_kernel: .*expected shape \(8, 3, 4\); found \(9, 3, 4\)"),
        (4, np.ones((4, 3)), r"query_bias: .*expected shape \(3, 4\); found \(4, 3\)"),
        (5, np.ones((7, 3, 5)), r"key_kernel: .*expected shape \(7, 3, 4\); found \(7, 3, 5\)"),
        (7, np.ones((6, 2, 5)), r"value_kernel: .*expected shape \(6, 3, 5\); found \(6, 2, 5\)"),
        (9, np.ones((5, 3, 6)), r"output_kernel: .*expected shape \(3, 5, 6\); found \(5, 3, 6\)"),
        (10, np.ones(7), r"output_bias: .*expected shape \(6,\); found \(7,\)"),
    ],
)
def test_bad_multi_head_arguments(place, array, words):
    query, key, value = random(2, 4, 8), random(2, 5, 7), random(2, 5, 6)
    layer = built_layer(query, key, value, 3, 4, 5, 6, "float64")
    arrays = [query, key, value, *layer.get_weights()]
    arrays[place] = array
    with pytest.raises(ValueError, match=words):
        ours.multi_head_attention(*arrays)
    with pytest.raises(ValueError, match=words):
        ours.multi_head_attention_backward(np.ones((2, 4, 6)), *arrays)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ours.causal_mask(0), "length: .*expected an integer of at least 1; found 0"),
        (lambda: ours.causal_mask(2.0), "length"),
        (
            lambda: ours.padding_mask(np.ones(3, int)),
            r"tokens: .*expected shape \(batch, time\).*\(3,\)",
        ),
        (lambda: ours.padding_mask(np.ones((2, 3))), "tokens: .*expected whole numbers; found float64"),
        (lambda: ours.sinusoidal_positions(4, 5), "size: .*expected a multiple of 2; found 5"),
        (lambda: ours.sinusoidal_positions(0, 4), "length: .*expected an integer of at least 1; found 0"),
        (lambda: ours.sinusoidal_positions(4, 4, base=1), "base: .*expected more than 1; found 1"),
        (lambda: ours.rotary(np.ones((3, 5))), r"size: .*expected a multiple of 2; found 5"),
        (lambda: ours.rotary(np.ones(4)), r"x: .*found \(4,\)"),
        (
            lambda: ours.rotary(np.ones((3, 4)), np.arange(4)),
            r"positions: .*expected shape \(3,\); found \(4,\)",
        ),
        (lambda: ours.rotary(np.ones((3, 4)), np.array(["a"] * 3)), "positions: .*expected numbers"),
    ],
)
def test_bad_positions_and_masks(call, words):
    with pytest.raises(ValueError, match=words):
        call()
