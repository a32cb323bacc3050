"""Executions of chapters: what each is asked, the environment of its kernel, and several at a time to their end.

`run`, `seeds` and `build` all execute through here; the child process of a job is `execute`.
"""

import collections
import contextlib
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from course_utils import surroundings
from course_utils.language import BOTH, side
from course_utils.workshop.chapters import ROOT, Chapter, relative
from course_utils.workshop.display import Display


def environment(
    *, profile: str, strict: bool, language: str, results: Path, work: Path, notebooks: Path | None = None
) -> dict[str, str]:
    """Return the variables of a chapter's kernel: nothing of the user's that would change its outputs.

    Args:
        profile: "smoke", "laptop" or "full".
        strict: whether a number outside its band is an error.
        language: "en" or "zh", or "both" for a build, whose outputs are split into the two.
        results: where the chapter stores its numbers.
        work: a folder of this job: interrupted fits, IPython's profile.
        notebooks: the folder in which it finds stored results and bands; the course's own if None.
    """
    kept = surroundings.clean(os.environ)
    # A terminal inside JupyterLab must not tell its own notebook's name and so its language.
    kept.pop("JPY_SESSION_NAME", None)
    return {
        **kept,
        "COURSE_PROFILE": profile,
        "COURSE_STRICT": "1" if strict else "0",
        "COURSE_RESULTS": str(results),
        "COURSE_WORK": str(work),
        **({"COURSE_NOTEBOOKS": str(notebooks)} if notebooks else {}),
        "COURSE_LANGUAGE": language,
        "IPYTHONDIR": str(work / "ipython"),
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


@dataclasses.dataclass(eq=False)
class Job:
    """One execution of one chapter: what is asked, then what happened."""

    label: str
    chapter: Chapter
    profile: str
    language: str
    parameters: dict
    strict: bool
    timeout: float | None
    source: Path  # the notebook that is executed
    notebook: Path  # where the executed one goes
    results: Path
    work: Path
    log: Path
    both_languages: bool = False  # its texts carry both; `assemble` splits them

    status: str = "waiting"  # waiting, running, passed, failed, interrupted
    process: subprocess.Popen | None = None
    began: float = 0.0
    seconds: float = 0.0
    cells: int = 0
    done: int = 0
    cell: dict | None = None  # the cell that runs now
    peak_memory_gb: float | None = None
    failure: dict | None = None
    fingerprint: str = ""  # of what the cells of `source` say

    def start(self, events: queue.Queue) -> None:
        """Start the child process and listen to it; its events arrive in `events` as (job, event)."""
        self.status, self.began = "running", time.monotonic()
        for folder in (self.notebook.parent, self.results.parent, self.work, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        for earlier in (self.results, self.notebook):
            earlier.unlink(missing_ok=True)  # or a chapter that fails early would show the last run's numbers
        task = {
            "source": str(self.source),
            "notebook": str(self.notebook),
            "folder": str(
                self.chapter.notebook(self.language).parent
            ),  # as JupyterLab would start the kernel
            "parameters": self.parameters,
            "timeout": self.timeout,
        }
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which then ends the children.
        apart: dict = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
            if os.name == "nt"
            else {"start_new_session": True}
        )
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "course_utils.workshop.execute"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                env=environment(
                    profile=self.profile,
                    strict=self.strict,
                    language=BOTH if self.both_languages else self.language,
                    results=self.results,
                    work=self.work,
                    notebooks=self.chapter.notebooks,
                ),
                cwd=ROOT,
                **apart,
            )
        # The pipe stays open: when it closes, the child knows that the parent is gone and ends itself.
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        threading.Thread(target=self._listen, args=(self.process, events), daemon=True).start()

    def _listen(self, process: subprocess.Popen, events: queue.Queue) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.put((self, event))
        events.put((self, {"event": "gone", "code": process.wait()}))

    def receive(self, event: dict) -> None:
        """Take in one event of the child."""
        kind = event.get("event")
        if kind == "begin":
            self.cells = event["cells"]
        elif kind == "cell":
            self.cell = {**event, "began": time.monotonic()}
        elif kind == "cell done":
            self.done, self.cell = event["number"], None
            self.peak_memory_gb = event["peak_memory_gb"]
        elif kind == "end":
            failure = event["failure"]
            self.failure = failure and {
                key: side(value, self.language) if isinstance(value, str) else value
                for key, value in failure.items()
            }
            self.status = "failed" if self.failure else "passed"
        elif kind == "gone" and self.status == "running":
            at = self.cell or {}
            self.status = "failed"
            self.failure = {
                "number": at.get("number"),
                "of": self.cells,
                "line": at.get("line", ""),
                "source": "",
                "traceback": "",
                "error": "ProcessEnded",
                "message": f"the process ended with exit code {event['code']}; a negative one is a signal, "
                "and -9 most often means that memory ran out",
            }
        self.seconds = time.monotonic() - self.began

    def stop(self) -> None:
        """End the child, its kernel and whatever the kernel started."""
        import psutil

        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            child = psutil.Process(self.process.pid)
            family = [child, *child.children(recursive=True)]
            # Killed, not asked: a training kernel answers late, and what must survive is written in one step.
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(family[1:], timeout=3)
        self.process.wait()
        self.status, self.seconds = "interrupted", time.monotonic() - self.began

    def failure_text(self) -> str:
        """Return what failed, for a terminal: chapter, cell, error, and the files that tell more."""
        failure = self.failure or {}
        where = (
            f"cell {failure['number']}/{failure['of']}" if failure.get("number") else "before the first cell"
        )
        message = failure.get("message", "").strip()
        lines = [f"失败 · FAILED {self.label} ({self.chapter.stem}), {where}"]
        if failure.get("line"):
            lines.append(f"    {failure['line']}")
        lines.append(f"    {failure.get('error')}: {message.splitlines()[0] if message else ''}")
        lines += [
            f"    {label}: {relative(path)}"
            for label, path in (("notebook", self.notebook), ("log", self.log))
            if path.exists()
        ]
        return "\n".join(lines)


def run(jobs: list[Job], parallel: int, finished: Callable[[Job], None] = lambda job: None) -> bool:
    """Execute the jobs, `parallel` at a time, and show their progress.

    Args:
        jobs: in the order in which they start.
        parallel: how many run at the same time.
        finished: called with a job when it starts and when it has ended, whatever its end.

    Returns:
        True when somebody interrupted; no kernel is left then.
    """
    waiting, running = collections.deque(jobs), list[Job]()
    events: queue.Queue = queue.Queue()
    with _signals_interrupt(), Display() as display:
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    job = waiting.popleft()
                    running.append(job)
                    job.start(events)
                    finished(job)  # stored as running: whoever reads the state after a crash sees it
                    display.started(job)
                try:
                    job, event = events.get(timeout=0.5)
                except queue.Empty:
                    display.tick()
                    continue
                job.receive(event)
                if event.get("event") == "gone":
                    running.remove(job)
                    display.finished(job)
                    finished(job)
                elif event.get("event") == "cell":
                    display.cell(job)
        except KeyboardInterrupt:
            with _signals_ignored():  # a second Ctrl-C must not leave half of the children
                display.say("\n正在结束 · stopping …")
                for job in running:
                    if job.status == "running":
                        job.stop()
                    finished(job)
            return True
    return False


@contextlib.contextmanager
def _signals(handler, names):
    """Install a handler for the signals that exist here; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier if earlier is not None else signal.SIG_DFL)


def _signals_interrupt():
    # Ended by a scheduler or a closed terminal, the run cleans up as after Ctrl-C.
    return _signals(signal.default_int_handler, ("SIGTERM", "SIGHUP"))


def _signals_ignored():
    return _signals(signal.SIG_IGN, ("SIGINT", "SIGTERM", "SIGHUP"))
