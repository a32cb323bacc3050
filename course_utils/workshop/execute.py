"""The only place where a chapter's kernel starts: papermill in a process of its own, told what to do by `jobs`.

The parent describes the task in a line of JSON on standard input; every event goes back as a line of JSON on standard
output, and everything else that prints goes to standard error, which is the job's log. When the pipe closes, the
parent is gone, and this process ends with its kernel.
"""

import contextlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from course_utils import machine
from course_utils.workshop.chapters import FAILED, INTERRUPTED, PASSED

_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def main() -> int:
    """Execute the notebook that the parent describes."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # whatever else prints, here or in the kernel, goes to the log

    def tell(**event):
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    notebook = json.loads(Path(task["source"]).read_text(encoding="utf-8"))
    of = sum(cell.get("cell_type") == "code" for cell in notebook["cells"])
    tell(event="begin", cells=of)
    failure = _execute(task, of, tell)
    if failure:
        print(failure["traceback"] or f"{failure['error']}: {failure['message']}", file=sys.stderr)
    tell(event="end", failure=failure)
    return FAILED if failure else PASSED


def _end_with_parent() -> None:
    import psutil

    sys.stdin.read()  # returns when the pipe closes: the parent is gone, even if it was killed
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()
    os._exit(INTERRUPTED)


def _execute(task: dict, of: int, tell: Callable) -> dict | None:
    """Run papermill; return None or what failed: number, of, line, source, error, message, traceback."""
    # jsonschema would compile a grammar of international web addresses: 4 s a chapter that no notebook needs.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbclient.exceptions
    import papermill

    at: dict = {"number": 0, "index": None, "source": "", "began": 0.0}

    def on_start(cell, cell_index):  # every cell, also text and empty ones
        injected = "injected-parameters" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not injected:
            at["number"] += 1

    def on_execute(cell, cell_index):
        at.update(index=cell_index, source=cell.source, began=time.monotonic())
        tell(event="cell", number=max(at["number"], 1), line=_first_line(cell.source))

    def on_executed(cell, cell_index, execute_reply):
        if execute_reply["content"]["status"] == "ok":
            seconds = round(time.monotonic() - at["began"], 3)
            tell(event="cell done", number=at["number"], seconds=seconds, peak_memory_gb=_peak_memory_gb())

    try:
        papermill.execute_notebook(
            task["source"],
            task["notebook"],
            parameters=task["parameters"],
            kernel_name="python3",
            progress_bar=False,
            cwd=task["folder"],
            start_timeout=180,
            execution_timeout=task["timeout"],
            iopub_timeout=60,  # patient with busy machines
            on_cell_start=on_start,
            on_cell_execute=on_execute,
            on_cell_executed=on_executed,
        )
        return None
    except papermill.PapermillExecutionError as error:
        name, message = error.ename, error.evalue
        trace = "\n".join(error.traceback)
    except nbclient.exceptions.CellTimeoutError:
        name, message = "CellTimeoutError", f"the cell took longer than {task['timeout']:g} s (--timeout)"
        trace = ""
        _mark(task["notebook"], at["index"], name, message)
    except nbclient.exceptions.DeadKernelError:
        name, message = "DeadKernelError", "the kernel died; most often memory ran out"
        trace = ""
        _mark(task["notebook"], at["index"], name, message)
    except Exception as error:  # no kernel, a full disk, ...: the parent must hear of it
        import traceback

        name, message, trace = type(error).__name__, str(error), traceback.format_exc()
    return {
        "number": at["number"] or None,
        "of": of,
        "line": _first_line(at["source"]),
        "source": at["source"],
        "error": name,
        "message": _TERMINAL_CODE.sub("", str(message)),
        "traceback": _TERMINAL_CODE.sub("", trace),
    }


def _first_line(source: str) -> str:
    return next((line.strip() for line in source.splitlines() if line.strip()), "")


def _mark(path: str, index: int | None, name: str, message: str) -> None:
    """Put an error into the cell that did not return, where papermill leaves an empty output."""
    import nbformat

    with contextlib.suppress(OSError, ValueError):
        notebook = nbformat.read(path, as_version=4)
        error = nbformat.v4.new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
        notebook.cells[index].outputs.append(error)
        nbformat.write(notebook, path)


def _peak_memory_gb() -> float | None:
    """Return the largest peak memory among the kernel and its children."""
    import psutil

    peaks = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            peaks.append(machine.peak_memory_gb(process.pid))
    return round(max(peaks), 3) if peaks else None


if __name__ == "__main__":
    sys.exit(main())
