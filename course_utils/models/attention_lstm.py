"""An LSTM encoder-decoder with attention: what the Transformer replaced, with the same inputs and outputs.

The encoder reads in both directions. The decoder is one LSTM; at each step its output looks at the encoder's outputs by
dot-product attention, and both together choose the next token (Luong, Pham and Manning 2015, Effective approaches to
attention-based neural machine translation, arXiv:1508.04025, "global attention, dot").
"""

import keras
from keras import layers, ops

from course_utils.checking import multiple_of
from course_utils.models.transformer import PADDING


def encoder_decoder(source_vocabulary, target_vocabulary, size=128, units=128, dropout=0.1):
    """Return a model: {"source": (batch, time), "target": (batch, time)} -> logits (batch, time, target_vocabulary).

    Args:
        size: numbers per token.
        units: of the decoder's LSTM; the encoder has units / 2 in each direction.
        dropout: on embeddings and on what chooses the next token.

    Uncompiled; made of Keras' own layers and operations only.
    """
    multiple_of(2, units=units)
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    read = layers.Embedding(source_vocabulary, size, name="source_tokens")(source)
    read = layers.Dropout(dropout, name="source_dropout")(read)
    real = ops.not_equal(source, PADDING)
    encoder = layers.Bidirectional(
        layers.LSTM(units // 2, return_sequences=True, return_state=True), name="encoder"
    )
    # memory (batch, source time, units)
    memory, hidden_1, cell_1, hidden_2, cell_2 = encoder(read, mask=real)
    state = [
        layers.Concatenate(name="hidden")([hidden_1, hidden_2]),
        layers.Concatenate(name="cell")([cell_1, cell_2]),
    ]

    written = layers.Embedding(target_vocabulary, size, name="target_tokens")(target)
    written = layers.Dropout(dropout, name="target_dropout")(written)
    outputs, _, _ = layers.LSTM(units, return_sequences=True, return_state=True, name="decoder")(
        written, initial_state=state
    )
    # Keras' Attention layer wants the mask through its implicit mechanism; the three operations say what happens.
    scores = ops.einsum("btu,bsu->bts", outputs, memory) * units**-0.5  # (batch, target time, source time)
    weights = ops.softmax(ops.where(real[:, None, :], scores, -1e9), axis=-1)
    context = ops.einsum("bts,bsu->btu", weights, memory)
    both = layers.Concatenate(name="both")([outputs, context])  # (batch, target time, 2 units)
    chosen = layers.Dropout(dropout, name="dropout")(
        layers.Dense(units, activation="tanh", name="combine")(both)
    )
    logits = layers.Dense(target_vocabulary, name="logits")(chosen)
    return keras.Model({"source": source, "target": target}, logits, name="attention_lstm")


class Stepper:
    """Runs the decoder token by token, as `transformer.Stepper` does: start(source=…), step, reorder."""

    def __init__(self, model):
        import tensorflow as tf

        get = model.get_layer
        encoder, combine = get("encoder"), get("combine")
        self._memory = keras.Model(
            model.inputs[0], [encoder.output[0], get("hidden").output, get("cell").output]
        )
        self._embed, self._decoder = get("target_tokens"), get("decoder")
        self._combine, self._logits, self._scale = combine, get("logits"), combine.units**-0.5
        self._begin = tf.function(self._start, reduce_retracing=True)
        self._run = tf.function(self._step, reduce_retracing=True)

    def start(self, source):
        """Return the state before the first token; source (batch, time)."""
        return self._begin(ops.convert_to_tensor(source, "int32"))

    def _start(self, source):
        memory, hidden, cell = self._memory(source, training=False)
        return {"memory": memory, "real": ops.not_equal(source, PADDING), "hidden": hidden, "cell": cell}

    def step(self, tokens, state):
        """Return (logits of the next token (batch, vocabulary), new state) after one more token (batch,)."""
        return self._run(ops.convert_to_tensor(tokens, "int32"), state)

    def _step(self, tokens, state):
        output, hidden, cell = self._decoder(
            self._embed(tokens[:, None]), initial_state=[state["hidden"], state["cell"]], training=False
        )
        scores = ops.einsum("btu,bsu->bts", output, state["memory"]) * self._scale
        weights = ops.softmax(ops.where(state["real"][:, None, :], scores, -1e9), axis=-1)
        context = ops.einsum("bts,bsu->btu", weights, state["memory"])
        logits = self._logits(self._combine(ops.concatenate([output, context], axis=-1)))[:, 0]
        return logits, {**state, "hidden": hidden, "cell": cell}

    @staticmethod
    def reorder(state, rows):
        """Return the state whose row i is row rows[i] of the old one."""
        return {name: ops.take(array, rows, axis=0) for name, array in state.items()}
