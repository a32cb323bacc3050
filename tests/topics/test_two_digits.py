"""Names and pictures of two-digit numbers."""

import numpy as np
import pytest

from course_utils.topics import two_digits


def test_names():
    wanted = {
        10: ("ten", "十"),
        13: ("thirteen", "十三"),
        20: ("twenty", "二十"),
        42: ("forty-two", "四十二"),
        99: ("ninety-nine", "九十九"),
    }
    assert {number: (two_digits.english(number), two_digits.chinese(number)) for number in wanted} == wanted
    for name in (two_digits.english, two_digits.chinese):
        assert len({name(number) for number in two_digits.NUMBERS}) == 90
        with pytest.raises(ValueError, match="10 to 99"):
            name(100)


def test_tokens_are_reversible_and_padded():
    names = [
        name(number) for number in two_digits.NUMBERS for name in (two_digits.english, two_digits.chinese)
    ]
    rows = two_digits.tokens(names)
    assert rows.shape == (180, two_digits.LONGEST) and rows.dtype == np.int32
    assert ["".join(two_digits.CHARACTERS[token - 1] for token in row if token) for row in rows] == names
    assert max(map(len, names)) == two_digits.LONGEST
    with pytest.raises(ValueError, match="'!'"):
        two_digits.tokens(["ten!"])


def test_pictures_show_tens_on_the_left():
    labels = np.repeat(np.arange(10), 3)
    images = np.broadcast_to(labels[:, None, None], (30, 28, 28)).astype(
        "uint8"
    )  # each image is full of its label
    found = two_digits.pictures(images, labels, [42, 10, 99], np.random.default_rng(0))
    assert found.shape == (3, 28, 56) and found.dtype == np.uint8
    assert found[:, 0, 0].tolist() == [4, 1, 9] and found[:, 0, 55].tolist() == [2, 0, 9]
    distinct = np.arange(30)[:, None, None] * np.ones((1, 28, 28), int)
    drawn = two_digits.pictures(distinct, labels, [42] * 50, np.random.default_rng(0))
    assert len(set(drawn[:, 0, 0].tolist())) == 3  # any image of the digit, not always the first
    with pytest.raises(ValueError, match="every digit"):
        two_digits.pictures(images[3:], labels[3:], [42], np.random.default_rng(0))
    with pytest.raises(ValueError, match="10 to 99"):
        two_digits.pictures(images, labels, [7], np.random.default_rng(0))
