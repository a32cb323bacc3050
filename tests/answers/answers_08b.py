"""Right and typically wrong answers of chapter 8b; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.topics import adaptation


def _draw(labels, classes, count, random):
    places = [random.choice(np.flatnonzero(labels == label), count, replace=False) for label in classes]
    return random.permutation(np.concatenate(places))


def _draw_by_permutation(labels, classes, count, random):
    order, taken = random.permutation(len(labels)), []
    for label in classes:
        taken += [place for place in order if labels[place] == label][:count]
    return random.permutation(np.array(taken))


def _with_replacement(labels, classes, count, random):
    places = [random.choice(np.flatnonzero(labels == label), count) for label in classes]
    return random.permutation(np.concatenate(places))


def _unbalanced(labels, classes, count, random):
    return random.choice(np.flatnonzero(np.isin(labels, classes)), len(classes) * count, replace=False)


def _from_all(labels, classes, count, random):
    return random.choice(len(labels), len(classes) * count, replace=False)


def _in_order(labels, classes, count, random):
    return np.concatenate([random.choice(np.flatnonzero(labels == c), count, replace=False) for c in classes])


def _first_ones(labels, classes, count, random):
    return random.permutation(np.concatenate([np.flatnonzero(labels == label)[:count] for label in classes]))


def _own_generator(labels, classes, count, random):
    same = np.random.default_rng(int(random.bit_generator.state["state"]["inc"] % 2**31))
    return _draw(labels, classes, count, same)


def _backward(W, x, g, A, B, alpha, *, scale=None):
    scale = alpha / len(B) if scale is None else scale
    return scale * x.T @ g @ B.T, scale * A.T @ x.T @ g, g @ (W + alpha / len(B) * A @ B).T


def _from_the_course(W, x, g, A, B, alpha):
    return *adaptation.low_rank_backward(g, x, A, B, alpha), g @ adaptation.low_rank_kernel(W, A, B, alpha).T


ANSWERS = {
    "08b.lora_parameters": {
        "right": [
            lambda shape, rank: rank * (int(np.prod(shape[:-1])) + shape[-1]),
            lambda shape, rank: np.zeros((*shape[:-1], rank)).size + np.zeros((rank, shape[-1])).size,
        ],
        "wrong": [
            (lambda shape, rank: rank * int(np.prod(shape)), "thin"),
            (
                lambda shape, rank: int(np.prod(shape)) + rank * (int(np.prod(shape[:-1])) + shape[-1]),
                "leave it out",
            ),
            (lambda shape, rank: rank * int(np.prod(shape[:-1])), "both"),
            (lambda shape, rank: rank * (shape[-2] + shape[-1]), "window"),
            (lambda shape, rank: rank * sum(shape), "multiply"),
            (lambda shape, rank: rank * int(np.prod(shape[:-2])) * (shape[-2] + shape[-1]), "1 x 1"),
        ],
    },
    "08b.draw": {
        "right": [_draw, _draw_by_permutation],
        "wrong": [
            (_with_replacement, "without replacement"),
            (_unbalanced, "balanced"),
            (_from_all, "other classes"),
            (_in_order, "mix"),
            (_first_ones, "same"),
            (_own_generator, "passed in"),
            (
                lambda labels, classes, count, random: labels[_draw(labels, classes, count, random)],
                "themselves",
            ),
            (
                lambda labels, classes, count, random: _draw(labels, classes, count, random)[:count],
                "16 places",
            ),
        ],
    },
    "08b.lora_backward": {
        "right": [_backward, _from_the_course],
        "wrong": [
            (lambda W, x, g, A, B, alpha: _backward(W, x, g, A, B, alpha, scale=1.0), "missing"),
            (lambda W, x, g, A, B, alpha: _backward(W, x, g, A, B, alpha, scale=alpha), "not alpha"),
            (lambda W, x, g, A, B, alpha: _backward(W, x, g, A, B, alpha, scale=len(B) / alpha), "r / alpha"),
            (lambda W, x, g, A, B, alpha: _backward(W, x, g / len(x), A, B, alpha), "batch"),
            (lambda W, x, g, A, B, alpha: (*_backward(W, x, g, A, B, alpha)[:2], g @ W.T), "leaves out A B"),
            (
                lambda W, x, g, A, B, alpha: (
                    *_backward(W, x, g, A, B, alpha)[:2],
                    g @ (alpha / len(B) * A @ B).T,
                ),
                "leaves out W",
            ),
            (
                lambda W, x, g, A, B, alpha: (*_backward(W, x, g, A, B, alpha)[:2], g @ (W + A @ B).T),
                "before A B",
            ),
            (lambda W, x, g, A, B, alpha: _backward(W, x, g, A, B, alpha)[:2], "three"),
            (
                lambda W, x, g, A, B, alpha: tuple(
                    _backward(W, x, g, A, B, alpha)[index] for index in (1, 0, 2)
                ),
                "exchanged",
            ),
            (lambda W, x, g, A, B, alpha: (2 * x @ g @ B.T, None, None), "transposes"),
        ],
    },
}
