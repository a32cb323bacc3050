r"""Loss functions with their gradients, and a measure of calibration, equal to Keras where Keras has them.

* Every loss returns one number: the mean over all examples (and over all outputs of an example), which is
  Keras' default reduction `"sum_over_batch_size"`.
* Losses of probabilities take **logits** (numbers before softmax or sigmoid), because only then the logarithm
  can be computed without overflow; the Keras twin is the one with `from_logits=True`.
* `f_backward(upstream, *arguments)`: upstream is the derivative with respect to that one number, usually 1.
  The gradient of the **first** argument (prediction or logits) is returned; targets and labels are data.

Sources: Goodfellow et al., *Deep Learning* (2016), sections 5.5 and 6.2; others beside each function.
"""

import numpy as np

from course_utils.checking import (
    array_with_axes,
    at_least,
    between,
    expect,
    float_array,
    not_empty,
    positive,
    positive_integer,
    require_shape,
    share,
    upstream_array,
)
from course_utils.reference.activations import log_softmax, sigmoid, softmax

# ---- Checks ------------------------------------------------------------------------------------------------


def _check_pair(prediction, target, prediction_name="prediction", target_name="target"):
    """Return two arrays of one shape, the target in the prediction's type (integer targets are converted)."""
    prediction = float_array(prediction, prediction_name)
    not_empty(**{prediction_name: prediction})
    target = np.asarray(target)
    if target.dtype.kind in "iu":
        target = target.astype(prediction.dtype)
    target = float_array(target, target_name)
    require_shape(target, prediction.shape, target_name)
    return prediction, target.astype(prediction.dtype, copy=False)


def _check_labels(scores, labels, name="logits"):
    """Return scores (..., classes) and integer labels (...) from 0 to classes - 1."""
    scores = array_with_axes(scores, name, ("batch", "...", "classes"))
    labels = np.asarray(labels)
    rows = "; for one-hot rows use labels.argmax(axis=-1)"
    expect(labels.dtype.kind in "iu", "labels", "应为整数类别编号", "integers", f"{labels.dtype}{rows}")
    shape = scores.shape[:-1]
    wanted = f"形状应为 {shape}（每个样本一个类别编号）", f"shape {shape}, one class number each"
    expect(labels.shape == shape, "labels", *wanted, f"{labels.shape}{rows}")
    between(0, scores.shape[-1] - 1, labels=labels)
    return scores, labels


def _scalar(upstream, dtype):
    return upstream_array(upstream, (), dtype)


def _pick(array, labels):
    """Return the entry of each row that its label names: (..., classes), (...) -> (...)."""
    return np.take_along_axis(array, labels[..., np.newaxis].astype(np.intp), axis=-1)[..., 0]


def one_hot(labels, classes, dtype="float32"):
    """Return rows that are 1 at the label and 0 elsewhere: integers (...) -> (..., classes).

    Raises:
        ValueError: labels are not integers from 0 to classes - 1.
    """
    classes = positive_integer(classes, "classes")
    labels = np.asarray(labels)
    # checked as labels of a batch even when it is a single number
    _check_labels(np.zeros((labels.size, classes)), labels.reshape(-1))
    return (labels[..., np.newaxis] == np.arange(classes)).astype(dtype)  # (..., classes)


# ---- Regression --------------------------------------------------------------------------------------------


def mean_squared_error(prediction, target):
    r"""Return \frac{1}{n} \sum_i (\hat y_i - y_i)^2 over all n numbers: `keras.losses.MeanSquaredError`.

    Args:
        prediction, target: any one shape.

    Returns:
        A number.

    Raises:
        ValueError: the shapes differ (Keras would broadcast (batch, 1) against (batch,) and give a wrong
            mean).
    """
    prediction, target = _check_pair(prediction, target)
    return ((prediction - target) ** 2).mean()


def mean_squared_error_backward(upstream, prediction, target):
    r"""Return 2 (\hat y - y) / n, the shape of prediction."""
    prediction, target = _check_pair(prediction, target)
    return _scalar(upstream, prediction.dtype) * 2 * (prediction - target) / prediction.size


def mean_absolute_error(prediction, target):
    r"""Return \frac{1}{n} \sum_i |\hat y_i - y_i|: `keras.losses.MeanAbsoluteError`. Shapes, errors as above."""
    prediction, target = _check_pair(prediction, target)
    return np.abs(prediction - target).mean()


def mean_absolute_error_backward(upstream, prediction, target):
    r"""Return sign(\hat y - y) / n, and 0 at the kink; the shape of prediction."""
    prediction, target = _check_pair(prediction, target)
    return _scalar(upstream, prediction.dtype) * np.sign(prediction - target) / prediction.size


def huber(prediction, target, delta=1.0):
    r"""Return squares near, absolute values far: `keras.losses.Huber`.

    Mean of e^2 / 2 where |e| \le \delta, else \delta |e| - \delta^2 / 2, with e = \hat y - y.

    Source: P. Huber 1964, https://doi.org/10.1214/aoms/1177703732

    Args:
        prediction, target: any one shape.
        delta: more than 0.

    Returns:
        A number.

    Raises:
        ValueError: other shapes or another delta.
    """
    prediction, target = _check_pair(prediction, target)
    positive(delta=delta)
    distance = np.abs(prediction - target)
    near = np.minimum(distance, delta)  # |e| near, delta far: one formula covers both
    return (near * (distance - near / 2)).mean()


def huber_backward(upstream, prediction, target, delta=1.0):
    r"""Return e clipped to [-\delta, \delta], divided by n: an outlier pulls no harder than delta."""
    prediction, target = _check_pair(prediction, target)
    positive(delta=delta)
    return _scalar(upstream, prediction.dtype) * np.clip(prediction - target, -delta, delta) / prediction.size


# ---- Two classes -------------------------------------------------------------------------------------------


def _signs(prediction, target):
    """Return targets as -1 or 1; 0 and 1 are accepted too, as in Keras."""
    prediction, target = _check_pair(prediction, target)
    if np.isin(target, (0, 1)).all():
        return prediction, 2 * target - 1
    wanted = "应全为 -1 和 1（或全为 0 和 1）", "only -1 and 1 (or only 0 and 1)"
    expect(np.isin(target, (-1, 1)).all(), "target", *wanted, str(np.unique(target)[:5]))
    return prediction, target


def hinge(prediction, target):
    r"""Return the mean of \max(1 - y \hat y, 0), y \in \{-1, 1\}: `keras.losses.Hinge`.

    Source: C. Cortes, V. Vapnik, "Support-vector networks", 1995, https://doi.org/10.1007/BF00994018

    Args:
        prediction: scores of any shape.
        target: the same shape, -1 and 1 (or 0 and 1).

    Returns:
        A number.

    Raises:
        ValueError: unequal shapes or other targets.
    """
    prediction, target = _signs(prediction, target)
    return np.maximum(1 - target * prediction, 0).mean()


def hinge_backward(upstream, prediction, target):
    r"""Return -y / n where y \hat y < 1, else 0: examples beyond the margin are left alone."""
    prediction, target = _signs(prediction, target)
    return _scalar(upstream, prediction.dtype) * -target * (target * prediction < 1) / prediction.size


def _check_binary(logits, targets):
    logits, targets = _check_pair(logits, targets, "logits", "targets")
    share(targets=targets)
    return logits, targets


def binary_cross_entropy(logits, targets):
    r"""Return the mean of -y \log p - (1 - y) \log(1 - p), p = sigmoid(z): `BinaryCrossentropy(from_logits=True)`.

    Computed as \max(z, 0) - z y + \log(1 + e^{-|z|}), which never overflows.

    Args:
        logits: z, any shape.
        targets: y, the same shape, from 0 to 1 (integers, or soft floats).

    Returns:
        A number.

    Raises:
        ValueError: unequal shapes or targets outside 0 to 1.
    """
    logits, targets = _check_binary(logits, targets)
    return (np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))).mean()


def binary_cross_entropy_backward(upstream, logits, targets):
    """Return (sigmoid(z) - y) / n, the shape of logits."""
    logits, targets = _check_binary(logits, targets)
    return _scalar(upstream, logits.dtype) * (sigmoid(logits) - targets) / logits.size


# ---- Many classes ------------------------------------------------------------------------------------------


def cross_entropy(logits, labels):
    r"""Return the mean of -\log p_{label}, p = softmax(logits): `SparseCategoricalCrossentropy(from_logits=True)`.

    It is the mean negative log-likelihood of the labels.

    Args:
        logits: (batch, ..., classes).
        labels: integers (batch, ...), from 0 to classes - 1.

    Returns:
        A number.

    Raises:
        ValueError: other shapes, labels that are floats (one-hot rows too) or out of range.
    """
    logits, labels = _check_labels(logits, labels)
    return -_pick(log_softmax(logits), labels).mean()  # (..., classes) -> (...) -> ()


def cross_entropy_backward(upstream, logits, labels):
    """Return (softmax(logits) - one_hot(labels)) / n, the shape of logits; n is the number of labels."""
    logits, labels = _check_labels(logits, labels)
    difference = softmax(logits) - one_hot(labels, logits.shape[-1], logits.dtype)  # (..., classes)
    return _scalar(upstream, logits.dtype) * difference / labels.size


def _smoothed(logits, labels, smoothing):
    """Return logits, and targets (..., classes) that give smoothing / classes to every class."""
    logits, labels = _check_labels(logits, labels)
    share(smoothing=smoothing)
    classes = logits.shape[-1]
    certain = one_hot(labels, classes, logits.dtype)  # (..., classes)
    return logits, certain * (1 - smoothing) + smoothing / classes


def label_smoothed_cross_entropy(logits, labels, smoothing=0.1):
    r"""Return the mean of -\sum_k q_k \log p_k, q = (1 - a) one\_hot(label) + a / K.

    `keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=a)`, which wants one-hot labels.

    Source: C. Szegedy et al., "Rethinking the Inception architecture", arXiv:1512.00567, section 7.

    Args:
        logits: (batch, ..., classes).
        labels: integers (batch, ...).
        smoothing: a, from 0 to 1.

    Returns:
        A number.

    Raises:
        ValueError: as `cross_entropy`, or smoothing outside 0 to 1.
    """
    logits, targets = _smoothed(logits, labels, smoothing)
    return -(targets * log_softmax(logits)).sum(axis=-1).mean()  # (..., classes) -> (...) -> ()


def label_smoothed_cross_entropy_backward(upstream, logits, labels, smoothing=0.1):
    """Return (softmax(logits) - q) / n, the shape of logits: zero when the prediction is q, not certainty."""
    logits, targets = _smoothed(logits, labels, smoothing)
    return _scalar(upstream, logits.dtype) * (softmax(logits) - targets) * (logits.shape[-1] / logits.size)


def focal(logits, labels, gamma=2.0, alpha=0.25):
    r"""Return a cross entropy that looks away from easy examples: the mean of -\alpha (1 - p)^\gamma \log p.

    p is the probability of the label.
    `keras.losses.CategoricalFocalCrossentropy(from_logits=True)` (which clips p to [1e-7, 1 - 1e-7]; we do
    not).

    Source: T.-Y. Lin et al., "Focal loss for dense object detection", arXiv:1708.02002, equation 5.

    Args:
        logits: (batch, ..., classes).
        labels: integers (batch, ...).
        gamma, alpha: at least 0; one alpha for all classes. gamma = 0, alpha = 1 is `cross_entropy`.

    Returns:
        A number.

    Raises:
        ValueError: as `cross_entropy`.
    """
    logits, labels = _check_labels(logits, labels)
    at_least(0, gamma=gamma, alpha=alpha)
    log_probability = _pick(log_softmax(logits), labels)  # (...)
    miss = -np.expm1(log_probability)  # 1 - p, exact for p near 1
    return -(alpha * miss**gamma * log_probability).mean()


def focal_backward(upstream, logits, labels, gamma=2.0, alpha=0.25):
    r"""Return \alpha ((1 - p)^\gamma - \gamma p (1 - p)^{\gamma - 1} \log p) (softmax - one\_hot) / n.

    p is the probability of the label; the shape of logits.
    """
    logits, labels = _check_labels(logits, labels)
    at_least(0, gamma=gamma, alpha=alpha)
    log_probability = _pick(log_softmax(logits), labels)  # (...)
    # p = 1 to every digit: log p is 0, and the tiny floor keeps 0 ** (gamma - 1) from being infinite
    miss = np.maximum(-np.expm1(log_probability), np.finfo(logits.dtype).tiny)
    focus = miss**gamma - gamma * np.exp(log_probability) * miss ** (gamma - 1) * log_probability  # (...)
    difference = softmax(logits) - one_hot(labels, logits.shape[-1], logits.dtype)  # (..., classes)
    return _scalar(upstream, logits.dtype) * alpha * focus[..., np.newaxis] * difference / labels.size


# ---- Calibration -------------------------------------------------------------------------------------------


def calibration_curve(probabilities, labels, bins=15):
    r"""Return confidence and accuracy of predictions grouped by confidence.

    Bin m of M holds the examples whose largest probability is in ((m - 1)/M, m/M].

    Source: C. Guo et al., "On calibration of modern neural networks", arXiv:1706.04599, section 2.

    Args:
        probabilities: (examples, classes), rows that sum to 1.
        labels: integers (examples,).
        bins: at least 1.

    Returns:
        Three arrays of length bins: mean confidence, accuracy (both nan for an empty bin), number of
        examples.

    Raises:
        ValueError: other shapes, labels as in `cross_entropy`, or rows that are not probabilities.
    """
    probabilities, labels = _check_labels(probabilities, labels, "probabilities")
    bins = positive_integer(bins, "bins")
    sums = probabilities.sum(axis=-1)
    fits = (probabilities >= 0).all() and np.allclose(sums, 1, atol=1e-3)
    wanted = (
        "每行应非负且和为 1（先做 softmax）",
        "rows that are not negative and sum to 1 (apply softmax first)",
    )
    found = f"sums from {sums.min():.4g} to {sums.max():.4g} and a smallest entry {probabilities.min():.4g}"
    expect(fits, "probabilities", *wanted, found)
    confidence = np.minimum(probabilities.max(axis=-1), 1).ravel()  # (examples,)
    right = (probabilities.argmax(axis=-1) == labels).ravel()  # (examples,)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # (examples,), which bin
    count = np.bincount(place, minlength=bins)  # (bins,)
    with np.errstate(invalid="ignore"):  # 0 / 0 in an empty bin is nan on purpose
        mean_confidence = np.bincount(place, confidence, bins) / count  # (bins,)
        accuracy = np.bincount(place, right, bins) / count  # (bins,)
    return mean_confidence.astype(probabilities.dtype), accuracy.astype(probabilities.dtype), count


def expected_calibration_error(probabilities, labels, bins=15):
    r"""Return \sum_m \frac{n_m}{n} |accuracy_m - confidence_m| over bins of confidence, a number from 0 to 1.

    Arguments, bins, errors and source as in `calibration_curve`. Keras has no such metric.
    """
    confidence, accuracy, count = calibration_curve(probabilities, labels, bins)
    filled = count > 0
    gaps = np.abs(accuracy[filled] - confidence[filled])
    return (gaps * count[filled] / count.sum()).sum().astype(confidence.dtype)
