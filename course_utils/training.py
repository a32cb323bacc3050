"""What several chapters train with: a resumable `fit`, accuracy in batches, a one-cycle rate, a distributed loop.

    history = training.fit(model, x_train, y_train, name="cnn", epochs=4)
    training.accuracy(model, x_test, y_test)

`fit` is Keras' `model.fit` with a line of its own while it runs (see `progress`) and the seconds of each epoch in its
history. When the environment variable `COURSE_WORK` names a directory (the full profile, on a machine that may be
switched off), it also survives an interruption: see `fit`.
"""

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import re
import sys
import time
import weakref
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from course_utils import checking, distributed, language, profiles, progress
from course_utils.checkpoints import arrays as state_arrays
from course_utils.checkpoints import state
from course_utils.distributed import distributed_fit as distributed_fit


class EpochTimer(keras.callbacks.Callback):
    """Collects the wall-clock seconds of each epoch, validation included, in `.seconds`."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)


def fit(
    model,
    inputs,
    targets,
    *,
    name,
    epochs,
    batch_size=128,
    validation_data=None,
    callbacks=(),
    shuffle=True,
    accumulate=1,
    verbose="auto",
    curve=False,
):
    """Train a compiled Keras model and return what happened in each epoch.

    Args:
        model: compiled, created in `devices.create_strategy().scope()` when there are several replicas.
        inputs, targets: arrays (or tuples, lists, dicts of arrays), the first axis counts examples.
            A `tf.data.Dataset` that yields batches may be given as `inputs`, with `targets=None`.
        name: what this fit is called in the chapter, unique in it, e.g. "cnn".
        epochs, batch_size, validation_data, callbacks, shuffle: as in `model.fit`;
            `batch_size` counts the examples of all replicas together.
        accumulate: pieces in which each replica computes its share of a batch, one after the other: a kth of the memory,
            the same numbers, unless a layer looks at the whole batch (BatchNormalization).
        verbose: "auto" shows a line while it trains, if somebody watches and it takes more than two seconds, and leaves
            nothing; 1 leaves a line with the number of epochs and the loss; 0 shows nothing.
        curve: whether to draw the loss of each epoch, growing while it trains if somebody watches.

    On several replicas the numbers are one device's (see `distributed`); Keras' own step would clip each replica's share
    and count an uneven last batch unequally.

    Returns:
        A dict of equally long lists: Keras' history ("loss", "accuracy", "val_loss", ...) and "seconds", the
        wall-clock time of each epoch (the first one includes tracing the graph).

    With `COURSE_WORK=<directory>` each epoch's weights, optimiser state and history are stored under `name`, for
    this profile, seed, model, optimiser, starting weights and data. A fit that was interrupted goes on after its last
    complete epoch and returns the history of all of them; a finished one is loaded instead of trained. What is not
    stored: the memory of callbacks (EarlyStopping's patience) and the order in which the data would have been
    shuffled, so a resumed run ends near the uninterrupted one, and exactly at it only with `shuffle=False`.

    Raises:
        ValueError: several workers (use `distributed_fit`), or nothing to train for.
    """
    checking.at_least(1, epochs=epochs)
    several = isinstance(model.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
    # keras#20585
    wanted = (
        "应在一个进程里（否则用 training.distributed_fit）",
        "a single process (else use training.distributed_fit)",
    )
    checking.expect(not several, "model", *wanted, "several workers")
    is_dataset = targets is None
    timer, watch = EpochTimer(), progress.Watch(name, epochs, verbose, curve)
    callbacks = [*callbacks, timer, *watch.callbacks]  # drawing is no part of an epoch's seconds
    # Shorter profiles are repeated faster than they are stored.
    work = os.environ.get("COURSE_WORK") if profiles.name() == "full" else None
    stored = None
    # Variables first: a step that has to create the optimizer's is traced twice, and tracing is what a short fit spends
    # its time on.
    _build(model, inputs, targets)
    distributed.install(model, checking.positive_integer(accumulate, "accumulate"))
    if not is_dataset:
        replicas, count = model.distribute_strategy.num_replicas_in_sync, len(keras.tree.flatten(inputs)[0])
        distributed.expect_everybody_busy(model, replicas, count, batch_size)
    if work:
        kind = _fingerprint(model, inputs, targets, epochs, batch_size, shuffle)
        folder = re.sub(r"[^\w.-]", "_", name) + "-" + kind
        stored = _Stored(Path(work) / "fit" / folder, model)
        reached = stored.load(name, epochs)
        if reached["finished"]:
            watch.leave(reached["history"])
            return reached["history"]
        # Last in the list: it stores what the other callbacks have done to the model at the end of the epoch.
        callbacks.append(stored.callback(reached, timer))

    earlier = stored.progress["history"] if stored else {}
    done = stored.progress["epochs_done"] if stored else 0
    with watch:
        history = model.fit(
            inputs,
            targets,
            epochs=epochs,
            initial_epoch=done,
            batch_size=None if is_dataset else batch_size,
            validation_data=validation_data,
            callbacks=callbacks,
            shuffle=shuffle and not is_dataset,
            verbose=0,
        ).history
    history = _joined(earlier, {**history, "seconds": timer.seconds})
    if stored:
        stored.save(history, finished=True)
    watch.leave(history)
    _return_memory()
    return history


def _return_memory():
    """Give freed memory back to the system: glibc keeps it, and the next model would come on top."""
    gc.collect()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _joined(earlier, later):
    """Return histories of consecutive epochs as one dict of lists of floats."""
    names = list(earlier) + [name for name in later if name not in earlier]
    return {
        name: [*earlier.get(name, []), *(float(value) for value in later.get(name, []))] for name in names
    }


# ---------------------------------------------------------------- what `fit` stores


def _build(model, inputs, targets):
    """Create the variables of model, optimizer and metrics: the step is traced once, stored values have a place.

    `targets` is None for a dataset. Of that, one more iterator could change the order in which it shuffles: it is only
    looked at when the model cannot be built without it, and its metrics are left to the first step.
    """
    if targets is not None:
        distributed.create_variables(model, _first(inputs), _first(targets))
    else:
        distributed.create_variables(model, None if model.built else _first(next(iter(inputs))[0]))


def _first(arrays):
    """Return a batch of the first example."""
    return keras.tree.map_structure(lambda array: array[:1], arrays)


def _fingerprint(model, inputs, targets, epochs, batch_size, shuffle):
    """Return 12 hex digits that change with anything that makes another experiment of the same name.

    Starting weights count: they carry the seed, the layer sizes and what the model was pre-trained on.
    """
    try:
        # Keras numbers its layers by how many came before in this process: dense_3 here may be dense_1 there.
        architecture = re.sub(r'_\d+(?=")', "", model.to_json())
    except Exception:  # a model of the chapter's own class without get_config: its weights have to do
        architecture = type(model).__name__
    # numbered too
    settings = {key: value for key, value in model.optimizer.get_config().items() if key != "name"}
    digest = hashlib.sha256()
    for part in (
        profiles.name(), profiles.seed(), epochs, batch_size, shuffle, architecture,
        type(model.optimizer).__name__, sorted(settings.items()),
        model.loss if isinstance(model.loss, (str, dict, list)) else getattr(model.loss, "name", type(model.loss)),
        os.environ.get("KERAS_MAX_EPOCHS"), os.environ.get("KERAS_MAX_STEPS_PER_EPOCH"),
    ):  # fmt: skip
        # An object without a text of its own prints its address, which differs from process to process.
        digest.update(re.sub(r" at 0x[0-9a-f]+", "", repr(part)).encode())
    data = [] if targets is None else keras.tree.flatten((inputs, targets))
    for array in [np.asarray(array) for array in data] + state_arrays(model):
        content = np.ascontiguousarray(array)
        content = repr(array.tolist()).encode() if array.dtype == object else content.view(np.uint8).data
        digest.update(f"{array.shape} {array.dtype} {zlib.crc32(content)}".encode())
    return digest.hexdigest()[:12]


class _Stored:
    """One fit's progress in a directory: `progress.json` names the file with the state that belongs to it.

    The state is written first, then progress.json is replaced in one step; a process killed at any moment leaves the
    previous pair or the new one, never a mixture.
    """

    def __init__(self, directory, model):
        self.directory, self.model = directory, model
        self.progress = {"epochs_done": 0, "finished": False, "history": {}}

    def load(self, name, epochs):
        """Put the stored state, if there is a whole one, into the model; return the progress."""
        try:
            progress = json.loads((self.directory / "progress.json").read_text(encoding="utf-8"))
            content = (self.directory / progress["state"]).read_bytes()
            if zlib.crc32(content) != progress["crc32"]:
                raise ValueError("the stored state is damaged")
            # allow_pickle is False by default: a stored file cannot run code.
            with np.load(self.directory / progress["state"]) as archive:
                arrays = [archive[f"arr_{index}"] for index in range(len(archive.files))]
            variables = state(self.model)
            if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
                raise ValueError("the stored state belongs to another model")
        except FileNotFoundError:
            return self.progress
        except Exception as error:
            said = language.words(
                "stored progress is unusable, starting anew", "保存的进度无法使用，从头训练"
            )
            print(f"{name}: {said} ({error})")
            return self.progress
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self.progress = progress
        done = progress["epochs_done"]
        if progress["finished"]:
            said = language.words(
                f"trained already, loaded ({done} epochs)", f"已训练完毕，直接载入（{done} 轮）"
            )
        else:
            said = language.words(
                f"resumed after epoch {done} of {epochs}", f"从第 {done} 轮之后继续训练，共 {epochs} 轮"
            )
        print(f"{name}: {said}")
        return progress

    def save(self, history, finished):
        self.directory.mkdir(parents=True, exist_ok=True)
        done = len(history["seconds"])
        # The process id keeps two processes that train the same from writing into one file.
        state = self.directory / f"epoch-{done:04d}-{'end' if finished else 'go'}-{os.getpid()}.npz"
        with open(state, "wb") as file:
            np.savez(file, *state_arrays(self.model))
        progress = {
            "epochs_done": done,
            "finished": finished,
            "history": history,
            "state": state.name,
            "crc32": zlib.crc32(state.read_bytes()),
        }
        temporary = self.directory / f"progress-{os.getpid()}.tmp"
        temporary.write_text(json.dumps(progress), encoding="utf-8")
        os.replace(temporary, self.directory / "progress.json")
        self.progress = progress
        for old in self.directory.glob(f"epoch-*-{os.getpid()}.npz"):
            if old != state:
                old.unlink(missing_ok=True)

    def callback(self, progress, timer):
        earlier = progress["history"]

        def store(epoch, logs):
            # model.history is Keras' own, complete only after the callbacks: rebuild this epoch from `logs`.
            collected.append(logs or {})
            later = {key: [entry[key] for entry in collected] for key in collected[0]}
            self.save(_joined(earlier, {**later, "seconds": timer.seconds}), finished=False)

        collected = []
        return keras.callbacks.LambdaCallback(on_epoch_end=store)


# ---------------------------------------------------------------- accuracy


def accuracy(model, inputs, labels, batch_size=500):
    """Return the share of examples whose largest output is the right class, a float from 0 to 1.

    Args:
        model: outputs (batch, classes), logits or probabilities alike; with one output, (batch, 1), a probability
            above 0.5 means class 1 (give such a model a sigmoid: logits would be misread).
        inputs: array (examples, ...), or a tuple, list or dict of arrays.
        labels: whole numbers, shape (examples,).
        batch_size: examples at a time. All 10,000 digits at once would need 1.9 GB for the CNN's feature maps.

    Raises:
        ValueError: as many labels as inputs are needed, and outputs of shape (batch, classes).
    """
    labels = np.asarray(labels)
    count = len(keras.tree.flatten(inputs)[0])
    checking.not_empty(labels=labels)
    shape = f"({count},)"
    wanted = f"形状应为 {shape}，整数而非 one-hot", f"shape {shape}, whole numbers, not one-hot"
    checking.expect(labels.shape == (count,), "labels", *wanted, labels.shape)
    run = forward(model)
    right = 0
    for start in range(0, count, batch_size):
        rows = slice(start, start + batch_size)
        outputs = np.asarray(run(keras.tree.map_structure(lambda array, rows=rows: array[rows], inputs)))
        axes = "(batch, classes)"
        checking.expect(
            outputs.ndim == 2, "model", f"输出的形状应为 {axes}", f"outputs {axes}", outputs.shape
        )
        predicted = outputs[:, 0] > 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=1)  # (batch,)
        right += int((predicted == labels[rows]).sum())
    return right / count


_forwards = weakref.WeakKeyDictionary()  # model -> (its variables' ids, {setting: prediction})


def forward(model, setting=()):
    """Return the model's prediction, a function of a batch, as a graph that is traced once: tracing costs seconds and memory.

    Not model.predict_on_batch: with several replicas it returns every row as often as there are replicas.

    Args:
        model: a Keras model.
        setting: what else the graph depends on, such as which adapters are on; each setting has a graph of its own.
    """
    variables = tuple(id(variable) for variable in model.variables)  # quantising or LoRA exchanges them
    known = _forwards.get(model)
    if known is None or known[0] != variables or not variables:
        _forwards[model] = known = (variables, {})
    if setting not in known[1]:
        reference = weakref.ref(model)  # the graph must not keep the model alive

        @tf.function(reduce_retracing=True)
        def predict(batch):
            return reference()(batch, training=False)

        known[1][setting] = predict
    return known[1][setting]


# ---------------------------------------------------------------- learning rate


@keras.saving.register_keras_serializable(package="course_utils")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    r"""One-cycle learning rate: a straight warm-up to the peak, then half a cosine down to (nearly) zero.

    With step t of T = `steps`, warm-up length W = `warm_up` T, peak p, first rate s p and last rate e p:

        rate(t) = p (s + (1 - s) t / W)                                   for t < W
        rate(t) = p (e + (1 - e) (1 + cos(pi (t - W) / (T - W))) / 2)     for W <= t <= T,  p e afterwards

    A high rate in the middle regularises and moves fast, the low end settles. Idea: Smith 2018, A disciplined approach to
    neural network hyper-parameters: Part 1, arXiv:1803.09820 (two straight lines there; the cosine is fastai's).

    Args:
        peak: highest learning rate.
        steps: batches of the whole training, epochs * ceil(examples / batch_size).
        warm_up: share of the steps spent on the way up, from 0 to below 1.
        start, end: first and last rate as fractions of the peak.

    Raises:
        ValueError: a number outside its range.
    """

    def __init__(self, peak, steps, warm_up=0.3, start=0.04, end=0.0):
        checking.positive(peak=peak)
        checking.at_least(1, steps=steps)
        checking.share(warm_up=warm_up, start=start, end=end)
        checking.expect(warm_up < 1, "warm_up", "应小于 1", "less than 1", warm_up)
        self.peak, self.steps = float(peak), int(steps)
        self.warm_up, self.start, self.end = float(warm_up), float(start), float(end)

    def __call__(self, step):
        step = keras.ops.minimum(keras.ops.cast(step, "float32"), float(self.steps))
        warm_up_steps = self.warm_up * self.steps
        # max(..., 1) only keeps the unused branch from dividing by zero when there is no warm-up.
        rising = self.start + (1 - self.start) * step / max(warm_up_steps, 1.0)
        progress = (step - warm_up_steps) / (self.steps - warm_up_steps)  # 0 at the peak, 1 at the end
        falling = self.end + (1 - self.end) * (1 + keras.ops.cos(np.pi * progress)) / 2
        return self.peak * keras.ops.where(step < warm_up_steps, rising, falling)

    def get_config(self):
        return {
            "peak": self.peak, "steps": self.steps, "warm_up": self.warm_up, "start": self.start, "end": self.end,
        }  # fmt: skip
