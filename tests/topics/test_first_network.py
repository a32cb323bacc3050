"""Chapter 1's network: its gradients against finite differences and GradientTape, and whose step is used."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import datasets, proofs
from course_utils.topics import first_network


@pytest.fixture
def examples():
    digits = datasets.mnist()
    return digits.x_train[:64].reshape(-1, 784).astype("float32") / 255, digits.y_train[:64]


def test_shapes_and_scale():
    parameters = first_network.initialise(0, hidden=32)
    assert [array.shape for array in parameters] == [(784, 32), (32,), (32, 10), (10,)]
    assert {array.dtype for array in parameters} == {np.dtype("float32")}
    assert parameters[0].std() == pytest.approx(np.sqrt(2 / 784), rel=0.02) and not parameters[1].any()
    assert (parameters[0] != first_network.initialise(1, hidden=32)[0]).any()


def test_gradients_are_those_of_the_tape(examples):
    pictures, labels = examples
    parameters = first_network.initialise(0)
    loss, slopes = first_network.gradients(parameters, pictures, labels)
    variables = [tf.Variable(array) for array in parameters]
    with tf.GradientTape() as tape:
        scores = tf.nn.relu(pictures @ variables[0] + variables[1]) @ variables[2] + variables[3]
        expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, scores)
    assert loss == pytest.approx(float(expected), abs=1e-5)
    for found, right in zip(slopes, tape.gradient(expected, variables), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-5)


def test_gradients_are_those_of_nudges(examples):
    pictures, labels = examples[0][:8].astype("float64"), examples[1][:8]
    parameters = [array.astype("float64") for array in first_network.initialise(0, hidden=6)]
    for place in (1, 2, 3):

        def loss_with(array, place=place):
            changed = [*parameters[:place], array, *parameters[place + 1 :]]
            return first_network.cross_entropy(first_network.forward(changed, pictures)[-1], labels)

        found = first_network.gradients(parameters, pictures, labels)[1][place]
        np.testing.assert_allclose(found, proofs.finite_differences(loss_with, parameters[place]), atol=1e-7)


def test_an_epoch_learns_and_changes_nothing_in_place(examples):
    pictures, labels = examples
    start = first_network.initialise(0)
    kept = [array.copy() for array in start]
    parameters, first = start, None
    for _ in range(30):
        parameters, loss = first_network.one_epoch(parameters, pictures, labels, batch_size=10)
        first = loss if first is None else first
    assert loss < first / 4 and first_network.accuracy(parameters, pictures, labels) > 0.95
    assert all((array == before).all() for array, before in zip(start, kept, strict=True))
    assert {array.dtype for array in parameters} == {np.dtype("float32")}


def test_a_right_answer_is_used_and_a_wrong_one_is_not(capsys):
    def right(parameters, slopes, learning_rate):
        return [array - learning_rate * slope for array, slope in zip(parameters, slopes, strict=True)]

    assert first_network.yours_or_ours("01.update", right) is right
    assert "your version" in capsys.readouterr().out
    for wrong in (lambda *_: ..., lambda parameters, *_: parameters, lambda *_: 1 / 0, 3):
        assert first_network.yours_or_ours("01.update", wrong) is first_network.update
        assert "the course's version" in capsys.readouterr().out
