"""Greedy, beam search and sampling, against an exhaustive search over a small language and against counts."""

import itertools

import numpy as np
import pytest

from course_utils.topics import decoding

END, VOCABULARY = 1, 5


class Markov:
    """Row r's next token depends on the last two and on r: logits = table[r, before, last].

    State: which table each row uses, and the token before the one that `step` is given.
    """

    def __init__(self, rows, seed=0, scale=2.0):
        self.tables = np.random.default_rng(seed).normal(0, scale, (rows, VOCABULARY, VOCABULARY, VOCABULARY))

    def start(self):
        return {"table": np.arange(len(self.tables)), "before": np.zeros(len(self.tables), int)}

    def step(self, tokens, state):
        logits = self.tables[state["table"], state["before"], np.asarray(tokens)]
        logits[:, 0] = -1e9  # 0 is the start, never written
        return logits, {**state, "before": np.asarray(tokens)}

    @staticmethod
    def reorder(state, rows):
        return {"table": state["table"][rows], "before": state["before"][rows]}

    def score(self, row, sequence):
        total, before, last = 0.0, 0, 0
        for token in [*sequence, END]:
            logits = self.tables[row, before, last].copy()
            logits[0] = -1e9
            total += decoding.log_softmax(logits)[token]
            before, last = last, token
        return total

    def best(self, row, longest, length_power=0.0):
        inner = [2, 3, 4]
        every = (s for n in range(longest + 1) for s in itertools.product(inner, repeat=n))
        return max((self.score(row, s) / (len(s) + 1) ** length_power, list(s)) for s in every)


def test_log_softmax_is_stable_and_normalised():
    found = decoding.log_softmax(np.array([[1000.0, 1000.0, -1000.0]], "float32"))
    np.testing.assert_allclose(np.exp(found), [[0.5, 0.5, 0.0]])


@pytest.mark.parametrize("seed", range(5))
def test_wide_beam_finds_the_most_probable_sequence(seed):
    stepper = Markov(4, seed)
    found, scores = decoding.beam_search(
        stepper, stepper.start(), batch=4, start=0, end=END, longest=4, width=100
    )
    for row in range(4):
        score, sequence = stepper.best(row, 4)
        assert found[row] == sequence
        assert scores[row] == pytest.approx(score)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_length_power_is_what_the_formula_says(power):
    stepper = Markov(6, 7)
    found, scores = decoding.beam_search(
        stepper, stepper.start(), batch=6, start=0, end=END, longest=4, width=100, length_power=power
    )
    for row in range(6):
        score, sequence = stepper.best(row, 4, power)
        assert (found[row], scores[row]) == (sequence, pytest.approx(score))


def test_beam_of_one_follows_greedy_where_greedy_ends():
    stepper = Markov(30, 3)
    greedy, scores = decoding.greedy(stepper, stepper.start(), start=np.zeros(30, int), end=END, longest=6)
    beam, beam_scores = decoding.beam_search(
        stepper, stepper.start(), batch=30, start=0, end=END, longest=6, width=1
    )
    ended = [row for row in range(30) if scores[row] == pytest.approx(stepper.score(row, greedy[row]))]
    assert len(ended) > 10
    for row in ended:  # one beam may still end earlier, when that is more probable than greedy's way
        assert beam_scores[row] >= scores[row] - 1e-9
        assert beam[row] == greedy[row][: len(beam[row])]


def test_wider_beams_are_never_less_probable_here():
    stepper = Markov(200, 1, scale=0.7)
    by_width = [
        decoding.beam_search(stepper, stepper.start(), batch=200, start=0, end=END, longest=5, width=width)[1]
        for width in (1, 100)
    ]
    assert (by_width[1] >= by_width[0] - 1e-12).all() and (by_width[1] > by_width[0] + 1e-6).any()


def test_greedy_stops_at_the_end_and_at_the_longest():
    stepper = Markov(2)
    stepper.tables[0, ..., END] = 50  # ends at once
    stepper.tables[1, ..., 3] = 50  # never ends
    found, scores = decoding.greedy(stepper, stepper.start(), start=np.zeros(2, int), end=END, longest=4)
    assert found == [[], [3, 3, 3, 3]]
    assert scores[0] == pytest.approx(0, abs=1e-6)


def test_filtered_keeps_what_it_should():
    logits = np.log([[0.5, 0.3, 0.15, 0.05]])
    np.testing.assert_allclose(decoding.filtered(logits), [[0.5, 0.3, 0.15, 0.05]])
    np.testing.assert_allclose(decoding.filtered(logits, top_k=2), [[0.625, 0.375, 0, 0]])
    np.testing.assert_allclose(decoding.filtered(logits, top_p=0.6), [[0.625, 0.375, 0, 0]])
    np.testing.assert_allclose(decoding.filtered(logits, top_p=0.5), [[1, 0, 0, 0]])
    np.testing.assert_allclose(decoding.filtered(logits, temperature=0), [[1, 0, 0, 0]])
    squared = np.array([0.25, 0.09, 0.0225, 0.0025])
    np.testing.assert_allclose(decoding.filtered(logits, temperature=0.5), [squared / squared.sum()])
    for bad in ({"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"top_p": 1.5}):
        with pytest.raises(ValueError, match="(temperature|top_k|top_p): .*expected"):
            decoding.filtered(logits, **bad)


def test_sampling_draws_with_the_models_probabilities():
    count = 20_000
    stepper = Markov(1, 2, scale=1.0)
    stepper.tables = np.repeat(stepper.tables, count, axis=0)
    written = decoding.sample(stepper, stepper.start(), np.full((count, 1), 2), longest=1, seed=4)
    shares = np.bincount([row[0] for row in written], minlength=VOCABULARY) / count
    logits, _ = stepper.step(np.array([2]), {"table": np.array([0]), "before": np.array([0])})
    wanted = np.exp(decoding.log_softmax(logits))[0]
    np.testing.assert_allclose(shares, wanted, atol=4 * np.sqrt(0.25 / count))


def test_sampling_reads_the_prompt_ends_and_repeats_with_its_seed():
    stepper = Markov(8, 5)
    settings = {"longest": 6, "end": END, "seed": 1}
    one = decoding.sample(stepper, stepper.start(), np.tile([2, 3], (8, 1)), **settings)
    assert one == decoding.sample(stepper, stepper.start(), np.tile([2, 3], (8, 1)), **settings)
    assert one != decoding.sample(
        stepper, stepper.start(), np.tile([2, 3], (8, 1)), **{**settings, "seed": 2}
    )
    assert all(END not in row for row in one) and len({len(row) for row in one}) > 1
    with pytest.raises(ValueError, match="prompt"):
        decoding.sample(stepper, stepper.start(), np.zeros((8, 0)), longest=1)


def test_sampling_respects_what_is_allowed():
    stepper = Markov(8, 5)

    def only_threes(row, written):
        return np.arange(VOCABULARY) == 3

    written = decoding.sample(
        stepper, stepper.start(), np.full((8, 1), 2), longest=4, seed=0, allowed=only_threes
    )
    assert written == [[3, 3, 3, 3]] * 8
