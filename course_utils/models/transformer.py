r"""One Transformer, three uses: encoder-decoder, decoder only, encoder only, from the same blocks.

    model = transformer.decoder_only(vocabulary=5000, length=64, size=128, heads=4, hidden=512, blocks=2)
    logits = model(tokens)                       # (batch, time, vocabulary)

Every builder returns an uncompiled `keras.Model` that takes whole numbers, token 0 being padding, and returns logits
(encoder_only: hidden states). The blocks are Keras layers around Keras' own MultiHeadAttention, LayerNormalization and
Dense; a saved model reloads with `keras.models.load_model` once this module has been imported.

For generating token by token, `Stepper` runs the same layers with a memory of keys and values (a KV cache): every step
costs one position instead of the whole prefix, and gives the same numbers.

Source: Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762; layer normalisation in front of each part (the
default here) after Xiong et al. 2020, On layer normalization in the Transformer architecture, arXiv:2002.04745.
"""

import keras
from keras import layers, ops

from course_utils.checking import expect, multiple_of, one_of

PADDING = 0


def sinusoidal_table(length, size):
    """Return positions as sines and cosines, float32 (length, size); columns 2i and 2i+1 share a wavelength.

    table[t, 2i] = sin(t / 10000^(2i/size)), table[t, 2i+1] = cos(t / 10000^(2i/size)).
    """
    from course_utils.reference.attention import sinusoidal_positions

    return sinusoidal_positions(length, size).astype("float32")


@keras.saving.register_keras_serializable(package="course_utils")
class TokensAndPositions(layers.Layer):
    """Token embeddings plus position vectors, then dropout: whole numbers (batch, time) -> (batch, time, size).

    Args:
        vocabulary: how many different tokens there are, padding included.
        length: the longest sequence.
        size: numbers per token.
        positions: "sinusoidal" (fixed; the embedding is multiplied by sqrt(size) first, as in the paper), "learned"
            or "none".
        dropout: share of the numbers set to zero while training.
    """

    def __init__(self, vocabulary, length, size, positions="sinusoidal", dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        one_of(("sinusoidal", "learned", "none"), positions=positions)
        self.vocabulary, self.length, self.size = vocabulary, length, size
        self.positions, self.dropout = positions, dropout
        # A small start for a learned sum; sqrt(size) * 1/sqrt(size) = 1 beside sines of the same height.
        deviation = size**-0.5 if positions == "sinusoidal" else 0.02
        self.tokens = layers.Embedding(
            vocabulary,
            size,
            keras.initializers.RandomNormal(stddev=deviation),
            name="tokens",
            dtype=self.dtype_policy,
        )
        self.drop = layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.tokens.build(input_shape)
        if self.positions == "learned":
            start = keras.initializers.RandomNormal(stddev=0.02)
            self.table = self.add_weight(shape=(self.length, self.size), initializer=start, name="positions")
        elif self.positions == "sinusoidal":
            self.table = ops.convert_to_tensor(sinusoidal_table(self.length, self.size))

    def call(self, tokens, start=0, training=None):
        vectors = self.tokens(tokens)  # (batch, time, size)
        if self.positions == "sinusoidal":
            vectors = vectors * self.size**0.5
        if self.positions != "none":
            places = start + ops.arange(ops.shape(tokens)[1])
            vectors = vectors + ops.cast(ops.take(self.table, places, axis=0), vectors.dtype)  # (time, size)
        return self.drop(vectors, training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.size)

    def get_config(self):
        names = ("vocabulary", "length", "size", "positions", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="course_utils")
class Block(layers.Layer):
    """Self-attention, optionally attention to a memory, then two dense layers, each added to what came in.

    With normalise_first (the default) x + part(normalise(x)); otherwise, as in the 2017 paper, normalise(x + part(x)).

    Args:
        size, heads, hidden: numbers per token, attention heads (size / heads numbers each), units between the two
            dense layers.
        dropout: on the output of each part, while training.
        causal: a position attends to itself and earlier ones only.
        cross: a second attention, from here to the memory (the encoder's output).
        activation: between the dense layers.

    Call: `block(x, mask, memory, memory_mask)`; masks are boolean (batch, time), True = a real token.
    """

    def __init__(
        self,
        size,
        heads,
        hidden,
        dropout=0.0,
        causal=False,
        cross=False,
        normalise_first=True,
        activation="gelu",
        **kwargs,
    ):
        super().__init__(**kwargs)
        multiple_of(heads, size=size)
        self.size, self.heads, self.hidden, self.dropout = size, heads, hidden, dropout
        self.causal, self.cross, self.normalise_first = causal, cross, normalise_first
        self.activation = activation
        same = {"dtype": self.dtype_policy}  # Block(..., dtype="float64") means all of it
        self.attention = layers.MultiHeadAttention(heads, size // heads, name="attention", **same)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-5, name="attention_norm", **same)
        if cross:
            self.cross_attention = layers.MultiHeadAttention(
                heads, size // heads, name="cross_attention", **same
            )
            self.cross_norm = layers.LayerNormalization(epsilon=1e-5, name="cross_norm", **same)
        self.expand = layers.Dense(hidden, activation=activation, name="expand", **same)
        self.contract = layers.Dense(size, name="contract", **same)
        self.dense_norm = layers.LayerNormalization(epsilon=1e-5, name="dense_norm", **same)
        self.drop = layers.Dropout(dropout, **same)
        # Masks are given as arguments; Keras' implicit ones would be merged in a second time.
        self.supports_masking = False

    def build(self, x_shape, memory_shape=None):
        self.attention.build(x_shape, x_shape)
        if self.cross:
            self.cross_attention.build(x_shape, memory_shape or x_shape)
            self.cross_norm.build(x_shape)
        self.expand.build(x_shape)
        self.contract.build((*x_shape[:-1], self.hidden))
        for norm in (self.attention_norm, self.dense_norm):
            norm.build(x_shape)

    def call(self, x, mask=None, memory=None, memory_mask=None, training=None):
        x = self._add(
            x, self.attention_norm, lambda y: self._attend(self.attention, y, y, mask, self.causal), training
        )
        if self.cross:
            x = self._add(
                x,
                self.cross_norm,
                lambda y: self._attend(self.cross_attention, y, memory, memory_mask),
                training,
            )
        return self._add(x, self.dense_norm, lambda y: self.contract(self.expand(y)), training)

    def attention_weights(self, x, mask=None, memory=None, memory_mask=None):
        """Return what each head looks at: (self-attention, attention to the memory or None), (batch, heads, time, time)."""
        y = self.attention_norm(x) if self.normalise_first else x
        own = self._attend(self.attention, y, y, mask, self.causal, weights=True)[1]
        if not self.cross:
            return own, None
        x = self._add(
            x, self.attention_norm, lambda y: self._attend(self.attention, y, y, mask, self.causal), False
        )
        y = self.cross_norm(x) if self.normalise_first else x
        return own, self._attend(self.cross_attention, y, memory, memory_mask, weights=True)[1]

    def _add(self, x, norm, part, training):
        if self.normalise_first:
            return x + self.drop(part(norm(x)), training=training)
        return norm(x + self.drop(part(x), training=training))

    @staticmethod
    def _attend(attention, query, memory, mask, causal=False, weights=False):
        mask = None if mask is None else mask[:, None, :]  # (batch, 1, key time): which keys may be seen
        return attention(
            query, memory, attention_mask=mask, use_causal_mask=causal, return_attention_scores=weights
        )

    # ------------------------------------------------------------ one position at a time

    def keys_and_values(self, memory):
        """Return the memory's keys and values for `step`, computed once for all steps."""
        return self.cross_attention.key_dense(memory), self.cross_attention.value_dense(memory)

    def step(self, x, cache, position, memory=None, memory_mask=None):
        """Take one position through the block.

        Args:
            x: (batch, 1, size).
            cache: (keys, values), each (batch, longest, heads, size / heads), filled up to `position`.
            position: which one this is, a whole number.
            memory: (keys, values) from `keys_and_values`, for a block with `cross`.

        Returns:
            x for the next block, the cache with this position in it.
        """
        only = "step 需要 normalise_first=True", "normalise_first=True for step (else use the whole model)"
        expect(self.normalise_first, "block", *only, "normalise_first=False")
        y = self.attention_norm(x)
        start = (0, position, 0, 0)
        keys = ops.slice_update(cache[0], start, self.attention.key_dense(y))
        values = ops.slice_update(cache[1], start, self.attention.value_dense(y))
        seen = (ops.arange(ops.shape(keys)[1]) <= position)[None, :]  # (1, longest)
        x = x + self._look(self.attention, y, keys, values, seen)
        if self.cross:
            x = x + self._look(self.cross_attention, self.cross_norm(x), *memory, memory_mask)
        return x + self.contract(self.expand(self.dense_norm(x))), (keys, values)

    def _look(self, attention, y, keys, values, mask):
        # (batch, 1, heads, size / heads)
        query = attention.query_dense(y) * (self.size // self.heads) ** -0.5
        scores = ops.einsum("bqhd,bkhd->bhqk", query, keys)  # (batch, heads, 1, time)
        scores = ops.where(mask[:, None, None, :], scores, -1e9)
        # (batch, 1, heads, size / heads)
        seen = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(scores, axis=-1), values)
        return attention.output_dense(seen)  # (batch, 1, size)

    def get_config(self):
        names = ("size", "heads", "hidden", "dropout", "causal", "cross", "normalise_first", "activation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _stack(tokens, name, vocabulary, length, blocks, positions, settings, memory=None, memory_mask=None):
    """Apply embedding, blocks and, for blocks that normalise first, a last normalisation."""
    mask = ops.not_equal(tokens, PADDING)
    embedding = TokensAndPositions(
        vocabulary, length, settings["size"], positions, settings["dropout"], name=f"{name}_embedding"
    )
    x = embedding(tokens)
    for number in range(1, blocks + 1):
        x = Block(**settings, name=f"{name}_block_{number}")(x, mask, memory, memory_mask)
    if settings["normalise_first"]:
        x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
    return x, mask


def _logits(x, vocabulary):
    # Small starting weights: the first predictions are nearly uniform, so the first loss is nearly log(vocabulary).
    start = keras.initializers.RandomNormal(stddev=0.02)
    return layers.Dense(vocabulary, kernel_initializer=start, name="logits")(x)


def encoder_decoder(
    source_vocabulary,
    target_vocabulary,
    source_length,
    target_length,
    size=128,
    heads=4,
    hidden=512,
    encoder_blocks=2,
    decoder_blocks=2,
    dropout=0.1,
    positions="sinusoidal",
    normalise_first=True,
    activation="gelu",
):
    """Return a model from one sequence to another: {"source": (batch, time), "target": (batch, time)} -> logits.

    `target` is what has been written so far, its first token the start sign; logits at t belong to position t + 1.
    Output: (batch, target time, target_vocabulary).
    """
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    settings = {
        "size": size, "heads": heads, "hidden": hidden, "dropout": dropout, "normalise_first": normalise_first,
        "activation": activation,
    }  # fmt: skip
    memory, memory_mask = _stack(
        source, "encoder", source_vocabulary, source_length, encoder_blocks, positions, settings
    )
    settings = {**settings, "causal": True, "cross": True}
    x, _ = _stack(
        target,
        "decoder",
        target_vocabulary,
        target_length,
        decoder_blocks,
        positions,
        settings,
        memory,
        memory_mask,
    )
    inputs = {"source": source, "target": target}
    return keras.Model(inputs, _logits(x, target_vocabulary), name="encoder_decoder")


def decoder_only(
    vocabulary,
    length,
    size=128,
    heads=4,
    hidden=512,
    blocks=2,
    dropout=0.1,
    positions="learned",
    normalise_first=True,
    activation="gelu",
):
    """Return a language model: tokens (batch, time) -> logits of the next token, (batch, time, vocabulary)."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    settings = {
        "size": size, "heads": heads, "hidden": hidden, "dropout": dropout, "normalise_first": normalise_first,
        "activation": activation, "causal": True,
    }  # fmt: skip
    x, _ = _stack(tokens, "decoder", vocabulary, length, blocks, positions, settings)
    return keras.Model(tokens, _logits(x, vocabulary), name="decoder_only")


def encoder_only(
    vocabulary,
    length,
    size=128,
    heads=4,
    hidden=512,
    blocks=2,
    dropout=0.1,
    positions="learned",
    normalise_first=True,
    activation="gelu",
):
    """Return a model that reads in both directions: tokens (batch, time) -> hidden states (batch, time, size)."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    settings = {
        "size": size, "heads": heads, "hidden": hidden, "dropout": dropout, "normalise_first": normalise_first,
        "activation": activation,
    }  # fmt: skip
    x, _ = _stack(tokens, "encoder", vocabulary, length, blocks, positions, settings)
    return keras.Model(tokens, x, name="encoder_only")


class Stepper:
    """Runs a model's decoder token by token, each step costing one position: the KV cache.

        stepper = Stepper(model)
        state = stepper.start(batch=4)              # encoder_decoder: stepper.start(source=source)
        logits, state = stepper.step(tokens, state) # tokens (batch,) -> logits (batch, vocabulary)

    `state` is a plain dict of tensors; `reorder(state, rows)` chooses and repeats rows, as beam search needs. The same
    weights are used, so the logits are the whole model's, up to rounding.

    Raises:
        ValueError: the model has no decoder, or it normalises last.
    """

    def __init__(self, model):
        names = [layer.name for layer in model.layers]
        kinds = "decoder_only or encoder_decoder with normalise_first=True"
        fits = "decoder_embedding" in names and "decoder_norm" in names
        expect(fits, "model", f"应为 {kinds}", f"a model of {kinds}", f"layers {names}")
        self.model = model
        self.embedding = model.get_layer("decoder_embedding")
        self.blocks = [layer for layer in model.layers if layer.name.startswith("decoder_block_")]
        self.norm, self.logits = model.get_layer("decoder_norm"), model.get_layer("logits")
        self.encode = None
        if self.blocks[0].cross:
            self.encode = keras.Model(model.inputs[0], model.get_layer("encoder_norm").output)
        self._run = _compiled(self._step)
        self._begin = _compiled(self._start)

    def start(self, batch=None, source=None):
        """Return the state before the first token: `source` (batch, time) for an encoder-decoder, else `batch`."""
        if self.encode is not None:
            return self._begin(ops.convert_to_tensor(source, "int32"))
        return self._empty(batch)

    def _start(self, source):
        memory = self.encode(source, training=False)
        state = self._empty(ops.shape(source)[0])
        state["memory"] = [block.keys_and_values(memory) for block in self.blocks]
        state["memory_mask"] = ops.not_equal(source, PADDING)
        return state

    def _empty(self, batch):
        block = self.blocks[0]
        shape = (batch, self.embedding.length, block.heads, block.size // block.heads)
        empty = [(ops.zeros(shape), ops.zeros(shape)) for _ in self.blocks]
        return {"position": ops.zeros((), "int32"), "cache": empty}

    def step(self, tokens, state):
        """Return (logits of the next token (batch, vocabulary), new state) after one more token (batch,)."""
        return self._run(ops.convert_to_tensor(tokens, "int32"), state)

    def _step(self, tokens, state):
        position = state["position"]
        x = self.embedding(tokens[:, None], start=position, training=False)  # (batch, 1, size)
        caches = []
        for number, block in enumerate(self.blocks):
            memory = state["memory"][number] if "memory" in state else None
            x, cache = block.step(x, state["cache"][number], position, memory, state.get("memory_mask"))
            caches.append(cache)
        logits = self.logits(self.norm(x))[:, 0]  # (batch, vocabulary)
        return logits, {**state, "cache": caches, "position": position + 1}

    @staticmethod
    def reorder(state, rows):
        """Return the state whose row i is row rows[i] of the old one."""
        batched = {name: value for name, value in state.items() if name != "position"}
        chosen = keras.tree.map_structure(lambda array: ops.take(array, rows, axis=0), batched)
        return {**chosen, "position": state["position"]}


def _compiled(function):
    import tensorflow as tf

    return tf.function(function, reduce_retracing=True)
