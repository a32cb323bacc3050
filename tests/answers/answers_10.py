"""Right and typically wrong answers of chapter 10; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _padding(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _negative(size, kernel, stride):
    total = (-(-size // stride) - 1) * stride + kernel - size
    return total // 2, total - total // 2


def _rounded_down(size, kernel, stride):
    total = max((size // stride - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _linear(kernel, maps):
    return kernel.reshape(*maps, -1).transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)


def _forward(kernel, maps):
    height, width, channels = maps
    units = kernel.shape[1]
    return kernel.T.reshape(units, channels, height, width).transpose(0, 2, 3, 1).reshape(units, -1)


def _exchanged(kernel, maps):
    return kernel.reshape(*maps, -1).transpose(3, 2, 1, 0).reshape(kernel.shape[1], -1)


def _reorder(rows):
    reset, update, candidate = np.split(rows, 3)
    return np.concatenate([update, reset, candidate])


def _gru(state, kernel=_reorder, recurrent=_reorder, bias=_reorder):
    biases = np.stack([bias(state["bias_ih_l0"]), bias(state["bias_hh_l0"])])
    return [kernel(state["weight_ih_l0"]).T, recurrent(state["weight_hh_l0"]).T, biases]


def _same(rows):
    return rows


def _summed(state):
    kernel, recurrent, bias = _gru(state)
    return [kernel, recurrent, bias.sum(axis=0)]


def _untransposed(state):
    kernel, recurrent, bias = _gru(state)
    return [kernel.T, recurrent, bias]


def _rows_exchanged(state):
    kernel, recurrent, bias = _gru(state)
    return [kernel, recurrent, bias[::-1]]


def _reversed_gates(rows):
    return np.concatenate(np.split(rows, 3)[::-1])


ANSWERS = {
    "10.same_padding": {
        "right": [_padding],
        "wrong": [
            (lambda size, kernel, stride: (kernel // 2, kernel // 2), "both sides"),
            (lambda size, kernel, stride: _padding(size, kernel, stride)[::-1], "odd row"),
            (_negative, "negative"),
            (_rounded_down, "round the number"),
            (lambda size, kernel, stride: sum(_padding(size, kernel, stride)), "two numbers"),
        ],
    },
    "10.to_linear": {
        "right": [_linear],
        "wrong": [
            (lambda kernel, maps: kernel.T, "only transposed"),
            (_forward, "way there"),
            (_exchanged, "exchanged"),
            (lambda kernel, maps: _linear(kernel, maps).T, "transpose"),
            (lambda kernel, maps: kernel, "shape"),
        ],
    },
    "10.gru": {
        "right": [_gru],
        "wrong": [
            (lambda state: _gru(state, _same, _same, _same), "kept their order"),
            (lambda state: _gru(state, bias=_same), "reorder them as well"),
            (lambda state: _gru(state, recurrent=_same), "recurrent kernel is wrong"),
            (lambda state: _gru(state, kernel=_reversed_gates), "another order"),
            (_summed, "add up"),
            (_untransposed, "transpose"),
            (_rows_exchanged, "exchanged"),
        ],
    },
}
