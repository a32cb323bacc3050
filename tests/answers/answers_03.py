"""Right and typically wrong answers of chapter 3; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.reference import pooling


def _dense(height, width, channels, times, units):
    return (height // 2**times) * (width // 2**times) * channels * units + units


def _backward(upstream, image, size, stride):
    return pooling.max_pool2d_backward(upstream[None, ..., None], image[None, ..., None], size, stride)[
        0, ..., 0
    ]


def _loop(upstream, image, size, stride, write):
    gradient = np.zeros(image.shape)
    for row, column in np.ndindex(upstream.shape):
        top, left = row * stride, column * stride
        write(gradient, image[top : top + size, left : left + size], top, left, upstream[row, column])
    return gradient


def _winner(window):
    return np.unravel_index(np.argmax(window), window.shape)


def _added(gradient, window, top, left, value):
    down, right = _winner(window)
    gradient[top + down, left + right] += value


def _assigned(gradient, window, top, left, value):
    down, right = _winner(window)
    gradient[top + down, left + right] = value


def _within_window(gradient, window, top, left, value):
    gradient[_winner(window)] += value


def _to_all(gradient, window, top, left, value):
    gradient[top : top + window.shape[0], left : left + window.shape[1]] += value


def _average(gradient, window, top, left, value):
    gradient[top : top + window.shape[0], left : left + window.shape[1]] += value / window.size


def _shared(gradient, window, top, left, value):
    largest = window == window.max()
    gradient[top : top + window.shape[0], left : left + window.shape[1]] += value * largest / largest.sum()


def _with(write):
    return lambda upstream, image, size, stride: _loop(upstream, image, size, stride, write)


def _kernel(size, channels):
    return np.tile(np.eye(channels) / size**2, (size, size, 1, 1))


ANSWERS = {
    "03.dense_parameters": {
        "right": [_dense],
        "wrong": [
            (lambda h, w, c, t, u: _dense(h, w, c, t, u) - u, "biases"),
            (lambda h, w, c, t, u: _dense(h, w, c, t, u) - u + 1, "own bias"),
            (lambda h, w, c, t, u: (h // 2**t) * w * c * u + u, "both"),
            (lambda h, w, c, t, u: int(h / 2**t * w / 2**t) * c * u + u, "round down"),
            (lambda h, w, c, t, u: (h // 2**t) * (w // 2**t) * (c // 2**t) * u + u, "should give"),
        ],
    },
    "03.average_kernel": {
        "right": [_kernel],
        "wrong": [
            (lambda size, channels: _kernel(size, channels) * size**2, "sum"),
            (lambda size, channels: _kernel(size, channels) * size, "square"),
            (lambda size, channels: np.full((size, size, channels, channels), 1 / size**2), "mixes channels"),
            (lambda size, channels: np.full((size, size), 1 / size**2), "shape"),
            (lambda size, channels: np.tile(np.eye(channels) / 4, (size, size, 1, 1)), "depends on size"),
        ],
    },
    "03.max_pool_backward": {
        "right": [_backward, _with(_added)],
        "wrong": [
            (_with(_assigned), "do not assign"),
            (_with(_within_window), "one pixel should get"),
            (_with(_to_all), "not every pixel"),
            (_with(_average), "average pooling"),
            (_with(_shared), "tie"),
            (lambda upstream, image, size, stride: upstream, "shape"),
        ],
    },
}
