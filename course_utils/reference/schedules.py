"""Learning-rate schedules: each function returns a schedule, and a schedule is a function of the update's
number.

    schedule = cosine_with_warmup(0.0, decay_steps=900, warmup_target=0.1, warmup_steps=100)
    schedule(0)                       # 0.0, a float: the learning rate of the first update
    schedule(np.arange(1000))         # (1000,) array, to plot

The number of an update counts from 0, epochs do not matter. A schedule can be the `learning_rate` of every
optimiser of `course_utils.reference.optimizers`. Each equals the Keras class that it names, argument by
argument.
"""

import numpy as np

from course_utils.checking import at_least, expect, positive


def _schedule(formula):
    """Make a schedule of a function of a float array: given a number it returns a float, else an array."""

    def learning_rate(step_number):
        numbers = np.asarray(step_number, dtype="float64")
        at_least(0, step_number=numbers)
        rates = formula(numbers)
        return float(rates) if numbers.ndim == 0 else rates

    return learning_rate


def constant(learning_rate):
    """Return the same rate at every step:  eta(step) = learning_rate."""
    return _schedule(lambda numbers: np.full(numbers.shape, float(learning_rate)))


def exponential(initial_learning_rate, decay_steps, decay_rate, staircase=False):
    """Multiply by `decay_rate` in every `decay_steps` steps.

        eta(step) = initial_learning_rate * decay_rate^(step / decay_steps)

    `staircase=True` rounds the exponent down, so that the rate changes only once in `decay_steps` steps.
    Keras: ExponentialDecay.

    Raises:
        ValueError: decay_steps is not positive.
    """
    positive(decay_steps=decay_steps)

    def formula(numbers):
        exponent = numbers / decay_steps
        return initial_learning_rate * decay_rate ** (np.floor(exponent) if staircase else exponent)

    return _schedule(formula)


def step(boundaries, values):
    """Return a piecewise constant rate: values[0] up to and including step boundaries[0], then values[1], and so on.

        eta(step) = values[number of boundaries b with b < step]

    Keras: PiecewiseConstantDecay.

    Args:
        boundaries: increasing numbers of steps.
        values: one rate more than there are boundaries.

    Raises:
        ValueError: the lengths do not fit or the boundaries do not increase.
    """
    boundaries, values = np.asarray(boundaries, dtype="float64"), np.asarray(values, dtype="float64")
    fits = values.ndim == 1 and boundaries.shape == (len(values) - 1,)
    found = f"shapes {values.shape} and {boundaries.shape}"
    expect(fits, "values", "应比 boundaries 多一个", "one more value than boundaries", found)
    increasing = np.all(np.diff(boundaries) > 0)
    expect(increasing, "boundaries", "应递增", "increasing boundaries", boundaries.tolist())
    return _schedule(lambda numbers: values[np.searchsorted(boundaries, numbers, side="left")])


def cosine_with_warmup(initial_learning_rate, decay_steps, alpha=0.0, warmup_target=None, warmup_steps=0):
    """Rise along a line, then fall along half a cosine.

        step < warmup_steps:  eta = initial + (target - initial) * step / warmup_steps
        afterwards:           eta = target * ((1 - alpha) * (1 + cos(pi * progress)) / 2 + alpha)
                              progress = min(step - warmup_steps, decay_steps) / decay_steps

    The whole takes warmup_steps + decay_steps steps; then the rate stays at alpha * target. Without
    `warmup_target` there is no warm-up and the target is `initial_learning_rate`.
    Keras: CosineDecay.
    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983; warm-up: Goyal et al. 2017, section
    2.2, https://arxiv.org/abs/1706.02677

    Raises:
        ValueError: decay_steps is not positive, or warmup_steps is given without warmup_target (Keras ignores
            the steps then).
    """
    positive(decay_steps=decay_steps)
    wanted = "预热需要给出它", f"the rate after the warm-up, with warmup_steps={warmup_steps}"
    expect(warmup_target is not None or not warmup_steps, "warmup_target", *wanted, None)
    target = initial_learning_rate if warmup_target is None else warmup_target

    def formula(numbers):
        progress = np.clip((numbers - warmup_steps) / decay_steps, 0, 1)
        falling = target * ((1 - alpha) * 0.5 * (1 + np.cos(np.pi * progress)) + alpha)
        rising = initial_learning_rate + (target - initial_learning_rate) * numbers / (warmup_steps or 1)
        return np.where(numbers < warmup_steps, rising, falling)

    return _schedule(formula)
