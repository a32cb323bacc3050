"""One device's numbers on several: clipping, accumulation, uneven batches, penalties, metrics, restarts."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import checkpoints, distributed, files, training
from tests import replicas_script

ROOT = Path(__file__).resolve().parents[2]


# ---------------------------------------------------------------- numbers


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What `replicas_script` has measured, in a process of its own: devices are arranged once a process."""
    output = tmp_path_factory.mktemp("replicas") / "found.json"
    command = [sys.executable, str(ROOT / "tests" / "replicas_script.py"), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(output.read_text(encoding="utf-8"))


def difference(one, other):
    weights = np.abs(np.subtract(one["weights"], other["weights"])).max()
    history = [
        np.abs(np.subtract(one["history"][name], other["history"][name])).max() for name in one["history"]
    ]
    assert set(one["history"]) == {"loss", "accuracy", "val_loss", "val_accuracy"} == set(other["history"])
    return max(weights, *history)


@pytest.mark.parametrize("way", ["fit, 3", "fit, pieces, 2", "loop, 1", "loop, pieces, 3", "dataset, 2"])
def test_every_way_gives_what_keras_gives_on_one_device(found, way):
    """Clipped by the global norm, with a penalty, a last batch of one example, metrics and validation: rounding only."""
    assert difference(found["keras, 1"], found[way]) < 3e-6


def test_keras_alone_does_not(found):
    """The control: were Keras' own step right on two replicas, the test above would show nothing."""
    assert difference(found["keras, 1"], found["keras, 2"]) > 1e-3


# ---------------------------------------------------------------- what is refused


def small(optimizer="sgd", extra=()):
    network = keras.Sequential([keras.Input((12,)), *extra, keras.layers.Dense(3)])
    network.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    return network


def test_what_cannot_be_right_on_replicas_is_refused_and_fine_on_one():
    class Own(keras.Sequential):
        def train_step(self, data):
            return {}

    foreign = small()
    foreign.optimizer._distribution_strategy = tf.distribute.OneDeviceStrategy(
        "/cpu:0"
    )  # as if made elsewhere
    own = Own([keras.Input((12,)), keras.layers.Dense(3)])
    own.compile("sgd", "mse")
    scaled = small(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))
    for network, words in (
        (small(keras.optimizers.SGD(gradient_accumulation_steps=2)), "the argument accumulate= instead"),
        (scaled, "float32 or mixed_bfloat16 on several replicas"),
        (own, "keras.Model's own train_step"),
        (foreign, "an optimizer created inside"),
    ):
        distributed.expect_right(network, 1)
        with pytest.raises(ValueError, match=words):
            distributed.expect_right(network, 2)


@pytest.mark.parametrize(
    "replicas, count, idle",
    [
        (2, 48, False),
        (2, 50, False),
        (2, 49, True),
        (3, 52, True),
        (3, 53, False),
        (3, 51, False),
        (1, 49, False),
    ],
)
def test_a_replica_without_examples_cannot_average(replicas, count, idle):
    """Batches of 12; Keras cuts a last batch of four in three as 2, 2, 0."""
    layer = keras.layers.BatchNormalization()
    if not idle:
        distributed.expect_everybody_busy(small(extra=[layer]), replicas, count, 12)
        return
    with pytest.raises(ValueError, match="synchronized=True"):
        distributed.expect_everybody_busy(small(extra=[layer]), replicas, count, 12)
    together = keras.layers.BatchNormalization(synchronized=True)
    distributed.expect_everybody_busy(small(extra=[together]), replicas, count, 12)
    distributed.expect_everybody_busy(small(), replicas, count, 12)


def test_distributed_fit_says_what_does_not_fit():
    inputs, targets = replicas_script.data()
    with pytest.raises(ValueError, match="one full batch of 512 examples; found 49"):
        training.distributed_fit(small(), inputs, targets, epochs=1, batch_size=512)
    with pytest.raises(ValueError, match="accumulate: .*integer of at least 1"):
        training.distributed_fit(small(), inputs, targets, epochs=1, batch_size=12, accumulate=0)
    batches = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(12)
    with pytest.raises(ValueError, match="targets: .*the dataset holds them"):
        training.distributed_fit(small(), batches, targets, epochs=1)
    with pytest.raises(ValueError, match=r"batches of \(inputs, targets\)"):
        training.distributed_fit(small(), tf.data.Dataset.from_tensor_slices(inputs).batch(12), epochs=1)


# ---------------------------------------------------------------- order and shares


def test_order_shows_every_example_once_an_epoch():
    order = distributed.epoch_order(count=10, batch_size=3, epochs=2, shuffle=True, seed=0)
    assert order.shape == (8, 3)
    for epoch in (order[:4], order[4:]):
        assert sorted(epoch.ravel()) == [-1, -1, *range(10)]
        assert (epoch[:3] >= 0).all()
    assert order[:4].tolist() != order[4:].tolist()


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("count", [16, 19, 18])
def test_shares_put_together_are_the_global_batch(processes, count):
    order = distributed.epoch_order(count=count, batch_size=8, epochs=1, shuffle=True, seed=3)
    examples = np.arange(count)
    parts, weights = [[] for _ in order], np.zeros(len(order))
    for index in range(processes):
        context = tf.distribute.InputContext(processes, index, num_replicas_in_sync=4)
        shares = list(distributed.array_shares(context, examples, examples, order).as_numpy_iterator())
        for number, share in enumerate(shares):
            step = number // (4 // processes)
            parts[step].extend(share["inputs"])
            weights[step] += share.get("share", 1.0)
    assert parts == [row[row >= 0].tolist() for row in order]
    np.testing.assert_allclose(weights, 4, rtol=1e-6)  # R times n_r / n, added up


# ---------------------------------------------------------------- the loop


def test_the_step_is_traced_once_and_callbacks_are_told():
    class Counting(keras.layers.Layer):
        calls = 0

        def call(self, inputs):
            Counting.calls += not tf.executing_eagerly()  # when a graph is traced, not when it runs
            return inputs

    class Listening(keras.callbacks.Callback):
        heard = []  # noqa: RUF012 - one object

        def on_train_batch_end(self, batch, logs=None):
            self.heard.append((batch, float(logs["loss"]) > 0))

        def on_epoch_end(self, epoch, logs=None):
            self.heard.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    network = small(extra=[Counting()])
    Counting.calls = 0
    history = training.distributed_fit(
        network, *replicas_script.data(), epochs=5, batch_size=25, callbacks=[Listening()]
    )
    assert Counting.calls == 1  # two sizes of batch, one graph
    epoch = [(0, True), (1, True)]
    names = ["accuracy", "loss", "seconds"]
    assert Listening.heard == [*epoch, (0, names), *epoch, (1, names)]
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(names, 2)


# ---------------------------------------------------------------- checkpoints


class PowerCut(Exception):
    pass


class Cut(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            raise PowerCut


def train(folder, callbacks=(), epochs=4, extra=()):
    keras.utils.set_random_seed(1)
    network = small(keras.optimizers.Adam(0.01), extra=[keras.layers.Dropout(0.2), *extra])
    history = training.distributed_fit(
        network,
        *replicas_script.data(),
        epochs=epochs,
        batch_size=12,
        callbacks=callbacks,
        checkpoints=folder,
    )
    history.pop("seconds")
    return [variable.numpy().tolist() for variable in checkpoints.state(network)], history


def test_a_run_cut_between_two_saves_ends_bit_for_bit_at_the_same_place(tmp_path):
    whole = train(tmp_path / "whole")
    with pytest.raises(PowerCut):
        train(tmp_path / "cut", [Cut(13)])  # in the third epoch of five steps
    stored = sorted((tmp_path / "cut").glob("*.npz"))
    assert [path.name for path in stored] == ["epoch-00001.npz", "epoch-00002.npz"]
    assert train(tmp_path / "cut") == whole
    stored = sorted((tmp_path / "cut").glob("*.npz"))
    assert [path.name for path in stored] == ["epoch-00003.npz", "epoch-00004.npz"]
    assert train(tmp_path / "cut", [Cut(17)]) == whole  # finished: nothing is trained again


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    whole = train(tmp_path)
    newest = tmp_path / "epoch-00004.npz"
    content = newest.read_bytes()
    for broken in (content[: len(content) // 2], content[:900] + b"x" + content[901:], b""):
        newest.write_bytes(broken)
        assert train(tmp_path) == whole


def test_another_models_checkpoint_is_refused_and_the_model_left_alone(tmp_path):
    train(tmp_path, epochs=1)
    before = (tmp_path / "epoch-00001.npz").read_bytes()
    with pytest.raises(ValueError, match="is not this model's"):
        train(tmp_path, extra=[keras.layers.Dense(5)])
    assert (tmp_path / "epoch-00001.npz").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(ValueError, match="worker 0 cannot write to"):
        train(tmp_path / "file" / "checkpoints")


def pretend(monkeypatch, told):
    """Let the all-reduce answer as if other workers took part: a function of what this worker said."""
    monkeypatch.setattr(checkpoints.Checkpoints, "_told", lambda self, number: told(number))


def test_workers_go_on_from_the_newest_epoch_that_all_see(tmp_path, monkeypatch):
    train(tmp_path, epochs=3)
    network = small(keras.optimizers.Adam(0.01), extra=[keras.layers.Dropout(0.2)])
    network.optimizer.build(network.trainable_variables)
    pretend(monkeypatch, lambda number: [number, 2 if number == 3 else number])
    stored = checkpoints.Checkpoints(tmp_path, network, tf.distribute.get_strategy())
    assert len(stored.load()["loss"]) == 2
    pretend(monkeypatch, lambda number: [number, 0 if number == 3 else number])
    with pytest.raises(
        ValueError, match=r"the same checkpoints for all workers; found newest epochs \[3, 0\]"
    ):
        stored.load()


def test_a_folder_that_is_not_shared_is_refused_by_all(tmp_path, monkeypatch):
    network = small()
    pretend(monkeypatch, lambda number: [number, 0])
    with pytest.raises(ValueError, match=r"is not shared: workers \[1\] do not see"):
        checkpoints.Checkpoints(tmp_path, network, tf.distribute.get_strategy(), patience=0.1)


def test_only_the_chief_writes(tmp_path, monkeypatch):
    network = small()
    network.optimizer.build(network.trainable_variables)
    stored = checkpoints.Checkpoints(tmp_path, network, tf.distribute.get_strategy())
    monkeypatch.setattr(checkpoints.devices, "is_chief", lambda strategy: False)
    monkeypatch.setattr(files, "write", lambda *a: pytest.fail("written"))
    stored.save({"seconds": [1.0]})
