"""Right and typically wrong answers of chapter 8d; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _clip(gradients, clip):
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients * np.minimum(1, clip / np.maximum(norms, 1e-12))


def _clip_by_where(gradients, clip):
    norms = np.sqrt((gradients**2).sum(axis=1))
    factors = np.where(norms > clip, clip / np.where(norms > 0, norms, 1), 1)
    return gradients * factors[:, None]


def _scaled_up_too(gradients, clip):
    return gradients * clip / np.maximum(np.linalg.norm(gradients, axis=1, keepdims=True), 1e-12)


def _share(secret, parties, modulus, random):
    shares = [int(random.integers(0, modulus)) for _ in range(parties - 1)]
    return [*shares, (secret - sum(shares)) % modulus]


def _first_is_the_rest(secret, parties, modulus, random):
    shares = random.integers(0, modulus, size=parties - 1)
    return [(secret - shares.sum()) % modulus, *shares]


def _last_not_reduced(secret, parties, modulus, random):
    shares = [int(random.integers(0, modulus)) for _ in range(parties - 1)]
    return [*shares, secret - sum(shares)]


def _equal_parts(secret, parties, modulus, random):
    return [secret // parties] * (parties - 1) + [secret - secret // parties * (parties - 1)]


def _small_range(secret, parties, modulus, random):
    shares = [int(random.integers(0, secret + 1)) for _ in range(parties - 1)]
    return [*shares, (secret - sum(shares)) % modulus]


def _one_share_idle(secret, parties, modulus, random):
    return [*_share(secret, parties - 1, modulus, random), 0]


def _real_numbers(secret, parties, modulus, random):
    shares = [random.normal() for _ in range(parties - 1)]
    return [*shares, secret - sum(shares)]


def _epsilon(truth):
    return np.log(truth / (1 - truth))


def _estimate(truth, yes_share):
    return (yes_share - (1 - truth)) / (2 * truth - 1)


ANSWERS = {
    "08d.clip_gradients": {
        "right": [_clip, _clip_by_where],
        "wrong": [
            (lambda gradients, clip: np.clip(gradients, -clip, clip), "cut off"),
            (_scaled_up_too, "scaled up"),
            (lambda gradients, clip: gradients * min(1, clip / np.linalg.norm(gradients)), "whole array"),
            (
                lambda gradients, clip: (
                    gradients * np.minimum(1, clip / np.linalg.norm(gradients, axis=1)[:, None])
                    + 0 / np.linalg.norm(gradients, axis=1)[:, None]
                ),
                "NaN",
            ),
            (lambda gradients, clip: _clip(gradients, clip).sum(axis=0), "add up"),
            (lambda gradients, clip: _clip(gradients, 1.0), "another clip"),
            (lambda gradients, clip: _clip(gradients, clip / 2), "numbers differ"),
        ],
    },
    "08d.make_shares": {
        "right": [_share, _first_is_the_rest],
        "wrong": [
            (_last_not_reduced, "%"),
            (_equal_parts, "not random"),
            (_small_range, "whole range"),
            (_one_share_idle, "not random"),
            (_real_numbers, "whole numbers"),
            (
                lambda secret, parties, modulus, random: _share(secret, parties + 1, modulus, random),
                "expected",
            ),
            (lambda secret, parties, modulus, random: _share(secret + 1, parties, modulus, random), "add up"),
        ],
    },
    "08d.randomised_response": {
        "right": [
            lambda truth, yes_share: (_epsilon(truth), _estimate(truth, yes_share)),
            lambda truth, yes_share: (
                np.log(truth) - np.log1p(-truth),
                (yes_share + truth - 1) / (truth - (1 - truth)),
            ),
        ],
        "wrong": [
            (lambda truth, yes_share: (np.log(truth), _estimate(truth, yes_share)), "ratio of two"),
            (
                lambda truth, yes_share: (truth / (1 - truth), _estimate(truth, yes_share)),
                "take its logarithm",
            ),
            (lambda truth, yes_share: (-_epsilon(truth), _estimate(truth, yes_share)), "upside down"),
            (lambda truth, yes_share: (np.log2(truth / (1 - truth)), _estimate(truth, yes_share)), "natural"),
            (lambda truth, yes_share: (_epsilon(truth), yes_share), "opposite"),
            (lambda truth, yes_share: (_epsilon(truth), yes_share / truth), "not enough"),
            (lambda truth, yes_share: _epsilon(truth), "pair"),
        ],
    },
}
