"""Right and typically wrong answers of chapter 7; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.reference import activations, attention


def _distance(length):
    return np.arange(length)[:, None] - np.arange(length)


def _window_by_loop(length, width):
    mask = np.zeros((length, length), dtype=bool)
    for position in range(length):
        mask[position, max(0, position - width + 1) : position + 1] = True
    return mask


def _by_reference(query, key, value, mask):
    return attention.scaled_dot_product_attention(
        *(array[None, None] for array in (query, key, value)), mask
    )[0][0, 0]


def _scores(query, key, mask, divisor=None):
    divisor = np.sqrt(query.shape[1]) if divisor is None else divisor
    return np.where(mask, query @ key.T / divisor, -np.inf)


def _overflows(query, key, value, mask):
    powers = np.exp(_scores(query, key, mask))
    return powers / powers.sum(axis=1, keepdims=True) @ value


def _all_together(query, pieces):
    keys, values = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return activations.softmax(keys @ query / np.sqrt(len(query))) @ values


def _streaming(query, pieces, shrinks=True, remembers=True, keeps_largest=True, stable=True):
    largest, total, answer = -np.inf, 0.0, 0.0
    for keys, values in pieces:
        scores = keys @ query / np.sqrt(len(query))
        new = (max(largest, scores.max()) if keeps_largest else scores.max()) if stable else 0.0
        shrink = np.exp(largest - new) if shrinks and stable and np.isfinite(largest) else 1.0
        if not keeps_largest:
            shrink = min(shrink, 1.0)
        if not remembers:
            shrink = 0.0
        powers = np.exp(scores - new)
        total, answer, largest = shrink * total + powers.sum(), shrink * answer + powers @ values, new
    return answer / total


def _mean_of_pieces(query, pieces, weighted=False):
    answers, lengths = [], []
    for keys, values in pieces:
        answers.append(activations.softmax(keys @ query / np.sqrt(len(query))) @ values)
        lengths.append(len(keys) if weighted else 1)
    return np.average(answers, axis=0, weights=lengths)


ANSWERS = {
    "07.window_mask": {
        "right": [
            lambda length, width: (_distance(length) >= 0) & (_distance(length) < width),
            _window_by_loop,
            lambda length, width: np.tri(length, dtype=bool) & ~np.tri(length, k=-width, dtype=bool),
        ],
        "wrong": [
            (lambda length, width: (_distance(length) >= 0) & (_distance(length) <= width), "too wide"),
            (lambda length, width: np.abs(_distance(length)) < width, "future"),
            (lambda length, width: _window_by_loop(length, width).T, "exchanged"),
            (lambda length, width: ~_window_by_loop(length, width), "inverted"),
            (lambda length, width: _distance(length) >= 0, "too far back"),
            (lambda length, width: _window_by_loop(length, width).astype(float), "booleans"),
            (lambda length, width: (_distance(length) > 0) & (_distance(length) <= width), "itself"),
            (lambda length, width: _window_by_loop(length, width)[0], "shape"),
        ],
    },
    "07.masked_attention": {
        "right": [
            _by_reference,
            lambda query, key, value, mask: activations.softmax(_scores(query, key, mask)) @ value,
        ],
        "wrong": [
            (
                lambda query, key, value, mask: activations.softmax(_scores(query, key, mask, 1)) @ value,
                "not divided",
            ),
            (
                lambda query, key, value, mask: (
                    activations.softmax(_scores(query, key, mask, query.shape[1])) @ value
                ),
                "root of d",
            ),
            (
                lambda query, key, value, mask: (
                    activations.softmax(_scores(query, key, mask, len(key) ** 0.5)) @ value
                ),
                "number of keys",
            ),
            (
                lambda query, key, value, mask: (
                    activations.softmax(np.where(mask, _scores(query, key, True), -1e9), axis=0) @ value
                ),
                "axis",
            ),
            (lambda query, key, value, mask: _by_reference(query, key, value, None), "no effect"),
            (
                lambda query, key, value, mask: _by_reference(query, key, value, ~mask | mask.all()),
                "inverted",
            ),
            (
                lambda query, key, value, mask: activations.softmax(_scores(query, key, ~mask)) @ value,
                "inverted",
            ),
            (
                lambda query, key, value, mask: (
                    activations.softmax(np.where(mask, -1e9, _scores(query, key, True))) @ value
                ),
                "inverted",
            ),
            (
                lambda query, key, value, mask: (
                    (activations.softmax(_scores(query, key, True)) * mask) @ value
                ),
                "after the softmax",
            ),
            (
                lambda query, key, value, mask: activations.softmax(_scores(query, key, True) * mask) @ value,
                "score of 0",
            ),
            (_overflows, "overflow"),
            (lambda query, key, value, mask: _by_reference(query, key, value, mask).T, "shape"),
        ],
    },
    "07.streaming_attention": {
        "right": [_streaming, _all_together],
        "wrong": [
            (lambda query, pieces: _streaming(query, pieces, shrinks=False), "shrink"),
            (lambda query, pieces: _streaming(query, pieces, remembers=False), "last piece"),
            (_mean_of_pieces, "averaged"),
            (lambda query, pieces: _mean_of_pieces(query, pieces, weighted=True), "averaged"),
            (lambda query, pieces: _streaming(query, pieces, keeps_largest=False), "comes first"),
            (lambda query, pieces: _streaming(query, pieces, stable=False), "overflow"),
            (lambda query, pieces: _streaming(query * np.sqrt(len(query)), pieces), "not divided"),
            (lambda query, pieces: _streaming(query, pieces)[None], "shape"),
        ],
    },
}
