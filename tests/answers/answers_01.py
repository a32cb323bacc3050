"""Right and typically wrong answers of chapter 1; each wrong one beside a word of the hint that must name it."""

import math
from itertools import pairwise

import numpy as np


def _count(sizes):
    parameters = 0
    for inputs, outputs in pairwise(sizes):
        parameters += (inputs + 1) * outputs
    return parameters


def _days(work, hours=24, seconds=3600):
    """training_days with another amount of work for a parameter and token, or other units."""

    def answer(parameters, tokens, devices, flops_per_second, utilisation):
        return work * parameters * tokens / (devices * flops_per_second * utilisation) / hours / seconds

    return answer


def _days_multiplied(parameters, tokens, devices, flops_per_second, utilisation):
    return 6 * parameters * tokens * utilisation / (devices * flops_per_second) / 86_400


def _days_without_utilisation(parameters, tokens, devices, flops_per_second, utilisation):
    return 6 * parameters * tokens / (devices * flops_per_second) / 86_400


def _days_devices_multiplied(parameters, tokens, devices, flops_per_second, utilisation):
    return 6 * parameters * tokens * devices / (flops_per_second * utilisation) / 86_400


def _backward(upstream, x, weights):
    return upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)


ANSWERS = {
    "01.count_parameters": {
        "right": [_count, lambda sizes: sum(a * b + b for a, b in zip(sizes[:-1], sizes[1:], strict=True))],
        "wrong": [
            (lambda sizes: sum(a * b for a, b in pairwise(sizes)), "bias"),
            (lambda sizes: sum(a * b + a for a, b in pairwise(sizes)), "not to every input"),
            (lambda sizes: sum(a * b for a, b in pairwise(sizes)) + sum(sizes), "input has no"),
            (lambda sizes: sizes[0] * sizes[-1] + sizes[-1], "skipped"),
            (lambda sizes: sizes[0] * sizes[1] + sizes[1], "first layer"),
            (lambda sizes: math.prod(sizes) + sum(sizes[1:]), "multiply"),
            (lambda sizes: _count(sizes[:3]), "any number"),
            (lambda sizes: _count(sizes) or 1, "no layer"),
        ],
    },
    "01.training_days": {
        "right": [
            _days(6),
            lambda n, d, k, speed, share: n * d / k / speed / share / 14_400,
            lambda parameters, tokens, devices, flops_per_second, utilisation: np.float64(
                6 * parameters * tokens / (devices * flops_per_second * utilisation) / 86_400
            ),
        ],
        "wrong": [
            (_days(6, hours=1, seconds=1), "seconds"),
            (_days(6, hours=1), "hours"),
            (_days(2), "forward"),
            (_days(4), "backward"),
            (_days_multiplied, "divide by it"),
            (_days_without_utilisation, "not used"),
            (_days_devices_multiplied, "more devices"),
        ],
    },
    "01.dense_backward": {
        "right": [
            _backward,
            lambda upstream, x, weights: [
                np.einsum("no,io->ni", upstream, weights),
                np.einsum("ni,no->io", x, upstream),
                np.ones(len(x)) @ upstream,
            ],
        ],
        "wrong": [
            (lambda upstream, x, weights: _backward(upstream, x, weights)[:2], "three"),
            (
                lambda upstream, x, weights: (x.T @ upstream, upstream @ weights.T, upstream.sum(axis=0)),
                "order",
            ),
            (
                lambda upstream, x, weights: (upstream @ weights.T, upstream.T @ x, upstream.sum(axis=0)),
                "transposed",
            ),
            (
                lambda upstream, x, weights: (weights @ upstream.T, x.T @ upstream, upstream.sum(axis=0)),
                "shape of x",
            ),
            (lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream), "sum over"),
            (lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream.sum()), "sum over"),
            (
                lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream.mean(axis=0)),
                "average",
            ),
            (
                lambda upstream, x, weights: (
                    upstream @ weights.T,
                    x.T @ upstream / len(x),
                    upstream.sum(axis=0),
                ),
                "average",
            ),
            (
                lambda upstream, x, weights: (-upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)),
                "gradient of x differ",
            ),
        ],
    },
}
