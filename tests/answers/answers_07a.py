"""Right and typically wrong answers of chapter 7a; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.topics import spelling


def _shift(answer):
    moved = np.concatenate([np.ones((len(answer), 1), answer.dtype), answer[:, :-1]], axis=1)
    return np.where(moved == 2, 0, moved)


def _shift_by_roll(answer):
    rolled = np.roll(answer, 1, axis=1)
    rolled[:, 0] = 1
    rolled[rolled == 2] = 0
    return rolled


def _shift_keeps_end(answer):
    return np.concatenate([np.ones((len(answer), 1), int), answer[:, :-1]], axis=1)


def _table(first, second, exchange=1, diagonal=True):
    d = np.add.outer(np.arange(len(first) + 1), np.arange(len(second) + 1))
    for i in range(1, len(first) + 1):
        for j in range(1, len(second) + 1):
            ways = [d[i - 1, j] + 1, d[i, j - 1] + 1]
            if diagonal:
                ways.append(d[i - 1, j - 1] + exchange * (first[i - 1] != second[j - 1]))
            d[i, j] = min(ways)
    return int(d[-1, -1])


def _no_border(first, second):
    d = np.zeros((len(first) + 1, len(second) + 1), int)
    for i in range(1, len(first) + 1):
        for j in range(1, len(second) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (first[i - 1] != second[j - 1]))
    return int(d[-1, -1])


def _by_place(first, second):
    return sum(one != other for one, other in zip(first, second, strict=False)) + abs(
        len(first) - len(second)
    )


def _step(totals, log_probability, width):
    candidates = totals[:, None] + log_probability
    order = np.argsort(-candidates, axis=None)[:width]
    beams, tokens = np.unravel_index(order, candidates.shape)
    return beams, tokens, candidates[beams, tokens]


def _step_by_list(totals, log_probability, width):
    every = [(totals[b] + p, b, t) for b, row in enumerate(log_probability) for t, p in enumerate(row)]
    every = sorted(every, reverse=True)[:width]
    return tuple(np.array([entry[place] for entry in every]) for place in (1, 2, 0))


def _each_beam_its_best(totals, log_probability, width):
    tokens = log_probability.argmax(axis=1)
    scores = totals + log_probability.max(axis=1)
    order = np.argsort(-scores)[:width]
    return order, tokens[order], scores[order]


def _without_totals(totals, log_probability, width):
    return _step(np.zeros_like(totals), log_probability, width)


def _times(totals, log_probability, width):
    candidates = totals[:, None] * log_probability
    order = np.argsort(-candidates, axis=None)[:width]
    beams, tokens = np.unravel_index(order, candidates.shape)
    return beams, tokens, candidates[beams, tokens]


def _worst(totals, log_probability, width):
    candidates = totals[:, None] + log_probability
    order = np.argsort(candidates, axis=None)[:width]
    beams, tokens = np.unravel_index(order, candidates.shape)
    return beams, tokens, candidates[beams, tokens]


def _split_by_beams(totals, log_probability, width):
    candidates = totals[:, None] + log_probability
    order = np.argsort(-candidates, axis=None)[:width]
    return order // width, order % width, candidates.ravel()[order]


def _best_last(totals, log_probability, width):
    return tuple(part[::-1] for part in _step(totals, log_probability, width))


ANSWERS = {
    "07a.shift": {
        "right": [_shift, _shift_by_roll],
        "wrong": [
            (lambda answer: answer, "nothing was moved"),
            (_shift_keeps_end, "END"),
            (lambda answer: np.pad(answer[:, 1:], ((0, 0), (0, 1))), "direction"),
            (lambda answer: np.pad(answer, ((0, 0), (1, 0)), constant_values=1), "shape"),
            (
                lambda answer: np.where(np.roll(answer, 1, axis=1) == 2, 0, np.roll(answer, 1, axis=1)),
                "START",
            ),
        ],
    },
    "07a.distance": {
        "right": [spelling.edit_distance, _table],
        "wrong": [
            (_no_border, "empty"),
            (_by_place, "place by place"),
            (lambda first, second: _table(first, second, diagonal=False), "free"),
            (lambda first, second: _table(first, second, exchange=2), "exchange"),
            (lambda first, second: max(len(first), len(second)) - len(set(first) & set(second)), "order"),
        ],
    },
    "07a.beam_step": {
        "right": [_step, _step_by_list],
        "wrong": [
            (_each_beam_its_best, "compete"),
            (_without_totals, "add totals"),
            (_times, "added"),
            (_worst, "worst"),
            (_split_by_beams, "vocabulary"),
            (_best_last, "first"),
        ],
    },
}
