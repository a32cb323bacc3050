"""Right and typically wrong answers of chapter 5a; each wrong one beside a word of the hint that must name it."""

import math

import numpy as np

# ------------------------------------------------------------ seconds to a target


def _time_to_accuracy(seconds, accuracy, target):
    elapsed = 0.0
    for duration, reached in zip(seconds, accuracy, strict=True):
        elapsed += duration
        if reached >= target:
            return elapsed
    return math.inf


def _time_vectorised(seconds, accuracy, target):
    elapsed = np.cumsum(seconds)[np.asarray(accuracy) >= target]
    return elapsed[0] if len(elapsed) else np.inf


def _first(accuracy, reached):
    return next((epoch for epoch, value in enumerate(accuracy) if reached(value)), None)


def _strictly_above(seconds, accuracy, target):
    epoch = _first(accuracy, lambda value: value > target)
    return math.inf if epoch is None else sum(seconds[: epoch + 1])


def _none_when_never(seconds, accuracy, target):
    epoch = _first(accuracy, lambda value: value >= target)
    return None if epoch is None else sum(seconds[: epoch + 1])


# ------------------------------------------------------------ warm-up and cosine


def _warmup_cosine(step, peak, warmup, total):
    if step < warmup:
        return peak * step / warmup
    return peak * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def _schedule(rise, fall):
    return lambda step, peak, warmup, total: (
        rise(step, peak, warmup) if step < warmup else fall(step, peak, warmup, total)
    )


def _rise(step, peak, warmup):
    return peak * step / warmup


# ------------------------------------------------------------ early stopping


def _early_stopping(losses, patience, count_from=0, too_late=0, compare_with_previous=False):
    best, waited = 0, 0
    for epoch, loss in enumerate(losses):
        reference = losses[max(epoch - 1, 0)] if compare_with_previous else losses[best]
        if epoch == 0 or loss < reference:
            best, waited = epoch, 0
        else:
            waited += 1
            if waited == patience + too_late:
                return epoch + count_from, best + count_from
    return len(losses) - 1 + count_from, best + count_from


def _sees_the_future(losses, patience):
    return _early_stopping(losses, patience)[0], int(np.argmin(losses))


def _never_resets(losses, patience):
    best, waited = 0, 0
    for epoch, loss in enumerate(losses[1:], start=1):
        if loss < losses[best]:
            best = epoch
        else:
            waited += 1
            if waited == patience:
                return epoch, best
    return len(losses) - 1, best


# ------------------------------------------------------------ dropout


def _dropout(x, rate, keep, upstream):
    factor = keep / (1 - rate)
    return x * factor, upstream * factor


ANSWERS = {
    "05a.time_to_accuracy": {
        "right": [_time_to_accuracy, _time_vectorised],
        "wrong": [
            (
                lambda seconds, accuracy, target: _first(accuracy, lambda value: value >= target) or math.inf,
                "not the number",
            ),
            (
                lambda seconds, accuracy, target: seconds[_first(accuracy, lambda value: value >= target)],
                "add up",
            ),
            (
                lambda seconds, accuracy, target: sum(
                    seconds[: _first(accuracy, lambda value: value >= target)]
                ),
                "counts too",
            ),
            (
                lambda seconds, accuracy, target: sum(seconds) if max(accuracy) >= target else math.inf,
                "first epoch",
            ),
            (_strictly_above, ">="),
            (_none_when_never, "math.inf"),
            (lambda seconds, accuracy, target: _time_to_accuracy(seconds, accuracy, 0.98), "counts too"),
        ],
    },
    "05a.warmup_cosine": {
        "right": [
            _warmup_cosine,
            lambda step, peak, warmup, total: float(
                np.where(
                    step < warmup,
                    peak * step / warmup,
                    peak * np.cos(np.pi / 2 * max(step - warmup, 0) / (total - warmup)) ** 2,
                )
            ),
        ],
        "wrong": [
            (_schedule(lambda *a: a[1], lambda *a: _warmup_cosine(*a)), "step 0"),
            (_schedule(lambda s, p, w: p * (s / w) ** 2, _warmup_cosine), "straight line"),
            (
                _schedule(_rise, lambda s, p, w, t: p * (1 + math.cos(math.pi * s / t)) / 2),
                "counts from there",
            ),
            (_schedule(_rise, lambda s, p, w, t: p * math.cos(math.pi * (s - w) / (t - w))), "negative"),
            (
                _schedule(_rise, lambda s, p, w, t: p * (1 + math.cos(2 * math.pi * (s - w) / (t - w))) / 2),
                "half a wave",
            ),
            (
                _schedule(_rise, lambda s, p, w, t: p * (1 + math.cos(math.pi * (s - w) / t)) / 2),
                "steps left",
            ),
            (_schedule(_rise, lambda s, p, w, t: p * (t - s) / (t - w)), "not a line"),
            (_schedule(_rise, lambda s, p, w, t: p * (1 - ((s - w) / (t - w)) ** 2)), "middle"),
        ],
    },
    "05a.early_stopping": {
        "right": [_early_stopping],
        "wrong": [
            (lambda losses, patience: _early_stopping(losses, patience)[0], "two numbers"),
            (_sees_the_future, "future"),
            (lambda losses, patience: _early_stopping(losses, patience)[::-1], "reversed"),
            (lambda losses, patience: _early_stopping(losses, patience, count_from=1), "from 0"),
            (lambda losses, patience: _early_stopping(losses, 1), "not enough"),
            (lambda losses, patience: (len(losses) - 1, 1), "too late"),
            (
                lambda losses, patience: _early_stopping(losses, patience, compare_with_previous=True),
                "best so far",
            ),
            (_never_resets, "starts the count again"),
        ],
    },
    "05a.dropout": {
        "right": [
            _dropout,
            lambda x, rate, keep, upstream: (
                np.where(keep, x / (1 - rate), 0),
                np.where(keep, upstream / (1 - rate), 0),
            ),
        ],
        "wrong": [
            (lambda x, rate, keep, upstream: _dropout(x, rate, keep, upstream)[0], "two arrays"),
            (lambda x, rate, keep, upstream: _dropout(x, rate, ~keep, upstream), "exchanged"),
            (lambda x, rate, keep, upstream: (x * keep, upstream * keep), "mean shrinks"),
            (lambda x, rate, keep, upstream: (x * keep / rate, upstream * keep / rate), "share that stays"),
            (
                lambda x, rate, keep, upstream: (x * keep * (1 - rate), upstream * keep * (1 - rate)),
                "test time",
            ),
            (lambda x, rate, keep, upstream: (x * keep / (1 - rate), upstream), "does not move"),
            (lambda x, rate, keep, upstream: (x * keep / (1 - rate), upstream * keep), "same factor"),
            (lambda x, rate, keep, upstream: (x * keep / (1 - rate), keep / (1 - rate)), "chain rule"),
            (
                lambda x, rate, keep, upstream: (x * keep / (1 - rate), upstream * x * keep / (1 - rate)),
                "without x",
            ),
        ],
    },
}
