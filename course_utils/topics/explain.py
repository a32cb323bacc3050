r"""Explaining what a trained network answered: maps of pixels, values of features, and tests of both.

    maps = explain.integrated_gradients(model, images, classes)     # (count, height, width)
    explain.deletion_curves(model, images, maps, classes, shares)   # does the network need what the map names?

Conventions of the whole module:

* `model` maps images `(count, height, width, channels)`, float32, to one **score** a class, `(count, classes)`. Give it
  logits, not probabilities: a sure softmax has a gradient near zero. `with_logits` takes a softmax off.
* `classes` names, for each image, the class whose score is explained: whole numbers, shape `(count,)`.
* A map has one number per pixel, `(count, height, width)`. Signed maps say "for" (+) and "against" (-).
* A *value function* takes coalitions, an array of 0 and 1 of shape `(rows, players)`, and returns `(rows,)` numbers.

Nothing here changes a model: what needs other weights or another gradient works on a copy.
"""

import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from course_utils import checking

BATCH = 125  # images at a time: the beginner's network's feature maps of 125 are some 20 MB, of 10,000 1.6 GB
MOST_PLAYERS = 16  # exact Shapley values ask for 2^players coalitions


# ---------------------------------------------------------------- scores and gradients


def with_logits(model):
    """Return a copy of a classifier whose last layer has no softmax, sharing no weights with the original.

    Simonyan et al. 2013 (arXiv:1312.6034) explain the unnormalised score: the softmax would let a class win because
    the others lost.

    Raises:
        ValueError: the last layer has no activation to take off.
    """
    last = model.layers[-1]
    wanted = "最后一层应带有激活函数", "a last layer with an activation"
    checking.expect(hasattr(last, "activation"), "model", *wanted, type(last).__name__)
    copy = _copy(model)
    copy.layers[-1].activation = keras.activations.linear
    return copy


def scores(model, images, classes):
    """Return the score of each image's class: shape (count,)."""
    images, classes = _checked(images, classes)
    parts = [
        keras.ops.convert_to_numpy(_class_scores(model, images[rows], classes[rows]))
        for rows in _batches(len(images))
    ]
    return np.concatenate(parts)


def gradients(model, images, classes):
    r"""Return the gradient of the class's score with respect to each number of the image, shape of `images`.

    g = dS_c / dx, the first-order answer to "which pixel, changed a little, changes the score most?"
    """
    images, classes = _checked(images, classes)
    parts = []
    for rows in _batches(len(images)):
        batch = tf.constant(images[rows])
        with tf.GradientTape() as tape:
            tape.watch(batch)
            score = _class_scores(model, batch, classes[rows])
        # One image's score depends on that image alone, so the gradient of the sum holds every image's own.
        parts.append(tape.gradient(score, batch).numpy())
    return np.concatenate(parts)


def saliency(model, images, classes):
    r"""Return the saliency map: the largest |dS_c/dx| of a pixel's channels, never negative.

    Source: Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 3.1.
    """
    return np.abs(gradients(model, images, classes)).max(axis=-1)  # (count, height, width)


def gradient_times_input(model, images, classes):
    r"""Sum over the channels of x * dS_c/dx, signed; for a linear score without bias it adds up to the score.

    Source: Shrikumar et al. 2016, arXiv:1605.01713.
    """
    images, classes = _checked(images, classes)
    return (images * gradients(model, images, classes)).sum(axis=-1)


def smooth_gradients(model, images, classes, noise=0.15, samples=25, seed=0):
    r"""Return SmoothGrad: the mean gradient of noisy copies, absolute and largest over the channels.

    M(x) = | (1/n) sum_k dS_c/dx (x + e_k) |, e_k normal with standard deviation noise * (max - min of the image).

    Source: Smilkov et al. 2017, arXiv:1706.03825 (they use a noise of 0.1 to 0.2 and up to 50 samples).

    Raises:
        ValueError: a negative noise or fewer than one sample.
    """
    checking.at_least(0, noise=noise)
    checking.at_least(1, samples=samples)
    images, classes = _checked(images, classes)
    spread = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)  # (count, 1, 1, 1)

    def noisy(rows):
        # Each image has a generator of its own: its map does not depend on which images stand beside it.
        drawn = [
            np.random.default_rng([seed, number]).standard_normal(
                (samples, *images.shape[1:]), dtype=np.float32
            )
            for number in range(len(images))[rows]
        ]
        # (samples, rows, height, width, channels)
        return images[rows] + spread[rows] * np.stack(drawn, axis=1)

    return np.abs(_mean_gradients(model, noisy, samples, len(images), classes)).max(axis=-1)


def integrated_gradients(model, images, classes, baseline=0.0, steps=64):
    r"""Return gradients integrated from a baseline to the image, signed, summed over the channels.

    A_i = (x_i - b_i) * integral over a from 0 to 1 of dS_c/dx_i (b + a (x - b)),

    computed by the midpoint rule with `steps` points. Completeness: sum_i A_i = S_c(x) - S_c(b), up to the error of
    the rule.

    Args:
        baseline: the image that means "nothing": a number, one image, or an array shaped as `images`.

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.

    Raises:
        ValueError: a baseline that does not fit, or no steps.
    """
    checking.at_least(1, steps=steps)
    images, classes = _checked(images, classes)
    try:
        baseline = np.broadcast_to(np.asarray(baseline, dtype=np.float32), images.shape)
    except ValueError:
        wanted = f"形状应能广播到 {images.shape}", f"a shape that broadcasts to {images.shape}"
        checking.expect(False, "baseline", *wanted, np.shape(baseline))
    shares = ((np.arange(steps, dtype=np.float32) + 0.5) / steps)[:, None, None, None, None]

    def path(rows):
        return baseline[rows] + shares * (images[rows] - baseline[rows])

    mean = _mean_gradients(model, path, steps, len(images), classes)
    return ((images - baseline) * mean).sum(axis=-1)


def guided_gradients(model, images, classes):
    r"""Return guided backpropagation: like `saliency`, but each ReLU lets only positive gradients back.

    Forward max(x, 0) as ever; backward upstream * [x > 0] * [upstream > 0]. This is the gradient of no function, and
    Adebayo et al. 2018 (arXiv:1810.03292) found that its maps hardly depend on the upper layers' weights.

    Source: Springenberg et al. 2014, arXiv:1412.6806.
    """

    def guided(layer):
        if isinstance(layer, keras.layers.ReLU):
            return keras.layers.Activation(_guided_relu, name=layer.name)
        copied = layer.__class__.from_config(layer.get_config())
        if getattr(copied, "activation", None) is keras.activations.relu:
            copied.activation = _guided_relu
        return copied

    return saliency(_copy(model, guided), images, classes)


def grad_cam(model, images, classes, layer):
    r"""Return Grad-CAM: where a convolution's maps push the class's score up, in the image's size (bilinear).

    weight_k = mean over the places of dS_c / dA_k,   map = ReLU(sum_k weight_k A_k),   A_k: map k of `layer`.

    Source: Selvaraju et al. 2016, arXiv:1610.02391.

    Args:
        layer: name of a layer with output (count, height, width, maps).

    Raises:
        ValueError: the layer's output is no feature map.
    """
    images, classes = _checked(images, classes)
    chosen = model.get_layer(layer)
    maps = "(batch, height, width, maps)"
    wanted = f"输出应为特征图 {maps}", f"a layer with feature maps {maps}"
    checking.expect(len(chosen.output.shape) == 4, "layer", *wanted, f"{layer} with {chosen.output.shape}")
    both = keras.Model(model.inputs[0], [chosen.output, model.outputs[0]])
    parts = []
    for rows in _batches(len(images)):
        with tf.GradientTape() as tape:
            feature_maps, all_scores = both(tf.constant(images[rows]), training=False)
            score = tf.gather(all_scores, classes[rows], axis=1, batch_dims=1)
        slopes = tape.gradient(score, feature_maps)  # (n, h, w, maps)
        weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)  # (n, 1, 1, maps)
        small = tf.nn.relu(tf.reduce_sum(weights * feature_maps, axis=-1, keepdims=True))  # (n, h, w, 1)
        parts.append(tf.image.resize(small, images.shape[1:3])[..., 0].numpy())
    return np.concatenate(parts)


def occlusion(model, images, classes, size=7, stride=3, fill=0.0):
    r"""Return by how much the score falls when a square is covered, averaged over the squares on a pixel.

    Source: Zeiler, Fergus 2013, arXiv:1311.2901, section 4.2 (they draw the remaining score at the square's centre).

    Raises:
        ValueError: the squares do not reach the image's border exactly.
    """
    images, classes = _checked(images, classes)
    height, width = images.shape[1:3]
    reaches = 1 <= size <= min(height, width) and stride >= 1
    reaches = reaches and (height - size) % stride == 0 and (width - size) % stride == 0
    wanted = (
        f"方块应恰好铺到 {height} × {width} 的边缘",
        f"squares that reach the border of {height} × {width} exactly",
    )
    checking.expect(reaches, "size, stride", *wanted, f"{size}, {stride}")
    corners = list(itertools.product(range(0, height - size + 1, stride), range(0, width - size + 1, stride)))
    squares = [(slice(top, top + size), slice(left, left + size)) for top, left in corners]
    whole = scores(model, images, classes)  # (count,)
    total, covered = np.zeros(images.shape[:3], dtype=np.float32), np.zeros((height, width), dtype=np.float32)
    for rows in _batches(len(images), len(squares)):
        # (squares, rows, height, width, channels)
        hidden = np.repeat(images[None, rows], len(squares), axis=0)
        for number, square in enumerate(squares):
            hidden[number, :, *square] = fill
        remaining = scores(model, *_one_axis(hidden, classes[rows])).reshape(len(squares), -1)
        for square, fall in zip(squares, whole[rows] - remaining, strict=True):
            total[rows, *square] += fall[:, None, None]
    for square in squares:
        covered[square] += 1
    return total / covered


# ---------------------------------------------------------------- players: Shapley values, LIME


def blocks(height, width, size):
    """Number the squares of a grid: an int array (height, width) with 0, 1, 2, … row by row.

    Raises:
        ValueError: the size does not divide the image.
    """
    checking.at_least(1, size=size)
    checking.multiple_of(size, height=height, width=width)
    rows, columns = np.arange(height) // size, np.arange(width) // size
    return rows[:, None] * (width // size) + columns


def coalition_value(model, image, segments, label, fill=0.0):
    """Return the value function of an image's parts: the class's score when only a coalition's parts are visible.

    Args:
        image: (height, width, channels).
        segments: int (height, width), the number of each pixel's part: 0, 1, …, or -1 for "always visible".
        label: the class whose score is the value.
        fill: what a hidden pixel shows.

    Returns:
        A function from 0/1 arrays (rows, players) to scores (rows,).

    Raises:
        ValueError: segments of another size than the image; coalitions of another number of players.
    """
    image, segments = np.asarray(image, dtype=np.float32), np.asarray(segments)
    axes = "(height, width, channels)"
    checking.expect(image.ndim == 3, "image", f"形状应为 {axes}", f"shape {axes}", image.shape)
    checking.require_shape(segments, image.shape[:2], "segments")
    players = int(segments.max()) + 1

    def value(coalitions):
        coalitions = _coalitions(coalitions, players)
        # -1: the last
        visible = np.concatenate([coalitions, np.ones((len(coalitions), 1), dtype=bool)], axis=1)
        found = []
        for rows in _batches(len(coalitions)):
            shown = visible[rows][:, segments][..., None]  # (rows, height, width, 1)
            pictures = np.where(shown, image, np.float32(fill))
            found.append(scores(model, pictures, np.full(len(pictures), label)))
        return np.concatenate(found).astype(np.float64)

    value.players = players
    return value


def all_coalitions(players):
    """Return every coalition, row k holding the binary digits of k: bool (2^players, players).

    Raises:
        ValueError: more players than 16; 2^17 rows and more are for sampling.
    """
    checking.between(1, MOST_PLAYERS, players=players)
    return (np.arange(2**players)[:, None] >> np.arange(players)[::-1]) & 1 == 1


def shapley_values(value, players):
    r"""Return exact Shapley values by asking for all 2^players coalitions, float64 (players,).

    phi_i = sum over S without i of |S|! (M - |S| - 1)! / M! * (v(S with i) - v(S)),   M players.

    They add up to v(all) - v(none). Source: L. Shapley, "A value for n-person games", 1953,
    doi:10.1515/9781400881970-018.
    """
    coalitions = all_coalitions(players)
    values = np.asarray(value(coalitions), dtype=np.float64)  # (2^players,)
    sizes = coalitions.sum(axis=1)
    weights = np.array(
        [
            math.factorial(s) * math.factorial(players - s - 1) / math.factorial(players)
            for s in range(players)
        ]
    )
    result = np.zeros(players)
    for player in range(players):
        without = np.flatnonzero(~coalitions[:, player])
        joined = without + 2 ** (players - 1 - player)  # the row of the same coalition with the player
        result[player] = np.sum(weights[sizes[without]] * (values[joined] - values[without]))
    return result


def shapley_kernel(players, size):
    """Return Kernel SHAP's weight of a coalition of `size` of M players: (M - 1) / (C(M, size) size (M - size)).

    Source: Lundberg, Lee 2017, arXiv:1705.07874, theorem 2. Infinite for nobody and for all, which are constraints.
    """
    checking.between(1, players - 1, size=size)
    return (players - 1) / (math.comb(players, size) * size * (players - size))


def kernel_shap(value, players, samples=None, seed=0):
    r"""Return Shapley values found by a weighted linear regression, float64 (players,).

    minimise  sum_S k(S) (v(S) - v(none) - sum_{i in S} phi_i)^2   subject to   sum_i phi_i = v(all) - v(none),

    with k of `shapley_kernel`. The constraint is used up by replacing the last player's value.

    Args:
        samples: None takes all coalitions, and the answer is exact. A number draws that many in pairs of a coalition
            and its complement, sizes in proportion to their total weight (then every draw counts alike).

    Source: Lundberg, Lee 2017, arXiv:1705.07874; pairs: Covert, Lee 2021, arXiv:2012.01536.

    Raises:
        ValueError: fewer than 2 players, or fewer samples than players.
    """
    checking.at_least(2, players=players)
    if samples is not None:
        checking.at_least(players, samples=samples)
    nobody, everybody = value(np.array([[False] * players, [True] * players]))
    if samples is None:
        coalitions = all_coalitions(players)[1:-1]
        weights = np.array([shapley_kernel(players, size) for size in coalitions.sum(axis=1)])
    else:
        coalitions = _sampled_coalitions(players, samples, np.random.default_rng(seed))
        weights = np.ones(len(coalitions))
    last = coalitions[:, -1:].astype(np.float64)
    target = value(coalitions) - nobody - last[:, 0] * (everybody - nobody)
    inputs = coalitions[:, :-1] - last  # (rows, players - 1)
    root = np.sqrt(weights)
    first = np.linalg.lstsq(inputs * root[:, None], target * root, rcond=None)[0]
    return np.append(first, everybody - nobody - first.sum())


def lime(value, players, samples=1000, width=0.25, ridge=1.0, seed=0):
    r"""Return LIME: the coefficients of a local linear model, float64 (players,), by ridge regression.

    minimise  sum_k w_k (v(z_k) - a - sum_i b_i z_ki)^2 + ridge * sum_i b_i^2,   w_k = exp(-d_k^2 / (2 width^2)),

    z_k: each part visible with probability 1/2; d_k: cosine distance of z_k to "all visible". Unlike Shapley values,
    the b_i need not add up to anything. Source: Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938.

    Raises:
        ValueError: fewer samples than players, a width or ridge that is not positive.
    """
    checking.at_least(players, samples=samples)
    checking.positive(width=width, ridge=ridge)
    coalitions = np.random.default_rng(seed).random((samples, players)) < 0.5
    distance = 1 - np.sqrt(coalitions.mean(axis=1))  # cosine of 0/1 vector z and ones: sqrt(share of ones)
    weights = np.exp(-(distance**2) / (2 * width**2))
    target = np.asarray(value(coalitions), dtype=np.float64)
    # centred: the intercept is not shrunk
    inputs = coalitions - np.average(coalitions, axis=0, weights=weights)
    target = target - np.average(target, weights=weights)
    left = inputs.T @ (weights[:, None] * inputs) + ridge * np.eye(players)
    return np.linalg.solve(left, inputs.T @ (weights * target))


# ---------------------------------------------------------------- testing explanations


def rank_correlation(first, second):
    r"""Return Spearman's correlation of two arrays: that of their ranks, ties sharing their mean rank.

    1: the same order, -1: the opposite, near 0: no relation; NaN when one of them is constant.

    Raises:
        ValueError: different shapes or fewer than two numbers.
    """
    first, second = np.asarray(first), np.asarray(second)
    checking.require_shape(second, first.shape, "second")
    checking.expect(first.size >= 2, "first", "应至少含 2 个数", "at least 2 numbers", first.size)
    ranks = [_ranks(array.ravel()) for array in (first, second)]
    ranks = [rank - rank.mean() for rank in ranks]
    length = math.sqrt(np.sum(ranks[0] ** 2) * np.sum(ranks[1] ** 2))
    return float(np.sum(ranks[0] * ranks[1]) / length) if length else math.nan


def deletion_curves(model, images, maps, classes, shares, fill=0.0, seed=0):
    r"""Return the class's probability after a map's highest pixels were overwritten, (count, len(shares)).

    Column j: the first round(shares[j] * height * width) pixels of the map hold `fill`. The faster a curve falls, the
    more the network needed what the map named, if `fill` means "nothing". Equal numbers in a map are put in random
    order. Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421 (with the softmax of the model's scores).

    Raises:
        ValueError: maps of another shape than (count, height, width), or shares outside 0 to 1.
    """
    images, classes = _checked(images, classes)
    maps, shares = np.asarray(maps), np.asarray(shares, dtype=np.float64)
    checking.require_shape(maps, images.shape[:3], "maps")
    checking.expect(shares.ndim == 1, "shares", "应为数列", "a list of numbers", shares.shape)
    checking.share(shares=shares)
    count, pixels = len(images), maps[0].size
    chance = np.random.default_rng(seed).random((count, pixels))
    order = np.lexsort((chance, -maps.reshape(count, pixels)))  # (count, pixels): highest first
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(pixels)[None], axis=1)  # each pixel's place in that order
    place = place.reshape(maps.shape)[..., None]
    numbers = np.round(shares * pixels).reshape(-1, 1, 1, 1, 1)
    curves = np.empty((count, len(shares)))
    for rows in _batches(count, len(shares)):
        deleted = np.where(place[rows] < numbers, np.float32(fill), images[rows])  # (shares, rows, h, w, c)
        pictures, wanted = _one_axis(deleted, classes[rows])
        parts = [
            keras.ops.convert_to_numpy(keras.ops.softmax(model(tf.constant(pictures[some]), training=False)))
            for some in _batches(len(pictures))
        ]
        found = np.take_along_axis(np.concatenate(parts), wanted[:, None], axis=1)
        curves[rows] = found.reshape(len(shares), -1).T
    return curves


def share_inside(maps, region):
    """Return the share of each map's positive mass in a region: one number per map, 0 to 1 (NaN: nothing positive).

    Args:
        maps: (count, height, width).
        region: bool (height, width) or (count, height, width).
    """
    positive = np.maximum(np.asarray(maps, dtype=np.float64), 0)
    region = np.broadcast_to(region, positive.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (positive * region).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))


def randomised(model, layers, seed=0):
    """Return a copy of a model in which the named layers have new random weights, the others the old ones.

    The sanity check of Adebayo et al. 2018, arXiv:1810.03292: an explanation of the trained network must not survive
    the loss of what the network learned. New weights come from the layers' own initialisers.

    Raises:
        ValueError: a name that is no layer, or a layer without weights.
    """
    copy = _copy(model)
    for number, name in enumerate(layers):
        layer = copy.get_layer(name)
        checking.expect(
            layer.weights, "layers", "应为有权重的层", "layers with weights", f"{name}, which has no weights"
        )
        for weight in layer.weights:
            initializer = getattr(layer, f"{weight.name}_initializer", None)
            wanted = "权重应有初始化方法", "weights with an initializer"
            checking.expect(initializer is not None, "layers", *wanted, f"{name}, {weight.name} without")
            settings = initializer.get_config()
            if "seed" in settings:
                settings["seed"] = 1000 * seed + number
            weight.assign(type(initializer).from_config(settings)(weight.shape))
    return copy


# ---------------------------------------------------------------- helpers


def _class_scores(model, images, classes):
    return tf.gather(model(tf.convert_to_tensor(images), training=False), classes, axis=1, batch_dims=1)


def _checked(images, classes):
    axes = ("count", "height", "width", "channels")
    images = checking.array_with_axes(np.asarray(images, dtype=np.float32), "images", axes)
    classes = checking.integer_array(classes, "classes", ("count",))
    checking.require_shape(classes, (len(images),), "classes")
    return images, classes.astype(np.int32)


def _batches(count, variants=1):
    """Return slices of `count` images; with many variants of each, a slice gives BATCH pictures or one image's."""
    size = max(1, BATCH // variants)
    return [slice(start, start + size) for start in range(0, count, size)]


def _one_axis(variants, classes):
    """Return (variants, rows, ...) pictures and (rows,) classes with variants and rows as one axis."""
    return variants.reshape(-1, *variants.shape[2:]), np.tile(classes, len(variants))


def _mean_gradients(model, variants_of, number, count, classes):
    """Return the mean of the gradients of each image's variants; `variants_of(rows)`: (number, rows, ...)."""
    means = []
    for rows in _batches(count, number):
        variants = variants_of(rows)
        slopes = gradients(model, *_one_axis(variants, classes[rows]))
        means.append(slopes.reshape(variants.shape).mean(axis=0))
    return np.concatenate(means)


def _copy(model, clone_function=None):
    copy = keras.models.clone_model(model, clone_function=clone_function)
    copy.set_weights(model.get_weights())
    return copy


@tf.custom_gradient
def _guided_relu(x):
    return tf.nn.relu(x), lambda upstream: tf.where((x > 0) & (upstream > 0), upstream, 0)


def _coalitions(coalitions, players):
    coalitions = np.asarray(coalitions).astype(bool)
    fits = coalitions.ndim == 2 and coalitions.shape[1] == players
    shape = f"(rows, {players})"
    checking.expect(fits, "coalitions", f"形状应为 {shape}", f"shape {shape}", coalitions.shape)
    return coalitions


def _sampled_coalitions(players, samples, generator):
    """Return coalitions and their complements, sizes drawn by 1 / (size (M - size)): bool (samples, players)."""
    sizes = np.arange(1, players)
    probability = 1 / (sizes * (players - sizes))
    drawn = generator.choice(sizes, size=-(-samples // 2), p=probability / probability.sum())
    order = generator.random((len(drawn), players)).argsort(axis=1).argsort(axis=1)  # random ranks
    half = order < drawn[:, None]
    return np.concatenate([half, ~half])[:samples]


def _ranks(numbers):
    """Return ranks from 0, equal numbers sharing their mean rank."""
    _, where, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1  # the last rank of each distinct number
    return (last - (counts - 1) / 2)[where]
