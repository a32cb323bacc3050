"""What a training shows while it runs, and what it leaves behind.

    cnn: epoch 3 of 8  ██████░░░░░░░░░░  loss 0.2134  about 12 s left

The line appears after two seconds, in a notebook or on a terminal, and only if somebody watches: a build, a test and a
pipe see nothing of it. It costs a look at the clock for each batch. It draws no random number, looks at no tensor and
changes nothing that is trained.
"""

import shutil
import sys
import time
import unicodedata
import uuid

import keras

from course_utils import checking, language

FIRST_SECONDS = 2.0  # a shorter training shows nothing
EVERY_SECONDS = 0.5
DRAWING_SHARE = 0.05  # of the time may go into drawing the growing curve
_BAR = 16


class Watch:
    """Shows one training while it runs; a context manager, so that the line goes even if the training fails.

    Attributes:
        callbacks: what Keras has to call; none where nobody watches.
    """

    def __init__(self, name: str, epochs: int, verbose="auto", curve: bool = False):
        """See `training.fit` for `verbose` and `curve`."""
        wanted = '应为 0、1 或 "auto"', '0, 1 or "auto"'
        checking.expect(verbose in (0, 1, "auto"), "verbose", *wanted, verbose)
        self.name, self.epochs, self.verbose, self.curve = name, epochs, verbose, curve
        place = watcher() if verbose else None
        self.line = _Line(name, epochs, place) if place else None
        growing = curve and isinstance(place, Notebook)
        self.drawing = _Drawing(name, epochs, Notebook()) if growing else None
        self.callbacks = [part for part in (self.line, self.drawing) if part]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.line:
            self.line.place.clear()

    def leave(self, history: dict) -> None:
        """Print the line and show the curve that stay; the same ones where nobody watched.

        The line holds no time: `nbval` compares it, but for its numbers (tests/sanitize.cfg).
        """
        if self.curve and in_kernel():
            place = self.drawing.place if self.drawing else Notebook()
            place.show(*curve_of(history, self.name, self.epochs))
        if self.verbose == 1:
            losses, count = history["loss"], len(history["loss"])
            change = f"{losses[0]:.4g} → {losses[-1]:.4g}"
            print(
                language.words(
                    f"{self.name}: {count} epochs, loss {change}",
                    f"{self.name}：训练 {count} 轮，损失 {change}",
                )
            )


class _Line(keras.callbacks.Callback):
    """Tells a place how far a training is.

    It has no `on_train_batch_end`: that is handed the loss, and to wait for it would slow a GPU down.
    """

    def __init__(self, name, epochs, place, clock=time.perf_counter):
        super().__init__()
        self.name, self.epochs, self.place, self.clock = name, epochs, place, clock
        self.logs, self.steps, self.anchor = {}, None, None

    def on_train_begin(self, logs=None):
        self.next = self.clock() + FIRST_SECONDS
        self.steps = self.params.get("steps")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.step = epoch, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.step = batch
        if batch and self.anchor is None:  # the first step was traced, which takes longer than all others
            self.anchor = self.clock(), self.done()
        self.tick()

    def on_epoch_end(self, epoch, logs=None):
        self.logs, self.steps = logs or {}, self.steps or self.step + 1
        self.epoch, self.step = epoch + 1, 0
        self.tick()

    def tick(self):
        now = self.clock()
        if now >= self.next:
            self.next = now + EVERY_SECONDS
            self.place.show(as_text(self.text(now)), {})

    def done(self):
        """Return how many epochs are done, a fraction of the present one included."""
        return self.epoch + (min(self.step / self.steps, 1) if self.steps else 0)

    def seconds_left(self, now):
        """Return an estimate, None as long as there is nothing to go by."""
        if self.anchor is None or self.done() <= self.anchor[1]:
            return None
        begun, from_there = self.anchor
        return (now - begun) / (self.done() - from_there) * (self.epochs - self.done())

    def text(self, now):
        full = round(_BAR * self.done() / self.epochs)
        bar = "█" * full + "░" * (_BAR - full)
        number = min(self.epoch + 1, self.epochs)
        english = [f"{self.name}: epoch {number} of {self.epochs}", bar]
        chinese = [f"{self.name}：第 {number} 轮，共 {self.epochs} 轮", bar]
        for key, words in (("loss", ("loss", "损失")), ("val_loss", ("validation loss", "验证损失"))):
            if key in self.logs:
                english.append(f"{words[0]} {self.logs[key]:.4g}")
                chinese.append(f"{words[1]} {self.logs[key]:.4g}")
        left = self.seconds_left(now)
        if left is not None:
            english.append(f"about {duration(left, 's', 'min', 'h')} left")
            chinese.append(f"剩余约 {duration(left, '秒', '分钟', '小时')}")
        return language.words("  ".join(english), "  ".join(chinese))


class _Drawing(keras.callbacks.Callback):
    """Draws the loss of the epochs so far, as often as a small share of the time allows."""

    def __init__(self, name, epochs, place, clock=time.perf_counter):
        super().__init__()
        self.name, self.epochs, self.place, self.clock = name, epochs, place, clock
        self.history, self.next = {}, None

    def on_train_begin(self, logs=None):
        self.next = self.clock() + FIRST_SECONDS

    def on_epoch_end(self, epoch, logs=None):
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
        begun = self.clock()
        if begun >= self.next:
            self.place.show(*curve_of(self.history, self.name, self.epochs, first=epoch + 1))
            now = self.clock()
            self.next = now + (now - begun) / DRAWING_SHARE


def curve_of(history: dict, name: str, epochs: int, first: int | None = None) -> tuple:
    """Return the picture of a training's losses by epoch, (data, metadata) as `plots.bundle` has them.

    Args:
        history: "loss" and, if there is one, "val_loss": one number for each epoch.
        name: what the training is called.
        epochs: of the whole training; the axis is as long from the beginning.
        first: the number of the last epoch in `history`, if earlier ones are missing from it.
    """
    from matplotlib.figure import Figure

    from course_utils import plots

    figure = Figure(figsize=(6, 3))  # not pyplot's: a figure that the chapter has begun stays the current one
    axis = figure.subplots()
    last = first or len(history["loss"])
    parts = [("loss", "training", "训练"), ("val_loss", "validation", "验证")]
    for number, (key, english, chinese) in enumerate(parts):
        values = history.get(key, [])
        where = range(last - len(values) + 1, last + 1)
        if values:
            axis.plot(where, values, marker=plots.MARKERS[number], linestyle=plots.LINES[number],
                      label=language.words(english, chinese))  # fmt: skip
    axis.set(xlabel=language.words("epoch", "轮"), ylabel=language.words("loss", "损失"), title=name)
    axis.set_xlim(0.5, max(epochs, last) + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()
    both = "val_loss" in history
    return plots.bundle(
        figure,
        alt=f"The loss of {name} after each epoch, on the training {'and the validation ' if both else ''}examples.",
        alt_zh=f"{name} 每一轮之后的损失：训练样本{'和验证样本' if both else ''}。",
    )


# ---------------------------------------------------------------- who watches, and where


def watcher():
    """Return the place where somebody watches: a notebook, a terminal, or None."""
    if in_kernel():
        return Notebook() if somebody_asked() else None
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal(sys.stderr)
    return None


def in_kernel() -> bool:
    """Whether this process is a notebook's kernel."""
    return _kernel() is not None


def somebody_asked() -> bool:
    """Whether a person started the cell that runs: whoever executes notebooks for later says that no input can be asked for."""
    request = _kernel().get_parent("shell") or {}
    return bool(request.get("content", {}).get("allow_stdin"))


def _kernel():
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)


def as_text(line: str) -> dict:
    """Return an output's data that is one line of text."""
    return {"text/plain": line}


class Notebook:
    """One output of the running cell, whose content is replaced."""

    def __init__(self):
        self.identity = None

    def show(self, data: dict, metadata: dict) -> None:
        from IPython.display import display, update_display

        if self.identity is None:
            self.identity = uuid.uuid4().hex
            display(data, metadata=metadata, raw=True, display_id=self.identity)
        else:
            update_display(data, metadata=metadata, raw=True, display_id=self.identity)

    def clear(self) -> None:
        if self.identity is not None:
            self.show(as_text(""), {})


class Terminal:
    """The line in which the cursor stands."""

    def __init__(self, stream):
        self.stream, self.columns = stream, 0

    def show(self, data: dict, metadata: dict) -> None:
        line = _cut(data["text/plain"], shutil.get_terminal_size().columns - 1)
        width = sum(map(_columns, line))
        self.stream.write(f"\r{line}{' ' * (self.columns - width)}")
        self.stream.flush()
        self.columns = width

    def clear(self) -> None:
        if self.columns:
            self.stream.write(f"\r{' ' * self.columns}\r")
            self.stream.flush()
            self.columns = 0


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _cut(line: str, most: int) -> str:
    """Return as much of a line as fits into so many columns: one that wraps cannot be overwritten."""
    while sum(map(_columns, line)) > most:
        line = line[:-1]
    return line


def duration(seconds: float, *units: str) -> str:
    """Return 42 s, 7 min or 2 h 5 min, in the words for the three units."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{round(seconds)} {units[0]}"
    if minutes < 60:
        return f"{minutes} {units[1]}"
    return f"{minutes // 60} {units[2]} {minutes % 60} {units[1]}"
