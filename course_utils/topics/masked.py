r"""Masked language models: reviews as rows of tokens, hiding tokens, and two heads for an encoder.

    vocabulary = masked.vocabulary(reviews.train_texts, "zh", size=2000)
    rows = masked.rows(vocabulary, reviews.train_texts, length=64)          # int32 (texts, 64), [CLS] first
    hidden = masked.hide(rows, len(vocabulary), np.random.default_rng(0))   # inputs, places, targets
    guesser = masked.guesser(encoder, places=10)                            # guesses the hidden tokens
    classifier = masked.classifier(encoder, classes=2, pooling="mean")      # reads the sentiment

The encoder is `transformer.encoder_only(...)`; both heads share it.

Source: Devlin et al. 2018, BERT: pre-training of deep bidirectional Transformers, arXiv:1810.04805.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from course_utils import checking
from course_utils.topics import text

PADDING, UNKNOWN, MASK, CLS = 0, 1, 2, 3
FIRST = 4  # the first number of an ordinary token
POOLINGS = ("mean", "max", "cls")


def vocabulary(texts, language, size):
    """Return a `text.Vocabulary` of training texts with [MASK] = 2 and [CLS] = 3; ordinary tokens from 4 on."""
    return text.Vocabulary(texts, language, size=size, special=("[MASK]", "[CLS]"))


def rows(words, texts, length):
    """Return one row per text: int32 (texts, length), [CLS], then the first length - 1 tokens, padding."""
    encoded = words.encode(texts, length - 1)
    return np.concatenate([np.full((len(encoded), 1), CLS, "int32"), encoded], axis=1)


def pieces(words, texts, length, shortest=8):
    """Return rows with all of every text, long ones in several; remainders below `shortest` tokens are left out.

    Returns int32 (pieces, length), each row with [CLS] first.
    """
    found = []
    for given in texts:
        count = len(text.tokens(given, words.language))
        tokens = words.encode([given], max(1, count))[0, :count]
        for begin in range(0, len(tokens), length - 1):
            part = tokens[begin : begin + length - 1]
            if len(part) >= shortest:
                found.append(np.concatenate([[CLS], part, np.zeros(length - 1 - len(part), "int32")]))
    return np.array(found, "int32").reshape(-1, length)


class Hidden(NamedTuple):
    """What `hide` returns."""

    inputs: np.ndarray  # int32 (rows, length): what the model reads
    places: np.ndarray  # int32 (rows, most): where it is asked; 0 where there is no question
    targets: np.ndarray  # int32 (rows, most): what stood there; 0 (padding) where there is no question


def hide(tokens, size, random, share=0.15, rule=(0.8, 0.1, 0.1), most=None):
    """Choose places and hide what stands there: by BERT's rule mostly [MASK], sometimes another token, sometimes nothing.

    Args:
        tokens: int (rows, length); padding, unknown and special ones (below 4) are never chosen.
        size: of the vocabulary; a random token is one from 4 to size - 1.
        random: numpy.random.Generator.
        share: of the real tokens that are chosen, rounded, at least one in a row that has any.
        rule: shares of the chosen that become [MASK], become a random token, stay; they add up to 1.
        most: most places in a row; None: as many as a full row needs.

    Raises:
        ValueError: a share outside (0, 1] or a rule that does not add up to 1.
    """
    tokens = np.asarray(tokens, "int32")
    checking.share(share=share, rule=rule)
    checking.positive(share=share)
    adds_up = len(rule) == 3 and abs(sum(rule) - 1) <= 1e-9
    checking.expect(adds_up, "rule", "三项之和应为 1", "three shares that add up to 1", rule)
    most = most or max(1, round(share * tokens.shape[1]))
    ordinary = tokens >= FIRST
    counts = np.minimum(np.maximum(np.round(share * ordinary.sum(axis=1)), ordinary.any(axis=1)), most)
    lottery = np.where(ordinary, random.random(tokens.shape), 2.0)
    places = np.argsort(lottery, axis=1)[:, :most].astype("int32")  # (rows, most): chosen ones first
    asked = np.arange(most) < counts[:, None]
    targets = np.where(asked, np.take_along_axis(tokens, places, axis=1), PADDING)
    kind = random.random(places.shape)
    written = np.where(kind < rule[0], MASK, targets)
    other = random.integers(FIRST, size, places.shape)
    written = np.where((kind >= rule[0]) & (kind < rule[0] + rule[1]), other, written)
    inputs = tokens.copy()
    row = np.broadcast_to(np.arange(len(tokens))[:, None], places.shape)
    inputs[row[asked], places[asked]] = written[asked]
    return Hidden(inputs, np.where(asked, places, 0), targets.astype("int32"))


class TiedScores(layers.Layer):
    """States -> scores over the vocabulary, by the transposed table of the embeddings and one bias a word.

    A word's vector serves twice, where it is read and where it is guessed: every guess trains it. Source: Press and Wolf
    2016, Using the output embedding to improve language models, arXiv:1608.05859.

    Args:
        embedding: a built `keras.layers.Embedding`, (words, size); shared, not copied.
    """

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(self.embedding.input_dim,), initializer="zeros", name="bias")

    def call(self, states):
        return ops.matmul(states, ops.transpose(self.embedding.embeddings)) + self.bias  # (..., words)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.embedding.input_dim)


def guesser(encoder, places):
    """Return a model for pre-training: [inputs (batch, length), places (batch, n)] -> logits (batch, n, words).

    Only the asked places go through the head: the large product with the vocabulary is needed for one token in seven. The
    scores use the encoder's own embeddings, as BERT's do.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    asked = keras.Input((places,), dtype="int32", name="places")
    states = ops.take_along_axis(encoder(tokens), asked[..., None], axis=1)  # (batch, places, hidden size)
    states = layers.Dense(states.shape[-1], activation="gelu", name="guess_dense")(states)
    states = layers.LayerNormalization(epsilon=1e-5, name="guess_norm")(states)
    embedding = encoder.get_layer("encoder_embedding").tokens
    return keras.Model([tokens, asked], TiedScores(embedding, name="guess")(states), name="guesser")


def classifier(encoder, classes=2, pooling="mean", dropout=0.1):
    """Return a model for a label of the whole row: tokens (batch, length) -> logits (batch, classes).

    Args:
        pooling: "mean" or "max" over the real tokens (padding never counts), or "cls", the state of the first token.
    """
    checking.one_of(POOLINGS, pooling=pooling)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    states = encoder(tokens)  # (batch, length, hidden size)
    real = ops.cast(ops.not_equal(tokens, PADDING), states.dtype)[..., None]  # (batch, length, 1)
    if pooling == "mean":
        pooled = ops.sum(states * real, axis=1) / ops.sum(real, axis=1)
    elif pooling == "max":
        pooled = ops.max(states - 1e9 * (1 - real), axis=1)
    else:
        pooled = states[:, 0]
    pooled = layers.Dropout(dropout)(pooled)  # (batch, hidden size)
    return keras.Model(tokens, layers.Dense(classes, name="classes")(pooled), name="classifier")
