"""Right and typically wrong answers of chapter 6; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _parameters(cell, features, units):
    blocks = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[cell]
    return blocks * units * (features + units + (2 if cell == "GRU" else 1))


def _with(**changes):
    """Right, but for the cells that are named."""
    return lambda cell, features, units: changes.get(cell, _parameters)(cell, features, units)


def _by_loop(outputs, lengths):
    return np.array([sequence[length - 1] for sequence, length in zip(outputs, lengths, strict=True)])


def _step(hidden_slope, cell_slope, i, f, g, o, cell_before, cell):
    squashed = np.tanh(cell)
    asked = cell_slope + hidden_slope * o * (1 - squashed**2)
    parts = [
        asked * g * i * (1 - i),
        asked * cell_before * f * (1 - f),
        asked * i * (1 - g**2),
        hidden_slope * squashed * o * (1 - o),
    ]
    return np.concatenate(parts), asked * f


def _changed(number, part):
    """The right answer with one of its four parts replaced by `part(asked, ...)`."""

    def answer(hidden_slope, cell_slope, i, f, g, o, cell_before, cell):
        arguments, before = _step(hidden_slope, cell_slope, i, f, g, o, cell_before, cell)
        parts = np.split(arguments, 4)
        asked = cell_slope + hidden_slope * o * (1 - np.tanh(cell) ** 2)
        parts[number] = part(asked, i, f, g, o, cell_before, cell)
        return np.concatenate(parts), before

    return answer


def _reordered(*arguments):
    slopes, before = _step(*arguments)
    i, f, g, o = np.split(slopes, 4)
    return np.concatenate([i, f, o, g]), before


def _no_slopes(hidden_slope, cell_slope, i, f, g, o, cell_before, cell):
    squashed = np.tanh(cell)
    asked = cell_slope + hidden_slope * o * (1 - squashed**2)
    return np.concatenate([asked * g, asked * cell_before, asked * i, hidden_slope * squashed]), asked * f


ANSWERS = {
    "06.parameters": {
        "right": [_parameters],
        "wrong": [
            (_with(SimpleRNN=lambda cell, n, u: n * u + u), "recurrent kernel"),
            (_with(SimpleRNN=lambda cell, n, u: u * (n + u)), "bias is missing"),
            (_with(LSTM=lambda cell, n, u: 3 * u * (n + u + 1)), "four blocks"),
            (_with(GRU=lambda cell, n, u: 2 * u * (n + u + 2)), "three blocks"),
            (_with(GRU=lambda cell, n, u: 3 * u * (n + u + 1)), "two biases"),
            (_with(LSTM=lambda cell, n, u: 4 * u * (n + u + 2)), "four blocks"),
            (_with(LSTM=lambda cell, n, u: 4 * (n * u + 25 + u)), "80,384"),
        ],
    },
    "06.last_states": {
        "right": [lambda outputs, lengths: outputs[np.arange(len(outputs)), lengths - 1], _by_loop],
        "wrong": [
            (lambda outputs, lengths: outputs[:, -1], "padding"),
            (lambda outputs, lengths: outputs[:, lengths - 1], "np.arange"),
            (lambda outputs, lengths: outputs[np.arange(len(outputs)), lengths], "index n"),
            (lambda outputs, lengths: outputs[np.arange(len(outputs)), lengths - 2], "too early"),
            (lambda outputs, lengths: outputs[np.arange(len(outputs)), lengths - 1][None], "shape"),
            (
                lambda outputs, lengths: np.array(
                    [row[:length].mean(axis=0) for row, length in zip(outputs, lengths, strict=True)]
                ),
                "mean",
            ),
            (lambda outputs, lengths: outputs[:, 0], "numbers differ"),
        ],
    },
    "06.lstm_step_backward": {
        "right": [_step],
        "wrong": [
            (lambda h, c, *rest: _step(0 * h, c, *rest), "from h to c"),
            (
                lambda h, c, i, f, g, o, before, cell: (
                    _step(h, c, i, f, g, o, before, cell)[0],
                    (c + h * o) * f,
                ),
                "tanh²",
            ),
            (lambda h, c, *rest: _step(h, 0 * c, *rest), "later steps"),
            (
                lambda h, c, i, f, g, o, before, cell: (
                    _step(h, c, i, f, g, o, before, cell)[0],
                    c + h * o * (1 - np.tanh(cell) ** 2),
                ),
                "multiplied by f",
            ),
            (_reordered, "i, f, c, o"),
            (_no_slopes, "slopes"),
            (_changed(2, lambda asked, i, f, g, o, before, cell: asked * i * g * (1 - g)), "1 − g²"),
            (_changed(1, lambda asked, i, f, g, o, before, cell: asked * cell * f * (1 - f)), "cell_before"),
            (
                _changed(3, lambda asked, i, f, g, o, before, cell: asked * np.tanh(cell) * o * (1 - o)),
                "hidden_slope",
            ),
            (lambda *arguments: _step(*arguments)[0], "pair"),
            (lambda *arguments: (_step(*arguments)[1], _step(*arguments)[0]), "shapes"),
        ],
    },
}
