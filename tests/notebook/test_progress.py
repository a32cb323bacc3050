"""What a training shows: only to somebody who watches, gone in the end, and without an effect on a single number."""

import io
import re

import jupyter_client
import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import distributed, language, progress, training
from course_utils.workshop.chapters import ROOT


class Clock:
    """Goes on by a second at each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


class Place:
    """Remembers what was shown."""

    def __init__(self):
        self.lines, self.cleared = [], 0

    def show(self, data, metadata):
        self.lines.append(data["text/plain"])

    def clear(self):
        self.cleared += 1


@pytest.fixture
def watched(monkeypatch):
    """Somebody watches, and even a short training shows its line."""
    place = Place()
    monkeypatch.setattr(progress, "watcher", lambda: place)
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0)
    return place


def small(layers=()):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def data():
    generator = np.random.default_rng(0)
    return generator.normal(size=(64, 4)).astype("float32"), generator.integers(0, 3, 64)


def fit(**settings):
    inputs, targets = data()
    model = small([keras.layers.Dropout(0.5, seed=2)])
    history = training.fit(
        model,
        inputs,
        targets,
        name="net",
        epochs=3,
        batch_size=16,
        validation_data=(inputs, targets),
        **settings,
    )
    return {key: history[key] for key in ("loss", "val_loss")}, model.get_weights()


# ---------------------------------------------------------------- who sees it


def test_where_nobody_watches_nothing_is_called_and_nothing_printed(capfd):
    watch = progress.Watch("net", 3)
    assert watch.callbacks == []
    fit()
    assert capfd.readouterr() == ("", "")


def test_verbose_0_is_off_even_if_somebody_watches(watched, capfd):
    fit(verbose=0)
    assert watched.lines == [] and capfd.readouterr().out == ""


def test_verbose_1_leaves_one_line_that_the_sanitiser_knows(watched, capsys):
    fit(verbose=1)
    line = capsys.readouterr().out
    assert re.fullmatch(r"net: 3 epochs, loss \S+ → \S+\n", line)
    rules = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8")
    rule = re.search(r"\[trainings\]\nregex: (.*)\nreplace: (.*)", rules)
    before = "accuracy: 3 of 4\n"
    assert re.sub(rule[1], rule[2], before + line) == before + "net: trained\n"


def test_another_verbose_is_refused():
    with pytest.raises(ValueError, match="verbose: .*0, 1 or"):
        progress.Watch("net", 3, verbose=2)


def test_the_line_is_cleared_even_when_the_training_fails(watched):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fit(callbacks=[Failing()])
    assert watched.lines and watched.cleared == 1


# ---------------------------------------------------------------- no number changes


def test_not_a_number_changes_when_somebody_watches(monkeypatch):
    alone = fit()
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0)
    shown = []
    monkeypatch.setattr(progress, "watcher", progress.Notebook)
    monkeypatch.setattr(progress.Notebook, "show", lambda self, data, metadata: shown.append(data))
    watching = fit(curve=True)
    assert alone[0] == watching[0]
    for mine, theirs in zip(alone[1], watching[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert any("image/png" in data for data in shown) and any("epoch" in data["text/plain"] for data in shown)


def test_the_step_is_traced_once_when_somebody_watches(watched):
    traced = []

    class Spy(keras.layers.Layer):
        def call(self, inputs, training=False):
            if training:
                traced.append(1)
            return inputs

    inputs, targets = data()
    training.fit(small([Spy()]), inputs, targets, name="net", epochs=3, batch_size=16)
    assert len(traced) == 1 and watched.lines


def test_the_line_waits_for_no_loss():
    """A callback with `on_train_batch_end` would be handed the loss of every step."""
    for part in (progress._Line, progress._Drawing):
        for method in ("on_train_batch_end", "on_batch_end"):
            assert getattr(part, method) is getattr(keras.callbacks.Callback, method)


def test_distributed_fit_shows_its_line_and_keeps_its_numbers(watched):
    inputs, targets = data()
    watched_history = distributed.distributed_fit(small(), inputs, targets, epochs=2, batch_size=16)
    assert any(line.startswith("model: epoch 2 of 2") for line in watched.lines) and watched.cleared == 1
    count = len(watched.lines)
    alone = distributed.distributed_fit(small(), inputs, targets, epochs=2, batch_size=16, verbose=0)
    assert len(watched.lines) == count and alone["loss"] == watched_history["loss"]


def test_only_worker_0_speaks(watched, monkeypatch, capsys):
    monkeypatch.setattr(distributed.devices, "is_chief", lambda strategy=None: False)
    inputs, targets = data()
    distributed.distributed_fit(small(), inputs, targets, epochs=2, batch_size=16, verbose=1)
    assert watched.lines == [] and capsys.readouterr().out == ""


def test_a_dataset_of_unknown_length_is_shown(watched):
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([(np.ones((2, 4), "float32"), np.zeros(2, "int64"))] * 3),
        output_signature=(tf.TensorSpec((2, 4)), tf.TensorSpec((2,), tf.int64)),
    )
    training.fit(small(), dataset, None, name="net", epochs=2)
    assert watched.lines[0].startswith("net: epoch 1 of 2") and "left" in watched.lines[-2]


# ---------------------------------------------------------------- what it says


def played(epochs=4, steps=10, until=(2, 5)):
    """Return the last line when each batch takes a second and nothing else does."""
    clock, place = Clock(), Place()
    line = progress._Line("net", epochs, place, clock=lambda: clock.now)
    line.set_params({"steps": steps})
    line.on_train_begin()
    for epoch in range(epochs):
        line.on_epoch_begin(epoch)
        for batch in range(steps):
            line.on_train_batch_begin(batch)
            if (epoch, batch) == until:
                return place.lines[-1]
            clock()
        line.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "val_loss": 2.0})
    return place.lines[-1]


def test_the_line_says_epoch_share_losses_and_time_left():
    # 25 of 40 seconds are over.
    assert played() == "net: epoch 3 of 4  ██████████░░░░░░  loss 0.5  validation loss 2  about 15 s left"


def test_the_first_epoch_knows_the_time_left_and_no_loss():
    assert played(until=(0, 6)) == "net: epoch 1 of 4  ██░░░░░░░░░░░░░░  about 34 s left"


def test_an_unknown_number_of_steps_is_learnt_in_the_first_epoch():
    clock, place = Clock(), Place()
    line = progress._Line("net", 2, place, clock)
    line.set_params({"steps": None})
    line.on_train_begin()
    for epoch in range(2):
        line.on_epoch_begin(epoch)
        for batch in range(4):
            line.on_train_batch_begin(batch)
        line.on_epoch_end(epoch, {"loss": 1.0})
    assert line.steps == 4 and "about" in place.lines[-2]


def test_nothing_is_shown_of_a_short_training():
    clock, place = Clock(), Place()
    line = progress._Line("net", 1, place, lambda: clock.now)
    line.set_params({"steps": 9})
    line.on_train_begin()
    line.on_epoch_begin(0)
    for batch in range(9):
        clock.now = 0.2 * batch
        line.on_train_batch_begin(batch)
    assert place.lines == []
    clock.now = 2.1
    line.on_epoch_end(0, {"loss": 1.0})
    assert len(place.lines) == 1


def test_the_line_speaks_chinese(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "zh")
    assert played() == "net：第 3 轮，共 4 轮  ██████████░░░░░░  损失 0.5  验证损失 2  剩余约 15 秒"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3540, "59 min"), (3590, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds, said):
    assert progress.duration(seconds, "s", "min", "h") == said


# ---------------------------------------------------------------- the places


def test_a_terminals_line_is_overwritten_and_wiped(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    stream = io.StringIO()
    terminal = progress.Terminal(stream)
    terminal.show({"text/plain": "epoch 1 of 20"}, {})
    terminal.show({"text/plain": "损失 1"}, {})
    terminal.clear()
    assert stream.getvalue() == "\repoch 1 of " + "\r损失 1     " + "\r" + " " * 6 + "\r"
    terminal.clear()
    assert stream.getvalue().count("\r") == 4


def test_a_pipe_sees_nothing(monkeypatch):
    class Stream(io.StringIO):
        terminal = False

        def isatty(self):
            return self.terminal

    stream = Stream()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    assert progress.watcher() is None
    stream.terminal = True
    assert isinstance(progress.watcher(), progress.Terminal)


CELL = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "notebook")!r}]
from course_utils import quiet, progress
progress.FIRST_SECONDS = progress.EVERY_SECONDS = 0
import test_progress
test_progress.fit(curve=True)[0]["loss"]
"""


@pytest.fixture(scope="module")
def kernel():
    manager, client = jupyter_client.manager.start_new_kernel(startup_timeout=600)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_notebook_shows_it_to_a_person_and_only_the_curve_to_a_runner(kernel):
    """JupyterLab says with each cell that it can ask for input; nbval, papermill and nbconvert say that they cannot."""
    seen = {}
    for person in (True, False):
        messages = []
        kernel.execute_interactive(CELL, allow_stdin=person, output_hook=messages.append, timeout=240)
        kinds = ("display_data", "update_display_data", "stream", "error", "execute_result")
        seen[person] = [message for message in messages if message["msg_type"] in kinds]
    runner = [message["msg_type"] for message in seen[False]]
    assert runner == ["display_data", "execute_result"], seen[False]
    final = {}  # as a saved notebook holds them: the last content of each output
    for message in seen[True]:
        if message["msg_type"].endswith("display_data"):
            final[message["content"]["transient"]["display_id"]] = message["content"]["data"]
    line, curve = final.values()
    assert seen[True][-1]["content"]["data"] == seen[False][-1]["content"]["data"]
    assert line == {"text/plain": ""}
    assert curve == seen[False][0]["content"]["data"]
    texts = [message["content"]["data"].get("text/plain", "") for message in seen[True]]
    assert any("epoch 2 of 3" in text for text in texts)


# ---------------------------------------------------------------- the curve


def test_the_curve_has_a_text_for_those_who_cannot_see_it_and_leaves_the_current_figure_alone():
    import matplotlib.pyplot as plt

    mine = plt.figure()
    bundle, metadata = progress.curve_of({"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}, "net", 4)
    assert plt.gcf() is mine
    plt.close(mine)
    assert bundle["text/plain"] == (
        "[The loss of net after each epoch, on the training and the validation examples.]"
    )
    assert "<img alt=" in bundle["text/html"] and metadata["image/png"]["alt_zh"].startswith("net")


def test_a_build_draws_the_curve_in_both_languages(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "both")
    bundle, metadata = progress.curve_of({"loss": [2.0, 1.0]}, "net", 2)
    assert metadata["image/png"]["png_zh"] != bundle["image/png"]
    assert language.side(bundle["text/plain"], "zh") == "[net 每一轮之后的损失：训练样本。]"
