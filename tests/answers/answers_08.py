"""Right and typically wrong answers of chapter 8; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _z(right_1, total_1, right_2, total_2):
    pooled = (right_1 + right_2) / (total_1 + total_2)
    return (right_1 / total_1 - right_2 / total_2) / np.sqrt(
        pooled * (1 - pooled) * (1 / total_1 + 1 / total_2)
    )


def _z_averaged(right_1, total_1, right_2, total_2):
    p1, p2 = right_1 / total_1, right_2 / total_2
    mean = (p1 + p2) / 2
    return (p1 - p2) / np.sqrt(mean * (1 - mean) * (1 / total_1 + 1 / total_2))


def _z_without_root(right_1, total_1, right_2, total_2):
    pooled = (right_1 + right_2) / (total_1 + total_2)
    return (right_1 / total_1 - right_2 / total_2) / (pooled * (1 - pooled) * (1 / total_1 + 1 / total_2))


def _z_one_size(right_1, total_1, right_2, total_2):
    pooled = (right_1 + right_2) / (total_1 + total_2)
    return (right_1 / total_1 - right_2 / total_2) / np.sqrt(pooled * (1 - pooled) / (total_1 + total_2))


def _retrieve(pictures, texts, best):
    return np.argsort(-(pictures @ texts.T), axis=1)[:, :best]


def _by_distance(pictures, texts, best):
    distances = ((pictures[:, None] - texts[None]) ** 2).sum(axis=-1)
    return np.argsort(distances, axis=1)[:, :best]


ANSWERS = {
    "08.grams": {
        "right": [
            lambda watts, seconds, grams_per_kwh: watts * seconds / 3.6e6 * grams_per_kwh,
            lambda watts, seconds, grams_per_kwh: (watts / 1000) * (seconds / 3600) * grams_per_kwh,
        ],
        "wrong": [
            (lambda watts, seconds, grams_per_kwh: watts * seconds / 3600 * grams_per_kwh, "kilowatts"),
            (lambda watts, seconds, grams_per_kwh: watts / 1000 * seconds * grams_per_kwh, "hours"),
            (lambda watts, seconds, grams_per_kwh: watts / 1000 * seconds / 60 * grams_per_kwh, "3600"),
            (lambda watts, seconds, grams_per_kwh: watts * seconds / 3.6e9 * grams_per_kwh, "kilograms"),
            (lambda watts, seconds, grams_per_kwh: watts / 1000 / (seconds / 3600) * grams_per_kwh, "times"),
        ],
    },
    "08.two_shares": {
        "right": [_z],
        "wrong": [
            (
                lambda right_1, total_1, right_2, total_2: right_1 / total_1 - right_2 / total_2,
                "standard error",
            ),
            (lambda *numbers: -_z(*numbers), "sign"),
            (_z_averaged, "pooled"),
            (_z_without_root, "square root"),
            (_z_one_size, "own size"),
        ],
    },
    "08.retrieve": {
        "right": [_retrieve, _by_distance],
        "wrong": [
            (lambda pictures, texts, best: np.argsort(pictures @ texts.T, axis=1)[:, :best], "farthest"),
            (lambda pictures, texts, best: np.argsort(pictures @ texts.T, axis=1)[:, -best:], "first"),
            (
                lambda pictures, texts, best: -np.sort(-(pictures @ texts.T), axis=1)[:, :best],
                "whole numbers",
            ),
            (lambda pictures, texts, best: np.argsort(-(pictures @ texts.T), axis=0)[:best].T, "shape"),
            (lambda pictures, texts, best: np.argsort(-(pictures @ texts.T), axis=0)[:, :best], "axis"),
        ],
    },
}
