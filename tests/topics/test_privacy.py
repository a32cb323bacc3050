"""Privacy: attacks on cases with known answers, DP-SGD against a loop, epsilon against closed forms, exact sums."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils.topics import privacy


def small_model(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(3, 3, activation="tanh")(inputs)
    outputs = keras.layers.Dense(4)(keras.layers.Flatten()(x))
    return keras.Model(inputs, outputs)


def some_data(count=7, seed=0):
    generator = np.random.default_rng(seed)
    return generator.random((count, 6, 6, 1), dtype=np.float32), generator.integers(0, 4, count)


def one_gradient(model, image, label):
    """The gradient of one example, by itself: the slow way."""
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            np.array([label]), model(image[None])
        )
    return [
        gradient.numpy()
        for gradient in tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    ]


# ---------------------------------------------------------------- membership inference


def test_area_counts_pairs():
    members, others = np.array([3.0, 1.0, 2.0]), np.array([0.0, 2.0])
    pairs = [(m > o) + 0.5 * (m == o) for m, o in itertools.product(members, others)]
    assert privacy.area_under_roc(members, others) == pytest.approx(np.mean(pairs))
    assert privacy.area_under_roc(members, members) == 0.5


def test_area_is_the_area_under_roc():
    generator = np.random.default_rng(0)
    members, others = generator.integers(0, 9, 200) + 1, generator.integers(0, 9, 150)
    false_positive, true_positive = privacy.roc(members, others)
    assert np.trapezoid(true_positive, false_positive) == pytest.approx(
        privacy.area_under_roc(members, others)
    )
    assert false_positive[0] == true_positive[0] == 0 and false_positive[-1] == true_positive[-1] == 1


def test_roc_equals_counting():
    members, others = np.array([3.0, 1.0, 2.0, 2.0]), np.array([0.0, 2.0, 1.0])
    false_positive, true_positive = privacy.roc(members, others)
    for number, threshold in enumerate([np.inf, 3, 2, 1, 0]):
        assert true_positive[number] == pytest.approx(np.mean(members >= threshold))
        assert false_positive[number] == pytest.approx(np.mean(others >= threshold))


def test_advantage_and_rate_at_few_false_alarms():
    members, others = np.array([9.0, 8, 7, 1]), np.array([6.0, 5, 4, 0])
    assert privacy.advantage(members, others) == 0.75
    assert privacy.advantage(others, members) == 0  # below guessing there is the threshold "never"
    assert privacy.true_positive_rate(members, others, 0.1) == 0.75
    assert privacy.true_positive_rate(others, members, 0.1) == 0
    assert privacy.true_positive_rate(others, members, 0.75) == 0.75


# ---------------------------------------------------------------- differential privacy


def test_per_example_gradients_equal_a_loop():
    model = small_model()
    images, labels = some_data()
    found = privacy.per_example_gradients(model, images, labels)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        for gradient, expected in zip(found, one_gradient(model, image, label), strict=True):
            np.testing.assert_allclose(gradient[number], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("clip", [0.01, 3.4, 100.0])
def test_clipped_sum_equals_a_loop(clip):
    model = small_model()
    images, labels = some_data()
    mask = np.array([1, 1, 0, 1, 1, 1, 0], dtype=np.float32)
    found = privacy.clipped_sum(privacy.per_example_gradients(model, images, labels), clip, mask)
    expected, norms = 0, []
    for image, label, counted in zip(images, labels, mask, strict=True):
        flat = np.concatenate([gradient.ravel() for gradient in one_gradient(model, image, label)])
        norms.append(np.linalg.norm(flat))
        expected = expected + counted * flat * min(1, clip / norms[-1])
    assert min(norms) < 3.4 < max(norms)  # the middle clip cuts some and leaves others
    flat = np.concatenate([tf.reshape(gradient, -1) for gradient in found])
    np.testing.assert_allclose(flat, expected, rtol=1e-4, atol=1e-6)


def test_one_example_moves_the_clipped_sum_by_at_most_the_clip():
    model = small_model()
    images, labels = some_data()
    images[3] *= 1000
    gradients = privacy.per_example_gradients(model, images, labels)
    whole = privacy.clipped_sum(gradients, 0.7)
    without = privacy.clipped_sum(gradients, 0.7, np.arange(7) != 3)
    moved = math.sqrt(sum(float(tf.reduce_sum((a - b) ** 2)) for a, b in zip(whole, without, strict=True)))
    assert moved == pytest.approx(0.7, rel=1e-3)


def test_poisson_sample_takes_each_independently_and_pads():
    generator = np.random.default_rng(0)
    sizes, taken = [], np.zeros(50)
    for _ in range(2000):
        indices, mask = privacy.poisson_sample(50, 0.1, 4, generator)
        assert indices.shape == mask.shape and indices.shape[1] == 4
        assert (indices[mask == 0] == 0).all()
        chosen = indices[mask == 1]
        assert len(set(chosen)) == len(chosen)
        sizes.append(len(chosen))
        taken[chosen] += 1
    assert np.mean(sizes) == pytest.approx(5, abs=0.2)
    assert np.var(sizes) == pytest.approx(50 * 0.1 * 0.9, rel=0.15)  # a fixed batch would have none
    assert min(sizes) == 0
    np.testing.assert_allclose(taken / 2000, 0.1, atol=0.035)


def test_private_training_without_noise_is_gradient_descent_on_clipped_gradients():
    model, twin = small_model(), small_model()
    images, labels = some_data(9)
    sizes = privacy.train_private(
        model, images, labels, clip=1.0, noise_multiplier=0, rate=1, steps=2, chunk=4,
        optimizer=keras.optimizers.SGD(0.5),
    )  # fmt: skip
    for _ in range(2):
        gradients = privacy.clipped_sum(privacy.per_example_gradients(twin, images, labels), 1.0)
        for variable, gradient in zip(twin.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.5 * gradient / 9)
    assert sizes == [9, 9]
    for found, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_private_training_adds_noise_of_the_stated_size():
    """With a clip so small that only noise is left, a step's change is noise * clip / (rate * count)."""
    model = small_model()
    before = np.concatenate([weight.ravel() for weight in model.get_weights()])
    images, labels = some_data(20)
    seen = []
    privacy.train_private(
        model, images, labels, clip=1e-3, noise_multiplier=1000, rate=0.5, steps=4,
        optimizer=keras.optimizers.SGD(1.0), after_step=seen.append,
    )  # fmt: skip
    moved = np.concatenate([weight.ravel() for weight in model.get_weights()]) - before
    assert np.std(moved) == pytest.approx(math.sqrt(4) * 1000 * 1e-3 / 10, rel=0.15)
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("noise", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-2])
def test_epsilon_of_one_full_step_is_the_closed_form(noise, delta):
    closed = privacy.gaussian_epsilon(noise, delta)
    assert privacy.epsilon(noise, 1, 1, delta) == pytest.approx(closed, rel=1e-3)
    assert closed <= privacy.epsilon(noise, 1, 1, delta, accountant="rdp")


def test_four_full_steps_cost_as_much_as_one_with_half_the_noise():
    assert privacy.epsilon(2.0, 1, 4) == pytest.approx(privacy.gaussian_epsilon(1.0), rel=1e-3)


def test_gaussian_epsilon_solves_its_equation():
    normal = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    e = privacy.gaussian_epsilon(1.3, 1e-4)
    assert normal(1 / 2.6 - 1.3 * e) - math.exp(e) * normal(-1 / 2.6 - 1.3 * e) == pytest.approx(
        1e-4, rel=1e-6
    )
    assert privacy.gaussian_epsilon(1.0, 0.5) == 0  # delta so generous that nothing more is needed


def test_epsilon_behaves():
    assert privacy.epsilon(0, 0.1, 1) == math.inf and privacy.epsilon(0, 0.1, 0) == 0
    assert privacy.epsilon(1.0, 0.01, 100) < privacy.epsilon(1.0, 0.02, 100) < privacy.epsilon(1.0, 0.02, 200)
    assert privacy.epsilon(2.0, 0.02, 100) < privacy.epsilon(1.0, 0.02, 100)
    # Abadi et al. 2016, section 3.2: 1.26 by the moments accountant at q = 0.01, sigma = 4, 10,000 steps.
    assert 0.9 < privacy.epsilon(4, 0.01, 10_000, accountant="rdp") < 1.26


# ---------------------------------------------------------------- federated learning


def test_splits_hand_out_everything_once():
    labels = np.random.default_rng(0).integers(0, 10, 1000)
    for split in (privacy.split_evenly(labels, 50), privacy.split_by_label(labels, 50)):
        assert split.shape == (50, 20)
        assert sorted(split.ravel()) == list(range(1000))
    labels = np.repeat(np.arange(10), 100)
    digits = [len(set(labels[rows])) for rows in privacy.split_by_label(labels, 50)]
    assert max(digits) == 2 and min(digits) >= 1
    assert np.mean([len(set(labels[rows])) for rows in privacy.split_evenly(labels, 50)]) > 7


def test_weighted_mean_weighs_by_examples():
    models = [[np.array([0.0, 4.0], np.float32)], [np.array([4.0, 0.0], np.float32)]]
    found = privacy.weighted_mean(models, [3, 1])
    np.testing.assert_allclose(found[0], [1, 3])
    assert found[0].dtype == np.float32


def test_local_training_equals_a_loop():
    model, twin = small_model(1), small_model(2)
    start = small_model(3).get_weights()
    images, labels = some_data(10)
    found = privacy.LocalTraining(model, 0.3, batch_size=3, epochs=2)(start, images, labels, seed=5)
    twin.set_weights(start)
    generator = np.random.default_rng(5)
    orders = [generator.permutation(10)[:9] for _ in range(2)]
    for rows in np.concatenate(orders).reshape(-1, 3):
        gradients = [one_gradient(twin, images[row], labels[row]) for row in rows]
        for variable, parts in zip(twin.trainable_variables, zip(*gradients, strict=True), strict=True):
            variable.assign_sub(0.3 * np.mean(parts, axis=0))
    for a, b in zip(found, twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- secure aggregation


def test_encoding_is_exact_to_half_a_step():
    values = np.array([0.0, 1.5, -1.5, 1e-9, 123.456789, -0.333])
    found = privacy.decode(privacy.encode(values))
    assert np.abs(found - values).max() <= 2.0**-17
    assert privacy.encode(np.array([-1.0]))[0] == privacy.MODULUS - 2**16


def test_sum_of_encoded_is_the_sum():
    values = np.random.default_rng(0).normal(scale=50, size=(30, 4))
    total = privacy.encode(values, parties=30).sum(axis=0, dtype=np.uint32)
    np.testing.assert_allclose(privacy.decode(total), values.sum(axis=0), atol=30 * 2.0**-17)


def test_encode_refuses_what_would_wrap_around():
    privacy.encode(np.array([300.0]), parties=100)
    with pytest.raises(ValueError, match="below 327.68"):
        privacy.encode(np.array([328.0]), parties=100)
    with pytest.raises(ValueError, match="finite"):
        privacy.encode(np.array([np.nan]))


def looks_uniform(numbers):
    """Chi-squared over 64 equal ranges: 63 expected, standard deviation 11."""
    counts = np.bincount((np.asarray(numbers).ravel() >> 26).astype(int), minlength=64)
    expected = numbers.size / 64
    return np.sum((counts - expected) ** 2 / expected) < 63 + 5 * math.sqrt(126)


def test_shares_add_up_exactly_and_look_uniform():
    secret = privacy.encode(np.full(20_000, -2.25))
    shares = privacy.additive_shares(secret, 5, np.random.default_rng(0))
    assert np.array_equal(shares.sum(axis=0, dtype=np.uint32), secret)
    assert all(looks_uniform(share) for share in shares)
    for left_out in range(5):
        assert looks_uniform(np.delete(shares, left_out, axis=0).sum(axis=0, dtype=np.uint32))
    assert not looks_uniform(secret)


def test_pairwise_masks_cancel_only_together():
    masks = privacy.pairwise_masks(6, (20_000,), seed=3)
    assert not masks.sum(axis=0, dtype=np.uint32).any()
    updates = privacy.encode(np.random.default_rng(1).normal(size=(6, 20_000)), parties=6)
    masked = updates + masks
    assert np.array_equal(masked.sum(axis=0, dtype=np.uint32), updates.sum(axis=0, dtype=np.uint32))
    assert all(looks_uniform(one) for one in masked)
    assert looks_uniform(masked[:5].sum(axis=0, dtype=np.uint32))  # one dropped out: nothing is learned
    assert not looks_uniform(updates[0])


# ---------------------------------------------------------------- attacks


def test_sign_attack_steps_uphill_by_the_size():
    model = small_model()
    images, labels = some_data()
    attacked = privacy.sign_attack(model, images, labels, 0.1).numpy()
    slopes = np.concatenate([input_slope(model, i, label) for i, label in zip(images, labels, strict=True)])
    np.testing.assert_allclose(attacked, np.clip(images + 0.1 * np.sign(slopes), 0, 1), atol=1e-6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss(labels, model(attacked)) > loss(labels, model(images))


def test_sign_attack_works_inside_a_graph():
    model = small_model()
    images, labels = some_data()
    traced = tf.function(lambda size: privacy.sign_attack(model, images, labels, size))
    np.testing.assert_allclose(
        traced(tf.constant(0.1)), privacy.sign_attack(model, images, labels, 0.1), atol=1e-6
    )


def input_slope(model, image, label):
    batch = tf.constant(image[None])
    with tf.GradientTape() as tape:
        tape.watch(batch)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([label]), model(batch))
    return tape.gradient(loss, batch).numpy()


def test_flip_labels_flips_the_stated_share():
    labels = np.repeat(np.arange(4), 10)
    flipped, where = privacy.flip_labels(labels, source=2, target=0, share=0.3, seed=1)
    assert len(where) == 3 and (labels[where] == 2).all() and (flipped[where] == 0).all()
    assert (flipped != labels).sum() == 3 and (labels == np.repeat(np.arange(4), 10)).all()


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: privacy.roc([], [1.0]), r"members: .*expected shape .*none of them 0"),
        (lambda: privacy.area_under_roc([1.0], [np.nan]), "others: .*without NaN"),
        (lambda: privacy.true_positive_rate([1.0], [0.0], 0), "false_positive_rate: .*less than 1; found 0"),
        (lambda: privacy.clipped_sum([tf.ones((2, 3))], 0), "clip: .*more than 0; found 0"),
        (
            lambda: privacy.poisson_sample(10, 1.5, 4, np.random.default_rng(0)),
            r"rate: .*from 0 to 1; found 1.5",
        ),
        (lambda: privacy.epsilon(1, 0.1, 1, accountant="x"), "accountant: .*one of 'pld', 'rdp'; found 'x'"),
        (lambda: privacy.epsilon(-1, 0.1, 1), "noise_multiplier: .*at least 0; found -1"),
        (lambda: privacy.gaussian_epsilon(0), "noise_multiplier: .*more than 0; found 0"),
        (lambda: privacy.split_evenly(np.zeros(10), 3), "examples: .*a multiple of 3; found 10"),
        (lambda: privacy.split_by_label(np.zeros(10), 10), "examples: .*a multiple of 20; found 10"),
        (lambda: privacy.weighted_mean([[np.zeros(2)]], [1, 2]), "counts: .*one count per model"),
        (lambda: privacy.decode(np.zeros(2)), "encoded: .*expected uint32 .*; found float64"),
        (
            lambda: privacy.additive_shares(np.zeros(2, np.uint32), 1, np.random.default_rng(0)),
            "parties: .*at least 2; found 1",
        ),
        (lambda: privacy.pairwise_masks(1, (2,)), "clients: .*at least 2; found 1"),
        (lambda: privacy.sign_attack(None, None, None, -0.1), "size: .*at least 0; found -0.1"),
        (lambda: privacy.flip_labels([1, 2], 1, 2, 1.1), "share: .*from 0 to 1; found 1.1"),
    ],
)
def test_errors_say_what_was_expected_and_found(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_training_refuses_bad_arguments():
    images, labels = some_data(3)
    with pytest.raises(ValueError, match=r"labels: .*expected shape \(3,\)"):
        privacy.train_private(
            small_model(), images, labels[:2], clip=1, noise_multiplier=1, rate=0.5, steps=1,
            optimizer=keras.optimizers.SGD(),
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least 5 examples; found 3"):
        model = small_model()
        privacy.LocalTraining(model, 0.1, 5, 1)(model.get_weights(), images, labels)
