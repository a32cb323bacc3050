"""Train a classifier of small images. The same file on one CPU, on several GPUs and on several machines.

    python examples/train.py --epochs 3
    python3 -m course_utils launch --workers 2 examples/train.py -- --epochs 3 --checkpoints runs/first

Nothing below asks how many devices there are. `devices.create_strategy()` finds that out, `training.distributed_fit`
shares every batch among them, and what is written once is written by worker 0, the chief. See examples/README.md.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# First of all: TensorFlow, without its start-up lines.
from course_utils import quiet  # noqa: F401, I001

import keras
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, training
from course_utils.models import vision

MODELS = {"perceptron": vision.perceptron, "cnn": vision.beginner_cnn}


def main():
    """Train, report and, if asked, save."""
    options = parse()
    strategy = devices.create_strategy()
    chief = devices.is_chief()
    if chief:
        devices.describe()
    x_train, y_train, x_test, y_test = load(options.data, options.limit)
    # The last tenth of the training examples judges every epoch; the test is looked at once, at the end.
    held_out = len(x_train) // 10

    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.precision)
    with strategy.scope():
        model = build(options.model)
        model.compile(
            keras.optimizers.Adam(options.rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    training.distributed_fit(
        model,
        x_train[:-held_out],
        y_train[:-held_out],
        epochs=options.epochs,
        batch_size=options.batch,
        accumulate=options.accumulate,
        seed=options.seed,
        validation_data=(x_train[-held_out:], y_train[-held_out:]),
        callbacks=chiefs_callbacks(options) if chief else [],
        checkpoints=options.checkpoints,
    )
    # All workers have the same weights, so each may judge them; one speaks.
    accuracy = training.accuracy(model, x_test, y_test)
    if chief:
        print(f"测试准确率 · test accuracy: {accuracy:.4f}")
        if options.save:
            Path(options.save).parent.mkdir(parents=True, exist_ok=True)
            model.save(options.save)


def parse():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="训练一个图像分类器 · train a classifier of images")
    add = parser.add_argument
    add("--data", default="mnist", metavar="mnist|FILE.npz", help="或自己的数据 · or your own; see `load`")
    add("--model", default="cnn", choices=MODELS)
    add("--epochs", type=int, default=3)
    add(
        "--batch",
        type=int,
        default=128,
        help="全局批量：所有副本合计 · examples of one step, on all replicas",
    )
    add(
        "--accumulate",
        type=int,
        default=1,
        help="每份分几块计算，省内存 · compute each share in so many pieces",
    )
    add("--rate", type=float, default=0.001, help="Adam 的学习率 · learning rate of Adam")
    add(
        "--precision",
        default="float32",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
        help="mixed_float16 只能用于一个副本 · mixed_float16 on one replica only",
    )
    add("--seed", type=int, default=0)
    add("--limit", type=int, help="只用这么多样本 · use so many examples only")
    add("--checkpoints", metavar="FOLDER", help="所有进程共享的文件夹 · a folder that all workers share")
    add("--save", metavar="FILE.keras", help="训练好的模型 · the trained model")
    add("--logs", metavar="FOLDER", help="写给 TensorBoard 的数值 · each epoch's numbers, for TensorBoard")
    add(
        "--profile",
        action="store_true",
        help="在 --logs 中记录几步的剖析 · a profile of a few steps in --logs",
    )
    options = parser.parse_args()
    if options.profile and not options.logs:
        parser.error("--profile 需要 --logs · --profile needs --logs")
    return options


def load(data, limit):
    """Return training and test images, float32 (n, 28, 28, 1), with their labels, int32 (n,).

    `data` is "mnist" or an .npz file with x_train, y_train, x_test and y_test: images uint8 (n, 28, 28), labels 0 to 9,
    as Fashion-MNIST has them.
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    if data == "mnist":
        digits = datasets.mnist()
        arrays = [getattr(digits, name) for name in names]
    else:
        with np.load(data, allow_pickle=False) as archive:
            arrays = [archive[name] for name in names]
    x_train, y_train, x_test, y_test = (array[:limit] for array in arrays)
    as_images = datasets.as_images
    return as_images(x_train), y_train.astype("int32"), as_images(x_test), y_test.astype("int32")


def build(name):
    """Return a model that ends in logits, (batch, 10), in float32: with 16 bits the softmax's digits would be lost."""
    body = MODELS[name]()
    hidden = body.layers[-2].output
    return keras.Model(body.input, keras.layers.Dense(vision.CLASSES, dtype="float32", name="logits")(hidden))


def chiefs_callbacks(options):
    """Return what only one worker does, because it prints or writes."""
    callbacks = [Report()]
    if options.logs:
        callbacks.append(Scalars(options.logs))
    if options.profile:
        callbacks.append(Profile(options.logs))
    return callbacks


class Report(keras.callbacks.Callback):
    """Prints one line per epoch."""

    def on_epoch_end(self, epoch, logs=None):
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        print(f"epoch {epoch + 1}/{self.params['epochs']}  {numbers}", flush=True)


class Scalars(keras.callbacks.Callback):
    """Writes each epoch's numbers for TensorBoard.

    `keras.callbacks.TensorBoard` and `tf.summary.scalar` need the package tensorboard, which this course does not
    install; what they write is this.
    """

    def __init__(self, folder):
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(folder))
        self.kind = tf.compat.v1.SummaryMetadata(
            plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR"
        )

    def on_epoch_end(self, epoch, logs=None):
        with self.writer.as_default():
            for name, value in logs.items():
                tf.summary.write(name, np.float32(value), step=epoch + 1, metadata=self.kind)
        self.writer.flush()


class Profile(keras.callbacks.Callback):
    """Records what the devices do in steps 3 to 7; the first ones are slow for other reasons (tracing, allocation)."""

    FIRST, LAST = 3, 7

    def __init__(self, folder):
        super().__init__()
        self.folder, self.step, self.running = str(folder), 0, False

    def on_train_batch_begin(self, batch, logs=None):
        self.step += 1
        if self.step == self.FIRST:
            tf.profiler.experimental.start(self.folder)
            self.running = True

    def on_train_batch_end(self, batch, logs=None):
        if self.step == self.LAST:
            # A step is only asked for when it returns; its loss is there when it is done.
            float(logs["loss"])
            self.stop()

    def on_train_end(self, logs=None):
        self.stop()

    def stop(self):
        if self.running:
            tf.profiler.experimental.stop()
            self.running = False


if __name__ == "__main__":
    main()
