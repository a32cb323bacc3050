"""Right and typically wrong answers of chapter 2; each wrong one beside a word of the hint that must name it."""

import math

import numpy as np

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


ANSWERS = {
    "02.output_size": {
        "right": [
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride + 1,
            lambda size, kernel, stride, padding: len(range(0, size + 2 * padding - kernel + 1, stride)),
        ],
        "wrong": [
            (lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride, "add 1"),
            (lambda size, kernel, stride, padding: (size + padding - kernel) // stride + 1, "twice"),
            (lambda size, kernel, stride, padding: size + 2 * padding - kernel + 1, "divide"),
            (
                lambda size, kernel, stride, padding: math.ceil((size + 2 * padding - kernel) / stride) + 1,
                "round down",
            ),
            (lambda size, kernel, stride, padding: (size + 2 * padding - kernel) / stride + 1, "round down"),
            (lambda size, kernel, stride, padding: float((size + 2 * padding - kernel) // stride + 1), "//"),
        ],
    },
    "02.true_convolution": {
        "right": [
            lambda image, kernel: _slide(image, kernel[::-1, ::-1]),
            lambda image, kernel: _slide(image, np.rot90(kernel, 2)),
        ],
        "wrong": [
            (_slide, "not turned"),
            (lambda image, kernel: _slide(image, kernel[::-1]), "one axis"),
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
