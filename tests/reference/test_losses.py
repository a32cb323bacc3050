"""The NumPy losses against Keras' (default reduction), TensorFlow's gradients and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import TOLERANCE, assert_close, assert_gradients

from course_utils.reference import activations
from course_utils.reference import losses as ours


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 2


def integers(high, *shape, seed=5):
    return np.random.default_rng(seed).integers(0, high, size=shape)


LABELS, SEQUENCE_LABELS = integers(5, 6), integers(4, 2, 3)
BITS = integers(2, 6, 3)


def one_hot_loss(make_loss, classes):
    return lambda labels, logits: make_loss(keras.ops.one_hot(labels, classes), logits)


def in_type_of(make_loss):
    """A Keras loss object that computes in the type of its prediction."""
    return lambda target, prediction: make_loss(dtype=prediction.dtype.name)(target, prediction)


sparse = in_type_of(lambda dtype: keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype))
smooth = in_type_of(
    lambda dtype: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, dtype=dtype)
)
focal = in_type_of(lambda dtype: keras.losses.CategoricalFocalCrossentropy(from_logits=True, dtype=dtype))
sharp_focal = in_type_of(
    lambda dtype: keras.losses.CategoricalFocalCrossentropy(
        from_logits=True, gamma=1.5, alpha=1.0, dtype=dtype
    )
)
binary = in_type_of(lambda dtype: keras.losses.BinaryCrossentropy(from_logits=True, dtype=dtype))

# name, first argument, second argument, options, Keras' loss
CASES = {
    "mean_squared_error": (normal(4, 3), normal(4, 3, seed=1), {}, in_type_of(keras.losses.MeanSquaredError)),
    "mean_squared_error, images": (
        normal(2, 3, 4, 2),
        normal(2, 3, 4, 2, seed=1),
        {},
        in_type_of(keras.losses.MeanSquaredError),
    ),
    "mean_absolute_error": (
        normal(4, 3),
        normal(4, 3, seed=1),
        {},
        in_type_of(keras.losses.MeanAbsoluteError),
    ),
    "huber": (normal(8, 3), normal(8, 3, seed=1), {}, in_type_of(keras.losses.Huber)),
    "huber, delta": (
        normal(8, 3),
        normal(8, 3, seed=1),
        {"delta": 0.4},
        in_type_of(lambda dtype: keras.losses.Huber(delta=0.4, dtype=dtype)),
    ),
    "hinge": (normal(6, 3), 2 * BITS - 1, {}, in_type_of(keras.losses.Hinge)),
    "hinge, zeros and ones": (normal(6, 3), BITS, {}, in_type_of(keras.losses.Hinge)),
    "binary_cross_entropy": (normal(6, 3), BITS, {}, binary),
    "binary_cross_entropy, soft": (normal(6, 1), np.linspace(0, 1, 6).reshape(6, 1), {}, binary),
    "cross_entropy": (normal(6, 5), LABELS, {}, sparse),
    "cross_entropy, uint8": (normal(6, 5), LABELS.astype("uint8"), {}, sparse),
    "cross_entropy, sequences": (normal(2, 3, 4), SEQUENCE_LABELS, {}, sparse),
    "label_smoothed_cross_entropy": (normal(6, 5), LABELS, {"smoothing": 0.2}, one_hot_loss(smooth, 5)),
    "label_smoothed_cross_entropy, sequences": (
        normal(2, 3, 4),
        SEQUENCE_LABELS,
        {"smoothing": 0.2},
        one_hot_loss(smooth, 4),
    ),
    "focal": (normal(6, 5), LABELS, {}, one_hot_loss(focal, 5)),
    "focal, sequences": (normal(2, 3, 4), SEQUENCE_LABELS, {}, one_hot_loss(focal, 4)),
    "focal, gamma and alpha": (
        normal(6, 5),
        LABELS,
        {"gamma": 1.5, "alpha": 1.0},
        one_hot_loss(sharp_focal, 5),
    ),
}


def functions(case):
    name = case.split(",")[0]
    return getattr(ours, name), getattr(ours, name + "_backward")


def typed(array, dtype):
    return array.astype(dtype) if array.dtype.kind == "f" else array


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_keras(case, dtype):
    forward, backward = functions(case)
    first, second, options, keras_loss = CASES[case]
    first, second = typed(first, dtype), typed(second, dtype)
    variable = tf.constant(first)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = keras_loss(second, variable)
        scaled = 3 * loss
    value, gradient = forward(first, second, **options), backward(3, first, second, **options)
    assert loss.dtype.name == dtype == value.dtype == gradient.dtype and value.shape == ()
    np.testing.assert_allclose(value, loss, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert_close(gradient, tape.gradient(scaled, variable), dtype)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_finite_differences(case):
    forward, backward = functions(case)
    first, second, options, _ = CASES[case]
    gradient = backward(1.0, first, second, **options)
    assert_gradients(lambda moved: forward(moved, second, **options), [first], [gradient], tolerance=1e-8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "name", ["cross_entropy", "label_smoothed_cross_entropy", "focal", "binary_cross_entropy"]
)
def test_extreme_logits_stay_finite(name, dtype):
    logits = np.array([[1000, -1000], [-1000, 1000]], dtype=dtype)
    for labels in ([0, 1], [1, 0]):
        second = np.eye(2)[labels] if name == "binary_cross_entropy" else np.array(labels)
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            assert np.isfinite(getattr(ours, name)(logits, second))
            assert np.isfinite(getattr(ours, name + "_backward")(1, logits, second)).all()


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_focal_gradient_of_a_certain_example(gamma):
    logits = np.array([[800.0, 0.0]])
    gradient = ours.focal_backward(1, logits, np.array([0]), gamma=gamma)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_special_cases_agree():
    logits = normal(6, 5)
    plain = ours.cross_entropy(logits, LABELS)
    assert ours.label_smoothed_cross_entropy(logits, LABELS, 0) == pytest.approx(plain, abs=1e-12)
    assert ours.focal(logits, LABELS, gamma=0, alpha=1) == pytest.approx(plain, abs=1e-12)
    two = np.stack([np.zeros(6), logits[:, 0]], axis=1)  # softmax of (0, z) is the sigmoid of z
    assert ours.cross_entropy(two, BITS[:, 0]) == pytest.approx(
        ours.binary_cross_entropy(logits[:, 0], BITS[:, 0]), abs=1e-12
    )
    assert ours.cross_entropy(np.zeros((3, 10)), np.array([1, 2, 3])) == pytest.approx(np.log(10))


def test_defaults_are_those_of_keras():
    logits, target = normal(6, 5), normal(6, 5, seed=1)
    assert ours.focal(logits, LABELS) == ours.focal(logits, LABELS, gamma=2, alpha=0.25)
    assert ours.huber(logits, target) == ours.huber(logits, target, delta=1.0)
    assert ours.label_smoothed_cross_entropy(logits, LABELS) == ours.label_smoothed_cross_entropy(
        logits, LABELS, 0.1
    )


def test_kinks_have_gradient_zero():
    assert ours.mean_absolute_error_backward(1, np.zeros(2), np.zeros(2)).tolist() == [0, 0]
    assert ours.hinge_backward(1, np.ones(2), np.ones(2)).tolist() == [0, 0]


def test_one_hot():
    labels = integers(7, 3, 4)
    np.testing.assert_array_equal(ours.one_hot(labels, 7), keras.ops.one_hot(labels, 7))
    assert ours.one_hot(labels, 7).dtype == np.float32
    assert ours.one_hot(2, 3, "float64").tolist() == [0, 0, 1]
    for bad in (np.array([0.0, 1.0]), np.array([0, 3]), np.array([-1])):
        with pytest.raises(ValueError, match="labels: .*expected"):
            ours.one_hot(bad, 3)
    with pytest.raises(ValueError, match="classes"):
        ours.one_hot(labels, 0)


# ---- Calibration -------------------------------------------------------------------------------------------


def test_calibration_by_hand():
    # confidence 0.6 twice (one right), 0.9 twice (both right): bins (0.5, 0.75] and (0.75, 1] of four
    probabilities = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9]])
    labels = np.array([0, 0, 0, 1])
    confidence, accuracy, count = ours.calibration_curve(probabilities, labels, bins=4)
    assert count.tolist() == [0, 0, 2, 2]
    np.testing.assert_allclose(confidence, [np.nan, np.nan, 0.6, 0.9])
    np.testing.assert_allclose(accuracy, [np.nan, np.nan, 0.5, 1.0])
    error = ours.expected_calibration_error(probabilities, labels, bins=4)
    assert error == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)
    assert ours.expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(0.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_equals_a_loop(bins, dtype):
    probabilities = activations.softmax(normal(500, 4)).astype(dtype)
    labels = integers(4, 500)
    total = 0.0
    for number in range(bins):
        inside = [
            (max(row), row.argmax() == label)
            for row, label in zip(probabilities, labels, strict=True)
            if number / bins < max(row) <= (number + 1) / bins
        ]
        if inside:
            sure, right = np.mean(inside, axis=0)
            total += len(inside) / 500 * abs(right - sure)
    actual = ours.expected_calibration_error(probabilities, labels, bins)
    assert actual.dtype == dtype
    assert actual == pytest.approx(total, abs=1e-6)


def test_upper_edge_belongs_to_the_bin():
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert ours.calibration_curve(probabilities, np.array([0, 0]), bins=2)[2].tolist() == [1, 1]
    slightly_over = np.array([[1.0000001, 0.0]], dtype="float32")
    assert ours.calibration_curve(slightly_over, np.array([0]), bins=3)[2].tolist() == [0, 0, 1]


def test_calibrated_predictions_have_almost_no_error():
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, size=50_000)
    labels = (generator.uniform(size=50_000) > sure).astype(int)
    probabilities = np.stack([sure, 1 - sure], axis=1)
    assert ours.expected_calibration_error(probabilities, labels) < 0.01
    assert ours.expected_calibration_error(probabilities, 1 - labels) > 0.4


# ---- Errors ------------------------------------------------------------------------------------------------

PAIRED = ["mean_squared_error", "mean_absolute_error", "huber", "hinge", "binary_cross_entropy"]
LABELED = ["cross_entropy", "label_smoothed_cross_entropy", "focal"]


def raises(name, words, *arguments, **options):
    with pytest.raises(ValueError, match=words):
        getattr(ours, name)(*arguments, **options)
    with pytest.raises(ValueError, match=words):
        getattr(ours, name + "_backward")(1.0, *arguments, **options)


@pytest.mark.parametrize("name", PAIRED)
def test_bad_pairs(name):
    raises(name, r"targets?: .*expected shape \(4, 1\); found \(4,\)", np.ones((4, 1)), np.ones(4))
    raises(
        name, "(prediction|logits): .*expected float32 or float64.*; found int64", np.ones(3, int), np.ones(3)
    )
    raises(name, "targets?: .*expected float32 or float64.*; found bool", np.ones(3), np.ones(3, bool))
    raises(
        name,
        r"(prediction|logits): .*expected at least one; found shape \(0, 2\)",
        np.ones((0, 2)),
        np.ones((0, 2)),
    )


@pytest.mark.parametrize("name", LABELED)
@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (np.ones(3), np.array(1), r"logits: .*expected shape \(batch, \.\.\., classes\).*found \(3,\)"),
        (np.ones((0, 3)), np.array([], int), r"logits: .*expected shape.*found \(0, 3\)"),
        (np.ones((2, 3), int), np.array([0, 1]), "logits: .*expected float32 or float64.*; found int64"),
        (np.ones((2, 3)), np.array([0.0, 1.0]), "labels: .*expected integers; found float64"),
        (np.ones((2, 3)), np.array([True, False]), "labels: .*expected integers; found bool"),
        (
            np.ones((2, 3)),
            np.eye(3, dtype=int)[:2],
            r"labels: .*expected shape \(2,\).*found \(2, 3\).*argmax",
        ),
        (np.ones((2, 3)), np.array([0, 1, 2]), r"labels: .*expected shape \(2,\).*found \(3,\)"),
        (np.ones((2, 3)), np.array([0, 3]), "labels: .*expected from 0 to 2; found 0 to 3"),
        (np.ones((2, 3)), np.array([-1, 2]), "labels: .*expected from 0 to 2; found -1 to 2"),
    ],
)
def test_bad_labels(name, logits, labels, words):
    raises(name, words, logits, labels)


@pytest.mark.parametrize("case", CASES)
def test_upstream_is_one_number(case):
    _, backward = functions(case)
    first, second, options, _ = CASES[case]
    with pytest.raises(ValueError, match=r"upstream: .*expected shape \(\); found \(2,\)"):
        backward(np.ones(2), first, second, **options)


def test_bad_options():
    logits, labels = np.ones((2, 3)), np.array([0, 1])
    raises("huber", "delta: .*expected more than 0", np.ones(2), np.ones(2), delta=0)
    raises(
        "label_smoothed_cross_entropy",
        r"smoothing: .*expected from 0 to 1; found 1.5",
        logits,
        labels,
        smoothing=1.5,
    )
    raises("label_smoothed_cross_entropy", "smoothing", logits, labels, smoothing=-0.1)
    raises("focal", "gamma: .*expected at least 0", logits, labels, gamma=-1)
    raises("focal", "alpha: .*expected at least 0", logits, labels, alpha=-1)
    raises("hinge", "target: .*expected only -1 and 1", np.ones(2), np.array([0.5, 1]))
    raises("hinge", "target: .*expected only -1 and 1", np.ones(3), np.array([-1, 0, 1]))
    raises(
        "binary_cross_entropy",
        "targets: .*expected from 0 to 1; found -1.0 to 1.0",
        np.ones(2),
        np.array([-1, 1]),
    )
    raises("binary_cross_entropy", "targets: .*expected from 0 to 1", np.ones(2), np.array([np.nan, 1]))


@pytest.mark.parametrize("function", [ours.calibration_curve, ours.expected_calibration_error])
def test_bad_calibration_arguments(function):
    good, labels = np.full((2, 2), 0.5), np.array([0, 1])
    for probabilities, some_labels, options, words in (
        (np.array([[2.0, 1.0], [0.5, 0.5]]), labels, {}, "sum to 1 .*softmax.*; found sums from 1 to 3"),
        (np.array([[1.5, -0.5], [0.5, 0.5]]), labels, {}, "smallest entry -0.5"),
        (good, labels, {"bins": 0}, "bins: .*expected an integer of at least 1; found 0"),
        (good, np.array([0, 2]), {}, "labels: .*expected from 0 to 1"),
        (good, np.array([0.0, 1.0]), {}, "labels: .*expected integers"),
        (good, np.array([0, 1, 1]), {}, "labels: .*expected shape"),
        (np.ones(2), labels, {}, "probabilities: .*expected shape"),
    ):
        with pytest.raises(ValueError, match=words):
            function(probabilities, some_labels, **options)
