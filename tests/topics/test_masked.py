"""Masked language models: rows of reviews, hiding by BERT's rule, and two heads that padding cannot move."""

import keras
import numpy as np
import pytest

from course_utils.models import transformer
from course_utils.topics import masked

TEXTS = ["good tea, very good tea", "bad coffee", "the tea is not good and the coffee is bad too", ""]


@pytest.fixture(scope="module")
def words():
    return masked.vocabulary(TEXTS, "en", size=50)


def test_vocabulary_numbers_the_special_tokens(words):
    assert words.words[:4] == ["[PAD]", "[UNK]", "[MASK]", "[CLS]"]
    assert words.numbers["[MASK]"] == masked.MASK and words.numbers["[CLS]"] == masked.CLS
    assert words.numbers["good"] >= masked.FIRST


def test_rows(words):
    found = masked.rows(words, TEXTS, 5)
    assert found.shape == (4, 5) and found.dtype == np.int32 and (found[:, 0] == masked.CLS).all()
    assert words.decode(found[0, 1:]) == "good tea very good" and words.decode(found[1, 1:]) == "bad coffee"
    assert (found[3, 1:] == 0).all()


def test_pieces_hold_every_token_once(words):
    found = masked.pieces(words, TEXTS, 5, shortest=1)
    assert (found[:, 0] == masked.CLS).all() and found.shape[1] == 5
    assert " ".join(words.decode(row[1:]) for row in found) == " ".join(TEXTS[:3]).replace(",", "")
    assert len(masked.pieces(words, TEXTS, 5, shortest=3)) < len(found)
    assert masked.pieces(words, ["bad"], 5).shape == (0, 5)


def many(rows=4000, length=21, size=40, seed=0):
    random = np.random.default_rng(seed)
    tokens = random.integers(masked.FIRST, size, (rows, length)).astype("int32")
    tokens[:, 0] = masked.CLS
    tokens[::4, 11:] = masked.PADDING
    tokens[::5, 3] = masked.UNKNOWN
    return tokens


def test_hide_asks_for_what_stood_there():
    tokens = many()
    hidden = masked.hide(tokens, 40, np.random.default_rng(1), most=4)
    asked = hidden.targets > 0
    row = np.nonzero(asked)[0]
    assert (tokens[row, hidden.places[asked]] == hidden.targets[asked]).all()
    assert (hidden.targets[asked] >= masked.FIRST).all() and (hidden.places[~asked] == 0).all()
    for places, some in zip(hidden.places, asked, strict=True):
        assert len(set(places[some])) == some.sum()
    changed = hidden.inputs != tokens
    for one, places, some in zip(changed, hidden.places, asked, strict=True):
        assert set(np.flatnonzero(one)) <= set(places[some])  # nothing but the asked places was touched


def test_hide_keeps_the_shares():
    tokens = many()
    hidden = masked.hide(tokens, 40, np.random.default_rng(1))
    asked = hidden.targets > 0
    ordinary = (tokens >= masked.FIRST).sum(axis=1)
    np.testing.assert_array_equal(asked.sum(axis=1), np.minimum(np.maximum(np.round(0.15 * ordinary), 1), 3))
    seen = np.take_along_axis(hidden.inputs, hidden.places, axis=1)[asked]
    target, count = hidden.targets[asked], asked.sum()
    as_mask, same = (seen == masked.MASK).mean(), (seen == target).mean()
    # A random token is the old one in one case of 36.
    assert as_mask == pytest.approx(0.8, abs=5 * (0.16 / count) ** 0.5)
    assert same == pytest.approx(0.1 + 0.1 / 36, abs=5 * (0.1 / count) ** 0.5)
    assert (seen >= masked.MASK).all() and seen.max() == 39
    # Every place of a full row is chosen equally often.
    full = hidden.places[1::4][hidden.targets[1::4] > 0]
    often = np.bincount(full, minlength=21)[4:]
    assert often.min() > 0.75 * often.mean() and often.max() < 1.25 * often.mean()


@pytest.mark.parametrize(("rule", "number"), [((1, 0, 0), 2), ((0, 0, 1), None)])
def test_hide_by_other_rules(rule, number):
    tokens = many(rows=50)
    hidden = masked.hide(tokens, 40, np.random.default_rng(1), rule=rule)
    asked = hidden.targets > 0
    seen = np.take_along_axis(hidden.inputs, hidden.places, axis=1)[asked]
    assert (seen == (hidden.targets[asked] if number is None else number)).all()
    everything = masked.hide(tokens, 40, np.random.default_rng(1), share=1.0)
    assert ((everything.targets > 0).sum(axis=1) == (tokens >= masked.FIRST).sum(axis=1)).all()


def test_hide_leaves_an_empty_row_alone():
    tokens = np.array([[masked.CLS, 0, 0], [masked.CLS, 7, 0]])
    hidden = masked.hide(tokens, 10, np.random.default_rng(0), rule=(1, 0, 0))
    assert hidden.inputs.tolist() == [[masked.CLS, 0, 0], [masked.CLS, masked.MASK, 0]]
    assert hidden.targets.tolist() == [[0], [7]]


def test_hide_refuses():
    for bad, message in (
        ({"share": 0}, "share: .*more than 0; found 0"),
        ({"share": 1.1}, "share: .*from 0 to 1; found 1.1"),
        ({"rule": (0.8, 0.1)}, "rule: .*three shares that add up to 1"),
        ({"rule": (0.8, 0.1, 0.2)}, "rule: .*three shares that add up to 1"),
        ({"rule": (1.1, -0.1, 0)}, "rule: .*from 0 to 1; found -0.1 to 1.1"),
    ):
        with pytest.raises(ValueError, match=message):
            masked.hide(many(rows=2), 40, np.random.default_rng(0), **bad)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return transformer.encoder_only(vocabulary=12, length=9, size=8, heads=2, hidden=16, blocks=1)


def test_guesser_answers_at_the_places(encoder):
    model = masked.guesser(encoder, places=2)
    tokens, places = np.array([[3, 5, 2, 7, 0], [3, 2, 2, 8, 9]]), np.array([[2, 0], [2, 1]])
    logits = np.asarray(model([tokens, places]))
    assert logits.shape == (2, 2, 12)
    states = np.asarray(encoder(tokens))
    expected = model.get_layer("guess")(model.get_layer("guess_norm")(model.get_layer("guess_dense")(states)))
    for row in range(2):
        np.testing.assert_allclose(logits[row], np.asarray(expected)[row, places[row]], atol=1e-5)


def test_guesser_shares_the_embeddings(encoder):
    model = masked.guesser(encoder, places=1)
    table = encoder.get_layer("encoder_embedding").tokens.embeddings
    # The table is counted once: a dense layer, a normalisation and one bias a word are all that the head adds.
    assert model.count_params() - encoder.count_params() == (8 * 8 + 8) + 2 * 8 + 12
    scores, states = (
        model.get_layer("guess"),
        np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32"),
    )
    scores.bias.assign(np.arange(12.0))
    np.testing.assert_allclose(
        scores(states), states @ np.asarray(table).T + np.arange(12.0), rtol=1e-5, atol=1e-5
    )
    scores.bias.assign(np.zeros(12))
    assert sum(variable is table for variable in model.trainable_variables) == 1


@pytest.mark.parametrize("pooling", masked.POOLINGS)
def test_padding_does_not_move_the_classifier(encoder, pooling):
    model = masked.classifier(encoder, classes=3, pooling=pooling)
    tokens = np.array([[3, 5, 2, 7], [3, 6, 8, 0]])
    logits = np.asarray(model(tokens))
    assert logits.shape == (2, 3)
    np.testing.assert_allclose(logits, model(np.pad(tokens, ((0, 0), (0, 4)))), atol=1e-5)
    other = tokens.copy()
    other[:, 2] = 9
    assert not np.allclose(logits, model(other), atol=1e-4)


def test_poolings_are_what_they_say(encoder):
    tokens = np.array([[3, 5, 2, 0, 0]])
    states = np.asarray(encoder(tokens))[0, :3]
    for pooling, expected in [("mean", states.mean(axis=0)), ("max", states.max(axis=0)), ("cls", states[0])]:
        model = masked.classifier(encoder, pooling=pooling)
        kernel, bias = model.get_layer("classes").get_weights()
        np.testing.assert_allclose(model(tokens)[0], expected @ kernel + bias, atol=1e-5)
    with pytest.raises(ValueError, match="sum"):
        masked.classifier(encoder, pooling="sum")
