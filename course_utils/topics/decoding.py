r"""From a model's probabilities to a sequence: greedy, beam search, and sampling by temperature, top-k and top-p.

All of them drive a *stepper*, an object with

    step(tokens, state) -> (logits (batch, vocabulary), new state)      tokens: whole numbers (batch,)
    reorder(state, rows) -> state                                       needed by beam_search only

such as `transformer.Stepper` or `attention_lstm.Stepper`; `state` belongs to the stepper.
"""

import numpy as np

from course_utils.checking import at_least, expect, positive, share
from course_utils.reference import activations


def log_softmax(logits):
    """Return the logarithms of the probabilities, in float64, over the last axis."""
    return activations.log_softmax(np.asarray(logits, dtype="float64"))


def greedy(stepper, state, *, start, end, longest):
    """Take the most probable token at each step.

    Args:
        stepper, state: see the module; `state` is the one before the first token.
        start: the token that every sequence begins with, a whole number or an array (batch,).
        end: the token that ends a sequence.
        longest: most tokens to write, the end not counted.

    Returns:
        (sequences, scores): lists of ints without start and end, one per row; float64 (batch,), the sum of the
        log-probabilities of the tokens written, the end included if it was reached.
    """
    tokens = np.atleast_1d(np.asarray(start, "int32"))
    sequences, scores = [[] for _ in tokens], np.zeros(len(tokens))
    open_rows = np.ones(len(tokens), bool)
    for _ in range(longest + 1):
        logits, state = stepper.step(tokens, state)
        log_probability = log_softmax(logits)  # (batch, vocabulary)
        tokens = log_probability.argmax(axis=-1).astype("int32")  # (batch,)
        scores += np.where(open_rows, log_probability.max(axis=-1), 0.0)
        open_rows &= tokens != end
        if not open_rows.any():
            break
        for row in np.flatnonzero(open_rows):
            sequences[row].append(int(tokens[row]))
    return [sequence[:longest] for sequence in sequences], scores


def beam_search(stepper, state, *, batch, start, end, longest, width=4, length_power=0.0):
    r"""Keep the `width` most probable beginnings at each step, for each of `batch` sequences.

    A finished sequence of n tokens (the end counted) has the score $\sum \log p \,/\, n^{a}$ with a = `length_power`: 0 is
    the plain probability, which favours short sequences, 1 the mean per token.

    Args:
        state: before the first token, with `batch` rows.
        others as in `greedy`.

    Returns:
        (sequences, scores): of each of the `batch` sequences the best finished one, and its score.
    """
    at_least(1, width=width)
    rows = np.arange(batch)
    state = stepper.reorder(state, np.repeat(rows, width))  # beam j of sequence i is row i * width + j
    tokens = np.full(batch * width, start, "int32")
    # All beams of a sequence are equal at first: only one of them may count.
    totals = np.full((batch, width), -np.inf)
    totals[:, 0] = 0.0
    written = np.zeros((batch, width, 0), "int32")
    best, best_scores = [[] for _ in rows], np.full(batch, -np.inf)
    for step in range(1, longest + 2):
        logits, state = stepper.step(tokens, state)
        log_probability = log_softmax(logits).reshape(batch, width, -1)  # (batch, width, vocabulary)
        vocabulary = log_probability.shape[-1]
        candidates = totals[..., None] + log_probability
        finished = candidates[..., end] / step**length_power  # (batch, width)
        for row in np.flatnonzero(finished.max(axis=1) > best_scores):
            beam = finished[row].argmax()
            best[row], best_scores[row] = written[row, beam].tolist(), finished[row, beam]
        if step > longest:
            break
        candidates[..., end] = -np.inf
        flat = candidates.reshape(batch, -1)
        chosen = np.argpartition(-flat, width - 1, axis=1)[:, :width]  # (batch, width): places in `flat`
        totals = np.take_along_axis(flat, chosen, axis=1)
        beams, tokens = chosen // vocabulary, (chosen % vocabulary).astype("int32")
        written = np.concatenate(
            [np.take_along_axis(written, beams[..., None], axis=1), tokens[..., None]], axis=2
        )
        # A beginning only gets less probable: without length_power, one worse than what is finished cannot win.
        if length_power == 0 and (totals.max(axis=1) <= best_scores).all():
            break
        state = stepper.reorder(state, (rows[:, None] * width + beams).reshape(-1))
        tokens = tokens.reshape(-1)
    return best, best_scores


def filtered(logits, temperature=1.0, top_k=None, top_p=None):
    r"""Return the probabilities to draw from, float64: softmax(logits / temperature), cut, made to sum to 1.

    Args:
        logits: (..., vocabulary).
        temperature: below 1 sharper, above 1 flatter; 0 puts all on the largest (greedy).
        top_k: keep the k likeliest tokens.
        top_p: keep the smallest set of likeliest tokens whose probabilities add up to at least p ("nucleus"; Holtzman
            et al. 2019, The curious case of neural text degeneration, arXiv:1904.09751).

    Raises:
        ValueError: a number outside its range.
    """
    logits = np.asarray(logits, dtype="float64")
    at_least(0, temperature=temperature)
    if top_k is not None:
        at_least(1, top_k=top_k)
    if top_p is not None:
        share(top_p=top_p)
        positive(top_p=top_p)
    if temperature == 0:
        top_k, temperature = 1, 1.0
    probability = np.exp(log_softmax(logits / temperature))
    order = np.argsort(-probability, axis=-1, kind="stable")
    ranked = np.take_along_axis(probability, order, axis=-1)  # (..., vocabulary), likeliest first
    keep = np.ones(ranked.shape, bool)
    if top_k is not None:
        keep[..., top_k:] = False
    if top_p is not None:
        before = np.cumsum(ranked, axis=-1) - ranked  # what the likelier ones add up to
        keep &= before < top_p
    ranked = np.where(keep, ranked, 0.0)
    result = np.zeros_like(probability)
    np.put_along_axis(result, order, ranked, axis=-1)
    return result / result.sum(axis=-1, keepdims=True)


def sample(
    stepper,
    state,
    prompt,
    *,
    longest,
    end=None,
    seed=0,
    temperature=1.0,
    top_k=None,
    top_p=None,
    allowed=None,
):
    """Draw one token after another.

    Args:
        prompt: whole numbers (batch, time), time at least 1: what the sequences begin with, read first.
        longest: most tokens to write after the prompt.
        end: stop a row after this token (it is not part of the result).
        seed: of the random numbers.
        temperature, top_k, top_p: see `filtered`.
        allowed: optional function (row, tokens written so far) -> boolean (vocabulary,), which tokens may follow.

    Returns:
        A list of lists of ints, what was written after the prompt.
    """
    prompt = np.asarray(prompt, "int32")
    fits = prompt.ndim == 2 and prompt.shape[1] >= 1
    expect(fits, "prompt", "形状应为 (batch, time)", "shape (batch, time), at least one token", prompt.shape)
    for tokens in prompt[:, :-1].T:
        _, state = stepper.step(tokens, state)
    random = np.random.default_rng(seed)
    tokens, written = prompt[:, -1], [[] for _ in prompt]
    open_rows = np.ones(len(prompt), bool)
    for _ in range(longest):
        logits, state = stepper.step(tokens, state)
        logits = np.array(logits, dtype="float64")
        if allowed is not None:
            for row in np.flatnonzero(open_rows):
                logits[row, ~allowed(row, written[row])] = -np.inf
        probability = filtered(logits, temperature, top_k, top_p)  # (batch, vocabulary)
        # One uniform number per row, whether open or not: the rows' draws do not depend on each other.
        draws = random.random(len(prompt))
        tokens = np.minimum(
            (np.cumsum(probability, axis=-1) < draws[:, None]).sum(axis=-1), probability.shape[-1] - 1
        )
        tokens = tokens.astype("int32")
        open_rows &= True if end is None else tokens != end
        if not open_rows.any():
            break
        for row in np.flatnonzero(open_rows):
            written[row].append(int(tokens[row]))
    return written
