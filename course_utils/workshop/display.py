"""Progress of running jobs: a live line for each chapter in a terminal; elsewhere a line for each tenth of a chapter."""

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from course_utils.workshop.report import duration


class Display:
    """Shows jobs while they run; a context manager, so that the terminal is whole again afterwards."""

    def __init__(self, console: Console | None = None):
        # No markup and no highlighting: a line of code may hold brackets and numbers.
        self.console = console or Console(highlight=False, markup=False, emoji=False)
        self.running: list = []
        self.tenths: dict[str, int] = {}  # label of a job -> last tenth that was printed
        self.beats: dict[
            str, float
        ] = {}  # label of a job -> seconds after which a long cell is mentioned again
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self.live = (
            Live(get_renderable=self._lines, console=self.console, transient=True) if terminal else None
        )

    def __enter__(self):
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        """Print a line above the live ones."""
        self.console.print(text, soft_wrap=True)
        self.console.file.flush()

    def started(self, job) -> None:
        self.running.append(job)
        if not self.live:
            self.say(f"{job.label}  {job.chapter.stem}  {job.profile}")

    def cell(self, job) -> None:
        """Mention the cell that a job has begun, if it is the first of another tenth."""
        self.beats[job.label] = 60.0
        tenth = 10 * (job.cell["number"] - 1) // max(job.cells, 1)
        if not self.live and tenth != self.tenths.get(job.label):
            self.tenths[job.label] = tenth
            self.say(f"  {_line(job)}")

    def tick(self) -> None:
        """Give a sign of life from cells that train for long, ever more rarely."""
        for job in self.running:
            if (
                not self.live
                and job.cell
                and time.monotonic() - job.cell["began"] > self.beats.get(job.label, 60.0)
            ):
                self.beats[job.label] = 2 * self.beats.get(job.label, 60.0)
                self.say(f"  {_line(job)}")

    def finished(self, job) -> None:
        self.running.remove(job)
        mark = "✓" if job.status == "passed" else "✗"
        memory = f"  {job.peak_memory_gb:.2f} GB" if job.peak_memory_gb else ""
        self.say(
            f"{mark} {job.label}  {job.chapter.stem}  {job.done}/{job.cells}  {duration(job.seconds)}{memory}"
        )

    def _lines(self) -> Text:
        return Text("\n".join(map(_line, self.running)), no_wrap=True, overflow="ellipsis")


def _line(job) -> str:
    elapsed = duration(time.monotonic() - job.began)
    if not job.cell:
        step = f"{job.done}/{job.cells}" if job.cells else "启动 · starting"
        return f"{job.label}  {step}  {elapsed}"
    in_cell = duration(time.monotonic() - job.cell["began"])
    return f"{job.label}  {job.cell['number']}/{job.cells}  {elapsed}  ({in_cell})  {job.cell['line']}"
