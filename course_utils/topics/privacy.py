r"""Privacy and security: what a model gives away, and what training with noise, shares and attacks changes.

* membership inference: `roc`, `area_under_roc`, `advantage`, `true_positive_rate`
* differential privacy: `per_example_gradients`, `clipped_sum`, `poisson_sample`, `train_private`, `epsilon`,
  `gaussian_epsilon`
* federated learning: `split_evenly`, `split_by_label`, `LocalTraining`, `weighted_mean`
* secure aggregation: `encode`, `decode`, `additive_shares`, `pairwise_masks`
* attacks: `sign_attack` (FGSM), `flip_labels`

Models give logits. Random numbers come from seeded generators so that a chapter repeats; a real deployment needs a
cryptographic source, and noise that survives floating-point rounding (Mironov 2012, doi:10.1145/2382196.2382264).
"""

import math
from statistics import NormalDist

import dp_accounting
import numpy as np
import tensorflow as tf
from dp_accounting import pld, rdp

from course_utils import checking

MODULUS = 2**32  # secure aggregation counts modulo this, as uint32 does by itself
FRACTION_BITS = 16  # an encoded number is a whole multiple of 2^-16


# ---------------------------------------------------------------- membership inference


def roc(members, others):
    """Return how often "member" is said of others and of members, for every threshold on a score.

    Args:
        members, others: scores (a higher one says "member"), shapes (m,) and (n,). For the attack by loss of Yeom et
            al. 2017 (arXiv:1709.01604) the score is minus the loss.

    Returns:
        (false positive rate, true positive rate), both rising from 0 to 1, one entry for each distinct score and one for
        "never".
    """
    members, others = _scores(members, "members"), _scores(others, "others")
    thresholds = np.unique(np.concatenate([members, others]))[::-1]  # highest first
    rates = [
        1 - np.searchsorted(np.sort(group), thresholds, side="left") / len(group)
        for group in (others, members)
    ]
    return tuple(np.concatenate([[0.0], rate]) for rate in rates)


def area_under_roc(members, others):
    """Return the chance that a random member scores above a random other (a tie counts one half); 0.5 is guessing."""
    members, others = _scores(members, "members"), np.sort(_scores(others, "others"))
    below = np.searchsorted(others, members, side="left")
    not_above = np.searchsorted(others, members, side="right")
    return float(np.mean(below + not_above) / (2 * len(others)))


def advantage(members, others):
    """Return the largest true minus false positive rate of any threshold: 0 is guessing, 1 is certainty.

    An upper estimate, since the threshold is picked afterwards. Source: Yeom et al. 2017, arXiv:1709.01604.
    """
    false_positive, true_positive = roc(members, others)
    return float(np.max(true_positive - false_positive))


def true_positive_rate(members, others, false_positive_rate=0.01):
    """Return the share of the members found when at most this share of others is accused wrongly.

    Carlini et al. 2021 (arXiv:2112.03570) ask for it, since a mean over everybody hides those who are found for sure.
    """
    checking.inside(0, 1, false_positive_rate=false_positive_rate)
    false_positive, true_positive = roc(members, others)
    return float(true_positive[false_positive <= false_positive_rate].max())


# ---------------------------------------------------------------- differential privacy


def per_example_gradients(model, inputs, labels):
    """Return the gradient of each example's own cross entropy: one tensor (batch, *weight shape) per weight.

    `tf.vectorized_map` runs one example's forward and backward pass for all of them at once. Layers that mix the
    examples of a batch (BatchNormalization) have no gradient of one example; do not use them.

    Args:
        model: images to logits (batch, classes).
        inputs, labels: (batch, ...) and whole numbers (batch,).
    """

    def one(example):
        image, label = example
        with tf.GradientTape() as tape:
            logits = model(image[None], training=True)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label[None], logits)[0]
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    return tf.vectorized_map(one, (tf.convert_to_tensor(inputs), tf.cast(labels, tf.int32)))


def clipped_sum(gradients, clip, mask=None):
    r"""Clip each example's whole gradient to the norm `clip`, then add up: a list of tensors shaped as the weights.

    g_i <- g_i * min(1, C / |g_i|),   |g_i|^2 = sum over all weights;   result: sum over i of mask_i g_i.

    So no example can move the sum by more than C. Source: Abadi et al. 2016, arXiv:1607.00133, algorithm 1.

    Args:
        gradients: as `per_example_gradients` returns them.
        clip: C, positive.
        mask: (batch,), 1 for an example and 0 for padding; None: all are examples.
    """
    checking.positive(clip=clip)
    squares = [tf.reduce_sum(tf.reshape(g, (tf.shape(g)[0], -1)) ** 2, axis=1) for g in gradients]
    norms = tf.sqrt(tf.add_n(squares))  # (batch,)
    factors = tf.minimum(1.0, clip / tf.maximum(norms, 1e-12))
    if mask is not None:
        factors *= tf.cast(mask, factors.dtype)
    return [tf.tensordot(factors, g, axes=[[0], [0]]) for g in gradients]


def poisson_sample(count, rate, chunk, generator):
    """Take each of `count` examples with probability `rate`, independently; padded to whole chunks of one shape.

    This is the sampling that the accountant assumes. The number of examples is random, and none at all is possible.

    Returns:
        indices (chunks, chunk), with 0 as padding, and mask (chunks, chunk), 1 for an example and 0 for padding.
    """
    checking.share(rate=rate)
    checking.positive(rate=rate)
    checking.at_least(1, count=count, chunk=chunk)
    taken = np.flatnonzero(generator.random(count) < rate)
    chunks = -(-len(taken) // chunk)
    indices, mask = np.zeros(chunks * chunk, dtype=np.int32), np.zeros(chunks * chunk, dtype=np.float32)
    indices[: len(taken)], mask[: len(taken)] = taken, 1
    return indices.reshape(chunks, chunk), mask.reshape(chunks, chunk)


def train_private(
    model,
    inputs,
    labels,
    *,
    clip,
    noise_multiplier,
    rate,
    steps,
    optimizer,
    chunk=128,
    seed=0,
    after_step=None,
):
    r"""Train by DP-SGD: Poisson sampling, clipped gradients of single examples, Gaussian noise on their sum.

    gradient = (sum over the sample of clip(g_i) + N(0, (noise_multiplier C)^2)) / (rate * count)

    The divisor is the *expected* sample size: the real one is private too.

    Args:
        model: images to logits, without layers that mix examples.
        inputs, labels: arrays (count, ...), (count,).
        clip: C, the largest norm of an example's gradient.
        noise_multiplier: standard deviation of the noise, in units of C.
        rate: probability with which an example is in a step's sample.
        steps: number of steps.
        optimizer: a Keras optimizer; what it makes of the noisy gradient costs no further privacy.
        chunk: how many examples are differentiated at a time (only memory and speed).
        seed: of sampling and noise.
        after_step: called with the number of steps done, after each.

    Returns:
        The sizes of the samples, one per step.

    Source: Abadi et al. 2016, arXiv:1607.00133, algorithm 1.
    """
    inputs, labels = np.asarray(inputs), np.asarray(labels).astype(np.int32)
    checking.at_least(0, noise_multiplier=noise_multiplier)
    checking.at_least(1, steps=steps)
    checking.positive(clip=clip)
    checking.require_shape(labels, (len(inputs),), "labels")
    generator = np.random.default_rng(seed)
    weights = model.trainable_variables
    if not optimizer.built:
        optimizer.build(weights)

    sizes = []
    for step in range(steps):
        total = [np.zeros(weight.shape, dtype=np.float32) for weight in weights]
        indices, masks = poisson_sample(len(inputs), rate, chunk, generator)
        for rows, mask in zip(indices, masks, strict=True):
            parts = _chunk_sum(model, inputs[rows], labels[rows], mask, float(clip))
            total = [whole + part.numpy() for whole, part in zip(total, parts, strict=True)]
        noisy = [
            whole + noise_multiplier * clip * generator.standard_normal(whole.shape, dtype=np.float32)
            for whole in total
        ]
        optimizer.apply([tf.constant(total / (rate * len(inputs))) for total in noisy], weights)
        sizes.append(int(masks.sum()))
        if after_step is not None:
            after_step(step + 1)
    return sizes


def epsilon(noise_multiplier, rate, steps, delta=1e-5, accountant="pld"):
    """Return the epsilon of DP-SGD with Poisson sampling at this delta, by Google's dp-accounting.

    Neighbouring data sets differ by one example added or removed.

    Args:
        noise_multiplier, rate, steps: as in `train_private`; without noise epsilon is infinite.
        accountant: "pld" (privacy loss distributions: numerical and nearly exact) or "rdp" (Rényi, the heir of Abadi et
            al.'s moments accountant, a looser bound).
    """
    checking.one_of(("pld", "rdp"), accountant=accountant)
    checking.at_least(0, noise_multiplier=noise_multiplier, steps=steps)
    checking.share(rate=rate)
    checking.positive(rate=rate)
    checking.inside(0, 1, delta=delta)
    if noise_multiplier == 0:
        return math.inf if steps else 0.0
    event = dp_accounting.GaussianDpEvent(noise_multiplier)
    if rate < 1:
        event = dp_accounting.PoissonSampledDpEvent(rate, event)
    ledger = pld.PLDAccountant() if accountant == "pld" else rdp.RdpAccountant()
    return float(ledger.compose(event, steps).get_epsilon(delta))


def gaussian_epsilon(noise_multiplier, delta=1e-5):
    r"""Return the epsilon of the plain Gaussian mechanism (one step, everybody in it), from its closed form.

    delta(e) = Phi(1 / (2 s) - e s) - exp(e) Phi(-1 / (2 s) - e s),   s: noise multiplier, Phi: normal distribution,

    falls with e; the e with the wanted delta is found by halving. Source: Balle, Wang 2018, arXiv:1805.06530, theorem 8.
    """
    checking.positive(noise_multiplier=noise_multiplier)
    checking.inside(0, 1, delta=delta)
    normal = NormalDist().cdf

    def delta_of(e):
        half, shift = 1 / (2 * noise_multiplier), e * noise_multiplier
        return normal(half - shift) - math.exp(e) * normal(-half - shift)

    low, high = 0.0, 1.0
    if delta_of(0.0) <= delta:
        return 0.0
    while delta_of(high) > delta:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle) > delta else (low, middle)
    return high


# ---------------------------------------------------------------- federated learning


def split_evenly(labels, clients, seed=0):
    """Return IID clients: the shuffled examples in equal parts, int (clients, examples per client)."""
    count = _divisible(labels, clients)
    return np.random.default_rng(seed).permutation(count).reshape(clients, -1)


def split_by_label(labels, clients, shards=2, seed=0):
    """Return clients with few classes: sorted by label, cut into pieces, `shards` random pieces per client.

    With 2 shards most clients hold two digits. Source: McMahan et al. 2016, arXiv:1602.05629, section 3.

    Returns:
        int (clients, examples a client), indices of examples.
    """
    count = _divisible(labels, clients * shards)
    pieces = np.argsort(labels, kind="stable").reshape(clients * shards, -1)
    order = np.random.default_rng(seed).permutation(clients * shards)
    return pieces[order].reshape(clients, count // clients)


class LocalTraining:
    """What a client does: epochs of plain mini-batch gradient descent on its own examples, compiled once.

    Args:
        model: images to logits; its weights are overwritten by each call.
        learning_rate, batch_size, epochs: of a client's training; the last incomplete batch is left out.
    """

    def __init__(self, model, learning_rate, batch_size, epochs):
        self.model, self.batch_size, self.epochs = model, batch_size, epochs
        self._learning_rate = tf.constant(learning_rate, tf.float32)
        self._run = tf.function(self._loop, reduce_retracing=True)

    def __call__(self, weights, inputs, labels, seed=0):
        """Start at `weights` (arrays), train on one client's examples, return the new weights as arrays."""
        steps = len(inputs) // self.batch_size
        wanted = f"应至少有 {self.batch_size} 个样本", f"at least {self.batch_size} examples"
        checking.expect(steps >= 1, "inputs", *wanted, len(inputs))
        self.model.set_weights(weights)
        generator = np.random.default_rng(seed)
        orders = [generator.permutation(len(inputs))[: steps * self.batch_size] for _ in range(self.epochs)]
        # (epochs * steps, batch)
        order = np.concatenate(orders).reshape(-1, self.batch_size).astype(np.int32)
        self._run(tf.constant(inputs), tf.constant(np.asarray(labels), tf.int32), tf.constant(order))
        return self.model.get_weights()

    def _loop(self, inputs, labels, order):
        weights = [variable.value for variable in self.model.trainable_variables]
        for step in tf.range(tf.shape(order)[0]):
            rows = order[step]
            with tf.GradientTape() as tape:
                logits = self.model(tf.gather(inputs, rows), training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, rows), logits)
                loss = tf.reduce_mean(losses)
            for weight, slope in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(self._learning_rate * slope)


def weighted_mean(models, counts):
    r"""Return the federated average: sum_k (n_k / n) w_k, for each weight array.

    Source: McMahan et al. 2016, arXiv:1602.05629.

    Args:
        models: one list of weight arrays per client.
        counts: n_k, examples of each client.
    """
    fits = len(models) == len(counts) and models and min(counts) >= 0 and sum(counts) > 0
    wanted = "每个模型应有一个非负的样本数，不全为 0", "one count per model, none below 0 and not all 0"
    checking.expect(fits, "counts", *wanted, f"{len(models)} models and counts {list(counts)}")
    shares = np.asarray(counts, dtype=np.float64) / np.sum(counts)
    return [
        sum(share * array for share, array in zip(shares, arrays, strict=True)).astype(arrays[0].dtype)
        for arrays in zip(*models, strict=True)
    ]


# ---------------------------------------------------------------- secure aggregation


def encode(values, bits=FRACTION_BITS, parties=1):
    """Return real numbers as uint32 modulo 2^32: round(value * 2^bits), negative ones as 2^32 - ….

    Args:
        parties: how many encoded arrays will be added; their sum must stay within half the modulus.

    Raises:
        ValueError: the sum could wrap around, or a number is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    largest = MODULUS / 2 / 2**bits / parties
    size = np.max(np.abs(values), initial=0.0)
    wanted = (
        f"绝对值应小于 {largest:g}（{parties} 方相加）",
        f"finite numbers below {largest:g} in size, to add {parties}",
    )
    checking.expect(size < largest, "values", *wanted, size)
    return (np.round(values * 2**bits).astype(np.int64) % MODULUS).astype(np.uint32)


def decode(encoded, bits=FRACTION_BITS):
    """Return the real numbers of `encode`, or of a sum of encoded arrays: float64."""
    return _uint32(encoded, "encoded").astype(np.int32).astype(np.float64) / 2**bits


def additive_shares(secret, parties, generator):
    """Split a uint32 array into `parties` shares that add up to it modulo 2^32: uint32 (parties, *shape).

    All but one are drawn uniformly, the last is what is missing; any `parties - 1` of them say nothing of the secret.
    """
    secret = _uint32(secret, "secret")
    checking.at_least(2, parties=parties)
    random = generator.integers(0, MODULUS, size=(parties - 1, *secret.shape), dtype=np.uint32)
    last = secret - random.sum(axis=0, dtype=np.uint32)  # uint32 wraps around: arithmetic modulo 2^32
    return np.concatenate([random, last[None]])


def pairwise_masks(clients, shape, seed=0):
    """Return one mask per client, uint32 (clients, *shape).

    Each pair shares a random array that one adds and the other subtracts.

    The masks add up to 0 modulo 2^32, so a server that gets masked arrays learns their sum and nothing else. Here one
    seed makes all pairs' arrays; in the protocol every pair agrees on a key of its own, and shares it among the others in
    case it drops out. Source: Bonawitz et al. 2017, doi:10.1145/3133956.3133982.
    """
    checking.at_least(2, clients=clients)
    masks = np.zeros((clients, *shape), dtype=np.uint32)
    for first in range(clients):
        for second in range(first + 1, clients):
            generator = np.random.default_rng([seed, first, second])
            shared = generator.integers(0, MODULUS, size=shape, dtype=np.uint32)
            masks[first] += shared
            masks[second] -= shared
    return masks


# ---------------------------------------------------------------- attacks


def sign_attack(model, images, labels, size):
    r"""Attack by the fast gradient sign method: x + size * sign(dL/dx), kept within 0 and 1.

    The step that raises a linearised loss most when no pixel may change by more than `size`. Source: Goodfellow, Shlens,
    Szegedy 2014, arXiv:1412.6572.

    Args:
        model: images (batch, ...) to logits.
        labels: the right classes, whole numbers (batch,).
    """
    if not tf.is_tensor(size):
        checking.at_least(0, size=size)
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model(images, training=False)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)
    slope = tape.gradient(loss, images)  # of the sum: each image has its own loss
    return tf.clip_by_value(images + size * tf.sign(slope), 0.0, 1.0)


def flip_labels(labels, source, target, share, seed=0):
    """Poison: `share` of the examples of class `source` get the label `target`; a new array, and which were flipped."""
    checking.share(share=share)
    labels = np.array(labels)
    victims = np.flatnonzero(labels == source)
    chosen = np.random.default_rng(seed).permutation(victims)[: round(share * len(victims))]
    labels[chosen] = target
    return labels, np.sort(chosen)


# ---------------------------------------------------------------- helpers


@tf.function(reduce_retracing=True)
def _chunk_sum(model, inputs, labels, mask, clip):
    """Return `clipped_sum`, traced once for a model and a clip, however often the model is trained anew."""
    return clipped_sum(per_example_gradients(model, inputs, labels), clip, mask)


def _scores(scores, name):
    scores = np.asarray(scores, dtype=np.float64)
    scores = checking.array_with_axes(scores, name, ("scores",))
    checking.expect(not np.any(np.isnan(scores)), name, "不应含 NaN", "scores without NaN", "NaN")
    return scores


def _divisible(labels, parts):
    count = len(labels)
    checking.at_least(1, parts=parts)
    checking.multiple_of(parts, examples=count)
    return count


def _uint32(array, name):
    array = np.asarray(array)
    checking.expect(
        array.dtype == np.uint32, name, "应为 uint32（先用 encode）", "uint32 (use encode first)", array.dtype
    )
    return array
