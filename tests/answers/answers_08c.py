"""Right and typically wrong answers of chapter 8c; each wrong one beside a word of the hint that must name it."""

import itertools
import math

import numpy as np

# ---------------------------------------------------------------- which pixels to delete


def _highest(attribution, share):
    flat = attribution.ravel()
    mask = np.zeros(flat.size, dtype=bool)
    mask[np.argsort(-flat)[: round(share * flat.size)]] = True
    return mask.reshape(attribution.shape)


def _by_threshold_of_rank(attribution, share):
    number = round(share * attribution.size)
    order = (-attribution).ravel().argsort().argsort().reshape(attribution.shape)
    return order < number


def _cut_off(attribution, share):
    order = (-attribution).ravel().argsort().argsort().reshape(attribution.shape)
    return order < int(share * attribution.size)


def _from_the_end(attribution, share):
    mask = np.zeros(attribution.size, dtype=bool)
    mask[np.argsort(attribution.ravel())[-round(share * attribution.size) :]] = True
    return mask.reshape(attribution.shape)


# ---------------------------------------------------------------- integrated gradients


def _path(gradient, point, baseline, shares):
    return (point - baseline) * np.mean([gradient(baseline + s * (point - baseline)) for s in shares], axis=0)


def _midpoints(gradient, point, baseline, steps):
    return _path(gradient, point, baseline, (np.arange(steps) + 0.5) / steps)


def _mean_gradient(gradient, point, baseline, steps):
    return _midpoints(gradient, point, baseline, steps) / (point - baseline)


def _from_zero(gradient, point, baseline, steps):
    return _midpoints(gradient, point, 0 * point, steps)


def _left_ends(gradient, point, baseline, steps):
    return _path(gradient, point, baseline, np.arange(steps) / steps)


def _sum_not_mean(gradient, point, baseline, steps):
    return steps * _midpoints(gradient, point, baseline, steps)


# ---------------------------------------------------------------- Shapley values


def _by_coalitions(value, players):
    shares = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for coalition in itertools.combinations(others, size):
                shares[player] += weight * (
                    value(frozenset(coalition) | {player}) - value(frozenset(coalition))
                )
    return shares


def _by_orders(value, players):
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        for place, player in enumerate(order):
            shares[player] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return shares / math.factorial(players)


def _last_in(value, players):
    everybody = frozenset(range(players))
    return [value(everybody) - value(everybody - {player}) for player in range(players)]


def _first_in(value, players):
    return [value(frozenset({player})) - value(frozenset()) for player in range(players)]


def _banzhaf(value, players):
    shares = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        coalitions = [frozenset(c) for size in range(players) for c in itertools.combinations(others, size)]
        shares[player] = np.mean([value(c | {player}) - value(c) for c in coalitions])
    return shares


def _nobody_is_worth_nothing(value, players):
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        for place, player in enumerate(order):
            before = value(frozenset(order[:place])) if place else 0
            shares[player] += value(frozenset(order[: place + 1])) - before
    return shares / math.factorial(players)


ANSWERS = {
    "08c.pixels_to_delete": {
        "right": [_highest, _by_threshold_of_rank],
        "wrong": [
            (lambda attribution, share: _highest(np.abs(attribution), share), "signed"),
            (lambda attribution, share: _highest(-attribution, share), "highest first"),
            (lambda attribution, share: attribution > share, "threshold"),
            (_cut_off, "round"),
            (_from_the_end, "[-0:]"),
            (lambda attribution, share: _highest(attribution, share).astype(int), "boolean"),
            (lambda attribution, share: np.argsort(-attribution.ravel())[:2], "shape"),
        ],
    },
    "08c.integrate_gradient": {
        "right": [
            _midpoints,
            lambda gradient, point, baseline, steps: sum(
                (point - baseline) / steps * gradient(baseline + (k + 0.5) / steps * (point - baseline))
                for k in range(steps)
            ),
        ],
        "wrong": [
            (_mean_gradient, "multiply"),
            (lambda gradient, point, baseline, steps: point * gradient(point), "at the end"),
            (lambda gradient, point, baseline, steps: (point - baseline) * gradient(point), "at the end"),
            (_from_zero, "starts at the baseline"),
            (_left_ends, "midpoints"),
            (_sum_not_mean, "add up"),
            (
                lambda gradient, point, baseline, steps: _midpoints(gradient, point, baseline, steps).sum(),
                "shape",
            ),
        ],
    },
    "08c.fair_shares": {
        "right": [_by_coalitions, _by_orders],
        "wrong": [
            (_last_in, "last"),
            (_first_in, "first"),
            (_banzhaf, "Banzhaf"),
            (lambda value, players: 6 * _by_orders(value, players), "M!"),
            (_nobody_is_worth_nothing, "v(none)"),
            (lambda value, players: _by_orders(value, players).sum(), "shape"),
            (lambda value, players: _by_orders(value, players)[::-1], "expected"),
        ],
    },
}
