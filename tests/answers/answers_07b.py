"""Right and typically wrong answers of chapter 7b; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.topics import decoding


def _bits(log_probability, text):
    return -np.sum(log_probability) / np.log(2) / len(text)


def _top_p(probability, p):
    return decoding.filtered(np.log(probability), top_p=p)


def _below_p_only(probability, p):
    order = np.argsort(-probability)
    keep = order[np.cumsum(probability[order]) <= p]
    kept = np.zeros_like(probability)
    kept[keep] = probability[keep]
    return kept / kept.sum()


def _one_too_many(probability, p):
    order = np.argsort(-probability)
    count = np.searchsorted(np.cumsum(probability[order]), p) + 2
    kept = np.zeros_like(probability)
    kept[order[:count]] = probability[order[:count]]
    return kept / kept.sum()


def _sorted_places(probability, p):
    ranked = np.sort(probability)[::-1]
    ranked[np.cumsum(ranked) - ranked >= p] = 0
    return ranked / ranked.sum()


def _not_normalised(probability, p):
    return np.where(_top_p(probability, p) > 0, probability, 0)


def _threshold(probability, p):
    kept = np.where(probability >= p, probability, 0)
    return kept / max(kept.sum(), 1e-12)


def _changes_input(probability, p):
    probability[_top_p(probability, p) == 0] = 0
    return probability / probability.sum()


def _allowed(written, width, vocabulary, *, step=1, last=2, extra=0, breaks=3):
    may = np.zeros(vocabulary, bool)
    line, place = divmod(len(written), width + step)
    if place < width + extra:
        may[4:] = True
    else:
        may[3 if line < breaks else last] = True
    return may


def _characters_from_two(written, width, vocabulary):
    may = _allowed(written, width, vocabulary)
    if may[4]:
        may[:2] = True
    return may


def _end_is_always_open(written, width, vocabulary):
    may = _allowed(written, width, vocabulary)
    may[2] = True
    return may


def _break_again_and_again(written, width, vocabulary):
    count = sum(token > 3 for token in written)
    may = np.zeros(vocabulary, bool)
    if written and count % width == 0:
        may[3 if count < 4 * width else 2] = True
    else:
        may[4:] = True
    return may


def _width_fixed(written, width, vocabulary):
    return _allowed(written, 2, vocabulary)


ANSWERS = {
    "07b.bits_per_character": {
        "right": [
            _bits,
            lambda log_probability, text: -np.log2(np.exp(log_probability)).sum() / len(text),
        ],
        "wrong": [
            (lambda log_probability, text: -_bits(log_probability, text), "sign"),
            (lambda log_probability, text: -np.sum(log_probability) / len(text), "nats"),
            (lambda log_probability, text: -np.mean(log_probability), "nats"),
            (lambda log_probability, text: -np.mean(log_probability) / np.log(2), "per token"),
            (lambda log_probability, text: -np.sum(log_probability) / np.log(2), "whole text"),
            (lambda log_probability, text: 2 ** _bits(log_probability, text), "perplexity"),
            (lambda log_probability, text: np.exp(-np.mean(log_probability)), "perplexity"),
            (lambda log_probability, text: -np.log2(np.mean(np.exp(log_probability))), "3 bits"),
        ],
    },
    "07b.top_p": {
        "right": [_top_p],
        "wrong": [
            (_below_p_only, "carries the sum"),
            (_not_normalised, "sum to 1"),
            (_sorted_places, "old positions"),
            (_one_too_many, "one too many"),
            (_threshold, "0.4 and 0.3"),
            (_changes_input, "copy"),
            (lambda probability, p: np.array([0.4, 0.3]) / 0.7, "shape"),
        ],
    },
    "07b.allowed_next": {
        "right": [_allowed],
        "wrong": [
            (_characters_from_two, "padding"),
            (
                lambda written, width, vocabulary: _allowed(written, width, vocabulary, extra=1, step=2),
                "full line",
            ),
            (lambda written, width, vocabulary: _allowed(written, width, vocabulary, step=0), "full line"),
            (_break_again_and_again, "break is a token"),
            (lambda written, width, vocabulary: _allowed(written, width, vocabulary, breaks=4), "no further"),
            (
                lambda written, width, vocabulary: _allowed(written, width, vocabulary, breaks=1),
                "second line",
            ),
            (_end_is_always_open, "only characters"),
            (_width_fixed, "write a number"),
            (
                lambda written, width, vocabulary: np.flatnonzero(_allowed(written, width, vocabulary)),
                "boolean",
            ),
        ],
    },
}
