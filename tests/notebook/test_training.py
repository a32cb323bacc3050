"""Training: the same numbers on one device, simulated replicas and two worker processes; resuming; the schedule."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import worker_script

from course_utils import profiles, training
from course_utils.topics import workers

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "tests" / "worker_script.py"


@pytest.fixture(autouse=True)
def no_work_directory(monkeypatch):
    monkeypatch.delenv("COURSE_WORK", raising=False)


def start(kind, output, **environment):
    unwanted = ("TF_CONFIG", "COURSE_CPU_REPLICAS", "COURSE_WORK")
    clean = {key: value for key, value in os.environ.items() if key not in unwanted}
    return subprocess.Popen(
        [sys.executable, str(WORKER), kind, str(output)],
        cwd=ROOT,
        env={**clean, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def finish(process, code=0):
    try:
        output = process.communicate(timeout=600)[0]
    finally:
        process.kill()
    assert process.returncode == code, output[-3000:]


@pytest.fixture(scope="module")
def one_device():
    strategy = tf.distribute.get_strategy()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_WORK", raising=False)
        return {
            "fit": worker_script.run_fit(strategy),
            "distributed": worker_script.run_distributed(strategy),
        }


# ---------------------------------------------------------------- fit and accuracy


def test_fit_returns_history_with_seconds(one_device, capsys):
    history = one_device["fit"]["history"]
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert {len(values) for values in history.values()} == {worker_script.EPOCHS}
    assert all(isinstance(value, float) for values in history.values() for value in values)
    assert all(value > 0 for value in history["seconds"])
    assert history["loss"][-1] < history["loss"][0]
    assert capsys.readouterr().out == ""


def test_fit_without_a_work_directory_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worker_script.victim()
    assert list(tmp_path.iterdir()) == []


def test_fit_takes_a_dataset(monkeypatch, tmp_path):
    dataset = tf.data.Dataset.from_tensor_slices(worker_script.data()).batch(64)
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.setenv("COURSE_PROFILE", "full")
    network = worker_script.model(tf.distribute.get_strategy())
    assert len(training.fit(network, dataset, None, name="dataset", epochs=2)["loss"]) == 2


class Counting(keras.layers.Layer):
    """Counts how often its graph is traced: its Python runs then, not when the graph is executed."""

    traced = 0

    def call(self, inputs):
        Counting.traced += tf.inside_function()
        return inputs


@pytest.mark.parametrize("metrics", [[], ["accuracy"], [keras.metrics.MeanAbsoluteError(), "accuracy"]])
def test_fit_traces_its_step_once(metrics):
    """Twice, as Keras does where the first step has to create variables, costs each fit a second."""
    network = keras.Sequential([keras.Input((3,)), Counting(), keras.layers.Dense(1)])
    network.compile("adam", "mse", metrics=metrics)
    Counting.traced = 0
    ones = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    history = training.fit(network, *ones, name="traced", epochs=2, batch_size=2)
    assert Counting.traced == 1
    assert len(history) == 2 + len(metrics)
    assert all(len(values) == 2 for values in history.values())


@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_fit_gives_the_numbers_of_keras_alone(kind):
    """What `fit` prepares draws no random number, moves no average and reads no shuffled dataset."""

    def prepared():
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
        network = keras.Sequential([keras.Input((12,)), *layers, keras.layers.Dense(3, activation="softmax")])
        network.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=3
        )
        if kind == "arrays":
            return network, worker_script.data(), {"batch_size": 64}
        dataset = tf.data.Dataset.from_tensor_slices(worker_script.data()).shuffle(256, seed=5).batch(64)
        return network, (dataset, None), {"shuffle": False}

    ours, data, options = prepared()
    history = training.fit(ours, *data, name="ours", epochs=2, **options)
    keras_alone, data, options = prepared()
    expected = keras_alone.fit(*data, epochs=2, verbose=0, **options).history
    assert {name: history[name] for name in expected} == expected
    for mine, theirs in zip(ours.get_weights(), keras_alone.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_accuracy_counts():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    inputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0]]  # (7, 3): the input is the output
    labels = np.array([0, 1, 2, 0, 1, 0, 0])
    for batch_size in (1, 3, 7, 500):
        assert training.accuracy(network, inputs, labels, batch_size) == 6 / 7


def test_accuracy_of_one_probability():
    network = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    assert (
        training.accuracy(network, np.float32([[0.9], [0.2], [0.6], [0.4]]), np.array([1, 0, 0, 0])) == 0.75
    )


def test_accuracy_of_two_inputs():
    first, second = keras.Input((2,)), keras.Input((2,))
    network = keras.Model([first, second], keras.layers.Add()([first, second]))
    inputs = [np.float32([[1, 0], [0, 1]]), np.zeros((2, 2), np.float32)]
    assert training.accuracy(network, inputs, np.array([0, 0])) == 0.5


@pytest.mark.parametrize("labels", [np.eye(3), np.zeros(2), np.zeros((3, 1))])
def test_accuracy_refuses_other_labels(labels):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    with pytest.raises(ValueError, match=r"labels: .*expected shape \(3,\)"):
        training.accuracy(network, np.eye(3, dtype=np.float32), labels)


def test_accuracy_refuses_images_as_outputs():
    network = keras.Sequential([keras.Input((2, 2)), keras.layers.Identity()])
    with pytest.raises(ValueError, match=r"found \(3, 2, 2\)"):
        training.accuracy(network, np.zeros((3, 2, 2), np.float32), np.zeros(3))


# ---------------------------------------------------------------- several devices


def assert_same(one, several):
    """Tolerances from measurement: losses within 2.4e-7 and weights within 1.3e-7 after a short training."""
    for key in set(one["history"]) - {"seconds"}:
        tolerance = 0 if "accuracy" in key else 2e-6
        np.testing.assert_allclose(several["history"][key], one["history"][key], atol=tolerance, rtol=0)
    for ours, theirs in zip(one["weights"], several["weights"], strict=True):
        np.testing.assert_allclose(theirs, ours, atol=2e-6, rtol=0)
    assert several["accuracy"] == one["accuracy"]


def test_two_simulated_replicas_give_one_devices_losses(one_device, tmp_path):
    finish(start("replicas", tmp_path / "out.json", COURSE_CPU_REPLICAS="2"))
    two = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert two["replicas"] == 2
    assert_same(one_device["fit"], two["fit"])
    assert_same(one_device["distributed"], two["distributed"])


def test_two_worker_processes_end_with_equal_weights(one_device, tmp_path):
    addresses = workers.free_addresses(2)
    processes = [
        start(
            "worker",
            tmp_path / f"{index}.json",
            TF_CONFIG=workers.tf_config(addresses, index),
        )
        for index in range(2)
    ]
    for process in processes:
        finish(process)
    first, second = [json.loads((tmp_path / f"{i}.json").read_text(encoding="utf-8")) for i in range(2)]
    assert first["replicas"] == second["replicas"] == 2
    assert first["distributed"]["weights"] == second["distributed"]["weights"]
    assert first["distributed"]["history"]["loss"] == second["distributed"]["history"]["loss"]
    assert_same(one_device["distributed"], first["distributed"])
    assert "distributed_fit" in first["refused"]


def test_distributed_fit_on_one_device_is_fit(one_device):
    """Without shuffling both see the same batches."""
    strategy = tf.distribute.get_strategy()
    by_fit, by_loop = worker_script.model(strategy), worker_script.model(strategy)
    training.fit(by_fit, *worker_script.data(), name="a", epochs=2, batch_size=64, shuffle=False)
    training.distributed_fit(by_loop, *worker_script.data(), epochs=2, batch_size=64, shuffle=False)
    for ours, theirs in zip(worker_script.weights(by_fit), worker_script.weights(by_loop), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=2e-6, rtol=0)


# ---------------------------------------------------------------- resuming


def test_a_killed_fit_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    uninterrupted, final = worker_script.victim()
    finish(start("victim", tmp_path / "unused", COURSE_WORK=str(tmp_path), COURSE_PROFILE="full"), code=9)
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.setenv("COURSE_PROFILE", "full")
    resumed, weights = worker_script.victim()
    assert "resumed after epoch 2 of 4" in capsys.readouterr().out
    assert {key: len(values) for key, values in resumed.items()} == {"loss": 4, "accuracy": 4, "seconds": 4}
    # shuffle=False: the very numbers of the run that was not killed, dropout's masks included.
    np.testing.assert_allclose(resumed["loss"], uninterrupted["loss"], atol=1e-6)
    for ours, theirs in zip(final, weights, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)

    # Finished: the third call trains nothing and returns the same.
    monkeypatch.setattr(keras.Model, "fit", lambda *a, **k: pytest.fail("trained again"))
    assert worker_script.victim() == (resumed, weights)
    assert "loaded (4 epochs)" in capsys.readouterr().out
    assert len(list((tmp_path / "fit").rglob("*.npz"))) <= 2  # one of the killed process, one of this


def test_a_damaged_store_starts_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    monkeypatch.setenv("COURSE_PROFILE", "full")
    expected = worker_script.victim()
    (state,), (progress,) = tmp_path.rglob("*.npz"), tmp_path.rglob("progress.json")
    good, good_progress = state.read_bytes(), progress.read_text(encoding="utf-8")
    network = worker_script.model(tf.distribute.get_strategy(), dropout=0.2)
    training._build(network, *worker_script.data())
    before = worker_script.weights(network)

    def load(content, text):
        state.write_bytes(content)
        progress.write_text(text, encoding="utf-8")
        return training._Stored(progress.parent, network).load("victim", 4)

    flipped = bytes([*good[:-50], good[-50] ^ 1, *good[-49:]])
    for content, text in (
        (good[:-9], good_progress), (flipped, good_progress), (b"", good_progress),
        (good, good_progress[:-9]), (good, "[]"), (good, "{}"), (good, ""),
    ):  # fmt: skip
        assert load(content, text) == {"epochs_done": 0, "finished": False, "history": {}}
        assert "stored progress is unusable, starting anew" in capsys.readouterr().out
        assert worker_script.weights(network) == before  # nothing half-loaded
    assert load(good, good_progress)["finished"]

    load(good[:-9], good_progress)
    history, weights = worker_script.victim()
    assert (history["loss"], weights) == (expected[0]["loss"], expected[1])


def test_another_experiment_is_not_mistaken_for_the_stored_one(monkeypatch):
    inputs, targets = worker_script.data()
    strategy = tf.distribute.get_strategy()

    def fingerprint(network=None, inputs=inputs, targets=targets, epochs=1, batch_size=64, shuffle=True):
        network = network or worker_script.model(strategy)
        training._build(network, inputs, targets)
        return training._fingerprint(network, inputs, targets, epochs, batch_size, shuffle)

    same = fingerprint()
    assert fingerprint() == same  # though Keras numbers layers and optimizers anew
    recompiled, moved = worker_script.model(strategy), worker_script.model(strategy)
    recompiled.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    moved.layers[0].kernel.assign_add(np.ones((12, 16)))
    others = [
        fingerprint(epochs=2),
        fingerprint(batch_size=32),
        fingerprint(shuffle=False),
        fingerprint(inputs=inputs + 1),
        fingerprint(targets=targets[::-1]),
        fingerprint(network=worker_script.model(strategy, dropout=0.5)),
        fingerprint(network=recompiled),
        fingerprint(network=moved),
    ]
    monkeypatch.setattr(profiles, "seed", lambda: 1)
    others.append(fingerprint())
    assert len({same, *others}) == 10


# ---------------------------------------------------------------- one cycle


def test_one_cycle_goes_up_to_the_peak_and_down_to_zero():
    rate = training.OneCycle(0.01, 100, warm_up=0.25, start=0.1, end=0.0)
    rates = np.array([float(rate(step)) for step in range(131)])
    assert rates[0] == pytest.approx(0.001) and rates[25] == pytest.approx(0.01)
    assert rates.argmax() == 25 and rates[100] == pytest.approx(0, abs=1e-9)
    assert (np.diff(rates[:26]) > 0).all() and (np.diff(rates[25:101]) < 0).all()
    assert rates[10] == pytest.approx(0.01 * (0.1 + 0.9 * 10 / 25))
    assert rates[50] == pytest.approx(0.01 * (1 + math.cos(math.pi * 25 / 75)) / 2)
    assert (rates[100:] == rates[100]).all()


def test_one_cycle_without_warm_up_starts_at_the_peak():
    rate = training.OneCycle(0.5, 10, warm_up=0, end=0.1)
    assert float(rate(0)) == 0.5 and float(rate(10)) == pytest.approx(0.05)


def test_one_cycle_is_saved_with_its_optimizer():
    optimizer = keras.optimizers.Adam(training.OneCycle(0.01, 100, 0.2, 0.1, 0.05))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    schedule = again._learning_rate
    assert isinstance(schedule, training.OneCycle)
    assert schedule.get_config() == {"peak": 0.01, "steps": 100, "warm_up": 0.2, "start": 0.1, "end": 0.05}


@pytest.mark.parametrize(
    ("name", "value"),
    [("peak", 0), ("steps", 0), ("warm_up", 1), ("warm_up", -0.1), ("start", 2), ("end", -1)],
)
def test_one_cycle_refuses_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"{name}: .*; found {value}"):
        training.OneCycle(**{"peak": 0.1, "steps": 10, name: value})
