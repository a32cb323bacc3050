"""Few labels, frozen layers, low-rank updates and two heads, against definitions written another way and against Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from course_utils import datasets, proofs
from course_utils.topics import adaptation


@pytest.fixture(scope="module")
def images():
    return datasets.as_images(datasets.mnist().x_test[:64]), datasets.mnist().y_test[:64].astype(int)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return adaptation.two_heads(features=8)


def compiled(model, rate=0.01):
    model.compile(keras.optimizers.Adam(rate), adaptation.own_head_loss)
    return model


# ---- Data -------------------------------------------------------------------------------------------------


def test_few_examples_are_balanced_and_grow(random):
    labels = random.integers(0, 10, 500)
    small, large = (adaptation.few_examples(labels, range(5, 10), count, seed=3) for count in (4, 9))
    assert np.bincount(labels[small], minlength=10).tolist() == [0] * 5 + [4] * 5
    assert np.bincount(labels[large], minlength=10).tolist() == [0] * 5 + [9] * 5
    assert len(set(large)) == 45 and set(small) < set(large)
    assert np.any(labels[large][:-1] > labels[large][1:])  # mixed, not class by class
    assert set(small) != set(adaptation.few_examples(labels, range(5, 10), 4, seed=4))
    with pytest.raises(ValueError, match="at most"):
        adaptation.few_examples(labels, [1], 400)


def test_nearest_neighbour_is_the_nearest(random):
    known, unknown = random.normal(size=(20, 3)), random.normal(size=(15, 3))
    labels = random.integers(0, 9, 20)
    expected = [labels[np.argmin(np.linalg.norm(known - point, axis=1))] for point in unknown]
    assert adaptation.nearest_neighbour(known, labels, unknown).tolist() == expected
    with pytest.raises(ValueError, match="unknown"):
        adaptation.nearest_neighbour(known, labels, unknown[:, :2])


# ---- Two heads --------------------------------------------------------------------------------------------


def test_loss_is_the_cross_entropy_of_the_own_head(random):
    scores, labels = random.normal(size=(6, 10)).astype("float32"), np.array([0, 4, 5, 9, 2, 7])
    expected = []
    for row, label in zip(scores, labels, strict=True):
        head = row[:5] if label < 5 else row[5:]
        expected.append(np.log(np.exp(head).sum()) - head[label % 5])
    np.testing.assert_allclose(adaptation.own_head_loss(labels, scores), expected, rtol=1e-5)
    np.testing.assert_allclose(adaptation.own_head_loss(labels[:, None], scores), expected, rtol=1e-5)


def test_new_digits_leave_the_old_head_alone(images):
    model, (pictures, labels) = compiled(network()), images
    new = labels >= 5
    before = [weights.copy() for weights in model.get_layer("old_head").get_weights()]
    body = model.get_layer("conv_1").kernel.numpy()
    model.fit(pictures[new], labels[new], epochs=2, verbose=0)
    for old, now in zip(before, model.get_layer("old_head").get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert not np.array_equal(body, model.get_layer("conv_1").kernel.numpy())


def test_scores_are_the_networks_outputs(images):
    model = network()
    np.testing.assert_allclose(
        adaptation.scores(model, images[0], batch_size=50), model(images[0]), atol=1e-5
    )
    with pytest.raises(ValueError, match="images"):
        adaptation.scores(model, images[0][:0])


def test_accuracies_by_hand():
    outputs = np.zeros((4, 10))
    outputs[0, [1, 7]] = 1, 2  # a 1: right among the old, lost to a 7 unaided
    outputs[1, 3] = 1  # a 3: right
    outputs[2, [6, 2]] = 1, 0.5  # a 6: right
    outputs[3, [8, 9]] = 1, 2  # an 8: wrong
    found = adaptation.accuracies(outputs, [1, 3, 6, 8])
    assert found == {"old": 1.0, "new": 0.5, "old_unaided": 0.5, "new_unaided": 0.5}
    with pytest.raises(ValueError, match="both halves"):
        adaptation.accuracies(outputs, [1, 3, 2, 0])
    with pytest.raises(ValueError, match="outputs"):
        adaptation.accuracies(outputs[:, :5], [1, 3, 6, 8])


# ---- What is trained --------------------------------------------------------------------------------------


def test_only_the_named_layers_change_and_normalisation_stands_still(images):
    model, (pictures, labels) = network(), images
    adaptation.train_only(model, ["new_head"])
    compiled(model)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.fit(pictures, labels, epochs=1, verbose=0)
    for layer in model.layers:
        same = all(np.array_equal(a, b) for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
        assert same == (layer.name != "new_head"), layer.name
    assert adaptation.trained_parameters(model) == 8 * 5 + 5
    with pytest.raises(ValueError, match="nowhere"):
        adaptation.train_only(model, ["nowhere"])


def test_frozen_normalisation_keeps_its_averages(images):
    model, (pictures, labels) = network(), images
    every = adaptation.trained_parameters(model)
    adaptation.freeze_normalisation(model)
    compiled(model)
    before = model.get_layer("norm_2").get_weights()
    model.fit(pictures, labels, epochs=1, verbose=0)
    for old, now in zip(before, model.get_layer("norm_2").get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert every - adaptation.trained_parameters(model) == 2 * (16 + 32 + 64)


# ---- Low rank ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [None, 3.0])
def test_dense_lora_is_keras_lora(random, alpha):
    layer = layers.Dense(7)
    layer.build((None, 5))
    layer.enable_lora(2, lora_alpha=alpha)
    layer.lora_kernel_b.assign(random.normal(size=(2, 7)))
    kernel = adaptation.low_rank_kernel(layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b, alpha or 2)
    np.testing.assert_allclose(kernel, layer.kernel, atol=1e-6)
    inputs = random.normal(size=(4, 5)).astype("float32")
    np.testing.assert_allclose(inputs @ kernel + layer.bias.numpy(), layer(inputs), atol=1e-5)


def test_convolutions_lora_is_keras_lora(random):
    layer = layers.Conv2D(7, 3, strides=2)
    layer.build((None, 9, 9, 4))
    layer.enable_lora(2, lora_alpha=5)
    layer.lora_kernel_b.assign(random.normal(size=(2, 7)))
    kernel = adaptation.low_rank_kernel(layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b, 5)
    assert kernel.shape == (3, 3, 4, 7)
    inputs = random.normal(size=(2, 9, 9, 4)).astype("float32")
    np.testing.assert_allclose(keras.ops.conv(inputs, kernel, strides=2), layer(inputs), atol=1e-4)


def test_lora_gradient(random):
    inputs, kernel = random.normal(size=(6, 5)), random.normal(size=(5, 4))
    a, b, upstream = random.normal(size=(5, 2)), random.normal(size=(2, 4)), random.normal(size=(6, 4))
    found = adaptation.low_rank_backward(upstream, inputs, a, b, alpha=3.0)
    tensors = [tf.constant(a), tf.constant(b)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = tf.reduce_sum(upstream * (inputs @ (kernel + 1.5 * tensors[0] @ tensors[1])))
    for ours, theirs in zip(found, tape.gradient(loss, tensors), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    numeric = proofs.finite_differences(
        lambda a: np.sum(upstream * (inputs @ adaptation.low_rank_kernel(kernel, a, b, 3.0))), a
    )
    np.testing.assert_allclose(found[0], numeric, atol=1e-7)


def test_low_rank_refuses(random):
    with pytest.raises(ValueError, match="a: .*expected shape"):
        adaptation.low_rank_kernel(np.ones((5, 4)), np.ones((4, 2)), np.ones((2, 4)), 1)
    with pytest.raises(ValueError, match="b: .*expected shape"):
        adaptation.low_rank_kernel(np.ones((5, 4)), np.ones((5, 2)), np.ones((2, 3)), 1)
    with pytest.raises(ValueError, match="a: .*expected shape"):
        adaptation.low_rank_backward(np.ones((6, 4)), np.ones((6, 5)), np.ones((4, 2)), np.ones((2, 4)), 1)
    with pytest.raises(ValueError, match="rank"):
        adaptation.add_lora(network(), ["features"], 0)


@pytest.fixture(scope="module")
def adapted(images):
    """A network with adapters, trained a little on new digits; the weights and outputs before."""
    arrays = network(seed=5).get_weights()
    plain = network()
    plain.set_weights(arrays)
    model = network()
    adaptation.add_lora(model, ["conv_2", "features"], rank=2)
    compiled(model)
    adaptation.load_weights(model, arrays, seed=1)
    start = np.asarray(model(images[0]))
    pictures, labels = images
    model.fit(pictures[labels >= 5], labels[labels >= 5], epochs=2, verbose=0)
    return model, arrays, np.asarray(plain(pictures)), start


def test_adapters_start_by_adding_nothing(adapted):
    _, _, before, start = adapted
    np.testing.assert_array_equal(before, start)


def test_adapters_count(adapted):
    model = adapted[0]
    assert [layer.name for layer in adaptation.adapted_layers(model)] == ["conv_2", "features"]
    expected = (9 * 16 * 2 + 2 * 32) + (1024 * 2 + 2 * 8) + (8 * 5 + 5)
    assert adaptation.trained_parameters(model) == expected


def test_switched_off_the_old_answers_are_unchanged_bit_for_bit(adapted, images):
    model, _, before, _ = adapted
    assert not np.allclose(before[:, :5], np.asarray(model(images[0]))[:, :5])
    on = adaptation.scores(model, images[0])
    with adaptation.without_lora(model):
        after = np.asarray(model(images[0]))
        off = adaptation.scores(model, images[0])
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    np.testing.assert_allclose(before[:, :5], off[:, :5], atol=1e-5)
    np.testing.assert_array_equal(on, adaptation.scores(model, images[0]))
    assert not np.allclose(on, off)
    assert all(layer.lora_enabled for layer in adaptation.adapted_layers(model))


def test_adapters_are_switched_on_again_after_an_error(adapted):
    with pytest.raises(RuntimeError), adaptation.without_lora(adapted[0]):
        raise RuntimeError
    assert all(layer.lora_enabled for layer in adaptation.adapted_layers(adapted[0]))


def test_merged_network_gives_the_same_outputs(adapted, images):
    plain = network(seed=9)
    plain.set_weights(adaptation.merged_weights(adapted[0]))
    np.testing.assert_allclose(plain(images[0]), adapted[0](images[0]), atol=1e-5)


def test_loading_needs_the_right_number_of_arrays(adapted):
    model, arrays, *_ = adapted
    with pytest.raises(ValueError, match="arrays"):
        adaptation.load_weights(model, [*arrays, np.zeros(3)])
