"""What doctor asks inside the finished environment, each question in a process of its own.

    python -m course_utils.door.inside packages NAME ...

An answer is one line of JSON, the last on standard output; what goes wrong is one too: {"error": "ImportError: ..."}.
A process that says nothing died, and how it died tells why.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def packages(names: list[str]) -> dict[str, Any]:
    """Return the versions of packages that are installed, and the memory, which psutil knows on every system."""
    from importlib import metadata

    from course_utils import machine

    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"versions": versions, "memory": machine.memory_gb()}


def tensorflow(_: list[str]) -> dict[str, Any]:
    """Return TensorFlow's version, the accelerators it finds and the strategy that a chapter would get."""
    import tensorflow  # type: ignore[import-untyped]

    answer: dict[str, Any] = {"version": tensorflow.__version__}
    try:
        from course_utils import devices

        strategy = devices.create_strategy()
        answer["strategy"] = f"{type(strategy).__name__}, {strategy.num_replicas_in_sync} 个副本 · replicas"
    # A wrong TF_CONFIG, a busy device.
    except Exception as error:
        answer["strategy_error"] = _described(error)
    # Asked last: a TPU is listed only after a strategy has connected to it, beside a TPU_SYSTEM that computes nothing.
    devices_found = tensorflow.config.list_physical_devices()
    kinds = [device for device in devices_found if device.device_type not in ("CPU", "TPU_SYSTEM")]
    answer["accelerators"] = [device.name for device in kinds]
    return answer


def devices(_: list[str]) -> dict[str, Any]:
    """Train the same small network on one device and on all of them; return how far its weights come apart."""
    import keras  # type: ignore[import-untyped]
    import numpy as np
    import tensorflow

    from course_utils import devices, training

    everywhere, alone = devices.create_strategy(), tensorflow.distribute.get_strategy()
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(50, 12)).astype("float32")
    targets = inputs[:, :3].argmax(axis=1)

    def weights(strategy: Any) -> Any:
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = keras.Sequential(
                [keras.Input((12,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(3, "softmax")]
            )
            # Clipped, and with a last batch of two: what goes wrong when shares are added up wrongly.
            model.compile(keras.optimizers.SGD(0.5, global_clipnorm=0.1), "sparse_categorical_crossentropy")
        training.distributed_fit(model, inputs, targets, epochs=2, batch_size=12, strategy=strategy)
        return np.concatenate([value.ravel() for value in model.get_weights()])

    difference = float(np.max(np.abs(weights(everywhere) - weights(alone))))
    return {"replicas": everywhere.num_replicas_in_sync, "difference": difference}


def data(_: list[str]) -> dict[str, Any]:
    """Return what is wrong with the data sets that ship, and the font for Chinese in figures."""
    from course_utils import datasets

    answer: dict[str, Any] = {"problems": datasets.verify()}
    try:
        answer["font"] = datasets.font_path().name
    except Exception as error:
        answer["font_error"] = _described(error)
    return answer


QUESTIONS = {"packages": packages, "tensorflow": tensorflow, "devices": devices, "data": data}


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def main(arguments: list[str]) -> int:
    """Answer one question."""
    question, *names = arguments
    # Only the answer goes to standard output: what TensorFlow's C++ prints while it starts does not.
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = QUESTIONS[question](names)
    # An import fails in many ways: a missing library, a broken wheel, a file that is not readable.
    except Exception as error:
        answer = {"error": _described(error)}
    with open(answers, "w", encoding="utf-8") as file:
        file.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
