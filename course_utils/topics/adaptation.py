r"""Taking a trained network to a new task: few labels, frozen layers, low-rank updates (LoRA), and what is forgotten.

    network = adaptation.two_heads()                              # ten digits: five known, five new
    rows = adaptation.few_examples(labels, range(5, 10), count=10, seed=0)
    adaptation.train_only(network, ["new_head"])                  # feature extraction
    adaptation.add_lora(network, ["conv_2", "features"], rank=4)  # adapters; everything else frozen
    with adaptation.without_lora(network): ...                    # the network as it was, bit for bit

LoRA adds to a frozen kernel W (in, out) the product of two thin matrices, (alpha / rank) A B, and trains only those.
Source: Hu et al. 2021, LoRA: low-rank adaptation of large language models, arXiv:2106.09685.
"""

import contextlib

import keras
import numpy as np

from course_utils import training
from course_utils.checking import (
    array_with_axes,
    expect,
    not_empty,
    positive_integer,
    require_shape,
    upstream_array,
)
from course_utils.models import vision

OLD_CLASSES = 5  # digits 0 to 4 belong to the old head, 5 to 9 to the new one


# ---------------------------------------------------------------- data


def few_examples(labels, classes, count, seed=0):
    """Return the places of `count` examples of each class, drawn without replacement and mixed.

    Args:
        labels: whole numbers (examples,).
        classes: which of them to draw.
        count: of each class.
        seed: decides the draw; the same seed draws the first of a larger count too, so that sets grow.

    Raises:
        ValueError: a class has fewer examples.
    """
    labels, count = np.asarray(labels), positive_integer(count, "count")
    random, drawn = np.random.default_rng(seed), []
    for label in classes:
        places = random.permutation(np.flatnonzero(labels == label))
        wanted = (
            f"至多为 {len(places)}，类别 {label} 的样本数",
            f"at most {len(places)} examples of class {label}",
        )
        expect(len(places) >= count, "count", *wanted, count)
        drawn.append(places[:count])
    return random.permutation(np.concatenate(drawn))


def nearest_neighbour(known, labels, unknown):
    """Return for each unknown point the label of the nearest known one (Euclidean): the baseline that learns nothing.

    Args:
        known, unknown: (examples, numbers) each, of one width.
        labels: (known examples,).
    """
    known = array_with_axes(known, "known", ("examples", "numbers"))
    unknown = array_with_axes(unknown, "unknown", ("examples", "numbers"))
    require_shape(unknown, (len(unknown), known.shape[1]), "unknown")
    # |u - k|^2 without |u|^2, which is the same for every known point: (unknown, known)
    distances = (known**2).sum(axis=1) - 2 * unknown @ known.T
    return np.asarray(labels)[distances.argmin(axis=1)]


# ---------------------------------------------------------------- the network and its loss


def two_heads(features=64):
    """Return a network with one body and two heads: `vision.fast_cnn`'s convolutions, a dense layer, 5 + 5 scores.

    Layers to name: conv_1, conv_2, conv_3 (each with norm_ and relu_), features, old_head (digits 0 to 4),
    new_head (5 to 9). Input (batch, 28, 28, 1), output logits (batch, 10), old head first. Uncompiled.
    """
    body = vision.fast_cnn()
    flat = body.get_layer("flatten").output  # (batch, 1024)
    x = keras.layers.Dense(features, activation="relu", name="features")(flat)  # (batch, features)
    heads = [keras.layers.Dense(OLD_CLASSES, name=name)(x) for name in ("old_head", "new_head")]
    return keras.Model(body.input, keras.layers.Concatenate(name="scores")(heads), name="two_heads")


@keras.saving.register_keras_serializable(package="course_utils")
def own_head_loss(labels, scores):
    """Return the cross entropy in which an example sees only the head that its label belongs to: (batch,).

    The other head's scores get minus a billion, so that its probabilities and its gradients are exactly zero: training on
    new digits leaves the old head's weights as they are.
    """
    labels = keras.ops.cast(keras.ops.reshape(labels, (-1, 1)), "int32")  # (batch, 1)
    columns = keras.ops.arange(2 * OLD_CLASSES, dtype="int32")[None, :]  # (1, 10)
    foreign = (columns >= OLD_CLASSES) != (labels >= OLD_CLASSES)  # (batch, 10)
    masked = keras.ops.where(foreign, -1e9, scores)
    return keras.losses.sparse_categorical_crossentropy(labels[:, 0], masked, from_logits=True)


def scores(network, images, batch_size=500):
    """Return the network's outputs for all images, computed in batches: (examples, outputs)."""
    not_empty(images=images)
    forward = training.forward(network, tuple(layer.lora_enabled for layer in adapted_layers(network)))
    return np.concatenate(
        [
            np.asarray(forward(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
    )


def accuracies(outputs, labels):
    """Return {"old", "new", "old_unaided", "new_unaided"}: accuracy on either half of the digits.

    Plain: the head is known, only its five scores compete. Unaided: nobody says which head, all ten compete.

    Args:
        outputs: (examples, 10).
        labels: whole numbers 0 to 9, both halves present.
    """
    labels = np.asarray(labels)
    require_shape(np.asarray(outputs), (len(labels), 2 * OLD_CLASSES), "outputs")
    is_old = labels < OLD_CLASSES
    both = is_old.any() and not is_old.all()
    expect(both, "labels", "两半数字都要有", "digits of both halves, 0 to 4 and 5 to 9", "one half")
    own = np.where(
        is_old, outputs[:, :OLD_CLASSES].argmax(axis=1), outputs[:, OLD_CLASSES:].argmax(axis=1) + OLD_CLASSES
    )
    unaided = outputs.argmax(axis=1)
    return {
        "old": float(np.mean(own[is_old] == labels[is_old])),
        "new": float(np.mean(own[~is_old] == labels[~is_old])),
        "old_unaided": float(np.mean(unaided[is_old] == labels[is_old])),
        "new_unaided": float(np.mean(unaided[~is_old] == labels[~is_old])),
    }


# ---------------------------------------------------------------- what is trained


def train_only(network, names):
    """Freeze every layer but those named. A frozen BatchNormalization also keeps its moving averages. Compile afterwards."""
    known = {layer.name for layer in network.layers}
    missing = set(names) - known
    expect(
        not missing, "names", f"应为 {sorted(known)} 中的层", f"layers among {sorted(known)}", sorted(missing)
    )
    for layer in network.layers:
        layer.trainable = layer.name in names


def freeze_normalisation(network):
    """Freeze every BatchNormalization, weights and moving averages alike. Compile afterwards."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def trained_parameters(network):
    """Return how many numbers a training step changes."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


# ---------------------------------------------------------------- low-rank adaptation


def low_rank_kernel(kernel, a, b, alpha):
    r"""Return the adapted kernel $W + \frac{\alpha}{r} A B$.

    Args:
        kernel: (..., in, out): of a dense layer, or of a convolution with its window in front.
        a: (..., in, r).
        b: (r, out).
        alpha: a number; alpha = r adds the product as it is.

    Raises:
        ValueError: shapes that do not fit.
    """
    kernel, a, b = np.asarray(kernel), np.asarray(a), array_with_axes(b, "b", ("rank", "out"))
    require_shape(a, (*kernel.shape[:-1], len(b)), "a")
    require_shape(b, (len(b), kernel.shape[-1]), "b")
    return kernel + (alpha / len(b)) * (a @ b)


def low_rank_backward(upstream, inputs, a, b, alpha):
    r"""Return the gradients of $L$ for $A$ and $B$ of a dense layer $y = x (W + \frac{\alpha}{r} A B)$.

    $$ \frac{\partial L}{\partial A} = \frac{\alpha}{r}\, x^\top g\, B^\top, \qquad
       \frac{\partial L}{\partial B} = \frac{\alpha}{r}\, A^\top x^\top g $$

    Args:
        upstream: $g$, the derivative of the loss by the outputs, (batch, out).
        inputs: $x$, (batch, in).
        a: (in, r).
        b: (r, out).
    """
    inputs = array_with_axes(inputs, "inputs", ("batch", "in"))
    a, b = array_with_axes(a, "a", ("in", "rank")), array_with_axes(b, "b", ("rank", "out"))
    require_shape(a, (inputs.shape[1], len(b)), "a")
    upstream = upstream_array(upstream, (len(inputs), b.shape[1]), inputs.dtype)
    kernel_gradient = (alpha / len(b)) * inputs.T @ upstream  # (in, out)
    return kernel_gradient @ b.T, a.T @ kernel_gradient


def add_lora(network, names, rank, alpha=None):
    """Give the named layers low-rank adapters by Keras' `enable_lora`; everything but adapters and `new_head` is frozen.

    Biases of adapted layers are frozen, too, so that switching the adapters off gives back the old network exactly.
    Compile afterwards.

    Args:
        names: dense layers or convolutions of the network.
        rank: r.
        alpha: r when None.
    """
    train_only(network, ["new_head", *names])
    for name in names:
        layer = network.get_layer(name)
        layer.enable_lora(positive_integer(rank, "rank"), lora_alpha=alpha)
        if layer.bias is not None:
            layer.bias.trainable = False


def adapted_layers(network):
    """Return the layers that have low-rank adapters."""
    return [layer for layer in network.layers if hasattr(layer, "lora_kernel_a")]


@contextlib.contextmanager
def without_lora(network):
    """Switch the adapters off inside: for `network(images)` and `scores`, not for `fit`, whose graph is traced."""
    adapted = adapted_layers(network)
    before = [layer.lora_enabled for layer in adapted]
    try:
        for layer in adapted:
            layer.lora_enabled = False
        yield
    finally:
        for layer, enabled in zip(adapted, before, strict=True):
            layer.lora_enabled = enabled


def load_weights(network, arrays, seed=0):
    """Put the weights of a plain network into one with adapters; the adapters start anew and add nothing.

    Args:
        network: after `add_lora`.
        arrays: `get_weights()` of the same network without adapters.
        seed: of the random A (He uniform, as Keras draws it); B is zero.
    """
    waiting = list(arrays)
    for number, layer in enumerate(network.layers):
        if hasattr(layer, "lora_kernel_a"):
            layer._kernel.assign(waiting.pop(0))
            if layer.bias is not None:
                layer.bias.assign(waiting.pop(0))
            start = keras.initializers.HeUniform(seed=1000 * seed + number)
            layer.lora_kernel_a.assign(start(layer.lora_kernel_a.shape))
            layer.lora_kernel_b.assign(keras.ops.zeros(layer.lora_kernel_b.shape))
        else:
            layer.set_weights([waiting.pop(0) for _ in layer.weights])
    used = len(arrays) - len(waiting)
    expect(
        not waiting, "arrays", f"网络的权重有 {used} 个", f"{used}, the weights of the network", len(arrays)
    )


def merged_weights(network):
    """Return the weights of a plain network that computes what the adapted one does, W + (alpha / r) A B in each kernel."""
    merged = []
    for layer in network.layers:
        if hasattr(layer, "lora_kernel_a"):
            merged.append(keras.ops.convert_to_numpy(layer.kernel))  # Keras' property adds the product
            if layer.bias is not None:
                merged.append(keras.ops.convert_to_numpy(layer.bias))
        else:
            merged += layer.get_weights()
    return merged
