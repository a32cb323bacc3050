"""Right and typically wrong answers of chapter 1a; each wrong one beside a word of the hint that must name it."""

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


def _flops(first, later):
    """FLOPs with so many for each weight of the first layer and of the later ones."""

    def answer(sizes):
        weights = [a * b for a, b in pairwise(sizes)]
        return first * weights[0] + later * sum(weights[1:])

    return answer


def _plan(**changed):
    return lambda: {"hidden": 16, "examples": 15_000, "epochs": 2} | changed


ANSWERS = {
    "01a.plan": {
        "right": [_plan(), _plan(hidden=24, examples=5_000, epochs=5)],
        "wrong": [
            (_plan(hidden=128, examples=4_888, epochs=1), "the goal"),
            (_plan(hidden=128), "over budget"),
            (_plan(examples=60_000, epochs=1), "at most"),
            (_plan(epochs=0.5), "whole"),
            (_plan(batch_size=10), "exactly three"),
            (lambda: 16, "dictionary"),
        ],
    },
    "01a.count_parameters": {
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
    "01a.training_days": {
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
    "01a.training_flops": {
        "right": [
            _flops(4, 6),
            lambda sizes: 6 * sum(a * b for a, b in pairwise(sizes)) - 2 * sizes[0] * sizes[1],
        ],
        "wrong": [
            (_flops(6, 6), "no gradient of its input"),
            (_flops(2, 2), "forward pass alone"),
            (_flops(4, 4), "does need"),
            (lambda sizes: _flops(4, 6)(sizes) + sum(sizes[1:]), "24"),
        ],
    },
}
