"""Chapter 10's shared numbers, and that the record of PyTorch belongs to them; with PyTorch, that it is still true."""

import numpy as np
import pytest

from course_utils import datasets
from course_utils.reference import losses, recurrent
from course_utils.topics import pytorch_twins


@pytest.mark.parametrize(("name", "parameters"), [("perceptron", 101_770), ("padded_cnn", 421_642)])
def test_starting_state_has_pytorchs_shapes_and_distribution(name, parameters):
    state = pytorch_twins.starting_state(name)
    assert {key: array.shape for key, array in state.items()} == pytorch_twins.SHAPES[name]
    assert sum(array.size for array in state.values()) == parameters
    fan_in = pytorch_twins.SHAPES[name]["hidden.weight"][1]
    weight = state["hidden.weight"]
    assert np.abs(weight).max() <= fan_in**-0.5 and np.abs(state["hidden.bias"]).max() <= fan_in**-0.5
    assert weight.std() == pytest.approx((3 * fan_in) ** -0.5, rel=0.01)


def test_starting_state_depends_on_the_seed_and_nothing_else():
    first, again, other = (
        pytorch_twins.starting_state("perceptron", seed)["output.bias"] for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match="expected one of 'perceptron', 'padded_cnn'; found 'resnet'"):
        pytorch_twins.starting_state("resnet")


def test_batches_are_the_first_digits_in_order():
    batches = pytorch_twins.batches(steps=3, size=4)
    digits = datasets.mnist()
    assert [images.shape for images, _ in batches] == [(4, 1, 28, 28)] * 3
    assert np.concatenate([labels for _, labels in batches]).tolist() == digits.y_train[:12].tolist()
    assert np.array_equal(batches[1][0][2, 0] * 255, digits.x_train[6])
    with pytest.raises(ValueError, match="expected 1 to 60,000 digits"):
        pytorch_twins.batches(steps=100_000)


def test_the_recorded_logits_and_first_loss_belong_to_the_starting_state():
    state, recorded = pytorch_twins.starting_state("perceptron"), pytorch_twins.recorded().arrays
    images, labels = pytorch_twins.batches()[0]
    hidden = np.maximum(
        images.reshape(16, 784) @ state["hidden.weight"].T + state["hidden.bias"], 0
    )  # (16, 128)
    logits = hidden @ state["output.weight"].T + state["output.bias"]  # (16, 10)
    np.testing.assert_allclose(recorded["perceptron.logits"], logits[:8], rtol=1e-9)
    assert recorded["perceptron.losses"][0] == pytest.approx(losses.cross_entropy(logits, labels), rel=1e-9)


def test_the_recorded_gru_is_the_courses_with_other_gates():
    small, recorded = pytorch_twins.small_arrays(), pytorch_twins.recorded().arrays
    order = [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11]  # r, z, n -> z, r, h; four units each
    kernel, recurrent_kernel = (small[f"gru.weight_{kind}_l0"][order].T for kind in ("ih", "hh"))
    bias = np.stack([small[f"gru.bias_{kind}_l0"][order] for kind in ("ih", "hh")])
    outputs, _ = recurrent.gru(small["sequence"], kernel, recurrent_kernel, bias)
    np.testing.assert_allclose(recorded["gru.outputs"], outputs, rtol=1e-6)


def test_with_pytorch_the_record_is_computed_again():
    pytest.importorskip("torch", reason="PyTorch is an optional install")
    from course_utils.topics import torch_twins

    recorded, live = pytorch_twins.recorded(), torch_twins.everything()
    assert set(recorded.arrays) | {"defaults", "version"} == set(live)
    for name, array in recorded.arrays.items():
        np.testing.assert_allclose(live[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    assert torch_twins.defaults() == recorded.defaults
