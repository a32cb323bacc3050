"""Pruning, quantisation and distillation against definitions written another way, and against Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from course_utils import proofs
from course_utils.models import vision
from course_utils.topics import compression


def small_model(units=6):
    keras.utils.set_random_seed(0)
    # tanh of about 1: every unit has an output and a slope, however many of its weights are pruned
    hidden = layers.Dense(units, activation="tanh", bias_initializer="ones")
    model = keras.Sequential([keras.Input((8,)), hidden, layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def small_data(random, count=64):
    return random.normal(size=(count, 8)).astype("float32"), random.integers(0, 3, count)


# ---- Pruning ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity, dropped", [(0, 0), (0.24, 3), (0.5, 6), (1, 12)])
def test_mask_drops_exactly_the_smallest(random, sparsity, dropped):
    weights = random.permutation(np.arange(1.0, 13.0)).reshape(3, 4) * np.array([1, -1, 1, -1])
    mask = compression.magnitude_mask(weights, sparsity)
    assert mask.shape == (3, 4) and mask.dtype == bool
    assert sorted(abs(weights[~mask])) == list(range(1, dropped + 1))


def test_mask_counts_exactly_when_all_are_equal():
    assert compression.magnitude_mask(np.full((5, 4), -0.5, "float32"), 0.3).sum() == 14


@pytest.mark.parametrize("weights, sparsity", [(np.zeros(0), 0.5), (np.ones(3), -0.1), (np.ones(3), 1.1)])
def test_mask_refuses(weights, sparsity):
    with pytest.raises(ValueError, match="expected"):
        compression.magnitude_mask(weights, sparsity)


def test_cubic_schedule_is_keras_polynomial_decay():
    keras_schedule = keras.optimizers.schedules.PolynomialDecay(0.2, 100, end_learning_rate=0.9, power=3)
    steps = np.arange(0, 140, 7)
    ours = compression.cubic_sparsity(steps + 50, 50, 150, final=0.9, initial=0.2)
    np.testing.assert_allclose(ours, [keras_schedule(step) for step in steps], atol=1e-6)
    assert compression.cubic_sparsity(0, 50, 150, final=0.9, initial=0.2) == pytest.approx(0.2)


@pytest.mark.parametrize("numbers", [(0, 5, 5, 0.5, 0), (0, 5, 6, 1.5, 0), (0, 5, 6, 0.5, -1)])
def test_cubic_schedule_refuses(numbers):
    with pytest.raises(ValueError, match="expected"):
        compression.cubic_sparsity(*numbers)


def test_zeros_stay_zero_while_the_rest_learns(random):
    model, (inputs, labels) = small_model(), small_data(random)
    compression.prune(model, 0.75)
    before = [kernel.numpy() for kernel in compression.kernels(model)]
    assert [int((kernel == 0).sum()) for kernel in before] == [36, 14]  # round(13.5) is 14
    model.fit(inputs, labels, epochs=3, verbose=0)
    reaches_an_output = (before[1] != 0).any(axis=1)  # a unit without an output weight has no gradient
    for old, new, learns in zip(
        before, compression.kernels(model), (reaches_an_output, slice(None)), strict=True
    ):
        np.testing.assert_array_equal(old == 0, new.numpy() == 0)
        old, new = old[:, learns], new.numpy()[:, learns]
        assert np.all(old[old != 0] != new[old != 0])
    assert compression.sparsity(model) == (36 + 14) / (48 + 18)


def test_without_mask_zeros_come_back(random):
    model, (inputs, labels) = small_model(), small_data(random)
    compression.prune(model, 0.75)
    for kernel in compression.kernels(model):
        kernel.constraint = None
    model.fit(inputs, labels, epochs=1, verbose=0)
    assert compression.sparsity(model) < 0.1


def test_gradual_pruning_follows_the_schedule_and_never_lets_a_weight_return(random):
    model, (inputs, labels) = small_model(units=40), small_data(random, 128)
    zero_sets = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            zero_sets.append(
                np.concatenate([k.numpy().ravel() == 0 for k in compression.kernels(self.model)])
            )

    compression.attach_masks(model)
    pruning = compression.GradualPruning(0.8, steps=8)
    model.fit(inputs, labels, batch_size=16, epochs=2, verbose=0, callbacks=[pruning, Watch()])
    np.testing.assert_allclose(
        pruning.reached, compression.cubic_sparsity(np.arange(1, 9), 0, 8, 0.8), atol=1e-12
    )
    assert all(np.all(later[earlier]) for earlier, later in zip(zero_sets, zero_sets[1:], strict=False))
    assert compression.sparsity(model) == pytest.approx(0.8, abs=0.005)


def test_gradual_pruning_counts_from_the_start_of_its_own_fit(random):
    model, (inputs, labels) = small_model(), small_data(random)
    compression.attach_masks(model)
    model.fit(inputs, labels, batch_size=16, epochs=5, verbose=0)  # 20 steps
    pruning = compression.GradualPruning(0.5, steps=4)
    model.fit(inputs, labels, batch_size=16, epochs=1, verbose=0, callbacks=[pruning])
    assert pruning.reached == pytest.approx([0.5 * (1 - (1 - step / 4) ** 3) for step in (1, 2, 3, 4)])


def test_masks_change_in_a_graph_that_runs_several_steps(random):
    model, (inputs, labels) = small_model(units=40), small_data(random, 128)
    model.compile(keras.optimizers.Adam(), model.loss, steps_per_execution=4)
    compression.attach_masks(model)
    pruning = compression.GradualPruning(0.8, steps=8)
    model.fit(inputs, labels, batch_size=16, epochs=2, verbose=0, callbacks=[pruning])
    assert pruning.reached == pytest.approx([0.8 * (1 - 0.5**3), 0.8])
    assert compression.sparsity(model) == pytest.approx(0.8, abs=0.005)


def test_gradual_pruning_wants_masks_first(random):
    model, (inputs, labels) = small_model(), small_data(random)
    with pytest.raises(ValueError, match="attach_masks"):
        model.fit(inputs, labels, verbose=0, callbacks=[compression.GradualPruning(0.5, 4)])
    with pytest.raises(ValueError, match="expected"):
        compression.GradualPruning(1.5, 4)


def test_a_pruned_file_loads_without_the_course(random, tmp_path):
    model = small_model()
    compression.prune(model, 0.5)
    model.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    assert all(kernel.constraint is None for kernel in compression.kernels(loaded))
    assert compression.sparsity(loaded) == compression.sparsity(model)


def test_kernels_are_found_inside_models_and_masks_are_kept(random):
    inside = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten()])
    model = keras.Sequential([keras.Input((4, 4, 1)), inside, layers.Dense(3)])
    assert [tuple(kernel.shape) for kernel in compression.kernels(model)] == [(3, 3, 1, 2), (8, 3)]
    compression.attach_masks(model)
    masks = [kernel.constraint for kernel in compression.kernels(model)]
    compression.attach_masks(model)
    assert [kernel.constraint for kernel in compression.kernels(model)] == masks
    with pytest.raises(ValueError, match="shapes"):
        compression.set_masks(model, [np.ones((3, 3, 1, 2))])
    with pytest.raises(ValueError, match="kernels"):
        compression.kernels(keras.Sequential([keras.Input((4,)), layers.ReLU()]))


# ---- Quantisation -----------------------------------------------------------------------------------------


def test_quantize_by_hand():
    integers, step = compression.quantize(np.array([-1.27, 0.5, 0.004, 1.0]), bits=8)
    assert integers.tolist() == [-127, 50, 0, 100] and integers.dtype == np.int8
    assert step == pytest.approx(0.01, abs=1e-8)
    np.testing.assert_allclose(compression.dequantize(integers, step), [-1.27, 0.5, 0, 1], atol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("axis, shape", [(None, ()), (0, (1, 30))])
def test_error_is_at_most_half_a_step(random, bits, axis, shape):
    weights = random.normal(size=(50, 30)) * np.geomspace(0.01, 1, 30)
    integers, step = compression.quantize(weights, bits, axis)
    assert step.shape == shape and abs(integers).max() == 2 ** (bits - 1) - 1
    assert np.all(abs(compression.dequantize(integers, step) - weights) <= step / 2 * 1.001)


def test_every_channel_uses_its_whole_range(random):
    weights = random.normal(size=(50, 30)) * np.geomspace(0.01, 1, 30)
    assert np.all(abs(compression.quantize(weights, 4, 0)[0]).max(axis=0) == 7)
    assert compression.quantize(np.zeros((3, 2)), 8, 0)[0].tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("bits", [1, 9, 4.0])
def test_quantize_refuses(bits):
    with pytest.raises(ValueError, match="bits"):
        compression.quantize(np.ones(3), bits)
    with pytest.raises(ValueError, match="bits"):
        compression.quantize_groups(np.ones((3, 2)), 2, bits)


@pytest.fixture
def dense(random):
    layer = layers.Dense(31, name="dense")
    layer.build((None, 300))  # not a multiple of 128, and an odd number of outputs
    layer.kernel.assign(random.normal(size=(300, 31)) * np.geomspace(0.02, 1, 31))
    layer.bias.assign(random.normal(size=31))
    return layer


def test_int8_is_what_keras_stores_and_computes(random, dense):
    kernel = dense.kernel.numpy()
    dense.quantize("int8")
    integers, step = compression.quantize(kernel, 8, axis=0)
    np.testing.assert_array_equal(integers, dense._kernel.numpy())
    np.testing.assert_allclose(1 / step[0], dense.kernel_scale.numpy(), rtol=1e-6)

    inputs = random.normal(size=(5, 300)).astype("float32")
    inputs_integers, inputs_step = compression.quantize(inputs, 8, axis=1)  # a step a row
    products = inputs_integers.astype(np.int32) @ integers.astype(np.int32)
    expected = products * inputs_step * step + dense.bias.numpy()
    np.testing.assert_allclose(expected, dense(inputs), rtol=1e-5, atol=1e-5)


def test_int4_per_channel_is_what_keras_stores(dense):
    kernel = dense.kernel.numpy()
    dense.quantize("int4", config=keras.quantizers.Int4QuantizationConfig(block_size=-1))
    integers, step = compression.quantize(kernel, 4, axis=0)
    np.testing.assert_array_equal(compression.pack_int4(integers), dense._kernel.numpy())
    np.testing.assert_allclose(1 / step[0], dense.kernel_scale.numpy(), rtol=1e-6)


def test_int4_in_groups_is_what_keras_stores_and_computes(random, dense):
    kernel = dense.kernel.numpy()
    model = keras.Sequential([keras.Input((300,)), dense])
    model.quantize("int4")
    integers, step, zero = compression.quantize_groups(kernel, 128)
    assert step.shape == zero.shape == (3, 31)
    np.testing.assert_array_equal(compression.pack_int4(integers), dense._kernel.numpy())
    np.testing.assert_allclose(step, dense.kernel_scale.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(zero, dense.kernel_zero.numpy())

    inputs = random.normal(size=(5, 300)).astype("float32")
    rebuilt = compression.dequantize_groups(integers, step, zero, 128)
    np.testing.assert_allclose(inputs @ rebuilt + dense.bias.numpy(), dense(inputs), rtol=1e-5, atol=1e-4)


def test_groups_err_by_at_most_a_step(random):
    weights = random.normal(size=(70, 5)) + np.linspace(-1, 1, 5)
    integers, step, zero = compression.quantize_groups(weights, 32)
    rebuilt = compression.dequantize_groups(integers, step, zero, 32)
    assert np.all(abs(rebuilt - weights) <= step[np.arange(70) // 32] * 1.001)
    assert integers.min() >= -8 and integers.max() <= 7


@pytest.mark.parametrize("length", [6, 7])
def test_packing_is_keras_packing_and_comes_back(random, length):
    integers = random.integers(-8, 8, (4, length)).astype(np.int8)
    packed = compression.pack_int4(integers)
    expected, *_ = keras.quantizers.pack_int4(integers, axis=-1)
    np.testing.assert_array_equal(packed, expected)
    np.testing.assert_array_equal(keras.quantizers.unpack_int4(packed, length, axis=-1), integers)


def test_packing_refuses():
    with pytest.raises(ValueError, match="-8 to 7"):
        compression.pack_int4(np.array([8]))
    with pytest.raises(ValueError, match="-8 to 7"):
        compression.pack_int4(np.array([0.5]))


# ---- Distillation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_loss_and_gradient(random, temperature):
    student, teacher = random.normal(size=(2, 5, 7)) * 2
    keras_loss = keras.distillation.LogitsDistillation(temperature, loss=keras.losses.KLDivergence())
    tensor = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = keras_loss.compute_loss(tf.constant(teacher), tensor)
    assert compression.distillation_loss(student, teacher, temperature) == pytest.approx(float(value), 1e-5)
    gradient = compression.distillation_loss_backward(1.0, student, teacher, temperature)
    np.testing.assert_allclose(gradient, tape.gradient(value, tensor), atol=1e-5)
    numeric = proofs.finite_differences(
        lambda scores: compression.distillation_loss(scores, teacher, temperature), student
    )
    np.testing.assert_allclose(gradient, numeric, atol=1e-7)
    np.testing.assert_allclose(
        compression.distillation_loss_backward(3.0, student, teacher, temperature), 3 * gradient
    )


def test_nothing_to_learn_from_a_teacher_who_says_the_same(random):
    scores = random.normal(size=(5, 7))
    assert compression.distillation_loss(scores + 3, scores, 2.0) == pytest.approx(0, abs=1e-12)


def test_distillation_refuses(random):
    with pytest.raises(ValueError, match="teacher_scores"):
        compression.distillation_loss(np.ones((2, 3)), np.ones((2, 4)), 1.0)
    with pytest.raises(ValueError, match="temperature"):
        compression.distillation_loss_backward(1.0, np.ones((2, 3)), np.ones((2, 3)), 0)


# ---- What it buys -----------------------------------------------------------------------------------------


def test_zeros_save_nothing_until_compressed():
    model = vision.perceptron(64)
    dense = compression.file_bytes(model)
    compression.prune(model, 0.9)
    pruned = compression.file_bytes(model)
    assert abs(pruned["keras"] - dense["keras"]) < 200
    assert pruned["xz"] < 0.5 * dense["xz"]


def test_latency_is_a_ratio_to_the_first(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(compression.time, "perf_counter", lambda: clock[0])
    calls = {"one": 0, "three": 0}

    def takes(name, seconds):
        def function(inputs):
            calls[name] += 1
            clock[0] += seconds * (100 if calls[name] <= 2 else 1)  # the first two trace
            return inputs

        return function

    ratios = compression.latency_ratios(
        {"one": takes("one", 1.0), "three": takes("three", 3.0)}, np.zeros(2), 5
    )
    assert ratios == {"one": 1.0, "three": 3.0} and calls == {"one": 7, "three": 7}
    with pytest.raises(ValueError, match="at least one"):
        compression.latency_ratios({}, 0)
