"""A small training for test_training.py, also run by it in other processes: simulated replicas, workers, a victim.

python tests/worker_script.py replicas|worker|victim OUTPUT
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

from course_utils import devices, training

EPOCHS = 4


def data():
    """256 examples of 12 numbers, 3 classes, learnable."""
    generator = np.random.default_rng(7)
    inputs = generator.normal(size=(256, 12)).astype(np.float32)
    return inputs, (inputs[:, :3].argmax(axis=1)).astype(np.int32)


def model(strategy, dropout=0.0):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        layers = [keras.layers.Dense(16, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-3))]
        layers += [keras.layers.Dropout(dropout)] if dropout else []
        network = keras.Sequential([keras.Input((12,)), *layers, keras.layers.Dense(3)])
        network.compile(
            optimizer=keras.optimizers.Adam(training.OneCycle(0.02, 16)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    return network


def weights(network):
    return [weight.value.numpy().tolist() for weight in network.weights]


def run_fit(strategy):
    network = model(strategy)
    history = training.fit(
        network, *data(), name="small", epochs=EPOCHS, batch_size=64, validation_data=data()
    )
    return {
        "history": history,
        "weights": weights(network),
        "accuracy": training.accuracy(network, *data(), 100),
    }


def run_distributed(strategy):
    network = model(strategy)
    history = training.distributed_fit(network, *data(), epochs=EPOCHS, batch_size=64, strategy=strategy)
    return {
        "history": history,
        "weights": weights(network),
        "accuracy": training.accuracy(network, *data(), 100),
    }


class Kill(keras.callbacks.Callback):
    """Ends the process in the middle of the third epoch, as a power cut does: nothing is cleaned up."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2 and batch == 1:
            os._exit(9)


def victim(callbacks=()):
    network = model(devices.create_strategy(), dropout=0.2)
    history = training.fit(
        network, *data(), name="victim", epochs=EPOCHS, batch_size=64, shuffle=False, callbacks=callbacks
    )
    return history, weights(network)


if __name__ == "__main__":
    kind, output = sys.argv[1:]
    if kind == "victim":
        victim([Kill()])
    strategy = devices.create_strategy()
    result = {"replicas": strategy.num_replicas_in_sync, "distributed": run_distributed(strategy)}
    if kind == "replicas":
        result["fit"] = run_fit(strategy)
    else:
        try:
            run_fit(strategy)
        except ValueError as error:
            result["refused"] = str(error)
    Path(output).write_text(json.dumps(result), encoding="utf-8")
