"""examples/train.py, but worker 1 dies in its second epoch, as if its power had gone. Only when `died` is not there yet."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import train  # noqa: I001

import keras
from course_utils import devices, training

DIED = Path("died")
distributed_fit = training.distributed_fit


class Dies(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 2) and not devices.is_chief() and not DIED.exists():
            DIED.touch()
            os._exit(9)


def with_a_death(*arguments, callbacks, **options):
    return distributed_fit(*arguments, callbacks=[*callbacks, Dies()], **options)


training.distributed_fit = with_a_death
train.main()
