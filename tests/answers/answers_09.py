"""Right and typically wrong answers of chapter 9; each wrong one beside a word of the hint that must name it."""

import math

import numpy as np


def _steps(global_batch, replicas, most):
    if global_batch % replicas:
        raise ValueError("shares differ")
    share = global_batch // replicas
    while_too_large = 1
    while share % while_too_large or share / while_too_large > most:
        while_too_large += 1
    return while_too_large


def _whole(global_batch, replicas, most):
    return _steps(global_batch, 1, most)


def _rounded(round_it):
    def steps(global_batch, replicas, most):
        if global_batch % replicas:
            raise ValueError("shares differ")
        return max(1, round_it(global_batch / replicas / most))

    return steps


def _silent(global_batch, replicas, most):
    return _steps(global_batch - global_batch % replicas, replicas, most)


def _moments(means, variances, counts):
    rows = np.repeat(np.arange(len(counts)), counts)
    mean = means[rows].mean(axis=0)
    return mean, (variances[rows] + means[rows] ** 2).mean(axis=0) - mean**2


def _moments_with(mean_of, variance_of):
    def moments(means, variances, counts):
        weights = counts[:, None] / counts.sum()
        mean = mean_of(means, weights)
        return mean, variance_of(means, variances, weights, mean)

    return moments


def _mean(means, weights):
    return (weights * means).sum(axis=0)


def _butterfly(vectors):
    held, sent = np.array(vectors), 0
    for bit in range(int(math.log2(len(held)))):
        held = held + held[np.arange(len(held)) ^ 2**bit]
        sent += held.shape[1]
    return list(held), sent


def _in_place(vectors):
    held, sent, distance = [vector.copy() for vector in vectors], 0, 1
    while distance < len(held):
        for device in range(len(held)):
            held[device] = held[device] + held[device ^ distance]
        sent, distance = sent + len(held[0]), 2 * distance
    return held, sent


def _changes_what_was_given(vectors):
    right = _butterfly(vectors)
    for vector, whole in zip(vectors, right[0], strict=True):
        vector[:] = whole
    return right


def _one_round(vectors):
    return [vectors[device] + vectors[device ^ 1] for device in range(len(vectors))], len(vectors[0])


ANSWERS = {
    "09.accumulation_steps": {
        "right": [_steps],
        "wrong": [
            (_whole, "share the batch"),
            (_rounded(math.floor), "round 30 / 8 up"),
            (_rounded(math.ceil), "4 equal batches"),
            (_silent, "ValueError"),
        ],
    },
    "09.whole_moments": {
        "right": [_moments],
        "wrong": [
            (
                _moments_with(lambda m, w: m.mean(axis=0), lambda m, v, w, mean: v.mean(axis=0)),
                "weight the means",
            ),
            (_moments_with(_mean, lambda m, v, w, mean: (w * v).sum(axis=0)), "variance of the means"),
            (
                _moments_with(_mean, lambda m, v, w, mean: v.mean(axis=0) + ((m - mean) ** 2).mean(axis=0)),
                "both terms",
            ),
            (
                _moments_with(_mean, lambda m, v, w, mean: (w * v).sum(axis=0) + m.var(axis=0)),
                "around the mean",
            ),
            (
                _moments_with(_mean, lambda m, v, w, mean: (w * (v + (m - mean) ** 2)).sum(axis=0) * 16 / 15),
                "n − 1",
            ),
            (_moments_with(lambda m, w: w * m, lambda m, v, w, mean: w * v), "shape"),
        ],
    },
    "09.butterfly": {
        "right": [_butterfly],
        "wrong": [
            (_in_place, "same time"),
            (_changes_what_was_given, "have changed"),
            (_one_round, "first round"),
            (lambda vectors: (_butterfly(vectors)[0], _butterfly(vectors)[1] * len(vectors)), "one device"),
            (lambda vectors: (_butterfly(vectors)[0], int(math.log2(len(vectors)))), "whole vector"),
            (
                lambda vectors: (_butterfly(vectors)[0], 2 * (len(vectors) - 1) * 6 // len(vectors)),
                "should send",
            ),
        ],
    },
}
