"""Right and typically wrong answers of chapter 2; each wrong one beside a word of the hint that must name it."""

import math

import keras
import numpy as np
from keras import layers

from course_utils.reference import convolution


def _slide(image, kernel):
    image, kernel = np.asarray(image), np.asarray(kernel)
    return convolution.cross_correlate2d(image[None, ..., None], kernel[..., None, None])[0, ..., 0]


def _receptive_field(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field


def _without_jump(layers):
    return 1 + sum((kernel - 1) * dilation for kernel, _, dilation in layers)


def _without_dilation(layers):
    return _receptive_field([(kernel, stride, 1) for kernel, stride, _ in layers])


def _stride_too_early(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        field += (kernel - 1) * dilation * jump
    return field


def _last_stride_only(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump = stride
    return field


def _size(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _network(*hidden, last=None):
    """`small_network` with these layers, made anew at each call."""
    last = last or (lambda: layers.Dense(10))
    return lambda: keras.Sequential([keras.Input((28, 28, 1)), *(make() for make in hidden), last()])


def _convolution(channels):
    return lambda: layers.Conv2D(channels, 3, activation="relu")


def _pool():
    return layers.MaxPooling2D(2)


ANSWERS = {
    "02.output_size": {
        "right": [
            _size,
            lambda n, k, s, p, d: len(range(0, n + 2 * p - d * (k - 1), s)),
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride + 1,  # version 0.1
        ],
        "wrong": [
            (lambda n, k, s, p, d: _size(n, k, s, p, d) - 1, "add 1"),
            (lambda n, k, s, p, d: _size(n + p, k, s, 0, d), "twice"),
            (lambda n, k, s, p, d: _size(n, k, 1, p, d), "divide"),
            (lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1, "round down"),
            (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1, "round down"),
            (lambda n, k, s, p, d: float(_size(n, k, s, p, d)), "//"),
            (lambda n, k, s, p, d: _size(n, k, s, p, 1), "dilation was not used"),
            (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1, "K − 1 gaps"),
            (lambda n, k, s, p, d: _size(n, k, min(s, 2), p, d), "Keras has"),
            (lambda size, kernel, stride, padding: (size + padding - kernel) // stride + 1, "twice"),
        ],
    },
    "02.small_network": {
        "right": [
            _network(_convolution(8), _pool, _convolution(16), _pool, _convolution(32), layers.Flatten),
        ],
        "wrong": [
            (lambda: "a network", "Keras model"),
            (lambda: keras.Sequential([layers.Flatten(), layers.Dense(10)]), "keras.Input"),
            (_network(_convolution(8), _pool), "Flatten or global pooling"),
            (_network(layers.Flatten, last=lambda: layers.Dense(10, activation="softmax")), "no softmax"),
            (_network(_convolution(32), layers.Flatten), "too many parameters"),
            (_network(layers.Flatten, lambda: layers.Dense(12, activation="relu")), "no convolution"),
            (_network(lambda: layers.MaxPooling2D(4), _convolution(2), layers.Flatten), "which layer"),
        ],
    },
    "02.true_convolution": {
        "right": [
            lambda image, kernel: _slide(image, kernel[::-1, ::-1]),
            lambda image, kernel: _slide(image, np.rot90(kernel, 2)),
        ],
        "wrong": [
            (lambda image, kernel: _slide(image, kernel[::-1]), "one axis"),  # the bug
            (_slide, "not rotated"),
            (lambda image, kernel: _slide(image, kernel[:, ::-1]), "one axis"),
            (lambda image, kernel: _slide(image, kernel.T), "transpos"),
            (lambda image, kernel: _slide(image, np.rot90(kernel)), "90 degrees"),
            (lambda image, kernel: _slide(np.pad(image, 1), kernel[::-1, ::-1]), "shape"),
            (lambda image, kernel: -_slide(image, kernel[::-1, ::-1]), "numbers differ"),
        ],
    },
    "02.receptive_field": {
        "right": [_receptive_field, convolution.receptive_field],
        "wrong": [
            (lambda layers: math.prod(kernel for kernel, _, _ in layers), "multiply"),
            (_without_jump, "jump"),
            (_without_dilation, "dilation"),
            (_stride_too_early, "own stride"),
            (_last_stride_only, "product"),
            (lambda layers: _receptive_field(layers) - 1, "start with 1"),
        ],
    },
}
