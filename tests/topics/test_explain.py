"""Explanations: exact on linear models, complete, equal to slow loops; tests of explanations on maps made by hand."""

import itertools
import math

import keras
import numpy as np
import pytest

from course_utils import proofs
from course_utils.topics import explain

HEIGHT = WIDTH = 8


def linear_model(seed=0):
    """Three scores, linear in 8x8 grey pixels, with biases."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((HEIGHT, WIDTH, 1))
    outputs = keras.layers.Dense(3, bias_initializer="random_normal")(keras.layers.Flatten()(images))
    return keras.Model(images, outputs)


def curved_model(activation="relu", seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((HEIGHT, WIDTH, 1))
    x = keras.layers.Conv2D(4, 3, activation=activation, name="conv", bias_initializer="random_normal")(
        images
    )
    x = keras.layers.Dense(6, activation=activation, name="hidden", bias_initializer="random_normal")(
        keras.layers.Flatten()(x)
    )
    return keras.Model(images, keras.layers.Dense(3, name="scores")(x))


def some_images(count=3, seed=0):
    images = np.random.default_rng(seed).random((count, HEIGHT, WIDTH, 1), dtype="float32")
    return images, np.arange(count) % 3


def weights_of(model, classes):
    """The linear model's weights as maps: (count, height, width)."""
    return model.layers[-1].kernel.numpy().T.reshape(3, HEIGHT, WIDTH)[classes]


# ---------------------------------------------------------------- scores and gradients


def test_scores_are_the_models_in_every_batch():
    model = linear_model()
    images, classes = some_images(explain.BATCH + 3)
    expected = model(images).numpy()[np.arange(len(classes)), classes]
    np.testing.assert_allclose(explain.scores(model, images, classes), expected, rtol=1e-5, atol=1e-6)


def test_gradients_of_a_linear_model_are_its_weights():
    model = linear_model()
    images, classes = some_images(explain.BATCH + 3)
    found = explain.gradients(model, images, classes)
    np.testing.assert_allclose(found[..., 0], weights_of(model, classes), rtol=1e-6)


def test_gradients_equal_finite_differences():
    model = curved_model("tanh")
    images, classes = some_images(1)
    by_hand = proofs.finite_differences(lambda x: explain.scores(model, x, classes)[0], images, step=1e-2)
    np.testing.assert_allclose(explain.gradients(model, images, classes), by_hand, atol=2e-3)


def test_saliency_is_the_absolute_gradient_of_the_strongest_channel():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    kernel = model.layers[-1].kernel.numpy()[:, 1].reshape(2, 2, 3)
    found = explain.saliency(model, np.zeros((1, 2, 2, 3)), np.array([1]))
    np.testing.assert_allclose(found[0], np.abs(kernel).max(axis=-1), rtol=1e-6)


def test_gradient_times_input_adds_up_for_a_linear_score():
    model = linear_model()
    images, classes = some_images()
    found = explain.gradient_times_input(model, images, classes).sum(axis=(1, 2))
    bias = explain.scores(model, np.zeros_like(images), classes)
    np.testing.assert_allclose(found, explain.scores(model, images, classes) - bias, atol=1e-5)


def test_gradient_times_input_adds_channels_with_their_signs():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    kernel = model.layers[-1].kernel.numpy()[:, 1].reshape(2, 2, 3)
    image = np.random.default_rng(0).normal(size=(1, 2, 2, 3)).astype("float32")
    found = explain.gradient_times_input(model, image, np.array([1]))
    np.testing.assert_allclose(found[0], (kernel * image[0]).sum(axis=-1), rtol=1e-4)


def test_a_map_does_not_depend_on_the_images_beside_it(monkeypatch):
    model = curved_model()
    images, classes = some_images(5)
    methods = [
        explain.saliency,
        lambda *given: explain.smooth_gradients(*given, samples=3),
        lambda *given: explain.integrated_gradients(*given, steps=3),
        lambda *given: explain.occlusion(*given, size=4, stride=4),
        lambda *given: explain.grad_cam(*given, layer="conv"),
        lambda m, x, y: explain.deletion_curves(m, x, x[..., 0], y, [0, 0.3, 0.6]),
    ]
    for method in methods:
        monkeypatch.setattr(explain, "BATCH", 250)
        together = method(model, images, classes)
        monkeypatch.setattr(explain, "BATCH", 7)  # one or two images at a time
        np.testing.assert_allclose(method(model, images, classes), together, atol=1e-5)


def test_smooth_gradients_average_noisy_copies():
    model = curved_model("tanh")
    images, classes = some_images(2)
    still = explain.smooth_gradients(model, images, classes, noise=0, samples=3)
    np.testing.assert_allclose(still, explain.saliency(model, images, classes), rtol=1e-5, atol=1e-7)
    generators, mean = [np.random.default_rng([7, number]) for number in range(2)], 0
    for _ in range(4):
        noise = np.stack([one.standard_normal(images.shape[1:], dtype=np.float32) for one in generators])
        scale = 0.2 * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))
        mean = mean + explain.gradients(model, images + scale[:, None, None, None] * noise, classes) / 4
    found = explain.smooth_gradients(model, images, classes, noise=0.2, samples=4, seed=7)
    np.testing.assert_allclose(found, np.abs(mean[..., 0]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("baseline", [0.0, 0.5, "image"])
def test_integrated_gradients_are_complete(baseline):
    model = curved_model("tanh")
    images, classes = some_images()
    if baseline == "image":
        baseline = np.random.default_rng(3).random(images.shape[1:])
    start = np.broadcast_to(np.asarray(baseline, dtype="float32"), images.shape)
    difference = explain.scores(model, images, classes) - explain.scores(model, start, classes)
    found = explain.integrated_gradients(model, images, classes, baseline=baseline, steps=64)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), difference, atol=1e-3)


def test_integrated_gradients_use_the_midpoint_rule():
    """For a quadratic score the midpoint rule is exact with one step; the left or right rule is not."""
    inputs = keras.Input((2, 2, 1))
    squares = keras.layers.Lambda(lambda x: x * x)(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(squares))
    images = np.arange(1, 5, dtype="float32").reshape(1, 2, 2, 1)
    found = explain.integrated_gradients(model, images, np.array([3]), steps=1)
    np.testing.assert_allclose(found[0], [[0, 0], [0, 16]])


def test_linear_models_have_one_explanation():
    """Weight times input: what every signed method must say of a linear score with a black baseline."""
    model = linear_model()
    images, classes = some_images()
    truth = weights_of(model, classes) * images[..., 0]
    np.testing.assert_allclose(explain.gradient_times_input(model, images, classes), truth, atol=1e-6)
    np.testing.assert_allclose(
        explain.integrated_gradients(model, images, classes, steps=5), truth, atol=1e-5
    )
    np.testing.assert_allclose(explain.occlusion(model, images, classes, size=1, stride=1), truth, atol=1e-5)
    segments = explain.blocks(HEIGHT, WIDTH, 4)
    value = explain.coalition_value(model, images[0], segments, classes[0])
    by_block = [truth[0][segments == number].sum() for number in range(4)]
    np.testing.assert_allclose(explain.shapley_values(value, 4), by_block, atol=1e-5)
    np.testing.assert_allclose(explain.kernel_shap(value, 4), by_block, atol=1e-5)
    np.testing.assert_allclose(explain.kernel_shap(value, 4, samples=10), by_block, atol=1e-5)
    np.testing.assert_allclose(explain.lime(value, 4, samples=64, ridge=1e-9), by_block, atol=1e-4)


def test_guided_gradients_let_only_positive_gradients_back():
    """One ReLU, one pixel a unit: the gradient is the upper weight where it is positive and the unit is on."""
    inputs = keras.Input((2, 2, 1))
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="scores")(hidden))
    upper = np.array([[1.0, -2.0, 3.0, -4.0], [0, 0, 0, 0]]).T
    model.get_layer("hidden").set_weights([np.diag([1.0, 1, -1, -1]), np.zeros(4)])  # two units on, two off
    model.get_layer("scores").set_weights([upper, np.zeros(2)])
    images, classes = np.ones((1, 2, 2, 1)), np.array([0])
    np.testing.assert_allclose(explain.saliency(model, images, classes)[0], [[1, 2], [0, 0]])
    np.testing.assert_allclose(explain.guided_gradients(model, images, classes)[0], [[1, 0], [0, 0]])
    assert model.get_layer("hidden").activation is keras.activations.relu  # the model itself is unchanged


def test_guided_gradients_reach_layers_of_relu():
    inputs = keras.Input((2, 2, 1))
    hidden = keras.layers.Dense(4, use_bias=False, name="hidden")(keras.layers.Flatten()(inputs))
    outputs = keras.layers.Dense(1, use_bias=False, name="scores")(keras.layers.ReLU()(hidden))
    model = keras.Model(inputs, outputs)
    model.get_layer("hidden").set_weights([np.eye(4)])
    model.get_layer("scores").set_weights([np.array([[1.0], [-2.0], [3.0], [-4.0]])])
    found = explain.guided_gradients(model, np.ones((1, 2, 2, 1)), np.array([0]))
    np.testing.assert_allclose(found[0], [[1, 0], [3, 0]])


def test_grad_cam_equals_a_loop():
    model = curved_model()
    images, classes = some_images()
    found = explain.grad_cam(model, images, classes, "conv")
    conv, upper = model.get_layer("conv"), keras.Sequential(model.layers[2:])
    for number, image in enumerate(images):
        maps = conv(image[None]).numpy()
        slope = proofs.finite_differences(
            lambda m, c=classes[number]: float(upper(m.astype("float32"))[0, c]), maps, 1e-2
        )
        weighted = (slope[0].mean(axis=(0, 1)) * maps[0]).sum(axis=-1)
        small = np.maximum(weighted, 0)[None, ..., None].astype("float32")
        large = keras.ops.image.resize(small, (HEIGHT, WIDTH), interpolation="bilinear")[0, ..., 0]
        np.testing.assert_allclose(found[number], large, atol=1e-2 * max(1, small.max()))


def test_occlusion_equals_a_loop():
    model = curved_model()
    images, classes = some_images(2)
    found = explain.occlusion(model, images, classes, size=4, stride=2, fill=0.3)
    whole = explain.scores(model, images, classes)
    for image, total, label, map_found in zip(images, whole, classes, found, strict=True):
        falls = [[[] for _ in range(WIDTH)] for _ in range(HEIGHT)]
        for top, left in itertools.product(range(0, 5, 2), range(0, 5, 2)):
            hidden = image.copy()
            hidden[top : top + 4, left : left + 4] = 0.3
            fall = total - explain.scores(model, hidden[None], np.array([label]))[0]
            for row, column in itertools.product(range(top, top + 4), range(left, left + 4)):
                falls[row][column].append(fall)
        np.testing.assert_allclose(
            map_found, [[np.mean(cell) for cell in row] for row in falls], rtol=1e-3, atol=1e-5
        )


def test_with_logits_takes_the_softmax_off_a_copy():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
    logits = explain.with_logits(model)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(keras.ops.softmax(logits(x)), model(x), rtol=1e-5)
    assert not np.allclose(logits(x), model(x))
    logits.set_weights([0 * weight for weight in logits.get_weights()])
    assert not np.allclose(model(x), 1 / 3)


# ---------------------------------------------------------------- players


def random_game(players, seed=0):
    """A value function of no particular shape: a table with a number for each coalition."""
    table = np.random.default_rng(seed).normal(size=2**players)
    powers = 2 ** np.arange(players)[::-1]
    return lambda coalitions: table[np.asarray(coalitions).astype(int) @ powers]


def shapley_by_orders(value, players):
    """The definition by orders: the mean gain of a player on joining, over all orders."""
    gains = np.zeros(players)
    for order in itertools.permutations(range(players)):
        coalition = np.zeros((1, players), dtype=bool)
        before = value(coalition)[0]
        for player in order:
            coalition[0, player] = True
            after = value(coalition)[0]
            gains[player] += after - before
            before = after
    return gains / math.factorial(players)


@pytest.mark.parametrize("players", [1, 2, 5])
def test_shapley_values_are_the_mean_gain_over_all_orders(players):
    value = random_game(players)
    np.testing.assert_allclose(
        explain.shapley_values(value, players), shapley_by_orders(value, players), atol=1e-12
    )


@pytest.mark.parametrize("players", [2, 3, 6])
def test_kernel_shap_of_all_coalitions_is_exact(players):
    value = random_game(players)
    exact = explain.shapley_values(value, players)
    np.testing.assert_allclose(explain.kernel_shap(value, players), exact, atol=1e-10)


def test_sampled_kernel_shap_comes_near_and_stays_efficient():
    value = random_game(6)
    exact = explain.shapley_values(value, 6)
    few, many = (explain.kernel_shap(value, 6, samples=n, seed=1) for n in (20, 20_000))
    assert np.abs(many - exact).max() < 0.05 < np.abs(few - exact).max()
    total = np.diff(value(np.array([[0] * 6, [1] * 6])))[0]
    np.testing.assert_allclose([few.sum(), many.sum()], total)


def test_shapley_kernel_is_the_papers():
    assert explain.shapley_kernel(4, 1) == pytest.approx(3 / (4 * 1 * 3))
    assert explain.shapley_kernel(4, 2) == pytest.approx(3 / (6 * 2 * 2))
    with pytest.raises(ValueError, match="size: .*from 1 to 3; found 4"):
        explain.shapley_kernel(4, 4)


def test_shap_package_agrees():
    shap = pytest.importorskip("shap")
    value = random_game(5)
    explainer = shap.KernelExplainer(value, np.zeros((1, 5)))
    found = explainer.shap_values(np.ones((1, 5)), nsamples=2**5, l1_reg=0, silent=True)
    np.testing.assert_allclose(found[0], explain.shapley_values(value, 5), atol=1e-8)


def test_lime_is_weighted_ridge_regression():
    sklearn = pytest.importorskip("sklearn.linear_model")
    value = random_game(6)
    found = explain.lime(value, 6, samples=100, width=0.3, ridge=2.0, seed=5)
    coalitions = (np.random.default_rng(5).random((100, 6)) < 0.5).astype(float)
    cosine = coalitions.sum(axis=1) / np.sqrt(np.maximum(coalitions.sum(axis=1), 1e-12) * 6)
    weights = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.3**2))
    ridge = sklearn.Ridge(alpha=2.0).fit(coalitions, value(coalitions), sample_weight=weights)
    np.testing.assert_allclose(found, ridge.coef_, atol=1e-10)


def test_coalition_value_hides_the_right_parts():
    model = linear_model()
    images, classes = some_images(1)
    segments = explain.blocks(HEIGHT, WIDTH, 4)
    segments[segments == 3] = -1  # three players, the last block always visible
    value = explain.coalition_value(model, images[0], segments, 1, fill=0.25)
    assert value.players == 3
    for coalition in explain.all_coalitions(3):
        picture = images[0].copy()
        for player in np.flatnonzero(~coalition):
            picture[segments == player] = 0.25
        expected = explain.scores(model, picture[None], np.array([1]))
        np.testing.assert_allclose(value(coalition[None]), expected, rtol=1e-5)


def test_blocks_and_coalitions_are_numbered_as_told():
    np.testing.assert_array_equal(explain.blocks(2, 4, 2), [[0, 0, 1, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(explain.all_coalitions(2), [[0, 0], [0, 1], [1, 0], [1, 1]])


# ---------------------------------------------------------------- tests of explanations


def test_rank_correlation():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, 60).reshape(6, 10), generator.normal(size=(6, 10))
    expected = stats.spearmanr(first.ravel(), second.ravel()).statistic
    assert explain.rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)
    assert explain.rank_correlation(second, np.exp(second)) == pytest.approx(1)
    assert explain.rank_correlation(second, -second) == pytest.approx(-1)
    assert math.isnan(explain.rank_correlation(np.ones(4), np.arange(4)))


def test_deletion_takes_the_highest_first():
    model = linear_model()
    images, classes = some_images(2)
    maps = np.random.default_rng(1).normal(size=images.shape[:3])
    curves = explain.deletion_curves(model, images, maps, classes, [0, 0.25, 1], fill=0.5)
    for image, one_map, label, curve in zip(images, maps, classes, curves, strict=True):
        quarter = image.copy()
        quarter.reshape(-1)[np.argsort(-one_map.ravel())[:16]] = 0.5
        pictures = np.stack([image, quarter, np.full_like(image, 0.5)])
        expected = keras.ops.softmax(model(pictures)).numpy()[:, label]
        np.testing.assert_allclose(curve, expected, rtol=1e-5)


def test_deletion_orders_ties_by_chance():
    model = linear_model()
    images, classes = some_images(1)
    flat = np.zeros(images.shape[:3])
    first, again, other = (
        explain.deletion_curves(model, images, flat, classes, [0.5], seed=s) for s in (0, 0, 1)
    )
    assert first == again and first != other


def test_share_inside_counts_positive_mass():
    maps = np.array([[[3.0, -5.0], [1.0, 0.0]], [[-1.0, -1.0], [-1.0, -1.0]]])
    found = explain.share_inside(maps, np.array([[True, True], [False, False]]))
    assert found[0] == 0.75 and math.isnan(found[1])


def test_randomised_changes_the_named_layers_of_a_copy():
    model = curved_model()
    before = [weight.copy() for weight in model.get_weights()]
    copy = explain.randomised(model, ["scores"], seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    same = [np.array_equal(a, b) for a, b in zip(before, copy.get_weights(), strict=True)]
    assert same == [True, True, True, True, False, True]  # the last layer's bias starts at 0 and is 0
    again, other = (explain.randomised(model, ["scores"], seed=s).get_weights()[4] for s in (1, 2))
    assert np.array_equal(again, copy.get_weights()[4]) and not np.array_equal(other, again)
    limit = math.sqrt(6 / (6 + 3))  # Glorot's uniform bound, the layer's own initialiser
    assert np.abs(again).max() <= limit


def test_randomised_resets_batch_normalisation():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(inputs))
    model.get_layer("norm").set_weights([np.full(4, 3.0)] * 4)
    fresh = explain.randomised(model, ["norm"]).get_layer("norm").get_weights()
    np.testing.assert_array_equal(fresh, [np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)])


# ---------------------------------------------------------------- errors


def images_and_classes():
    return some_images(2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, x, y: explain.gradients(m, x[0], y), r"count, height, width, channels"),
        (lambda m, x, y: explain.gradients(m, x, y[:1]), r"classes: .*expected shape \(2,\); found \(1,\)"),
        (lambda m, x, y: explain.gradients(m, x, y / 1), "whole numbers"),
        (lambda m, x, y: explain.smooth_gradients(m, x, y, samples=0), "samples: .*at least 1; found 0"),
        (lambda m, x, y: explain.integrated_gradients(m, x, y, steps=0), "steps: .*at least 1; found 0"),
        (
            lambda m, x, y: explain.integrated_gradients(m, x, y, baseline=np.zeros((3, 3))),
            "baseline: .*a shape that broadcasts to",
        ),
        (lambda m, x, y: explain.grad_cam(m, x, y, "hidden"), "expected a layer with feature maps"),
        (lambda m, x, y: explain.occlusion(m, x, y, size=3, stride=2), "reach the border"),
        (lambda m, x, y: explain.blocks(8, 8, 3), "height: .*a multiple of 3; found 8"),
        (lambda m, x, y: explain.coalition_value(m, x[0], np.zeros((2, 2), int), 0), r"shape \(8, 8\)"),
        (
            lambda m, x, y: explain.coalition_value(m, x[0], explain.blocks(8, 8, 4), 0)(np.ones((1, 5))),
            r"\(rows, 4\)",
        ),
        (lambda m, x, y: explain.shapley_values(None, 17), "players: .*from 1 to 16; found 17"),
        (lambda m, x, y: explain.kernel_shap(None, 1), "players: .*at least 2; found 1"),
        (lambda m, x, y: explain.kernel_shap(None, 5, samples=4), "samples: .*at least 5; found 4"),
        (lambda m, x, y: explain.lime(None, 5, samples=4), "samples: .*at least 5; found 4"),
        (
            lambda m, x, y: explain.rank_correlation([1, 2], [1, 2, 3]),
            r"second: .*expected shape \(2,\); found \(3,\)",
        ),
        (lambda m, x, y: explain.deletion_curves(m, x, x, y, [0.1]), r"maps: .*expected shape \(2, 8, 8\)"),
        (
            lambda m, x, y: explain.deletion_curves(m, x, x[..., 0], y, [1.1]),
            "shares: .*from 0 to 1; found 1.1",
        ),
        (lambda m, x, y: explain.randomised(m, ["flatten"]), "flatten|No such layer"),
        (
            lambda m, x, y: explain.with_logits(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])),
            "ReLU",
        ),
    ],
)
def test_errors_say_what_was_expected_and_found(call, message):
    with pytest.raises(ValueError, match=message):
        call(curved_model(), *images_and_classes())
