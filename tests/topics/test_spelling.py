"""Words and phonemes as numbers, the fixed split, batches, and the two error rates."""

import itertools

import numpy as np
import pytest

from course_utils.topics import spelling


@pytest.fixture(scope="module")
def known():
    return spelling.words()


def test_words_have_no_stress_and_no_odd_characters(known):
    assert known["cat"] == [("K", "AE", "T")]
    assert len(known["tomato"]) == 2
    assert "a.d." not in known and "x-ray" not in known and "'cause" in known
    sounds = {phoneme for pronunciations in known.values() for one in pronunciations for phoneme in one}
    assert sounds == set(spelling.PHONEMES) and len(spelling.PHONEMES) == 39
    assert all(len(set(one)) == len(one) for one in known.values())
    assert max(map(len, known)) <= spelling.LONGEST_SOURCE
    assert max(len(one) for many in known.values() for one in many) < spelling.LONGEST_TARGET


def test_split_is_fixed_whole_and_disjoint(known):
    parts = spelling.split(known)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 112_292,
        "validation": 6_240,
        "test": 6_394,
    }
    assert sum(map(len, parts.values())) == len(known)
    assert not set(parts["train"]) & set(parts["test"]) and not set(parts["validation"]) & set(parts["test"])
    few = spelling.split(dict(itertools.islice(known.items(), 500)))
    assert set(few["test"]) <= set(parts["test"])  # a word stays on its side in any part of the dictionary


def test_sample_is_a_fixed_choice_without_repetition(known):
    chosen = spelling.sample(list(known), 1000, seed=3)
    assert len(set(chosen)) == 1000 and chosen == spelling.sample(list(known), 1000, seed=3)
    assert chosen != spelling.sample(list(known), 1000, seed=4)
    assert spelling.sample(["a", "b"], 5) == ["a", "b"]


def test_arrays_shift_the_target_by_one(known):
    source, target, answer = spelling.arrays(known, ["cat", "tomato"])
    assert source.shape == (3, 6) and target.shape == answer.shape == (3, 7)
    assert source[0].tolist() == [3, 1, 20, 0, 0, 0]
    assert target[0, 0] == spelling.START and answer[0].tolist()[3] == spelling.END
    np.testing.assert_array_equal(target[0, 1:4], answer[0, :3])
    assert spelling.phonemes(answer[0]) == ("K", "AE", "T") and spelling.phonemes(target[0]) == (
        "K",
        "AE",
        "T",
    )
    with pytest.raises(ValueError, match="found 'é'"):
        spelling.letters(["café"])


def test_batches_hold_every_pair_with_little_padding(known):
    chosen = spelling.sample(spelling.split(known)["train"], 700)
    source, target, answer = spelling.arrays(known, chosen)
    dataset = spelling.batches(source, target, answer, batch_size=32)
    seen, shapes = set(), set()
    epochs = [list(dataset.as_numpy_iterator()) for _ in range(2)]
    for inputs, wanted in epochs[0]:
        assert len(wanted) == 32 and inputs["target"].shape == wanted.shape
        shapes.add(inputs["source"].shape[1])
        for row in range(32):
            seen.add(
                (tuple(inputs["source"][row][inputs["source"][row] > 0]), spelling.phonemes(wanted[row]))
            )
            assert spelling.phonemes(inputs["target"][row]) == spelling.phonemes(wanted[row])
    assert seen == {(tuple(s[s > 0]), spelling.phonemes(a)) for s, a in zip(source, answer, strict=True)}
    assert len(shapes) == 3 and len(epochs[0]) == int(dataset.cardinality())
    assert any((a[1].shape != b[1].shape) or (a[1] != b[1]).any() for a, b in zip(*epochs, strict=True))
    again = list(spelling.batches(source, target, answer, batch_size=32).as_numpy_iterator())
    np.testing.assert_array_equal(again[0][1], epochs[0][0][1])
    with pytest.raises(ValueError, match="edges: .*no shorter than the longest word"):
        spelling.batches(source, target, answer, edges=(3,))


def by_recursion(first, second):
    if not first or not second:
        return len(first) + len(second)
    exchange = by_recursion(first[1:], second[1:]) + (first[0] != second[0])
    return min(exchange, by_recursion(first[1:], second) + 1, by_recursion(first, second[1:]) + 1)


def test_edit_distance_is_the_least_number_of_changes():
    generator = np.random.default_rng(0)
    for _ in range(200):
        first, second = (tuple(generator.integers(0, 3, generator.integers(0, 6))) for _ in range(2))
        assert spelling.edit_distance(first, second) == by_recursion(first, second)
    assert spelling.edit_distance("kitten", "sitting") == 3


def test_error_rates_take_the_best_reference():
    references = [[("T", "AH", "M", "EY"), ("T", "AH", "M", "AA")], [("K", "AE", "T")]]
    assert spelling.error_rates([("T", "AH", "M", "AA"), ("K", "AE", "T")], references) == (0.0, 0.0)
    assert spelling.error_rates([("T", "AH", "M"), ("K", "AE", "T")], references) == (1 / 7, 0.5)
    with pytest.raises(ValueError, match="guesses: .*at least one; found none"):
        spelling.error_rates([], [])
    with pytest.raises(ValueError, match="references: .*2, as many as guesses; found 1"):
        spelling.error_rates([("T",), ("K",)], references[:1])


class Reader:
    """A stepper that spells the letters out: the n-th letter becomes the phoneme with the number 3 + letter."""

    def start(self, source):
        return {"source": np.asarray(source), "position": 0}

    def step(self, tokens, state):
        letters = state["source"][:, state["position"]]
        wanted = np.where(letters == 0, spelling.END, letters + 3)
        return 10.0 * np.eye(spelling.TARGET_VOCABULARY)[wanted], {**state, "position": state["position"] + 1}

    @staticmethod
    def reorder(state, rows):
        return {**state, "source": state["source"][rows]}


@pytest.mark.parametrize("width", [1, 3])
def test_pronounce_keeps_the_order_of_the_words(width):
    chosen = ["longest", "a", "bee", "cat"]
    guesses = spelling.pronounce(Reader(), chosen, width=width, batch_size=3)
    wanted = [tuple(spelling.PHONEMES[spelling.LETTER_IDS[letter]] for letter in word) for word in chosen]
    assert guesses == wanted
