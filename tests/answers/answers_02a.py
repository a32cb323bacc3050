"""Right and typically wrong answers of chapter 2a; each wrong one beside a word of the hint that must name it."""

import numpy as np

from course_utils.reference import convolution, normalization


def _normalise_over(axes, **options):
    def answer(x, gamma, beta, epsilon):
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True, **options)
        return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta

    return answer


def _normalise_by(spread):
    def answer(x, gamma, beta, epsilon):
        return gamma * (x - x.mean(axis=(0, 1, 2))) / spread(x.var(axis=(0, 1, 2)), epsilon) + beta

    return answer


def _correlate(sequence, kernel, dilation, padding="causal"):
    sequence, kernel = np.asarray(sequence)[None, :, None], np.asarray(kernel)[:, None, None]
    return convolution.cross_correlate1d(sequence, kernel, padding=padding, dilation=dilation)[0, :, 0]


def _causal_with_loops(sequence, kernel, dilation):
    output = np.zeros(len(sequence))
    for t in range(len(sequence)):
        for u, weight in enumerate(kernel):
            past = t - (len(kernel) - 1 - u) * dilation
            if past >= 0:
                output[t] += weight * sequence[past]
    return output


def _fold(kernel, gamma, beta, mean, variance, epsilon):
    scale = gamma / np.sqrt(variance + epsilon)
    return kernel * scale, beta - mean * scale


def _fold_bias(bias):
    def answer(kernel, gamma, beta, mean, variance, epsilon):
        scale = gamma / np.sqrt(variance + epsilon)
        return kernel * scale, bias(beta, mean, scale)

    return answer


ANSWERS = {
    "02a.separable_weights": {
        "right": [lambda kernel, inputs, outputs: (kernel**2 + outputs) * inputs],
        "wrong": [
            (lambda kernel, inputs, outputs: kernel**2 * inputs * outputs, "full convolution"),
            (lambda kernel, inputs, outputs: kernel**2 * inputs, "missing"),
            (lambda kernel, inputs, outputs: kernel**2 * outputs + inputs * outputs, "input channel"),
            (lambda kernel, inputs, outputs: kernel**2 * inputs * inputs * outputs, "added"),
            (lambda kernel, inputs, outputs: kernel**2 * inputs + inputs * outputs + outputs, "biases"),
            (lambda kernel, inputs, outputs: kernel * inputs + inputs * outputs, "656"),
        ],
    },
    "02a.normalise": {
        "right": [_normalise_over((0, 1, 2)), normalization.batch_norm],
        "wrong": [
            (_normalise_over((0, 1, 2, 3)), "its own mean"),
            (_normalise_over(0), "batch axis"),
            (_normalise_over(-1), "layer normalisation"),
            (_normalise_over((0, 1, 2), ddof=1), "n − 1"),
            (_normalise_by(lambda variance, epsilon: np.sqrt(variance) + epsilon), "inside the root"),
            (_normalise_by(lambda variance, epsilon: variance + epsilon), "square root"),
            (_normalise_by(lambda variance, epsilon: np.sqrt(variance)), "not used"),
            (
                lambda x, gamma, beta, epsilon: normalization.batch_norm(x, np.ones(3), np.zeros(3), epsilon),
                "gamma and beta",
            ),
            (lambda x, gamma, beta, epsilon: x.mean(axis=(0, 1, 2)), "shape"),
        ],
    },
    "02a.causal": {
        "right": [_correlate, _causal_with_loops],
        "wrong": [
            (lambda sequence, kernel, dilation: _correlate(sequence, kernel, dilation, "same"), "future"),
            (
                lambda sequence, kernel, dilation: _correlate(sequence, kernel, dilation, "valid"),
                "as long as",
            ),
            (lambda sequence, kernel, dilation: _correlate(sequence, kernel, 1), "dilation"),
            (lambda sequence, kernel, dilation: _correlate(sequence, kernel[::-1], dilation), "flipped"),
            (lambda sequence, kernel, dilation: _correlate(sequence[::-1], kernel, dilation)[::-1], "future"),
            (lambda sequence, kernel, dilation: -_correlate(sequence, kernel, dilation), "numbers differ"),
        ],
    },
    "02a.fold": {
        "right": [_fold],
        "wrong": [
            (lambda kernel, gamma, beta, mean, variance, epsilon: kernel * gamma, "two things"),
            (
                lambda kernel, gamma, beta, mean, variance, epsilon: (
                    kernel * (gamma / np.sqrt(variance + epsilon))[:, None],
                    beta,
                ),
                "last axis",
            ),
            (
                lambda kernel, gamma, beta, mean, variance, epsilon: (
                    kernel * gamma / (variance + epsilon),
                    beta,
                ),
                "square root",
            ),
            (
                lambda kernel, gamma, beta, mean, variance, epsilon: (
                    kernel * gamma / np.sqrt(variance),
                    beta,
                ),
                "not used",
            ),
            (_fold_bias(lambda beta, mean, scale: beta), "lacks the mean"),
            (_fold_bias(lambda beta, mean, scale: beta - mean), "scaled too"),
            (_fold_bias(lambda beta, mean, scale: beta + mean * scale), "sign"),
            (_fold_bias(lambda beta, mean, scale: -mean * scale), "lacks beta"),
        ],
    },
}
