"""The nine optimisers against Keras, step by step, and against what must be refused."""

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from course_utils.reference import optimizers, schedules

STEPS = 20
SHAPES = [(4, 3), (2, 5), (3, 1, 1, 2)]  # a tall matrix, a wide one, a convolution kernel
TOLERANCE = {"float64": {"rtol": 0, "atol": 1e-9}, "float32": {"rtol": 1e-5, "atol": 1e-5}}


@pytest.fixture(autouse=True)
def restore_float_type():
    """Keras keeps its learning rate in floatx, so float64 equality needs float64 there too."""
    before = keras.config.floatx()
    yield
    keras.config.set_floatx(before)


def in_keras(make, arguments, dtype):
    """Keras' optimiser with its own defaults, for float64 each constant in full precision.

    A Python float becomes float32 inside Keras even when the weights are float64 (0.999 then is
    0.99900001287); a NumPy float64 stays what it is. So defaults are read from the signature and handed over
    as float64.
    """
    keras.config.set_floatx(dtype)
    if dtype == "float32":
        return make(**arguments)
    defaults = {
        name: entry.default
        for name, entry in inspect.signature(make).parameters.items()
        if type(entry.default) is float
    }
    return make(
        **{
            name: np.float64(value) if isinstance(value, float) else value
            for name, value in (defaults | arguments).items()
        }
    )


class KerasSchedule(keras.optimizers.schedules.ExponentialDecay):
    """0.05 halved every 7 steps, in float64 (see `in_keras`)."""

    def __init__(self):
        super().__init__(np.float64(0.05), np.float64(7), np.float64(0.5))


def start(dtype):
    generator = np.random.default_rng(3)
    return [generator.normal(size=shape).astype(dtype) for shape in SHAPES]


def gradients_of(number, parameters):
    """Gradients that depend on the parameters, so that an error stays; of several sizes, some are zero."""
    generator = np.random.default_rng(100 + number)
    gradients = []
    for index, parameter in enumerate(parameters):
        gradient = (0.3 * np.sin(parameter) + generator.normal(size=parameter.shape)) * 10.0**-index
        gradient = np.where(generator.random(parameter.shape) < 0.1, 0, gradient)
        gradients.append(gradient.astype(parameter.dtype))
    return gradients


def trajectory(optimizer, dtype):
    parameters, path = start(dtype), []
    for number in range(STEPS):
        parameters = optimizer.update(parameters, gradients_of(number, parameters))
        path.append(parameters)
    return path


def keras_trajectory(optimizer, dtype):
    variables = [
        keras.Variable(value, dtype=dtype, name=f"parameter_{index}_")
        for index, value in enumerate(start(dtype))
    ]
    path = []
    for number in range(STEPS):
        values = [variable.numpy() for variable in variables]
        gradients = [keras.ops.convert_to_tensor(gradient) for gradient in gradients_of(number, values)]
        optimizer.apply(gradients, variables)
        path.append([variable.numpy() for variable in variables])
    return path


def assert_same_path(reference, expected, dtype):
    for number, (ours, theirs) in enumerate(zip(reference, expected, strict=True)):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert one.dtype == other.dtype == np.dtype(dtype) and one.shape == other.shape == SHAPES[index]
            message = f"update {number}, parameter {index}"
            np.testing.assert_allclose(one, other, **TOLERANCE[dtype], err_msg=message)


def momentum(learning_rate=0.01, momentum=0.9, weight_decay=None):
    return keras.optimizers.SGD(learning_rate, momentum, False, weight_decay)


def nesterov(learning_rate=0.01, momentum=0.9, weight_decay=None):
    return keras.optimizers.SGD(learning_rate, momentum, True, weight_decay)


# name in the reference, Keras' optimiser, arguments of the reference, their names in Keras if they differ
CASES = [
    ("GradientDescent", keras.optimizers.SGD, {}, {}),
    ("GradientDescent", keras.optimizers.SGD, {"learning_rate": 0.3, "weight_decay": 0.1}, {}),
    ("Momentum", momentum, {}, {}),
    ("Momentum", momentum, {"learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.1}, {}),
    ("Nesterov", nesterov, {}, {}),
    ("Nesterov", nesterov, {"learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.1}, {}),
    ("Adagrad", keras.optimizers.Adagrad, {}, {}),
    (
        "Adagrad",
        keras.optimizers.Adagrad,
        {"learning_rate": 0.5, "initial_accumulator_value": 0.0, "epsilon": 1e-2, "weight_decay": 0.1},
        {},
    ),
    ("RMSprop", keras.optimizers.RMSprop, {}, {}),
    ("RMSprop", keras.optimizers.RMSprop, {"learning_rate": 0.02, "rho": 0.6, "epsilon": 1e-2}, {}),
    ("RMSprop", keras.optimizers.RMSprop, {"learning_rate": 0.02, "momentum": 0.7, "weight_decay": 0.1}, {}),
    ("RMSprop", keras.optimizers.RMSprop, {"centered": True}, {}),
    ("RMSprop", keras.optimizers.RMSprop, {"centered": True, "momentum": 0.5, "epsilon": 1e-3}, {}),
    ("Adam", keras.optimizers.Adam, {}, {}),
    (
        "Adam",
        keras.optimizers.Adam,
        {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
        {},
    ),
    ("Adam", keras.optimizers.Adam, {"weight_decay": 0.5}, {}),
    ("AdamW", keras.optimizers.AdamW, {}, {}),
    ("AdamW", keras.optimizers.AdamW, {"learning_rate": 0.1, "weight_decay": 0.2, "epsilon": 1e-3}, {}),
    ("Lion", keras.optimizers.Lion, {}, {}),
    (
        "Lion",
        keras.optimizers.Lion,
        {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.7, "weight_decay": 0.2},
        {},
    ),
    ("Muon", keras.optimizers.Muon, {}, {}),
    (
        "Muon",
        keras.optimizers.Muon,
        {"learning_rate": 0.05, "weight_decay": 0.3, "adam_weight_decay": 0.1},
        {},
    ),
    (
        "Muon",
        keras.optimizers.Muon,
        {"nesterov": False, "momentum": 0.5, "rms_rate": None, "epsilon": 1e-3},
        {},
    ),
    (
        "Muon",
        keras.optimizers.Muon,
        {"learning_rate": 0.05, "weight_decay": None, "adam_weight_decay": None},
        {},
    ),
    (
        "Muon",
        keras.optimizers.Muon,
        {
            "newton_schulz_steps": 3,
            "adam_learning_rate_ratio": 0.1,
            "beta_1": 0.8,
            "beta_2": 0.95,
            "exclude": (1,),
            "coefficients": (3.0, -4.0, 2.0),
        },
        {
            "ns_steps": 3,
            "adam_lr_ratio": 0.1,
            "adam_beta_1": 0.8,
            "adam_beta_2": 0.95,
            "exclude_layers": ["parameter_1_"],
            "muon_a": 3.0,
            "muon_b": -4.0,
            "muon_c": 2.0,
        },
    ),
]


@pytest.mark.parametrize("name, make, arguments, keras_arguments", CASES)
def test_equal_to_keras_step_by_step(name, make, arguments, keras_arguments):
    reference = getattr(optimizers, name)(**arguments)
    expected = in_keras(make, keras_arguments or arguments, "float64")
    assert_same_path(trajectory(reference, "float64"), keras_trajectory(expected, "float64"), "float64")
    assert reference.iterations == STEPS


DEFAULTS = [case[:2] for case in CASES if not case[2]]


@pytest.mark.parametrize("name, make", DEFAULTS)
def test_equal_to_keras_in_float32(name, make):
    reference, expected = getattr(optimizers, name)(), in_keras(make, {}, "float32")
    assert_same_path(trajectory(reference, "float32"), keras_trajectory(expected, "float32"), "float32")


@pytest.mark.parametrize(
    "name, make, arguments",
    [
        ("Momentum", momentum, {}),
        ("Adagrad", keras.optimizers.Adagrad, {}),
        ("Adam", keras.optimizers.Adam, {"weight_decay": 0.5}),
        ("Muon", keras.optimizers.Muon, {}),
    ],
)
def test_equal_to_keras_with_a_schedule(name, make, arguments):
    reference = getattr(optimizers, name)(learning_rate=schedules.exponential(0.05, 7, 0.5), **arguments)
    expected = in_keras(make, {"learning_rate": KerasSchedule(), **arguments}, "float64")
    assert_same_path(trajectory(reference, "float64"), keras_trajectory(expected, "float64"), "float64")


NAMES = sorted({case[0] for case in CASES})


def test_all_nine_are_tested():
    public = {
        name
        for name, value in vars(optimizers).items()
        if isinstance(value, type) and issubclass(value, optimizers.Optimizer)
    }
    assert public - {"Optimizer"} == set(NAMES) and len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_given_arrays_are_never_changed(name):
    optimizer, parameters = getattr(optimizers, name)(), start("float32")
    gradients = gradients_of(0, parameters)
    kept = [array.copy() for array in parameters + gradients]
    for array in parameters + gradients:
        array.setflags(write=False)
    first = optimizer.update(parameters, gradients)
    copies = [array.copy() for array in first]
    optimizer.update(first, gradients)
    for array, copy in zip(parameters + gradients + first, kept + copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not any(np.shares_memory(new, old) for new, old in zip(first, parameters, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_two_optimizers_share_no_memory(name):
    one, other = getattr(optimizers, name)(), getattr(optimizers, name)()
    trajectory(one, "float64")
    fresh = trajectory(getattr(optimizers, name)(), "float64")
    for ours, theirs in zip(trajectory(other, "float64")[-1], fresh[-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name):
    optimizer = getattr(optimizers, name)(learning_rate=lambda number: np.float64(0.01))
    parameters = [np.ones((3, 2), "float32"), np.float32(1.0)]
    updated = optimizer.update(parameters, [np.ones((3, 2), "float64"), 1])
    assert [array.dtype for array in updated] == [np.dtype("float32")] * 2
    assert [array.shape for array in updated] == [(3, 2), ()]


@pytest.mark.parametrize(
    "name, rate",
    [
        ("GradientDescent", 0.1),
        ("Momentum", 0.02),
        ("Nesterov", 0.02),
        ("Adagrad", 1.0),
        ("RMSprop", 0.02),
        ("Adam", 0.05),
        ("AdamW", 0.05),
        ("Lion", 0.01),
        ("Muon", 0.05),
    ],
)
def test_every_optimizer_goes_down(name, rate):
    """On the bowl sum((w - target)^2) the loss falls at least a hundredfold."""
    target = np.random.default_rng(0).normal(size=(4, 3))
    optimizer = getattr(optimizers, name)(learning_rate=rate)
    parameters = [np.zeros((4, 3))]
    for _ in range(400):
        parameters = optimizer.update(parameters, [2 * (parameters[0] - target)])
    assert np.sum((parameters[0] - target) ** 2) < 0.01 * np.sum(target**2)


def test_the_learning_rate_function_sees_0_1_2():
    seen = []
    optimizer = optimizers.GradientDescent(lambda number: seen.append(number) or 0.1)
    for _ in range(3):
        optimizer.update([np.ones(2)], [np.ones(2)])
    assert seen == [0, 1, 2]


def test_adam_epsilon_hat_and_algorithm_1_differ_as_documented():
    """Algorithm 1 with epsilon_hat / sqrt(1 - beta_2^t) is the form used here."""
    gradient, parameter, number = np.array([1e-3, 0.5]), np.array([1.0, -2.0]), 1
    ours = optimizers.Adam(epsilon=1e-2).update([parameter], [gradient])[0]
    epsilon = 1e-2 / np.sqrt(1 - 0.999**number)
    np.testing.assert_allclose(ours, parameter - 0.001 * gradient / (np.abs(gradient) + epsilon), rtol=1e-12)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_orthogonalize_keeps_singular_vectors_and_levels_singular_values(shape):
    generator = np.random.default_rng(1)
    left = np.linalg.qr(generator.normal(size=(shape[0], min(shape))))[0]
    right = np.linalg.qr(generator.normal(size=(shape[1], min(shape))))[0]
    values = np.linspace(0.1, 1.0, min(shape)) * 50
    result = left.T @ optimizers.orthogonalize((left * values) @ right.T) @ right
    np.testing.assert_allclose(result, np.diag(np.diag(result)), atol=1e-9)
    assert np.all(np.diag(result) > 0.65) and np.all(np.diag(result) < 1.25)


WRONG = [
    (lambda: optimizers.Adam(beta_1=1.5), "beta_1: .*from 0 to 1; found 1.5"),
    (lambda: optimizers.Adam(learning_rate=-1), "learning_rate: .*at least 0; found -1"),
    (lambda: optimizers.AdamW(weight_decay=-0.1), "weight_decay: .*at least 0; found -0.1"),
    (lambda: optimizers.orthogonalize(np.ones(3)), r"\(rows, columns\); found \(3,\)"),
    (
        lambda: optimizers.Adam().update(np.ones(2), [np.ones(2)]),
        "parameters: .*a list of arrays .* found ndarray",
    ),
    (
        lambda: optimizers.Adam().update([np.ones(2)], np.ones(2)),
        "gradients: .*a list of arrays .* found ndarray",
    ),
    (lambda: optimizers.Adam().update([np.ones(2)], []), "1, one for each parameter; found 0"),
    (lambda: optimizers.Adam().update([np.ones(2, int)], [np.ones(2)]), "parameter 0: .*; found int64"),
    (lambda: optimizers.Adam().update([np.ones(2)], [None]), r"gradient 0: .*shape \(2,\); found None"),
    (
        lambda: optimizers.Adam().update([np.ones((2, 3))], [np.ones(3)]),
        r"gradient 0: .*shape \(2, 3\); found \(3,\)",
    ),
]


@pytest.mark.parametrize("call, message", WRONG)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_refused_update_changes_nothing():
    optimizer = optimizers.Momentum()
    parameters = [np.ones(2), np.ones(3)]
    optimizer.update(parameters, [np.ones(2), np.ones(3)])
    for wrong in ([np.ones(2)], [np.ones(2), np.ones(4)]):
        with pytest.raises(ValueError, match="as in the first update.*; found"):
            optimizer.update(wrong, wrong)
    with pytest.raises(ValueError, match="gradient 1: "):
        optimizer.update(parameters, [np.ones(2), np.ones(4)])
    assert optimizer.iterations == 1
    np.testing.assert_array_equal(optimizer.slots[0].velocity, np.full(2, -0.01))
