"""Chapter 1's network, 784 pixels -> hidden neurons with ReLU -> 10 scores, whole and in NumPy.

The chapter writes these functions one by one; here they stand together, so that it runs whether or not a reader has
written a step, and so that other chapters and checks can train the same network.

    parameters = first_network.initialise(seed=0)
    parameters, loss = first_network.one_epoch(parameters, pictures, labels)
    first_network.accuracy(parameters, new_pictures, new_labels)

`parameters` is a list of four arrays: W1 (784, hidden), b1 (hidden,), W2 (hidden, 10), b2 (10,). Pictures are
(n, 784) with values 0 to 1, labels (n,) whole numbers 0 to 9.
"""

import numpy as np

from course_utils import exercises
from course_utils.language import words
from course_utils.reference import activations

PIXELS, CLASSES = 784, 10


def initialise(seed, hidden=128):
    """Return random weights and zero biases, float32; the factor sqrt(2 / inputs) keeps ReLU layers at one scale.

    Source: K. He et al., "Delving deep into rectifiers", 2015, https://arxiv.org/abs/1502.01852
    """
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(PIXELS, hidden)) * np.sqrt(2 / PIXELS)
    second = generator.normal(size=(hidden, CLASSES)) * np.sqrt(2 / hidden)
    arrays = first, np.zeros(hidden), second, np.zeros(CLASSES)
    return [array.astype("float32") for array in arrays]


def forward(parameters, pictures):
    """Return the sums before ReLU (n, hidden), the hidden layer (n, hidden) and the scores (n, 10)."""
    first, first_bias, second, second_bias = parameters
    sums = pictures @ first + first_bias
    hidden = np.maximum(sums, 0)
    return sums, hidden, hidden @ second + second_bias


def cross_entropy(scores, labels):
    """Return the mean over examples of -log(probability of the right class), in nats."""
    return -activations.log_softmax(scores)[np.arange(len(labels)), labels].mean()


def dense_backward(upstream, x, weights):
    """Return the gradients of x, of the weights and of the bias of x @ weights + bias.

    Args:
        upstream: gradient of the loss with respect to the layer's output, (n, outputs).
        x: the layer's input, (n, inputs).
        weights: (inputs, outputs).
    """
    return upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)


def gradients(parameters, pictures, labels):
    """Return the loss of a batch and one gradient for each array of `parameters`."""
    sums, hidden, scores = forward(parameters, pictures)
    error = activations.softmax(scores)
    error[np.arange(len(labels)), labels] -= 1  # probabilities minus truth, (n, 10)
    error /= len(labels)
    hidden_error, of_second, of_second_bias = dense_backward(error, hidden, parameters[2])
    sum_error = hidden_error * (sums > 0)  # (n, hidden)
    # Nobody asks for the gradient of the pixels: the first layer's product with its weights is saved.
    of_first, of_first_bias = pictures.T @ sum_error, sum_error.sum(axis=0)
    return cross_entropy(scores, labels), [of_first, of_first_bias, of_second, of_second_bias]


def update(parameters, slopes, learning_rate):
    """Return new arrays, each moved by learning_rate * its gradient, downhill."""
    return [array - learning_rate * slope for array, slope in zip(parameters, slopes, strict=True)]


def one_epoch(parameters, pictures, labels, learning_rate=0.1, batch_size=50):
    """Train on every example once, in the order given; return the new parameters and the mean loss of the batches."""
    losses = []
    for start in range(0, len(labels), batch_size):
        batch = slice(start, start + batch_size)
        loss, slopes = gradients(parameters, pictures[batch], labels[batch])
        parameters = update(parameters, slopes, learning_rate)
        losses.append(loss)
    return parameters, float(np.mean(losses))


def accuracy(parameters, pictures, labels):
    """Return the share of pictures whose highest score is that of the right class."""
    return float((forward(parameters, pictures)[-1].argmax(axis=1) == labels).mean())


def yours_or_ours(exercise, answer):
    """Return a reader's answer if its check is content, else this module's function of that name; say which.

    Args:
        exercise: its name, "01.update".
        answer: the reader's function, perhaps unfinished.
    """
    try:
        exercises.grade(exercise, answer)
    except Exception:  # unfinished or wrong: the check has said so already
        print(words("the course's version is used below", "下面使用教材的版本"))
        return globals()[exercise.split(".")[1]]
    print(words("your version is used below", "下面使用你的版本"))
    return answer
