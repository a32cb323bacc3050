"""Right and typically wrong answers of chapter 7c; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.topics import masked


def _mean_state(states, tokens):
    real = (tokens > 0)[..., None]
    return (states * real).sum(axis=1) / real.sum(axis=1)


def _mean_state_loop(states, tokens):
    return np.array([row[words > 0].mean(axis=0) for row, words in zip(states, tokens, strict=True)])


def _without_cls(states, tokens):
    return np.array([row[words > 3].mean(axis=0) for row, words in zip(states, tokens, strict=True)])


def _costs(logits, targets):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_probability, targets[..., None], axis=-1)[..., 0]


def _masked_loss(logits, targets):
    return _costs(logits, targets)[targets > 0].mean()


def _masked_loss_loop(logits, targets):
    costs = [
        np.log(np.exp(scores - scores[token]).sum())
        if scores.max() - scores[token] < 500
        else scores.max() - scores[token]
        for row, tokens in zip(logits, targets, strict=True)
        for scores, token in zip(row, tokens, strict=True)
        if token
    ]
    return np.mean(costs)


def _row_means(logits, targets):
    costs, asked = _costs(logits, targets), targets > 0
    return ((costs * asked).sum(axis=1) / asked.sum(axis=1)).mean()


def _overflowing(logits, targets):
    powers = np.exp(logits)
    shares = np.take_along_axis(powers / powers.sum(axis=-1, keepdims=True), targets[..., None], axis=-1)[
        ..., 0
    ]
    return -np.log(shares)[targets > 0].mean()


def _hide(
    tokens, size, random, share=0.15, limits=(0.8, 0.9), first=masked.FIRST, lowest=masked.FIRST, target=None
):
    chosen = (tokens >= lowest) & (random.random(tokens.shape) < share)
    kind = random.random(tokens.shape)
    inputs = np.where(chosen & (kind < limits[0]), masked.MASK, tokens)
    other = random.integers(first, size, tokens.shape)
    inputs = np.where(chosen & (kind >= limits[0]) & (kind < limits[1]), other, inputs)
    return inputs, np.where(chosen, inputs if target == "replaced" else tokens, 0)


def _two_throws(tokens, size, random):
    chosen = (tokens >= masked.FIRST) & (random.random(tokens.shape) < 0.15)
    inputs = np.where(chosen & (random.random(tokens.shape) < 0.8), masked.MASK, tokens)
    again = chosen & (inputs != masked.MASK) & (random.random(tokens.shape) < 0.1)
    return np.where(again, random.integers(masked.FIRST, size, tokens.shape), inputs), np.where(
        chosen, tokens, 0
    )


def _converted(tokens, size, random):
    chosen = (tokens >= masked.FIRST) & (random.random(tokens.shape) < 0.15)
    inputs = np.where(chosen & (random.random(tokens.shape) < 0.8), masked.MASK, tokens)
    again = chosen & (inputs != masked.MASK) & (random.random(tokens.shape) < 0.5)
    return np.where(again, random.integers(masked.FIRST, size, tokens.shape), inputs), np.where(
        chosen, tokens, 0
    )


def _in_place(tokens, size, random):
    inputs, targets = _hide(tokens, size, random)
    tokens[:] = inputs
    return tokens, targets


def _one_word(tokens, size, random):
    chosen = (tokens >= masked.FIRST) & (random.random(tokens.shape) < 0.15)
    kind = random.random(tokens.shape)
    inputs = np.where(chosen & (kind < 0.8), masked.MASK, tokens)
    inputs = np.where(chosen & (kind >= 0.8) & (kind < 0.9), random.integers(masked.FIRST, size), inputs)
    return inputs, np.where(chosen, tokens, 0)


ANSWERS = {
    "07c.mean_state": {
        "right": [_mean_state, _mean_state_loop],
        "wrong": [
            (lambda states, tokens: states.mean(axis=1), "padding"),
            (
                lambda states, tokens: (states * (tokens > 0)[..., None]).sum(axis=1) / tokens.shape[1],
                "divisor",
            ),
            (lambda states, tokens: (states * (tokens > 0)[..., None]).sum(axis=1), "sum"),
            (lambda states, tokens: states[:, 0], "[CLS]"),
            (_without_cls, "leave it out"),
            (
                lambda states, tokens: np.where((tokens > 0)[..., None], states, -np.inf).max(axis=1),
                "largest",
            ),
            (lambda states, tokens: states * (tokens > 0)[..., None], "one vector"),
            (lambda states, tokens: -_mean_state(states, tokens), "numbers differ"),
        ],
    },
    "07c.masked_loss": {
        "right": [_masked_loss, _masked_loss_loop],
        "wrong": [
            (lambda logits, targets: _costs(logits, targets).mean(), "without a question"),
            (lambda logits, targets: _costs(logits, targets)[targets > 0].sum() / targets.size, "all places"),
            (lambda logits, targets: _costs(logits, targets)[targets > 0].sum(), "sum"),
            (lambda logits, targets: -_masked_loss(logits, targets), "minus sign"),
            (_row_means, "row by row"),
            (
                lambda logits, targets: (
                    -np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0][targets > 0].mean()
                ),
                "log softmax",
            ),
            (_overflowing, "overflow"),
            (lambda logits, targets: _costs(logits, targets), "one number"),
        ],
    },
    "07c.hide": {
        "right": [_hide, _converted],
        "wrong": [
            (_two_throws, "second throw"),
            (lambda tokens, size, random: _hide(tokens, size, random, limits=(1.0, 1.0)), "all chosen"),
            (lambda tokens, size, random: _hide(tokens, size, random, limits=(0.1, 0.9)), "80 %"),
            (lambda tokens, size, random: _hide(tokens, size, random, limits=(0.8, 1.0)), "about 10 %"),
            (lambda tokens, size, random: _hide(tokens, size, random, lowest=0), "special tokens"),
            (lambda tokens, size, random: _hide(tokens, size, random, first=0), "special token"),
            (lambda tokens, size, random: _hide(tokens, size, random, share=0.85), "15 %"),
            (lambda tokens, size, random: _hide(tokens, size, random, target="replaced"), "original"),
            (
                lambda tokens, size, random: (_hide(tokens, size, random)[0], tokens.copy()),
                "nothing is asked",
            ),
            (lambda tokens, size, random: _hide(tokens, size, np.random.default_rng(0)), "passed in"),
            (lambda tokens, size, random: _hide(tokens, size, random)[0], "two arrays"),
            (_in_place, "copy"),
            (_one_word, "same token"),
        ],
    },
}
