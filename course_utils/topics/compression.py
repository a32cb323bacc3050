r"""Making networks smaller: pruning with a mask, quantisation by hand, distillation's loss, and what each one buys.

    compression.attach_masks(model)                  # before the first fit; masks of ones change nothing
    compression.prune(model, 0.9)                    # one shot: nine of ten weights of every kernel become zero
    model.fit(..., callbacks=[compression.GradualPruning(0.9, steps=300)])
    integers, step = compression.quantize(kernel, bits=8, axis=0)

Keras has no API for pruning, so that part is the course's own: a weight constraint holds the mask, and the optimiser applies
it after every update. Quantisation repeats in NumPy what `model.quantize("int8")` and `model.quantize("int4")` store.
Biases are neither pruned nor quantised: they are few.
"""

import lzma
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from course_utils.checking import (
    array_with_axes,
    between,
    expect,
    float_array,
    not_empty,
    positive,
    positive_integer,
    require_shape,
    share,
)
from course_utils.reference import activations

EPSILON = 1e-7  # what Keras adds to the largest weight, so that a kernel of zeros can be divided by it


# ---------------------------------------------------------------- pruning


def magnitude_mask(weights, sparsity):
    r"""Return which weights stay when the smallest ones go: a boolean array of the shape of `weights`.

    Exactly $k = \mathrm{round}(s n)$ of the $n$ weights are dropped, those with the smallest $|w_i|$; among equal ones
    the first. (A threshold, as in `abs(w) > t`, drops too many or too few when magnitudes tie.)

    Args:
        weights: float array of any shape.
        sparsity: $s$, the share to drop, 0 to 1.

    Raises:
        ValueError: a share outside 0 to 1, or an empty array.

    Source: Han, Pool, Tran and Dally 2015, Learning both weights and connections, arXiv:1506.02626.
    """
    weights = float_array(weights, "weights")
    not_empty(weights=weights)
    share(sparsity=sparsity)
    dropped = np.argsort(np.abs(weights), axis=None, kind="stable")[: round(sparsity * weights.size)]
    mask = np.ones(weights.size, dtype=bool)
    mask[dropped] = False
    return mask.reshape(weights.shape)


def cubic_sparsity(step, begin, end, final, initial=0.0):
    r"""Return the sparsity of the gradual schedule at a step: fast while much is superfluous, slow towards the end.

    $$ s(t) = s_f + (s_i - s_f) \left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3, \quad t_0 \le t \le t_1 $$

    $s_i$ before, $s_f$ afterwards.

    Args:
        step: $t$, a number or an array.
        begin, end: $t_0$ and $t_1$.
        final, initial: $s_f$ and $s_i$, shares from 0 to 1.

    Raises:
        ValueError: an end that does not come after the beginning, or a share outside 0 to 1.

    Source: Zhu and Gupta 2017, To prune, or not to prune, arXiv:1710.01878, equation 1.
    """
    expect(end > begin, "end", f"应大于 begin {begin!r}", f"more than begin {begin!r}", end)
    share(initial=initial, final=final)
    left = 1 - np.clip((np.asarray(step) - begin) / (end - begin), 0, 1)
    return final + (initial - final) * left**3


class PruningMask(keras.constraints.Constraint):
    """A weight constraint that multiplies by a mask of zeros and ones; the optimiser applies it after every update.

    The mask is a variable, so it can change during a `fit` whose graph is traced already. It is set on a variable, not in a
    layer's arguments: a saved file does not mention it and loads without this class.
    """

    def __init__(self, shape):
        self.mask = keras.Variable(np.ones(shape, dtype="float32"), trainable=False, name="mask")

    def __call__(self, weights):
        return weights * keras.ops.cast(self.mask, weights.dtype)


def kernels(model):
    """Return the kernel variables of a model (of dense layers and convolutions; models inside it are opened)."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += kernels(layer)
        elif isinstance(getattr(layer, "kernel", None), keras.Variable):
            found.append(layer.kernel)
    wanted = "应有卷积核或权重矩阵，并且已建好", "a built model with kernels"
    expect(found or not model.layers, "model", *wanted, f"none in {model.name!r}")
    return found


def attach_masks(model):
    """Give every kernel a `PruningMask` of ones. Do so before `fit` traces its graph; doing it again keeps the masks."""
    for kernel in kernels(model):
        if not isinstance(kernel.constraint, PruningMask):
            kernel.constraint = PruningMask(kernel.shape)


def set_masks(model, masks):
    """Set the masks (one boolean array a kernel, in the order of `kernels`) and zero what they drop."""
    attach_masks(model)
    variables = kernels(model)
    shapes = [tuple(kernel.shape) for kernel in variables]
    found = [tuple(mask.shape) for mask in masks]
    expect(found == shapes, "masks", f"形状应为 {shapes}", f"shapes {shapes}", found)
    for kernel, mask in zip(variables, masks, strict=True):
        kernel.constraint.mask.assign(np.asarray(mask, dtype="float32"))
        kernel.assign(kernel.constraint(kernel))


def prune(model, sparsity):
    """Drop the smallest weights of every kernel (the same share of each) and keep them at zero from now on."""
    set_masks(
        model, [magnitude_mask(keras.ops.convert_to_numpy(kernel), sparsity) for kernel in kernels(model)]
    )


def sparsity(model):
    """Return the share of zeros among the numbers of a model's kernels, 0 to 1."""
    arrays = [keras.ops.convert_to_numpy(kernel) for kernel in kernels(model)]
    return sum(int(np.sum(array == 0)) for array in arrays) / sum(array.size for array in arrays)


class GradualPruning(keras.callbacks.Callback):
    """Raise a model's sparsity by `cubic_sparsity` while it trains, then leave the masks as they are.

    Args:
        final: sparsity at the end, 0 to 1.
        steps: optimiser steps, counted from the start of this `fit`, after which it is reached. With
            `steps_per_execution=n` the masks move every n steps.

    A mask needs variables in the traced graph: call `attach_masks(model)` before the model's first `fit`.
    """

    def __init__(self, final, steps):
        super().__init__()
        share(final=final)
        self.final, self.steps = final, positive_integer(steps, "steps")
        self.reached = []

    def on_train_begin(self, logs=None):
        masked = all(isinstance(kernel.constraint, PruningMask) for kernel in kernels(self.model))
        wanted = (
            "每个卷积核应有掩码：先调用 attach_masks(model)",
            "masks on every kernel: call attach_masks(model) before fit",
        )
        expect(masked, "model", *wanted, "kernels without")
        self._first = self._steps_done()

    def on_train_batch_end(self, batch, logs=None):
        step = self._steps_done() - self._first
        if not self.reached or self.reached[-1] < self.final:
            self.reached.append(float(cubic_sparsity(step, 0, self.steps, self.final)))
            prune(self.model, self.reached[-1])

    def _steps_done(self) -> int:
        return int(
            self.model.optimizer.iterations.numpy()
        )  # int() alone takes no variable of several replicas


# ---------------------------------------------------------------- quantisation


def quantize(weights, bits, axis=None):
    r"""Round to whole numbers of `bits` bits, symmetric around zero: return (integers, step).

    $$ q = \mathrm{round}(w / \Delta), \qquad \Delta = \max |w| / (2^{b-1} - 1), \qquad w \approx \Delta\, q $$

    Args:
        weights: float array.
        bits: $b$, 2 to 8.
        axis: over which the largest weight is taken. None: one step for the whole tensor. 0 for a dense
            kernel (in, out): one for each output (per channel); (0, 1, 2) for a convolution's kernel.

    Returns:
        integers: int8, of the shape of `weights`, from $-(2^{b-1}-1)$ to $2^{b-1}-1$.
        step: $\Delta$, of the weights' type; a number, or an array whose reduced axes have length 1.

    Keras stores $1/\Delta$ under the name `kernel_scale`. Rounding is to even, as Keras and IEEE 754 do it.

    Raises:
        ValueError: bits outside 2 to 8.

    Source: Jacob et al. 2017, Quantization and training of neural networks for integer-arithmetic-only inference,
    arXiv:1712.05877 (with a zero point; here it is 0).
    """
    weights = float_array(weights, "weights")
    between(2, 8, bits=positive_integer(bits, "bits"))
    most = 2 ** (bits - 1) - 1
    largest = np.max(np.abs(weights), axis=axis, keepdims=axis is not None)
    scale = (most / (largest + EPSILON)).astype(weights.dtype)  # Keras rounds w * scale, not w / step
    integers = np.clip(np.round(weights * scale), -most, most).astype(np.int8)
    return integers, (1 / scale).astype(weights.dtype)


def dequantize(integers, step):
    """Return the floats that the integers stand for, step * q, in the step's type."""
    return np.asarray(integers).astype(np.asarray(step).dtype) * step


def quantize_groups(weights, group, bits=4):
    r"""Round a dense kernel with a step and a zero point for every `group` rows of a column: (integers, step, zero).

    $$ \Delta = (\max w - \min w) / (2^b - 1), \quad z = \mathrm{round}(-\min w / \Delta) - 2^{b-1}, \quad
       q = \mathrm{round}(w / \Delta) + z, \quad w \approx \Delta (q - z) $$

    This is what `model.quantize("int4")` stores, with groups of 128.

    Args:
        weights: (in, out).
        group: rows that share a step; a last, shorter group is filled up with zeros.
        bits: 2 to 8.

    Returns:
        integers: int8 (in, out), from $-2^{b-1}$ to $2^{b-1}-1$. step: (groups, out). zero: int8 (groups, out).
    """
    weights = array_with_axes(weights, "weights", ("in", "out"))
    between(2, 8, bits=positive_integer(bits, "bits"))
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rows, columns = weights.shape
    groups = -(-rows // positive_integer(group, "group"))
    filled = np.zeros((groups * group, columns), dtype=weights.dtype)
    filled[:rows] = weights
    filled = filled.reshape(groups, group, columns)
    lowest, highest = filled.min(axis=1, keepdims=True), filled.max(axis=1, keepdims=True)  # (groups, 1, out)
    step = (highest - lowest + weights.dtype.type(EPSILON)) / weights.dtype.type(most - least)
    zero = np.clip(np.round(-lowest / step) + least, least, most)
    integers = np.clip(np.round(filled / step) + zero, least, most)
    integers = integers.reshape(-1, columns)[:rows].astype(np.int8)  # (in, out)
    return integers, step[:, 0], zero[:, 0].astype(np.int8)


def dequantize_groups(integers, step, zero, group):
    """Return step * (q - zero) with each group's own numbers: (in, out)."""
    rows = np.arange(len(integers)) // group  # (in,): which group a row belongs to
    return step[rows] * (np.asarray(integers).astype(step.dtype) - zero[rows].astype(step.dtype))


def pack_int4(integers):
    """Put two 4-bit numbers into a byte along the last axis: int8 (..., n) -> int8 (..., ceil(n / 2)).

    The first of two neighbours takes the low four bits, in two's complement; an odd end is filled up with a zero.

    Raises:
        ValueError: a number outside -8 to 7.
    """
    integers = np.asarray(integers)
    fits = integers.dtype.kind == "i" and integers.size and integers.min() >= -8 and integers.max() <= 7
    wanted = "应为 -8 到 7 的整数", "whole numbers from -8 to 7"
    expect(fits, "integers", *wanted, f"{integers.dtype} {integers.shape}")
    if integers.shape[-1] % 2:
        integers = np.concatenate([integers, np.zeros_like(integers[..., :1])], axis=-1)
    low, high = (integers[..., start::2].astype(np.uint8) & 15 for start in (0, 1))
    return (low | high << 4).astype(np.uint8).view(np.int8)


# ---------------------------------------------------------------- distillation


def distillation_loss(student_scores, teacher_scores, temperature):
    r"""Return $T^2$ times the mean Kullback-Leibler divergence of softened answers, a number.

    $$ L = \frac{T^2}{n} \sum_k \sum_i p_{ki} \log \frac{p_{ki}}{q_{ki}}, \qquad
       p = \mathrm{softmax}(z^{\text{teacher}} / T), \quad q = \mathrm{softmax}(z^{\text{student}} / T) $$

    Args:
        student_scores, teacher_scores: logits (examples, classes).
        temperature: $T > 0$.

    Raises:
        ValueError: shapes that differ, or a temperature that is not positive.

    Source: Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network, arXiv:1503.02531. (There: the cross
    entropy of $p$ and $q$. It is larger by the entropy of $p$, which no student can change: the same gradient.)
    """
    student_scores, teacher_scores = _scores(student_scores, teacher_scores, temperature)
    log_p = activations.log_softmax(teacher_scores / temperature)  # (examples, classes)
    log_q = activations.log_softmax(student_scores / temperature)
    return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=1))


def distillation_loss_backward(upstream, student_scores, teacher_scores, temperature):
    r"""Return the gradient for the student's scores, $\frac{T}{n} (q - p)$ times upstream: (examples, classes)."""
    student_scores, teacher_scores = _scores(student_scores, teacher_scores, temperature)
    p, q = (activations.softmax(scores / temperature) for scores in (teacher_scores, student_scores))
    return upstream * temperature * (q - p) / len(p)


def _scores(student_scores, teacher_scores, temperature):
    student_scores = array_with_axes(student_scores, "student_scores", ("examples", "classes"))
    teacher_scores = array_with_axes(teacher_scores, "teacher_scores", ("examples", "classes"))
    require_shape(teacher_scores, student_scores.shape, "teacher_scores")
    positive(temperature=temperature)
    return student_scores, teacher_scores


# ---------------------------------------------------------------- what it buys


def file_bytes(model):
    """Return {"keras": bytes of the saved .keras file, "xz": bytes of that file compressed by LZMA}.

    Saved is the model as given: a compiled and trained one brings its optimiser's state along.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        content = path.read_bytes()
    return {"keras": len(content), "xz": len(lzma.compress(content))}


def latency_ratios(functions, inputs, repeats=30):
    """Time functions in turns and return {name: median time / median time of the first one}.

    In turns, because a machine gets slower and faster while it works: what is compared must have shared the weather.

    Args:
        functions: name -> function of `inputs`; each is called twice before the clock starts.
        repeats: calls of each.

    Raises:
        ValueError: no functions.
    """
    not_empty(functions=functions)
    for function in functions.values():
        for _ in range(2):
            np.asarray(function(inputs))
    seconds = {name: [] for name in functions}
    for _ in range(positive_integer(repeats, "repeats")):
        for name, function in functions.items():
            begin = time.perf_counter()
            np.asarray(function(inputs))  # waits for the result
            seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    first = next(iter(medians.values()))
    return {name: median / first for name, median in medians.items()}
