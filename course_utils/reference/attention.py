r"""Attention, forward and backward, equal to Keras' layers; masks; two ways to tell attention where things stand.

    from course_utils.reference import attention

    output, weights = attention.scaled_dot_product_attention(query, key, value, attention.causal_mask(length))
    output, weights = attention.multi_head_attention(x, x, x, *layer.get_weights())

**Masks** are boolean; True means "this query may attend to this key". They broadcast, as arrays do in NumPy, to
(batch, heads, query time, key time): (query time, key time) holds for all, (batch, 1, 1, key time) is a padding mask.

**A query that may attend to nothing** (a row of the mask without any True) gets weights 0, the output 0 and gradients 0,
never NaN. Keras 3.15 has two answers to such a row: `keras.layers.MultiHeadAttention` gives weights 0 as well when it
is asked for its scores (or has dropout), and otherwise, like `keras.ops.dot_product_attention`, equal weights on *all*
keys, the forbidden ones included. In every other row a forbidden key has the weight 0, exactly, in all of them. Its
value is still multiplied by that 0, so it has to be finite.
"""

import numpy as np

from course_utils.checking import (
    array_with_axes,
    expect,
    float_array,
    integer_array,
    multiple_of,
    positive_integer,
    require_shape,
    upstream_array,
)

# ---------------------------------------------------------------- masks


def causal_mask(length):
    """Return bool (length, length), True where the key stands no later than the query.

    `causal_mask(3)` is [[True, False, False], [True, True, False], [True, True, True]]. Row: query, column: key.

    Raises:
        ValueError: length is not a positive integer.
    """
    length = positive_integer(length, "length")
    return np.tri(length, dtype=bool)


def padding_mask(tokens, padding=0):
    """Return bool (batch, 1, 1, time), True where a token is not the padding token: all queries may see those keys.

    Args:
        tokens: whole numbers (batch, time).

    Raises:
        ValueError: another type or shape.
    """
    tokens = integer_array(tokens, "tokens", ("batch", "time"))
    return (tokens != padding)[:, None, None, :]  # (batch, 1, 1, time)


def _checked_mask(mask, scores_shape):
    """Return a boolean mask that broadcasts to the scores without enlarging them; None stays None."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    expect(
        mask.dtype == bool,
        "mask",
        "应为布尔数组（True 表示可以关注）",
        "booleans (True = attend)",
        mask.dtype,
    )
    try:
        fits = np.broadcast_shapes(mask.shape, scores_shape) == scores_shape
    except ValueError:
        fits = False
    shape = f"(batch, heads, query time, key time) = {scores_shape}"
    expect(fits, "mask", f"应能广播到 {shape}", f"a shape that broadcasts to {shape}", mask.shape)
    return mask


# ---------------------------------------------------------------- scaled dot-product attention

_AXES = ("batch", "heads", "time", "size")


def _check_attention(query, key, value, mask):
    """Return query, key, value of one type, and the mask, after checking that their shapes belong together."""
    query, key, value = (
        array_with_axes(array, name, _AXES)
        for array, name in ((query, "query"), (key, "key"), (value, "value"))
    )
    require_shape(key, (*query.shape[:2], key.shape[2], query.shape[3]), "key")
    require_shape(value, (*key.shape[:3], value.shape[3]), "value")
    dtype = np.result_type(query, key, value)
    arrays = (array.astype(dtype, copy=False) for array in (query, key, value))
    return *arrays, _checked_mask(mask, (*query.shape[:3], key.shape[2]))


def _attention_weights(query, key, mask):
    """Return softmax(q k^T / sqrt(size)) over the keys; 0 where the mask forbids, and in rows that forbid everything."""
    scores = query @ key.swapaxes(2, 3)  # (batch, heads, query time, key time)
    scores *= query.dtype.type(query.shape[3] ** -0.5)
    if mask is not None:
        scores = np.where(mask, scores, query.dtype.type(-np.inf))
    largest = scores.max(axis=-1, keepdims=True)  # (batch, heads, query time, 1)
    # In a row of -inf only, -inf - (-inf) would be undefined: subtract 0 there, and divide its sum of 0 by 1.
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = powers.sum(axis=-1, keepdims=True)  # (batch, heads, query time, 1)
    return powers / np.where(total == 0, 1, total)


def scaled_dot_product_attention(query, key, value, mask=None):
    r"""Return `(output, weights)`: for each query the mean of the values, weighted by how well the keys fit.

    A = softmax(Q K^T / \sqrt{d}),  O = A V, with the softmax over the keys and d the size of a query or key.

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762, equation 1.

    Args:
        query: (batch, heads, query time, size).
        key: (batch, heads, key time, size).
        value: (batch, heads, key time, value size); value size may differ from size.
        mask: boolean, True = attend, broadcastable to (batch, heads, query time, key time); None: everything
            may be seen.

    Returns:
        Output (batch, heads, query time, value size) and weights (batch, heads, query time, key time), rows
        of which add up to 1; where the mask forbids all keys of a query both are 0 (see the module's text).

    Raises:
        ValueError: other shapes or a mask that is not boolean.
    """
    query, key, value, mask = _check_attention(query, key, value, mask)
    weights = _attention_weights(query, key, mask)  # (batch, heads, query time, key time)
    return weights @ value, weights  # (batch, heads, query time, value size)


def scaled_dot_product_attention_backward(upstream, query, key, value, mask=None):
    r"""Return the gradients of the output of `scaled_dot_product_attention` as (query, key, value).

    With G the upstream gradient, dA = G V^T, and through the softmax dS = A \odot (dA - \sum_k A \odot dA):
    dQ = dS K / \sqrt{d},  dK = dS^T Q / \sqrt{d},  dV = A^T G.  Where A is 0 so is dS: nothing flows to what the mask
    forbids.

    Args:
        upstream: the shape of the output. No gradient enters through the weights: they are only looked at.
    """
    query, key, value, mask = _check_attention(query, key, value, mask)
    upstream = upstream_array(upstream, (*query.shape[:3], value.shape[3]), query.dtype)
    weights = _attention_weights(query, key, mask)
    weights_gradient = upstream @ value.swapaxes(2, 3)  # (batch, heads, query time, key time)
    through_sum = (weights * weights_gradient).sum(axis=-1, keepdims=True)  # (batch, heads, query time, 1)
    scores_gradient = weights * (weights_gradient - through_sum)
    scores_gradient *= query.dtype.type(query.shape[3] ** -0.5)
    return (
        scores_gradient @ key,  # (batch, heads, query time, size)
        scores_gradient.swapaxes(2, 3) @ query,  # (batch, heads, key time, size)
        weights.swapaxes(2, 3) @ upstream,  # (batch, heads, key time, value size)
    )


# ---------------------------------------------------------------- multi-head attention


def _project(x, kernel, bias):
    """Return x (batch, time, features) times kernel (features, heads, size) -> (batch, heads, time, size)."""
    return np.einsum("btf,fhs->bhts", x, kernel) + bias[:, None, :]


def _check_multi_head(query, key, value, weights):
    """Return the eleven arrays in one type after checking that their shapes belong together."""
    axes = ("batch", "time", "features")
    query, key, value = (
        array_with_axes(array, name, axes)
        for array, name in ((query, "query"), (key, "key"), (value, "value"))
    )
    require_shape(key, (query.shape[0], *key.shape[1:]), "key")
    require_shape(value, (*key.shape[:2], value.shape[2]), "value")
    names = ("query", "key", "value")
    kernels, biases = list(weights[0:6:2]), list(weights[1:6:2])
    for place, (x, name) in enumerate(zip((query, key, value), names, strict=True)):
        kernels[place] = array_with_axes(kernels[place], f"{name}_kernel", ("features", "heads", "size"))
        # Keys are compared with queries, so they have their heads and size; values have their heads.
        heads = kernels[0].shape[1]
        size = kernels[0].shape[2] if name == "key" else kernels[place].shape[2]
        require_shape(kernels[place], (x.shape[2], heads, size), f"{name}_kernel")
        biases[place] = array_with_axes(biases[place], f"{name}_bias", ("heads", "size"))
        require_shape(biases[place], (heads, size), f"{name}_bias")
    output_kernel = array_with_axes(weights[6], "output_kernel", ("heads", "size", "features"))
    require_shape(output_kernel, (*kernels[2].shape[1:], output_kernel.shape[2]), "output_kernel")
    output_bias = array_with_axes(weights[7], "output_bias", ("features",))
    require_shape(output_bias, output_kernel.shape[2:], "output_bias")
    projections = [array for pair in zip(kernels, biases, strict=True) for array in pair]
    arrays = [query, key, value, *projections, output_kernel, output_bias]
    dtype = np.result_type(*arrays)
    return [array.astype(dtype, copy=False) for array in arrays]


def _over_heads(mask):
    """Give Keras' mask (batch, query time, key time) an axis of 1 for the heads: it holds for all of them."""
    mask = None if mask is None else np.asarray(mask)
    return mask[:, None] if mask is not None and mask.ndim == 3 else mask


def multi_head_attention(
    query,
    key,
    value,
    query_kernel,
    query_bias,
    key_kernel,
    key_bias,
    value_kernel,
    value_bias,
    output_kernel,
    output_bias,
    mask=None,
):
    r"""Return `(output, weights)`: several attentions side by side, each in its own projection, then mixed.

    For each head h:  O_h = attention(X_q W^Q_h + b^Q_h,  X_k W^K_h + b^K_h,  X_v W^V_h + b^V_h),
    and together  Y = \sum_h O_h W^O_h + b^O  (the same as concatenating the O_h and one matrix W^O).

    Order and layout of the weights are those of `keras.layers.MultiHeadAttention(...).get_weights()`. (Keras' layer is
    called with (query, value, key); here the key comes second, as in the formula.)

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 3.2.2.

    Args:
        query: (batch, query time, query features).
        key: (batch, key time, key features).
        value: (batch, key time, value features).
        query_kernel, key_kernel: (features, heads, size).
        query_bias, key_bias: (heads, size).
        value_kernel: (features, heads, value size).
        value_bias: (heads, value size).
        output_kernel: (heads, value size, output features).
        output_bias: (output features,).
        mask: boolean, True = attend. Three axes are (batch, query time, key time), as Keras'
            `attention_mask`; two or four axes broadcast to (batch, heads, query time, key time).

    Returns:
        Output (batch, query time, output features) and the attention weights (batch, heads, query time, key
        time).

    Raises:
        ValueError: other shapes.
    """
    parameters = [
        query_kernel,
        query_bias,
        key_kernel,
        key_bias,
        value_kernel,
        value_bias,
        output_kernel,
        output_bias,
    ]
    arrays = _check_multi_head(query, key, value, parameters)
    projected = [_project(x, *arrays[3 + 2 * place : 5 + 2 * place]) for place, x in enumerate(arrays[:3])]
    heads_output, weights = scaled_dot_product_attention(*projected, _over_heads(mask))
    output_kernel, output_bias = arrays[9:]
    # (batch, query time, features)
    output = np.einsum("bhts,hsf->btf", heads_output, output_kernel) + output_bias
    return output, weights


def multi_head_attention_backward(
    upstream,
    query,
    key,
    value,
    query_kernel,
    query_bias,
    key_kernel,
    key_bias,
    value_kernel,
    value_bias,
    output_kernel,
    output_bias,
    mask=None,
):
    r"""Return the gradients of the output of `multi_head_attention`: eleven arrays, in the order of its arguments.

    Backwards through the mixing, through each head's attention, through each projection P = X W + b:
    dX = \sum_h dP_h W_h^T,  dW_h = X^T dP_h,  db_h = \sum dP_h.  upstream: the shape of the output.
    In self-attention query, key and value are the same array: add the first three gradients up.
    """
    parameters = [
        query_kernel,
        query_bias,
        key_kernel,
        key_bias,
        value_kernel,
        value_bias,
        output_kernel,
        output_bias,
    ]
    arrays = _check_multi_head(query, key, value, parameters)
    inputs, output_kernel = arrays[:3], arrays[9]
    shape = (*inputs[0].shape[:2], output_kernel.shape[2])
    upstream = upstream_array(upstream, shape, inputs[0].dtype)
    projected = [_project(x, *arrays[3 + 2 * place : 5 + 2 * place]) for place, x in enumerate(inputs)]
    mask = _over_heads(mask)
    heads_output, _ = scaled_dot_product_attention(*projected, mask)
    # (batch, heads, query time, value size)
    heads_gradient = np.einsum("btf,hsf->bhts", upstream, output_kernel)
    projected_gradients = scaled_dot_product_attention_backward(heads_gradient, *projected, mask)
    input_gradients, parameter_gradients = [], []
    for x, kernel, gradient in zip(inputs, arrays[3:9:2], projected_gradients, strict=True):
        input_gradients.append(np.einsum("bhts,fhs->btf", gradient, kernel))  # (batch, time, features)
        parameter_gradients.append(np.einsum("btf,bhts->fhs", x, gradient))  # (features, heads, size)
        parameter_gradients.append(gradient.sum(axis=(0, 2)))  # (heads, size)
    # (heads, value size, features)
    output_kernel_gradient = np.einsum("bhts,btf->hsf", heads_output, upstream)
    return *input_gradients, *parameter_gradients, output_kernel_gradient, upstream.sum(axis=(0, 1))


# ---------------------------------------------------------------- positions


def _frequencies(size, base):
    r"""Return \omega_i = base^{-2i/size} for i = 0 ... size/2 - 1, radians per step: (size / 2,), from 1 down to nearly 1/base."""
    size = positive_integer(size, "size")
    multiple_of(2, size=size)
    expect(base > 1, "base", "应大于 1", "more than 1", base)
    return base ** (-np.arange(0, size, 2) / size)


def sinusoidal_positions(length, size, base=10000.0):
    r"""Return (length, size) float64: one vector for each position, made of size/2 clock hands of different speeds.

    P_{t, 2i} = \sin(t \omega_i),  P_{t, 2i+1} = \cos(t \omega_i),  \omega_i = base^{-2i/size}, t counted from 0.

    P_{t+k} = R_k P_t with a rotation R_k that depends on the shift k alone; so P_s \cdot P_t depends on t - s alone.

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 3.5.

    Raises:
        ValueError: length is not a positive integer, or size not an even one.
    """
    length = positive_integer(length, "length")
    angles = np.arange(length)[:, None] * _frequencies(size, base)  # (length, size / 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, size)


def _rotated(x, positions, base, direction):
    """Return each pair (x_{2i}, x_{2i+1}) turned by direction * position * frequency."""
    x = array_with_axes(x, "x", ("...", "time", "size"))
    multiple_of(2, size=x.shape[-1])
    positions = np.arange(x.shape[-2]) if positions is None else np.asarray(positions)
    expect(positions.dtype.kind in "iuf", "positions", "应为数值", "numbers", positions.dtype)
    require_shape(positions, x.shape[-2:-1], "positions")
    angles = direction * positions[:, None] * _frequencies(x.shape[-1], base)  # (time, size / 2)
    cosine, sine = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]  # (..., time, size / 2)
    # (..., time, size / 2, 2)
    turned = np.stack([even * cosine - odd * sine, even * sine + odd * cosine], axis=-1)
    return turned.reshape(x.shape)


def rotary(x, positions=None, base=10000.0):
    r"""Rotate queries and keys by an angle that grows with their position: rotary position embedding.

    (x'_{2i}, x'_{2i+1}) = (x_{2i} \cos t\omega_i - x_{2i+1} \sin t\omega_i,
                            x_{2i} \sin t\omega_i + x_{2i+1} \cos t\omega_i),   \omega_i = base^{-2i/size}.

    **Pairing**: neighbours, (0, 1), (2, 3), ..., as in the paper. Much code (GPT-NeoX, Llama in Hugging Face
    transformers) pairs i with i + size/2 instead: the same method with the features in another order, so weights
    trained with one convention do not fit the other.

    Source: J. Su et al., "RoFormer: Enhanced transformer with rotary position embedding", arXiv:2104.09864,
    section 3.2.2.

    Args:
        x: (..., time, size), for instance (batch, heads, time, size); size is even. Turn queries and keys,
            not values.
        positions: (time,), the position of each step; None: 0, 1, 2, ... A cache that adds one step at a time
            passes it.

    Returns:
        The shape and type of x. Lengths stay, and rotary(q)_s \cdot rotary(k)_t depends on q, k and t - s
        alone.

    Raises:
        ValueError: other shapes.
    """
    return _rotated(x, positions, base, 1)


def rotary_backward(upstream, x, positions=None, base=10000.0):
    """Return the gradient of `rotary` with respect to x: the upstream gradient turned back by the same angles.

    A rotation's transpose is its inverse.

    Args:
        upstream: the shape of x.
    """
    x = float_array(x, "x")
    return _rotated(upstream_array(upstream, x.shape, x.dtype), positions, base, -1)
