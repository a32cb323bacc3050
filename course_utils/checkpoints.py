"""A training's whole state in a folder that all workers share: written by one, read by all, never half.

    stored = Checkpoints(folder, model, strategy)
    history = stored.load()      # {} at the first start
    stored.save(history)         # after each epoch

Worker 0 alone writes (the chief); the two newest epochs are kept. At the start all workers tell each other, by a small
all-reduce, which epoch each of them sees, and go on from the newest one that all have: two workers that went on from
different epochs would pair gradients of different weights, and nothing would say so.
"""

import io
import json
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from course_utils import checking, devices, files

KEPT = 2
NOTHING = 0  # the epoch of a folder without checkpoints
UNWRITABLE = -1


def state(model):
    """Return all that training changes: weights, moving averages, states of dropout's random numbers, optimizer."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [
        variable for variable in model.variables if id(variable) not in metrics
    ] + model.optimizer.variables


def arrays(model):
    """Return the values of `state`, as NumPy arrays; under several replicas the first one's."""
    return [variable.value.numpy() for variable in state(model)]


class Checkpoints:
    """The checkpoints of one training.

    What they cannot hold: a replica's own state, such as the moving averages of BatchNormalization without
    `synchronized=True` and the random numbers of Dropout on other replicas than the first. With such layers a
    continued training ends near the uninterrupted one, not bit for bit at it.

    Args:
        folder: the same for all workers; made by worker 0 when it is not there.
        model: compiled and built, its optimizer too.
        strategy: the one the model trains in.
        patience: seconds until a file that worker 0 has written has to be seen by the others (network file systems).

    Raises:
        ValueError: the folder cannot be written, is not shared, or holds another model's checkpoints; on all workers
            alike, so that none waits for the others.
    """

    def __init__(self, folder, model, strategy, patience=20.0):
        self.folder, self.model, self.strategy = Path(folder), model, strategy
        self._expect_shared(patience)

    def load(self):
        """Put the newest epoch that all workers see into the model; return its history, {} when there is none."""
        seen = self._told(self._newest())
        newest = min(seen)
        if newest == NOTHING:
            alike = max(seen) == NOTHING
            wanted = "应对所有工作进程一样", "the same checkpoints for all workers"
            checking.expect(alike, "checkpoints", *wanted, f"newest epochs {seen}")
            return {}
        history, problem = self._restore(self._path(newest))
        if any(self._told(bool(problem))):
            raise ValueError(
                f"checkpoints: {self._path(newest)} 不属于这个模型 · is not this model's: {problem or 'other workers say so'}; "
                "请换一个文件夹 · choose another folder"
            )
        return history

    def save(self, history):
        """Store the state after the last epoch of the history, and let go of the oldest."""
        if not devices.is_chief(self.strategy):
            return
        epoch = len(history["seconds"])
        files.write(self._path(epoch), _packed(arrays(self.model), history))
        for old in self._epochs()[:-KEPT]:
            self._path(old).unlink(missing_ok=True)

    def _path(self, epoch):
        return self.folder / f"epoch-{epoch:05d}.npz"

    def _epochs(self):
        """Return the epochs in the folder, oldest first. A file with this name is whole: it got the name at the end."""
        found = (re.fullmatch(r"epoch-(\d+)\.npz", path.name) for path in self.folder.glob("epoch-*.npz"))
        return sorted(int(match[1]) for match in found if match)

    def _newest(self):
        """Return the newest epoch whose file can be read from end to end (a disk may fail); NOTHING without one."""
        for epoch in reversed(self._epochs()):
            try:
                with zipfile.ZipFile(self._path(epoch)) as archive:
                    if archive.testzip() is None:
                        return epoch
            except (OSError, zipfile.BadZipFile):
                continue
        return NOTHING

    def _restore(self, path):
        """Return (history, None), or ({}, what is wrong) and leave the model as it was."""
        try:
            with np.load(path) as archive:  # allow_pickle is False by default: a stored file cannot run code
                history = json.loads(archive["history"].tobytes().decode("utf-8"))
                values = [archive[f"value_{index}"] for index in range(len(archive.files) - 1)]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            return {}, f"{type(error).__name__}: {error}"
        variables = state(self.model)
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values] != shapes:
            return {}, f"{len(values)} arrays, expected {len(shapes)} of the shapes {shapes[:4]}…"
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return history, None

    def _expect_shared(self, patience):
        """Let worker 0 write a number into the folder and all others find it there."""
        note = self.folder / "workers.json"
        chief, number = devices.is_chief(self.strategy), 0
        if chief:
            number = time.time_ns() % 2**31
            try:
                files.write_json(note, {"number": number})
            except OSError:
                number = UNWRITABLE
        number = self._told(number if chief else 0)[0]
        if number == UNWRITABLE:
            raise ValueError(f"checkpoints: 无法写入 {self.folder} · worker 0 cannot write to {self.folder}")
        seen, until = False, time.monotonic() + patience
        while not seen and time.monotonic() < until:
            seen = files.read_json(note).get("number") == number
            if not seen:
                time.sleep(0.2)
        blind = [worker for worker, sees in enumerate(self._told(seen)) if not sees]
        if blind:
            raise ValueError(
                f"checkpoints: {self.folder} 不是共享文件夹，工作进程 {blind} 看不到 0 号写的文件 · "
                f"{self.folder} is not shared: workers {blind} do not see what worker 0 wrote"
            )

    def _told(self, number):
        """Return what each replica was given, in the order of the workers: an all-reduce of one number each."""
        replicas = self.strategy.num_replicas_in_sync

        def in_my_place():
            mine = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.one_hot(mine, replicas, on_value=int(number), off_value=0, dtype="int32")

        everybody = tf.function(
            lambda: self.strategy.reduce("SUM", self.strategy.run(in_my_place), axis=None)
        )
        return everybody().numpy().tolist()


def _packed(values, history):
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(history).encode("utf-8"), dtype="uint8")
    np.savez(content, history=text, **{f"value_{index}": value for index, value in enumerate(values)})
    return content.getvalue()
