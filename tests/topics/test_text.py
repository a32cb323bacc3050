"""Tokens, vocabulary and padding: small texts whose numbers can be counted by hand, then the reviews."""

import numpy as np
import pytest

from course_utils import datasets
from course_utils.topics import text

TEXTS = ["Good tea, good price!", "I don't like THE tea.", "Tea"]


@pytest.mark.parametrize(
    ("language", "given", "expected"),
    [
        ("en", "Don’t pay $4.50 -- it's BAD!", ["don't", "pay", "4", "50", "it's", "bad"]),
        ("en", "'quoted' rock'n'roll", ["quoted", "rock'n'roll"]),
        ("en", "  \n", []),
        ("zh", "很 好，\t买了２台ＣＤ！", list("很好,买了2台cd!")),
        ("zh", "…", ["."] * 3),
    ],
)
def test_tokens(language, given, expected):
    assert text.tokens(given, language) == expected


def test_numbers_are_ordered_by_frequency_then_text():
    vocabulary = text.Vocabulary(TEXTS, "en")
    assert vocabulary.words == ["[PAD]", "[UNK]", "tea", "good", "don't", "i", "like", "price", "the"]
    assert len(vocabulary) == 9 and vocabulary.numbers["tea"] == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 4}, ["[PAD]", "[UNK]", "tea", "good"]),
        ({"minimum": 3}, ["[PAD]", "[UNK]", "tea"]),
        ({"special": ["[MASK]"], "size": 4}, ["[PAD]", "[UNK]", "[MASK]", "tea"]),
    ],
)
def test_what_is_kept(options, expected):
    assert text.Vocabulary(TEXTS, "en", **options).words == expected


def test_encode_cuts_the_end_and_pads_where_asked():
    vocabulary = text.Vocabulary(TEXTS, "en", size=4)
    after = vocabulary.encode(["good new tea", "tea", "", "tea tea tea good good"], length=4)
    assert after.dtype == np.int32
    np.testing.assert_array_equal(after, [[3, 1, 2, 0], [2, 0, 0, 0], [0, 0, 0, 0], [2, 2, 2, 3]])
    before = vocabulary.encode(["good new tea", "tea", "", "tea tea tea good good"], 4, padding="pre")
    np.testing.assert_array_equal(before, [[0, 3, 1, 2], [0, 0, 0, 2], [0, 0, 0, 0], [2, 2, 2, 3]])


def test_decode_gives_the_text_back():
    english = text.Vocabulary(TEXTS, "en")
    assert english.decode(english.encode(["I like unknown tea"], 6, padding="pre")[0]) == "i like [UNK] tea"
    chinese = text.Vocabulary(["早餐很好", "很差"], "zh")
    assert chinese.decode(chinese.encode(["早餐很差"], 6)[0]) == "早餐很差"


def test_special_names_are_never_read_in_a_text():
    for language in text.LANGUAGES:
        vocabulary = text.Vocabulary(["[MASK] [PAD] mask pad"], language, special=("[MASK]",))
        encoded = vocabulary.encode(["[MASK] [PAD] mask pad"], 30)
        assert vocabulary.numbers["[MASK]"] == 2 and 2 not in encoded
        assert (encoded[encoded != 0] > 2).all()


@pytest.mark.parametrize("language", text.LANGUAGES)
def test_reviews(language):
    reviews = datasets.reviews(language)
    vocabulary = text.Vocabulary(reviews.train_texts, language, size=2000)
    encoded = vocabulary.encode(reviews.test_texts, length=30)
    assert encoded.shape == (len(reviews.test_texts), 30)
    assert 0 <= encoded.min() and encoded.max() < len(vocabulary) == 2000
    unknown = (encoded == text.UNKNOWN).sum() / (encoded != text.PADDING).sum()
    assert 0 < unknown < 0.15  # frequent words first: few are left over


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: text.tokens("x", "fr"), "found 'fr'"),
        (lambda: text.tokens(3, "en"), "text: .*expected a string; found int"),
        (lambda: text.Vocabulary(TEXTS, "de"), "found 'de'"),
        (lambda: text.Vocabulary("one text", "en"), "texts: .*expected several texts; found one string"),
        (lambda: text.Vocabulary(TEXTS, "en", size=2), "size: .*at least 3; found 2"),
        (lambda: text.Vocabulary(TEXTS, "en", size=3, special=("[MASK]",)), "size: .*at least 4; found 3"),
        (
            lambda: text.Vocabulary(TEXTS, "en", special=("[MASK]", "[MASK]")),
            "special: .*different names; found",
        ),
        (lambda: text.Vocabulary(TEXTS, "en", special=("[PAD]",)), "special: .*different names; found"),
        (lambda: text.Vocabulary(TEXTS, "en").encode("one text", 3), "expected several texts"),
        (lambda: text.Vocabulary(TEXTS, "en").encode(TEXTS, 0), "length: .*at least 1; found 0"),
        (lambda: text.Vocabulary(TEXTS, "en").encode(TEXTS, 3, "left"), "padding: .*found 'left'"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()
