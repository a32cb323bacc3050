"""The schedules against Keras at every step, and against what must be refused."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from course_utils.reference import schedules

in_keras = keras.optimizers.schedules
STEPS = np.arange(61)  # the longest schedule below ends at 50


def exact(make, *arguments, **named):
    """Keras' schedule in float64: a Python float would become float32 inside it, whatever floatx says."""

    def precise(value):
        return [precise(one) for one in value] if isinstance(value, list) else np.float64(value)

    return make(*map(precise, arguments), **{name: precise(value) for name, value in named.items()})


# factory, Keras' class, arguments of both
CASES = [
    (schedules.exponential, in_keras.ExponentialDecay, (0.1, 10, 0.5), {}),
    (schedules.exponential, in_keras.ExponentialDecay, (0.1, 7, 0.9), {"staircase": True}),
    (schedules.step, in_keras.PiecewiseConstantDecay, ([10], [1.0, 0.5]), {}),
    (schedules.step, in_keras.PiecewiseConstantDecay, ([0, 10, 30, 31], [1.0, 0.5, 0.2, 0.7, 0.1]), {}),
    (schedules.cosine_with_warmup, in_keras.CosineDecay, (0.1, 40), {}),
    (schedules.cosine_with_warmup, in_keras.CosineDecay, (0.1, 40, 0.2), {}),
    (
        schedules.cosine_with_warmup,
        in_keras.CosineDecay,
        (0.01, 40),
        {"warmup_target": 0.3, "warmup_steps": 10},
    ),
    (
        schedules.cosine_with_warmup,
        in_keras.CosineDecay,
        (0.0, 33, 0.1),
        {"warmup_target": 0.3, "warmup_steps": 1},
    ),
    (
        schedules.cosine_with_warmup,
        in_keras.CosineDecay,
        (0.05, 40),
        {"warmup_target": 0.3, "warmup_steps": 0},
    ),
]


@pytest.mark.parametrize("factory, keras_class, arguments, named", CASES)
def test_equal_to_keras_at_every_step(factory, keras_class, arguments, named):
    schedule, expected = factory(*arguments, **named), exact(keras_class, *arguments, **named)
    values = [float(expected(keras.ops.convert_to_tensor(np.float64(number)))) for number in STEPS]
    np.testing.assert_allclose([schedule(int(number)) for number in STEPS], values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(schedule(STEPS), values, rtol=0, atol=1e-12)
    assert len(set(values)) > 1


def test_constant():
    schedule = schedules.constant(0.3)
    assert schedule(0) == schedule(10**9) == 0.3
    np.testing.assert_array_equal(schedule(STEPS), np.full(61, 0.3))


@pytest.mark.parametrize(
    "schedule",
    [schedules.constant(1)] + [factory(*arguments, **named) for factory, _, arguments, named in CASES],
)
def test_a_number_gives_a_float_and_an_array_an_array(schedule):
    assert type(schedule(3)) is float and type(schedule(np.int64(3))) is float
    assert schedule(np.arange(6).reshape(2, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match="found -1"):
        schedule(-1)


WRONG = [
    (lambda: schedules.exponential(0.1, 0, 0.5), "decay_steps: .*more than 0; found 0"),
    (lambda: schedules.cosine_with_warmup(0.1, 0), "decay_steps: .*more than 0; found 0"),
    (lambda: schedules.cosine_with_warmup(0.1, 10, warmup_steps=5), "warmup_steps=5; found None"),
    (lambda: schedules.step([10, 20], [1.0, 0.1]), r"one more value .* found shapes \(2,\) and \(2,\)"),
    (lambda: schedules.step([20, 10], [1.0, 0.1, 0.01]), r"increasing boundaries; found \[20.0, 10.0\]"),
]


@pytest.mark.parametrize("call, message", WRONG)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
