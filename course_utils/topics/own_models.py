"""The course's own networks, built for counting: how large is what is trained in the other chapters?

networks = own_models.networks()
networks["perceptron"].count_params()
"""

import keras
from keras import layers

from course_utils.models import vision

# What one forward pass reads: an image at once, or so many rows or tokens one after the other.
ITEMS = {"LSTM on rows": 28, "LSTM on text": 80, "small GPT": 32}


def networks() -> dict:
    """Return {name: untrained Keras model}, from the perceptron of chapter 1 to the small GPT of chapter 7b."""
    return {
        "perceptron": vision.perceptron(),
        "beginner's CNN": vision.beginner_cnn(),
        "deeper CNN": vision.deeper_beginner_cnn(),
        "fast CNN": vision.fast_cnn(),
        "LSTM on rows": rows_lstm(),
        "LSTM on text": text_lstm(),
        "small GPT": small_gpt(),
    }


def rows_lstm():
    """Return chapter 6's reader of a digit, row after row: two LSTM layers."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.LSTM(128, return_sequences=True),
            layers.LSTM(128),
            layers.Dense(10),
        ]
    )


def text_lstm(vocabulary=4_000, length=80):
    """Return chapter 6a's reader of a review: an embedding and two LSTM layers."""
    return keras.Sequential(
        [
            keras.Input((length,)),
            layers.Embedding(vocabulary, 32),
            layers.LSTM(64, return_sequences=True),
            layers.LSTM(64),
            layers.Dense(1),
        ]
    )


def small_gpt(vocabulary=2_500, width=128, blocks=2, length=32):
    """Return a Transformer like chapter 7b's: embedding, blocks of attention and two dense layers, scores of the next token.

    The positions' own vectors are left out.
    """
    tokens = keras.Input((length,))
    x = layers.Embedding(vocabulary, width)(tokens)  # (batch, length, width)
    for _ in range(blocks):
        heads = layers.MultiHeadAttention(4, width // 4)(x, x, use_causal_mask=True)
        x = layers.LayerNormalization()(x + heads)
        x = layers.LayerNormalization()(
            x + layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(x))
        )
    return keras.Model(tokens, layers.Dense(vocabulary)(layers.LayerNormalization()(x)))
