"""Right and typically wrong answers of chapter 4; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.reference import losses
from course_utils.reference.activations import softmax


def _precision_and_recall(confusion, digit):
    found = confusion[digit, digit]
    return found / confusion[:, digit].sum(), found / confusion[digit].sum()


def _without_diagonal(confusion, digit):
    found = confusion[digit, digit]
    return found / (confusion[:, digit].sum() - found), found / (confusion[digit].sum() - found)


def _difference(scores, labels, temperature):
    return softmax(scores / temperature) - np.eye(scores.shape[1])[labels]


def _temperature_gradient(scores, labels, temperature):
    return -np.sum(_difference(scores, labels, temperature) * scores) / (len(labels) * temperature**2)


def _by_loss_gradient(scores, labels, temperature):
    return -np.sum(losses.cross_entropy_backward(1.0, scores / temperature, labels) * scores) / temperature**2


def _gaps(confidence, right, bins, place=None):
    """Signed gaps and counts of the bins that are not empty."""
    place = np.ceil(confidence * bins).astype(int) - 1 if place is None else place
    members = [place == number for number in range(bins) if (place == number).any()]
    gaps = [right[inside].mean() - confidence[inside].mean() for inside in members]
    return np.array(gaps), np.array([inside.sum() for inside in members])


def _calibration_error(confidence, right, bins):
    gaps, counts = _gaps(confidence, right, bins)
    return np.sum(np.abs(gaps) * counts) / len(right)


def _by_reference(confidence, right, bins):
    # A second class, never predicted, makes every row a distribution; right means class 0.
    probabilities = np.column_stack([confidence, *[(1 - confidence) / 40] * 40])
    return losses.expected_calibration_error(probabilities, np.where(right, 0, 1), bins)


def _closed_on_the_left(confidence, right, bins):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps, counts = _gaps(confidence, right, bins, place)
    return np.sum(np.abs(gaps) * counts) / len(right)


def _empty_bins_kept(confidence, right, bins):
    place = np.ceil(confidence * bins).astype(int) - 1
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        gaps = (np.bincount(place, right, bins) - np.bincount(place, confidence, bins)) / counts
    return np.sum(np.abs(gaps) * counts / len(right))


ANSWERS = {
    "04.precision_and_recall": {
        "right": [
            _precision_and_recall,
            lambda confusion, digit: [
                confusion[digit, digit] / confusion.sum(axis=axis)[digit] for axis in (0, 1)
            ],
        ],
        "wrong": [
            (lambda confusion, digit: _precision_and_recall(confusion, digit)[::-1], "swapped"),
            (lambda confusion, digit: _precision_and_recall(confusion.T, digit), "swapped"),
            (lambda confusion, digit: (confusion[digit, digit] / confusion.sum(),) * 2, "all examples"),
            (lambda confusion, digit: (np.trace(confusion) / confusion.sum(),) * 2, "accuracy"),
            (_without_diagonal, "include the diagonal"),
            (lambda confusion, digit: _precision_and_recall(confusion, digit)[0], "two numbers"),
            (lambda confusion, digit: _precision_and_recall(confusion, 3), "another digit"),
        ],
    },
    "04.temperature_gradient": {
        "right": [_temperature_gradient, _by_loss_gradient],
        "wrong": [
            (lambda scores, labels, temperature: -_temperature_gradient(scores, labels, temperature), "sign"),
            (
                lambda scores, labels, temperature: (
                    _temperature_gradient(scores, labels, temperature) * len(labels)
                ),
                "mean",
            ),
            (
                lambda scores, labels, temperature: (
                    _temperature_gradient(scores, labels, temperature) / scores.shape[1]
                ),
                "classes",
            ),
            (
                lambda scores, labels, temperature: (
                    _temperature_gradient(scores, labels, temperature) * temperature
                ),
                "1/T",
            ),
            (
                lambda scores, labels, temperature: (
                    _temperature_gradient(scores, labels, temperature) * temperature**2
                ),
                "1/T",
            ),
            (
                lambda scores, labels, temperature: _temperature_gradient(scores, labels, 1) / temperature**2,
                "scores themselves",
            ),
            (lambda scores, labels, temperature: _difference(scores, labels, temperature), "one number"),
            (
                lambda scores, labels, temperature: losses.cross_entropy(scores / temperature, labels),
                "finite differences",
            ),
        ],
    },
    "04.calibration_error": {
        "right": [_calibration_error, _by_reference],
        "wrong": [
            (lambda confidence, right, bins: abs(right.mean() - confidence.mean()), "cancel"),
            (lambda confidence, right, bins: np.mean(np.abs(_gaps(confidence, right, bins)[0])), "weight"),
            (lambda confidence, right, bins: np.abs(_gaps(confidence, right, bins)[0]).max(), "largest"),
            (lambda confidence, right, bins: np.mean(np.abs(right - confidence)), "example by example"),
            (lambda confidence, right, bins: np.mean((right - confidence) ** 2), "example by example"),
            (
                lambda confidence, right, bins: _calibration_error(confidence, right, bins) * len(right),
                "divide",
            ),
            (_empty_bins_kept, "empty"),
            (_closed_on_the_left, "closed on the right"),
        ],
    },
}
