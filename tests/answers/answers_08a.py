"""Right and typically wrong answers of chapter 8a; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.reference import activations
from course_utils.topics import compression


def _columns(kernel, bits, largest=None, most=None, to_integer=np.round):
    largest = np.abs(kernel).max(axis=0) if largest is None else largest
    steps = largest / (2 ** (bits - 1) - 1 if most is None else most)
    return to_integer(kernel / steps).astype(np.int8), steps


def _from_the_course(kernel, bits):
    integers, step = compression.quantize(kernel, bits, axis=0)
    return integers, step[0]


def _rows(kernel, bits):
    steps = np.abs(kernel).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.round(kernel / steps).astype(np.int8), steps[:, 0]


def _gradient(student, teacher, labels, T, alpha, *, factor=None, hard_temperature=1.0, sign=1.0):
    factor = T if factor is None else factor
    hard = activations.softmax(student / hard_temperature) - np.eye(student.shape[1])[labels]
    soft = sign * factor * (activations.softmax(student / T) - activations.softmax(teacher / T))
    return (alpha * hard + (1 - alpha) * soft) / len(labels)


def _from_the_losses(student, teacher, labels, T, alpha):
    hard = (activations.softmax(student) - np.eye(student.shape[1])[labels]) / len(labels)
    return alpha * hard + compression.distillation_loss_backward(1 - alpha, student, teacher, T)


ANSWERS = {
    "08a.sparse_bytes": {
        "right": [
            lambda kernel, value, index: np.count_nonzero(kernel) * (value + index) + 4 * len(kernel),
            lambda kernel, value, index: sum(4 + int((row != 0).sum()) * (value + index) for row in kernel),
        ],
        "wrong": [
            (lambda kernel, value, index: kernel.size * value, "not stored"),
            (lambda kernel, value, index: kernel.size * (value + index) + 4 * len(kernel), "not stored"),
            (
                lambda kernel, value, index: np.count_nonzero(kernel) * value + 4 * len(kernel),
                "column number",
            ),
            (lambda kernel, value, index: np.count_nonzero(kernel) * (value + index), "counters"),
            (
                lambda kernel, value, index: sum(
                    4 + n * (value + index) for row in kernel if (n := (row != 0).sum())
                ),
                "empty",
            ),
            (
                lambda kernel, value, index: np.count_nonzero(kernel) * (value + index) + 4 * kernel.shape[1],
                "a column",
            ),
            (lambda kernel, value, index: np.sum(kernel > 0) * (value + index) + 4 * len(kernel), "negative"),
            (lambda kernel, value, index: np.count_nonzero(kernel) * 6 + 4 * len(kernel), "arguments"),
        ],
    },
    "08a.quantize_columns": {
        "right": [_columns, _from_the_course],
        "wrong": [
            (lambda kernel, bits: _columns(kernel, bits, largest=np.abs(kernel).max()), "every column"),
            (_rows, "axis 0"),
            (lambda kernel, bits: _columns(kernel, bits, most=2**bits - 1), "sign"),
            (lambda kernel, bits: _columns(kernel, bits, most=2 ** (bits - 1)), "128"),
            (lambda kernel, bits: _columns(kernel, bits, largest=kernel.max(axis=0)), "negative"),
            (lambda kernel, bits: _columns(kernel, bits, to_integer=np.trunc), "round"),
            (lambda kernel, bits: (_columns(kernel, bits)[0], 1 / _columns(kernel, bits)[1]), "reciprocal"),
            (
                lambda kernel, bits: (
                    np.round(kernel / _columns(kernel, bits)[1]),
                    _columns(kernel, bits)[1],
                ),
                "int8",
            ),
            (lambda kernel, bits: _columns(kernel, 8), "4 bits"),
            (lambda kernel, bits: _columns(kernel, bits)[0], "two things"),
        ],
    },
    "08a.student_gradient": {
        "right": [_gradient, _from_the_losses],
        "wrong": [
            (lambda s, t, y, T, a: _gradient(s, t, y, T, a, factor=T**2), "1/T"),
            (lambda s, t, y, T, a: _gradient(s, t, y, T, a, factor=1.0), "left out"),
            (lambda s, t, y, T, a: _gradient(s, t, y, T, a, factor=1 / T), "left out"),
            (lambda s, t, y, T, a: _gradient(s, t, y, T, a, sign=-1.0), "sign"),
            (lambda s, t, y, T, a: _gradient(s, t, y, T, 1 - a), "exchanged"),
            (lambda s, t, y, T, a: _gradient(s, t, y, T, a, hard_temperature=T), "temperature 1"),
            (lambda s, t, y, T, a: len(y) * _gradient(s, t, y, T, a), "divide"),
            (lambda s, t, y, T, a: _gradient(t, s, y, T, a), "differ"),
        ],
    },
}
