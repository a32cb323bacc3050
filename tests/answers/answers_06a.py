"""Right and typically wrong answers of chapter 6a; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _cut(series, width, leads, gap=0, step=1, short=0):
    count = len(series) - width - leads + 1 - short
    places = range(0, count, step)
    past = np.stack([series[place : place + width] for place in places])
    future = np.stack([series[place + width + gap : place + width + gap + leads] for place in places])
    return past, future


def _cut_by_view(series, width, leads):
    both = np.lib.stride_tricks.sliding_window_view(series, width + leads)
    return both[:, :width], both[:, width:]


def _all_windows(series, width, leads):
    return np.lib.stride_tricks.sliding_window_view(series, width), _cut(series, width, leads)[1]


def _seasonal(series, origin, leads, period):
    return series[origin - period + 1 : origin + 1][np.arange(leads) % period]


def _seasonal_loop(series, origin, leads, period):
    known = list(series[: origin + 1])
    for _ in range(leads):
        known.append(known[-period])
    return np.array(known[origin + 1 :])


def _masked(vectors, mask):
    return np.einsum("bts,bt->bs", vectors, mask) / np.maximum(mask.sum(axis=1), 1)[:, None]


def _masked_where(vectors, mask):
    total = np.where(mask[..., None], vectors, 0).sum(axis=1)
    return total / np.where(mask.any(axis=1), mask.sum(axis=1), 1)[:, None]


ANSWERS = {
    "06a.cut": {
        "right": [_cut, _cut_by_view],
        "wrong": [
            (lambda series, width, leads: _cut(series, width, leads, short=1), "add 1"),
            (lambda series, width, leads: _cut(series, width, leads, gap=-1), "overlaps"),
            (lambda series, width, leads: _cut(series, width, leads, gap=1, short=1), "add 1"),
            (
                lambda series, width, leads: (
                    _cut(series, width, leads)[0],
                    np.concatenate([_cut(series, width, leads)[1][:, 1:], series[4:8, None] + 3], axis=1),
                ),
                "skipped",
            ),
            (lambda series, width, leads: _cut(series, width, leads, step=width), "overlap"),
            (_all_windows, "future has not happened"),
            (lambda series, width, leads: _cut(series, leads, width), "shapes"),
            (lambda series, width, leads: _cut(series, width, leads)[0], "pair"),
        ],
    },
    "06a.seasonal_naive": {
        "right": [_seasonal, _seasonal_loop],
        "wrong": [
            (lambda series, origin, leads, period: series[origin + 1 : origin + 1 + leads], "not known yet"),
            (
                lambda series, origin, leads, period: series[
                    origin + 1 - period : origin + 1 - period + leads
                ],
                "beyond one period",
            ),
            (lambda series, origin, leads, period: np.full(leads, series[origin]), "season was not used"),
            (
                lambda series, origin, leads, period: series[origin - period : origin][
                    np.arange(leads) % period
                ],
                "off by one",
            ),
            (
                lambda series, origin, leads, period: series[origin - 2 * period + 1 : origin + 1][
                    : leads + period
                ][np.arange(leads) % (2 * period)],
                "numbers differ",
            ),
            (lambda series, origin, leads, period: series[origin - period + 1 : origin + 1][:leads], "shape"),
            (
                lambda series, origin, leads, period: np.concatenate(
                    [series[origin - period + 1 : origin + 1], np.full(leads, series[origin])]
                )[:leads],
                "repeated",
            ),
        ],
    },
    "06a.masked_mean": {
        "right": [_masked, _masked_where],
        "wrong": [
            (lambda vectors, mask: vectors.mean(axis=1), "counted in"),
            (lambda vectors, mask: (vectors * mask[..., None]).sum(axis=1), "sum"),
            (lambda vectors, mask: (vectors * mask[..., None]).mean(axis=1), "length of the array"),
            (
                lambda vectors, mask: (
                    (vectors * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
                ),
                "divide by zero",
            ),
            (lambda vectors, mask: vectors[mask].mean(axis=0), "shape"),
            (lambda vectors, mask: _masked(vectors, mask) + ~mask.any(axis=1, keepdims=True), "zeros"),
            (lambda vectors, mask: (vectors * mask[..., None]).max(axis=1), "numbers differ"),
        ],
    },
}
