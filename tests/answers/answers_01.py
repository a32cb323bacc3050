"""Right and typically wrong answers of chapter 1; each wrong one beside a word of the hint that must name it."""

import numpy as np


def _softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _picked(probabilities, labels):
    return probabilities[np.arange(len(labels)), labels]


def _losses(scores, labels):
    return -np.log(_picked(_softmax(scores), labels))


def _loss_by_loop(scores, labels):
    total = 0.0
    for row, label in zip(scores, labels, strict=True):
        total += np.log(np.exp(row).sum()) - row[label]
    return total / len(labels)


def _backward(upstream, x, weights):
    return upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)


def _update(parameters, slopes, learning_rate):
    return [array - learning_rate * slope for array, slope in zip(parameters, slopes, strict=True)]


def _update_in_place(parameters, slopes, learning_rate):
    for array, slope in zip(parameters, slopes, strict=True):
        array -= learning_rate * slope
    return parameters


def _moved_by(change):
    """`update` with another rule for one array."""

    def answer(parameters, slopes, learning_rate):
        return [change(array, slope, learning_rate) for array, slope in zip(parameters, slopes, strict=True)]

    return answer


def _recipe(**changed):
    return lambda: {"learning_rate": 0.3, "batch_size": 25, "hidden": 256, "epochs": 4} | changed


def _batches(pictures, labels, size, generator):
    order = generator.permutation(len(labels))
    for start in range(0, len(labels), size):
        chosen = order[start : start + size]
        yield pictures[chosen], labels[chosen]


def _batches_of_shuffled(pictures, labels, size, generator):
    order = generator.permutation(len(labels))
    pictures, labels = pictures[order], labels[order]
    return [(pictures[i : i + size], labels[i : i + size]) for i in range(0, len(labels), size)]


def _batches_with_bug(pictures, labels, size, generator):
    order = generator.permutation(len(labels))
    for start in range(0, len(labels), size):
        yield pictures[order[start : start + size]], labels[start : start + size]


def _batches_in_order(pictures, labels, size, generator):
    return [(pictures[i : i + size], labels[i : i + size]) for i in range(0, len(labels), size)]


def _batches_without_the_last(pictures, labels, size, generator):
    return [pair for pair in _batches(pictures, labels, size, generator) if len(pair[1]) == size]


def _batches_drawn_again(pictures, labels, size, generator):
    for start in range(0, len(labels), size):
        chosen = generator.integers(0, len(labels), min(size, len(labels) - start))
        yield pictures[chosen], labels[chosen]


def _one_batch(pictures, labels, size, generator):
    order = generator.permutation(len(labels))
    return [(pictures[order], labels[order])]


ANSWERS = {
    "01.cross_entropy": {
        "right": [lambda scores, labels: _losses(scores, labels).mean(), _loss_by_loop],
        "wrong": [
            (_losses, "mean over"),
            (lambda scores, labels: -_losses(scores, labels).mean(), "minus"),
            (lambda scores, labels: _losses(scores, labels).sum(), "sum"),
            (lambda scores, labels: _losses(scores, labels).mean() / np.log(2), "natural"),
            (lambda scores, labels: (1 - _picked(_softmax(scores), labels)).mean(), "one minus"),
            (lambda scores, labels: -np.log(_softmax(scores)).mean(), "right class alone"),
            (lambda scores, labels: _losses(scores, labels).max(), "value is wrong"),
            (lambda scores, labels: -_picked(scores, labels).mean(), "apply softmax first"),
        ],
    },
    "01.dense_backward": {
        "right": [
            _backward,
            lambda upstream, x, weights: [
                np.einsum("no,io->ni", upstream, weights),
                np.einsum("ni,no->io", x, upstream),
                np.ones(len(x)) @ upstream,
            ],
        ],
        "wrong": [
            (lambda upstream, x, weights: _backward(upstream, x, weights)[:2], "three"),
            (
                lambda upstream, x, weights: (x.T @ upstream, upstream @ weights.T, upstream.sum(axis=0)),
                "order",
            ),
            (
                lambda upstream, x, weights: (upstream @ weights.T, upstream.T @ x, upstream.sum(axis=0)),
                "transposed",
            ),
            (
                lambda upstream, x, weights: (weights @ upstream.T, x.T @ upstream, upstream.sum(axis=0)),
                "shape of x",
            ),
            (lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream), "sum over"),
            (lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream.sum()), "sum over"),
            (
                lambda upstream, x, weights: (upstream @ weights.T, x.T @ upstream, upstream.mean(axis=0)),
                "average",
            ),
            (
                lambda upstream, x, weights: (
                    upstream @ weights.T,
                    x.T @ upstream / len(x),
                    upstream.sum(axis=0),
                ),
                "average",
            ),
            (
                lambda upstream, x, weights: (-upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)),
                "gradient of x differ",
            ),
        ],
    },
    "01.update": {
        "right": [
            _update,
            lambda parameters, slopes, rate: tuple(
                a - rate * b for a, b in zip(parameters, slopes, strict=True)
            ),
        ],
        "wrong": [
            (_update_in_place, "in place"),
            (lambda parameters, slopes, rate: parameters[0] - rate * slopes[0], "list"),
            (_moved_by(lambda array, slope, rate: array + rate * slope), "uphill"),
            (_moved_by(lambda array, slope, rate: array - slope), "not used"),
            (_moved_by(lambda array, slope, rate: -rate * slope), "step alone"),
            (_moved_by(lambda array, slope, rate: array - slope / rate), "divide"),
            (_moved_by(lambda array, slope, rate: array * (1 - rate)), "should become"),
        ],
    },
    "01.recipe": {
        "right": [_recipe(), _recipe(learning_rate=0.2, batch_size=16)],
        "wrong": [
            (_recipe(learning_rate=0.1, batch_size=50, hidden=128), "the goal"),
            (_recipe(epochs=5), "over budget"),
            (_recipe(hidden=1000), "256"),
            (_recipe(learning_rate=1000), "too large"),
            (_recipe(batch_size=2.5), "whole"),
            (lambda: 0.95, "dictionary"),
            (_recipe(momentum=0.9), "exactly four"),
        ],
    },
    "01.batches": {
        "right": [_batches, _batches_of_shuffled],
        "wrong": [
            (_batches_with_bug, "belong together"),
            (_batches_in_order, "nothing was shuffled"),
            (_batches_without_the_last, "not full"),
            (_batches_drawn_again, "more than once"),
            (_one_batch, "size"),
            (lambda pictures, labels, size, generator: list(pictures), "pair"),
        ],
    },
}
