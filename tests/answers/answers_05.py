"""Right and typically wrong answers of chapter 5; each wrong one beside a word of the hint that must name it."""

import math

import numpy as np


def _adam(first=True, second=True, inside=False, late=0, sign=1, root=True, swap=False, store=False, power=2):
    """Adam's step, with one part at a time made wrong."""

    def step(weight, gradient, mean, square, number, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        if swap:
            mean = (1 - beta_1) * mean + beta_1 * gradient
        else:
            mean = mean + (1 - beta_1) * (gradient - mean)
        square = square + (1 - beta_2) * (gradient**power - square)
        mean_scale = 1 - beta_1 ** (number + late) if first else 1.0
        square_scale = 1 - beta_2 ** (number + late) if second else 1.0
        denominator = square if not root else np.sqrt(square)
        denominator = np.sqrt(square + epsilon) if inside else denominator + epsilon
        alpha = rate * (math.sqrt(square_scale) if root else square_scale) / mean_scale
        return weight - sign * alpha * mean / denominator, mean / mean_scale if store else mean, square

    return step


def _algorithm_1(weight, gradient, mean, square, number, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    corrected = np.sqrt(square / (1 - beta_2**number)) + epsilon
    return weight - rate * mean / (1 - beta_1**number) / corrected, mean, square


def _derivative(graph, start, end):
    known = {end: 1.0}

    def towards_end(node):
        if node not in known:
            known[node] = sum(local * towards_end(child) for child, local in graph[node])
        return known[node]

    return towards_end(start)


def _backwards(graph, start, end):
    """From the end, as the engine does: order first, then hand gradients on."""
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for child, _ in dict.__getitem__(graph, node):
                visit(child)
            order.append(node)

    visit(start)
    gradient = dict.fromkeys(order, 0.0)
    gradient[end] = 1.0
    for node in order:
        gradient[node] += sum(local * gradient[child] for child, local in graph[node])
    return gradient[start]


def _every_path(graph, start, end):
    return (
        1.0 if start == end else sum(local * _every_path(graph, child, end) for child, local in graph[start])
    )


def _sums_along(graph, start, end):
    return (
        1.0
        if start == end
        else sum(
            local + (_sums_along(graph, child, end) if child != end else 0) for child, local in graph[start]
        )
    )


def _first_child(graph, start, end):
    product = 1.0
    while start != end:
        start, local = graph[start][0]
        product *= local
    return product


def _multiplied_paths(graph, start, end):
    if start == end:
        return 1.0
    return math.prod(local * _multiplied_paths(graph, child, end) for child, local in graph[start])


def _one_edge_a_pair(graph, start, end):
    if start == end:
        return 1.0
    return sum(local * _one_edge_a_pair(graph, child, end) for child, local in dict(graph[start]).items())


def _visited_once(graph, start, end):
    seen = set()

    def towards_end(node):
        if node == end:
            return 1.0
        if node in seen:
            return 0.0
        seen.add(node)
        return sum(local * towards_end(child) for child, local in graph[node])

    total = 0.0
    for child, local in graph[start] if start != end else []:
        total += local * towards_end(child) if child not in seen else 0.0
    return total if start != end else 1.0


ANSWERS = {
    "05.stability_limit": {
        "right": [
            lambda curvatures: 2 / max(curvatures),
            lambda curvatures: min(2 / value for value in curvatures),
        ],
        "wrong": [
            (lambda curvatures: 1 / max(curvatures), "one step"),
            (lambda curvatures: 2 / min(curvatures), "smallest"),
            (lambda curvatures: 2 / np.mean(curvatures), "mean"),
            (lambda curvatures: 2 / sum(curvatures), "do not add"),
            (lambda curvatures: 2 / curvatures[-1], "place in the list"),
            (lambda curvatures: 2 * max(curvatures), "0.5"),
        ],
    },
    "05.adam_step": {
        "right": [_adam()],
        "wrong": [
            (_adam(first=False, second=False), "bias correction is missing"),
            (_adam(second=False), "only the mean"),
            (_adam(first=False), "only the square"),
            (_adam(inside=True), "outside the root"),
            (_algorithm_1, "Algorithm 1"),
            (_adam(late=1), "off by one"),
            (_adam(sign=-1), "uphill"),
            (_adam(root=False), "root of the square is missing"),
            (_adam(swap=True), "exchanged"),
            (_adam(store=True), "must not be stored"),
            (_adam(power=1), "gradient squared"),
            (lambda *given, **named: _adam()(*given, **named)[0], "three arrays"),
        ],
    },
    "05.derivative": {
        "right": [_derivative, _backwards],
        "wrong": [
            (_every_path, "walks every path"),
            (_sums_along, "multiplied, not added"),
            (_first_child, "only one path"),
            (_multiplied_paths, "added, not multiplied"),
            (_one_edge_a_pair, "both count"),
            (_visited_once, "both count"),
        ],
    },
}
