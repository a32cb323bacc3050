"""One training on 1, 2 and 3 replicas, for test_distributed.py: python tests/replicas_script.py OUTPUT."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from course_utils import quiet  # noqa: F401 - without TensorFlow's lines

# isort: split
import keras
import numpy as np
import tensorflow as tf

from course_utils import training

COUNT, BATCH = 49, 12  # the last batch is one example: with several replicas somebody has none
SETTINGS = {"epochs": 2, "batch_size": BATCH}


def data(count=COUNT):
    generator = np.random.default_rng(7)
    inputs = generator.normal(size=(50, 12)).astype("float32")
    return inputs[:count], inputs[:count, :3].argmax(axis=1).astype("int32")


def model(strategy):
    """Everything that Keras' own step gets wrong on replicas, and a penalty, which must not be counted by examples."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        penalty = keras.regularizers.L2(1e-2)
        layers = [keras.layers.Dense(8, activation="tanh", kernel_regularizer=penalty), keras.layers.Dense(3)]
        network = keras.Sequential([keras.Input((12,)), *layers])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(
            keras.optimizers.SGD(0.5, momentum=0.9, global_clipnorm=0.1), loss, metrics=["accuracy"]
        )
    return network


def by_fit(network, strategy, **settings):
    return training.fit(
        network, *data(), name="it", validation_data=data(50), shuffle=False, **SETTINGS, **settings
    )


def by_loop(network, strategy, **settings):
    settings |= SETTINGS | {"shuffle": False, "strategy": strategy, "validation_data": data(50)}
    return training.distributed_fit(network, *data(), **settings)


def by_dataset(network, strategy):
    batches = tf.data.Dataset.from_tensor_slices(data()).batch(BATCH)
    return training.distributed_fit(network, batches, epochs=2, strategy=strategy, validation_data=data(50))


def by_keras(network, strategy):
    held_out = {"validation_data": data(50), "shuffle": False, "verbose": 0}
    return network.fit(*data(), **SETTINGS, **held_out).history


def pieces(train):
    return lambda network, strategy: train(network, strategy, accumulate=2)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
    strategies = {1: tf.distribute.get_strategy()}
    for count in (2, 3):
        one_device = tf.distribute.ReductionToOneDevice()
        names = [f"CPU:{index}" for index in range(count)]
        strategies[count] = tf.distribute.MirroredStrategy(names, cross_device_ops=one_device)
    ways = {
        "keras": (by_keras, (1, 2)),
        "fit": (by_fit, (3,)),
        "fit, pieces": (pieces(by_fit), (2,)),
        "loop": (by_loop, (1,)),
        "loop, pieces": (pieces(by_loop), (3,)),
        "dataset": (by_dataset, (2,)),
    }
    found = {}
    for name, (train, counts) in ways.items():
        for count in counts:
            network = model(strategies[count])
            history = train(network, strategies[count])
            weights = np.concatenate([value.ravel() for value in network.get_weights()])
            history.pop("seconds", None)
            found[f"{name}, {count}"] = {"weights": weights.tolist(), "history": history}
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
