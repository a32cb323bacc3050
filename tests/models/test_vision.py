"""The vision models: exact parameter counts, shapes, saving and reloading, one step of training."""

import re

import keras
import numpy as np
import pytest

from course_utils.models import vision

COUNTS = {
    "perceptron": 784 * 128 + 128 + 128 * 10 + 10,
    "beginner_cnn": (9 * 32 + 32) + (9 * 32 * 64 + 64) + (1600 * 64 + 64) + (64 * 10 + 10),
    "deeper_beginner_cnn": (9 * 32 + 32)
    + (9 * 32 * 64 + 64)
    + (9 * 64 * 64 + 64)
    + (576 * 64 + 64)
    + (64 * 10 + 10),
    "fast_cnn": 49 * 16 + 9 * 16 * 32 + 9 * 32 * 64 + 4 * (16 + 32 + 64) + (1024 * 10 + 10),
}
SOFTMAX = ["perceptron", "beginner_cnn", "deeper_beginner_cnn"]


def build(name):
    keras.utils.set_random_seed(0)
    return getattr(vision, name)()


def some_images(count=8):
    return np.random.default_rng(0).random((count, 28, 28, 1), dtype="float32")


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count_is_exact_and_stands_in_the_docstring(name):
    model = build(name)
    assert model.count_params() == COUNTS[name]
    assert f"{COUNTS[name]:,}" in re.sub(r"\s+", " ", getattr(vision, name).__doc__)


def multiplications(model):
    """For one image, forward: every weight of a layer is used once for each place of its output."""
    return sum(
        int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def test_fast_cnn_needs_a_fifth_of_the_multiplications():
    counts = [multiplications(build(name)) for name in ("fast_cnn", "beginner_cnn")]
    assert counts == [521_216, 2_528_000]
    assert all(f"{count:,}" in vision.fast_cnn.__doc__ for count in counts)


@pytest.mark.parametrize("name", COUNTS)
def test_output_shape_and_whether_it_is_a_probability(name):
    model = build(name)
    output = keras.ops.convert_to_numpy(model(some_images(5)))
    assert output.shape == (5, 10)
    sums_to_one = np.allclose(output.sum(axis=1), 1, atol=1e-5) and (output >= 0).all()
    assert sums_to_one == (name in SOFTMAX)


@pytest.mark.parametrize("name", COUNTS)
def test_saved_file_reloads_without_custom_objects(name, tmp_path):
    model = build(name)
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    images = some_images()
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(m(images)) for m in (model, again)))


@pytest.mark.parametrize("name", COUNTS)
def test_training_on_one_batch_lowers_its_loss(name):
    model = build(name)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=name not in SOFTMAX)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    images, labels = some_images(), np.arange(8)
    losses = [model.train_on_batch(images, labels) for _ in range(6)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(variable.trainable is False for variable in model.non_trainable_variables)


@pytest.mark.parametrize("name", COUNTS)
def test_same_seed_same_weights(name):
    for first, second in zip(build(name).get_weights(), build(name).get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
