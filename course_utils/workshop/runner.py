"""Execute chapters, each in a process of its own, and collect what they recorded.

    python3 -m course_utils run 02 --profile smoke
    python3 -m course_utils seeds 02 --seeds 0 1 2
    python3 -m course_utils report

papermill executes the notebooks. Around it stands what papermill leaves out: unknown parameters are errors, a
failing chapter does not stop the others, an interrupted course continues, and progress is shown cell by cell.

The parent (`_run_jobs`) starts one child a chapter (`_execute`); the child writes a line of JSON for every
event to its standard output, and everything else it prints goes to a log file.
"""

import argparse
import ast
import collections
import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path

from course_utils.language import LANGUAGES
from course_utils.profiles import PROFILES
from course_utils.workshop import report

ROOT = Path(__file__).resolve().parents[2]
PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit codes
STATE = "state.json"
_CHAPTER = re.compile(r"(\d+)([a-z]?)_.+")
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class UsageError(ValueError):
    """What was asked cannot be run; the message says what can."""


def main(command: str, argv: list[str]) -> int:
    """Run one of the commands run, seeds, report and return its exit code.

    0: everything passed; 1: a chapter failed; 2: the command line asks for something that does not exist;
    130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # a Windows console may not know Chinese characters
    commands = {"run": _run, "seeds": _seeds, "report": _report}
    if command not in commands:
        print(f"未知的命令 · unknown command {command!r}; known: {', '.join(commands)}", file=sys.stderr)
        return USAGE
    try:
        arguments = _parser(command).parse_args(argv)
        return commands[command](arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python3 -m course_utils {command}")
    parser.add_argument(
        "--output", type=Path, default=Path("report"), metavar="FOLDER", help="default: report"
    )
    if command == "report":
        parser.description = "Make index.html again from what earlier runs left in the folder."
        return parser
    parser.add_argument("--profile", default="laptop", help=f"one of {', '.join(PROFILES)}; default: laptop")
    parser.add_argument("--language", default="en", help=f"one of {', '.join(LANGUAGES)}; default: en")
    parser.add_argument(
        "--jobs", type=_positive(int), default=1, help="chapters at the same time; default: 1"
    )
    parser.add_argument(
        "--timeout", type=_positive(float), metavar="SECONDS", help="for each cell; default: none"
    )
    if command == "run":
        parser.description = "Execute chapters and write a report."
        parser.add_argument("chapters", nargs="*", help="like 02, 2, 02a or 02_name; default: all")
        parser.add_argument(
            "-p",
            dest="parameters",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="set a parameter of the chapters, for instance -p SEED=1; may be repeated",
        )
        parser.add_argument(
            "--resume", action="store_true", help="skip chapters that passed and did not change"
        )
    else:
        parser.description = "Execute a chapter once a seed and store how far its numbers spread."
        parser.add_argument("chapter", help="like 02, 2, 02a or 02_name")
        parser.add_argument(
            "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2"
        )
    return parser


def _positive(kind):
    def convert(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"a number greater than 0 was expected; found {text}")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its own message
    return convert


# --------------------------------------------------------------------------------------------------- chapters


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A built notebook: number "02a", name "02a_deeper_networks", path."""

    number: str
    name: str
    path: Path


def notebooks_folder() -> Path:
    """Return the folder with en/, zh/ and results/; `COURSE_NOTEBOOKS` overrides it (tests do)."""
    return Path(os.environ.get("COURSE_NOTEBOOKS") or ROOT / "notebooks").resolve()


def chapters(language: str) -> list[Chapter]:
    """Return the chapters of a language, in the course's order."""
    found = []
    for path in sorted((notebooks_folder() / language).glob("*.ipynb")):
        match = _CHAPTER.fullmatch(path.stem)
        if match:
            found.append(Chapter(match[1] + match[2], path.stem, path))
    return found


def choose_chapters(names: list[str], language: str) -> list[Chapter]:
    """Return the chapters that were named ("2", "02", "02a", "02_convolution"), all of them for no name."""
    known = chapters(language)
    if not known:
        raise UsageError(
            f"没有找到章节 · no chapter found in {notebooks_folder() / language}; "
            "build the notebooks first: python3 -m course_utils build"
        )
    if not names:
        return known
    chosen, unknown = [], []
    for name in names:
        wanted = Path(name).stem if name.endswith(".ipynb") else name
        hits = [one for one in known if wanted == one.name or _plain(wanted) == _plain(one.number)]
        chosen += [one for one in hits if one not in chosen]
        unknown += [] if hits else [name]
    if unknown:
        listing = "\n".join(f"  {one.number:4}{one.name}" for one in known)
        raise UsageError(f"未知的章节 · unknown chapter {', '.join(map(repr, unknown))}; known:\n{listing}")
    return sorted(chosen, key=known.index)


def _plain(number: str) -> str:
    return number.lstrip("0") or number  # "02a" -> "2a", "00" stays


def check_choice(kind: str, value: str, known: tuple) -> None:
    """Raise a UsageError that lists what is known, unless value is."""
    if value not in known:
        label = {"profile": "配置", "language": "语言"}[kind]
        raise UsageError(f"未知的{label} · unknown {kind} {value!r}; known: {', '.join(known)}")


def parse_parameters(texts: list[str]) -> dict:
    """Turn ["SEED=1", "name=cnn"] into {"SEED": 1, "name": "cnn"}: JSON or a Python literal, else a text."""
    parameters = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise UsageError(f"-p name=value was expected, for instance -p SEED=1; found {text!r}")
        if name in parameters:
            raise UsageError(f"parameter {name} was given twice")
        parameters[name] = _value(value.strip())
    if "PROFILE" in parameters:
        raise UsageError(
            "PROFILE 由 --profile 指定 · the profile is chosen with --profile, not with -p PROFILE=…"
        )
    return parameters


def _value(text: str):
    for parse in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = parse(text)
            if isinstance(value, (bool, int, float, str, list, dict, type(None))):
                return value
    return text


def read_notebook(path: Path) -> dict:
    """Read a notebook as plain JSON; a UsageError names the file when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["cells"], list):
            raise TypeError("cells is not a list")
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"笔记本无法读取 · cannot read the notebook {path} ({type(error).__name__}: {error}); "
            "restore it with git, or build it again"
        ) from None


def source_of(cell: dict) -> str:
    """Return the text of a cell; the file format also allows a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def known_parameters(path: Path) -> list[str]:
    """Return the names that the notebook's parameters cell assigns.

    papermill runs a notebook without that cell, or with two, and silently drops the values: here it is an
    error.
    """
    cells = [
        cell
        for cell in read_notebook(path)["cells"]
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        raise UsageError(
            f"{path.name}: exactly one cell tagged `parameters` was expected; found {len(cells)}. "
            "Tag the cell that holds PROFILE and SEED, and no other."
        )
    try:
        statements = ast.parse(source_of(cells[0])).body
    except SyntaxError as error:
        raise UsageError(f"{path.name}: the parameters cell is not valid Python: {error}") from None
    names = []
    for statement in statements:
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        )
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def check_parameters(chosen: list[Chapter], parameters: dict) -> None:
    """Raise one UsageError that lists every chapter which cannot take the parameters."""
    problems = []
    for chapter in chosen:
        try:
            known = known_parameters(chapter.path)
        except UsageError as error:
            problems.append(str(error))
            continue
        unknown = [name for name in parameters if name not in known]
        if unknown:
            problems.append(
                f"{chapter.path.name}: 未知的参数 · unknown parameter {', '.join(unknown)}; "
                f"known: {', '.join(known)}"
            )
    if problems:
        raise UsageError("\n".join(problems))


def fingerprint(path: Path) -> str:
    """Return a hash of what the cells say; outputs and metadata do not count."""
    cells = [[cell.get("cell_type"), source_of(cell)] for cell in read_notebook(path)["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


# ----------------------------------------------------------------------------------------------- the commands


def _run(arguments) -> int:
    check_choice("profile", arguments.profile, PROFILES)
    check_choice("language", arguments.language, LANGUAGES)
    chosen = choose_chapters(arguments.chapters, arguments.language)
    parameters = parse_parameters(arguments.parameters)
    check_parameters(chosen, parameters)

    output = arguments.output.resolve()
    jobs, kept = [], []
    for chapter in chosen:
        stem = f"{arguments.profile}-{chapter.number}"
        job = Job(
            label=chapter.number,
            chapter=chapter,
            profile=arguments.profile,
            language=arguments.language,
            parameters=parameters,
            strict=True,
            timeout=arguments.timeout,
            notebook=output / "notebooks" / arguments.language / chapter.path.name,
            results=output / "results" / f"{stem}.json",
            work=output / "work" / stem,
            log=output / "logs" / f"{stem}.log",
        )
        before = report.read_state(output / STATE)["chapters"].get(job.key, {})
        if arguments.resume and _is_done(job, before, output):
            kept.append(job)
            continue
        same_experiment = all(
            before.get(name) == value for name, value in job.identity().items() if name != "source"
        )
        if not (arguments.resume and same_experiment):
            # A new run must not load an earlier run's fits. They are moved, not deleted: they may be a
            # night's work and --resume only forgotten.
            _set_aside(job.work)
        jobs.append(job)

    for job in kept:
        print(
            f"{job.label}  已通过且未改动，不再运行 · passed before and unchanged: not run again", flush=True
        )
    began = time.monotonic()
    interrupted = _run_jobs(jobs, arguments.jobs, lambda job: _store_state(output, job))
    page = report.write(output, notebooks_folder())
    return _summary(jobs, kept, page, time.monotonic() - began, interrupted, arguments)


def _is_done(job: "Job", before: dict, output: Path) -> bool:
    same = all(before.get(name) == value for name, value in job.identity().items())
    files = [output / before[name] for name in ("notebook", "results") if before.get(name)]
    return same and before.get("status") == "passed" and all(path.exists() for path in files)


def _set_aside(work: Path) -> None:
    if work.exists() and any(work.iterdir()):
        earlier = work.with_name(f"{work.name}.previous")
        shutil.rmtree(earlier, ignore_errors=True)
        work.rename(earlier)


def _store_state(output: Path, job: "Job") -> None:
    """Write the job's state in one step: a killed run leaves the old state or the new, never half of it."""
    state = report.read_state(output / STATE)
    inside = {name: getattr(job, name) for name in ("notebook", "log", "results")}
    state["machine"] = _machine()
    state["chapters"][job.key] = {
        **job.identity(),
        "chapter": job.chapter.number,
        "name": job.chapter.name,
        "status": job.status,
        "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(job.seconds, 1),
        "cells": {"done": job.done, "of": job.cells},
        "peak_memory_gb": job.peak_memory_gb,
        "failure": job.failure,
        **{
            name: path.relative_to(output).as_posix() if path.exists() else None
            for name, path in inside.items()
        },
    }
    _write_json(output / STATE, state)


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(half, path)


def _machine() -> dict:
    """Return what a reader needs to judge times; no host or user names."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def _summary(jobs, kept, page, seconds, interrupted, arguments) -> int:
    passed = [job for job in jobs if job.status == "passed"]
    failed = [job for job in jobs if job.status == "failed"]
    total = len(jobs) + len(kept)
    earlier = f" ({len(kept)} 章此前通过 · earlier)" if kept else ""
    print()
    print(f"通过 · passed {len(passed) + len(kept)} / {total}{earlier}, {report.duration(seconds)}")
    for job in failed:
        print(_failure_text(job))
    if interrupted:
        undone = ", ".join(job.label for job in jobs if job.status in ("interrupted", "waiting"))
        print(f"中断 · interrupted; not finished: {undone}")
        print("继续 · to continue: the same command with --resume (finished chapters and fits are kept)")
    print(f"报告 · report: {_relative(page)}", flush=True)
    return INTERRUPTED if interrupted else FAILED if failed else PASSED


def _failure_text(job: "Job") -> str:
    failure = job.failure
    where = f"cell {failure['number']}/{failure['of']}" if failure.get("number") else "before the first cell"
    first_line = failure["message"].strip().splitlines()[0] if failure["message"].strip() else ""
    lines = [f"失败 · FAILED {job.label} ({job.chapter.name}), {where}"]
    if failure.get("line"):
        lines.append(f"    {failure['line']}")
    lines.append(f"    {failure['error']}: {first_line}")
    lines += [
        f"    {label}: {_relative(path)}"
        for label, path in (("notebook", job.notebook), ("log", job.log))
        if path.exists()
    ]
    return "\n".join(lines)


def _relative(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd().resolve()))
    return str(path)


def _report(arguments) -> int:
    output = arguments.output.resolve()
    if not report.read_state(output / STATE)["chapters"]:
        raise UsageError(
            f"没有可用的结果 · nothing to report in {arguments.output}: run chapters first "
            "(python3 -m course_utils run), or name their folder with --output"
        )
    print(f"报告 · report: {_relative(report.write(output, notebooks_folder()))}")
    return PASSED


def _seeds(arguments) -> int:
    check_choice("profile", arguments.profile, PROFILES)
    check_choice("language", arguments.language, LANGUAGES)
    chosen = choose_chapters([arguments.chapter], arguments.language)
    seeds = list(dict.fromkeys(arguments.seeds))
    check_parameters(chosen, {"SEED": 0})
    output, chapter = arguments.output.resolve(), chosen[0]
    stem = f"{arguments.profile}-{chapter.number}"
    jobs = []
    for seed in seeds:
        folder = output / "seeds" / stem / f"seed-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        jobs.append(
            Job(
                label=f"{chapter.number} seed {seed}",
                chapter=chapter,
                profile=arguments.profile,
                language=arguments.language,
                parameters={"SEED": seed},
                strict=False,  # bands are what we are looking for
                timeout=arguments.timeout,
                notebook=folder / chapter.path.name,
                results=folder / f"{stem}.json",
                work=folder / "work",
                log=folder / "log.txt",
            )
        )
    interrupted = _run_jobs(jobs, arguments.jobs, lambda job: None)
    print()
    for job in jobs:
        if job.status == "failed":
            print(_failure_text(job))
    if interrupted or any(job.status != "passed" for job in jobs):
        print("没有写入结果 · nothing was stored: every seed must pass", file=sys.stderr)
        return INTERRUPTED if interrupted else FAILED
    try:
        numbers = collect_seeds([_numbers(job.results) for job in jobs], seeds)
    except ValueError as error:
        print(f"{chapter.name}: {error}", file=sys.stderr)
        return FAILED
    print(seeds_table(numbers, seeds))
    # Chapters show their laptop run inside the stored spread; the other profiles only need bands.
    if arguments.profile == "laptop":
        target = notebooks_folder() / "results" / f"seeds-{chapter.number}.json"
    else:
        target = output / f"seeds-{stem}.json"
    content = {"chapter": chapter.number, "profile": arguments.profile, "seeds": seeds, "numbers": numbers}
    _write_json(target, content)
    print(f"已写入 · stored: {_relative(target)}")
    return PASSED


def _numbers(path: Path) -> dict:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8")).get("numbers", {})
    return {}


def collect_seeds(runs: list[dict], seeds: list[int]) -> dict:
    """Return {name: values, mean, lowest, highest, suggested_band} from the numbers of each seed's run.

    The band is the lowest value minus twice the range of the values, to the highest plus twice the range.
    """
    names = list(dict.fromkeys(name for run in runs for name in run))
    if not names:
        raise ValueError("no number was recorded: does the chapter call results.record?")
    collected = {}
    for name in names:
        values = [run.get(name, {}).get("value") for run in runs]
        without = [seed for seed, value in zip(seeds, values, strict=True) if value is None]
        if without:
            raise ValueError(f"{name} has no finite value with seed {', '.join(map(str, without))}")
        lowest, highest = min(values), max(values)
        margin = 2 * (highest - lowest)
        collected[name] = {
            "values": values,
            "mean": round(sum(values) / len(values), 10),
            "lowest": lowest,
            "highest": highest,
            "suggested_band": [round(lowest - margin, 10), round(highest + margin, 10)],
        }
    return collected


def seeds_table(numbers: dict, seeds: list[int]) -> str:
    """Return a table of every number: its value with each seed, and the suggested band."""
    rows = [["number", *(f"seed {seed}" for seed in seeds), "suggested band"]]
    for name, number in numbers.items():
        low, high = number["suggested_band"]
        rows.append([name, *(f"{value:.6g}" for value in number["values"]), f"({low:.6g}, {high:.6g})"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


# ------------------------------------------------------------------------------------------ the parent's side


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
    notebook: Path
    results: Path
    work: Path
    log: Path

    status: str = "waiting"  # waiting, running, passed, failed, interrupted
    process: subprocess.Popen | None = None
    began: float = 0.0
    seconds: float = 0.0
    cells: int = 0
    done: int = 0
    cell: dict | None = None  # the cell that runs now
    peak_memory_gb: float | None = None
    failure: dict | None = None
    source: str = ""

    @property
    def key(self) -> str:
        return f"{self.language}/{self.chapter.number}"

    def identity(self) -> dict:
        """Return what must be unchanged for the job to count as the same one."""
        self.source = self.source or fingerprint(self.chapter.path)
        return {
            "source": self.source,
            "profile": self.profile,
            "language": self.language,
            "parameters": self.parameters,
        }

    def environment(self) -> dict:
        environment = {
            **os.environ,
            "COURSE_PROFILE": self.profile,
            "COURSE_STRICT": "1" if self.strict else "0",
            "COURSE_RESULTS": str(self.results),
            "COURSE_WORK": str(self.work),
            "COURSE_LANGUAGE": self.language,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        # Figures need the notebook backend whatever the shell prefers, and a JupyterLab terminal must not
        # tell its own notebook's name and so its language.
        for name in ("MPLBACKEND", "JPY_SESSION_NAME"):
            environment.pop(name, None)
        return environment

    def start(self, events: queue.Queue) -> None:
        self.status, self.began = "running", time.monotonic()
        for folder in (self.notebook.parent, self.results.parent, self.work, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        for earlier in (self.results, self.notebook):
            earlier.unlink(missing_ok=True)  # or a chapter that fails early would show the last run's numbers
        task = {
            "source": str(self.chapter.path),
            "notebook": str(self.notebook),
            "parameters": self.parameters,
            "timeout": self.timeout,
        }
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which then ends the children.
        apart = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "course_utils.workshop.runner", "_execute"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                env=self.environment(),
                cwd=ROOT,
                **apart,
            )
        # The pipe stays open: when it closes, the child knows that the parent is gone and ends itself.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        threading.Thread(target=self._listen, args=(events,), daemon=True).start()

    def _listen(self, events: queue.Queue) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.put((self, event))
        events.put((self, {"event": "gone", "code": self.process.wait()}))

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
            self.failure = event["failure"]
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


def _run_jobs(jobs: list[Job], parallel: int, finished) -> bool:
    """Execute the jobs, `parallel` at a time; call finished(job) after each. Return True when interrupted."""
    display = _Display()
    waiting, running, events = collections.deque(jobs), [], queue.Queue()
    with _signals_interrupt():
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
                    display.tick(running)
                    continue
                job.receive(event)
                if event.get("event") == "gone":
                    running.remove(job)
                    display.finished(job, running)
                    finished(job)
                else:
                    display.tick(running, job, event)
        except KeyboardInterrupt:
            with _signals_ignored():  # a second Ctrl-C must not leave half of the children
                display.clear()
                print("\n正在结束 · stopping …", flush=True)
                for job in running:
                    if job.status == "running" and job.process is not None:
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


class _Display:
    """Progress: one live line a chapter in a terminal; elsewhere a line for each tenth of a chapter."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.drawn = 0  # live lines on the screen
        self.tenths = {}  # job -> last tenth that was printed
        self.beats = {}  # job -> seconds after which a long cell is mentioned again
        if self.live and os.name == "nt":
            os.system("")  # switches terminal codes on in the Windows console

    def started(self, job: Job) -> None:
        if not self.live:
            print(f"{job.label}  {job.chapter.name}  {job.profile}", flush=True)

    def tick(self, running: list[Job], job: Job | None = None, event: dict | None = None) -> None:
        if self.live:
            self.clear()
            for one in running:
                print(_fit(self._line(one)))
            self.drawn = len(running)
            sys.stdout.flush()
        elif event and event.get("event") == "cell":
            self.beats[job] = 60.0
            tenth = 10 * (event["number"] - 1) // max(job.cells, 1)
            if tenth != self.tenths.get(job):
                self.tenths[job] = tenth
                print(f"  {self._line(job)}", flush=True)
        elif event is None:
            for one in running:  # a sign of life from cells that train for long, ever more rarely
                if one.cell and time.monotonic() - one.cell["began"] > self.beats.get(one, 60.0):
                    self.beats[one] = 2 * self.beats.get(one, 60.0)
                    print(f"  {self._line(one)}", flush=True)

    def _line(self, job: Job) -> str:
        elapsed = report.duration(time.monotonic() - job.began)
        if not job.cell:
            step = f"{job.done}/{job.cells}" if job.cells else "启动 · starting"
            return f"{job.label}  {step}  {elapsed}"
        in_cell = report.duration(time.monotonic() - job.cell["began"])
        return f"{job.label}  {job.cell['number']}/{job.cells}  {elapsed}  ({in_cell})  {job.cell['line']}"

    def finished(self, job: Job, running: list[Job]) -> None:
        self.clear()
        mark = "✓" if job.status == "passed" else "✗"
        memory = f"  {job.peak_memory_gb:.2f} GB" if job.peak_memory_gb else ""
        cost = f"{report.duration(job.seconds)}{memory}"
        print(f"{mark} {job.label}  {job.chapter.name}  {job.done}/{job.cells}  {cost}")
        sys.stdout.flush()
        if self.live and running:
            self.tick(running)

    def clear(self) -> None:
        if self.live and self.drawn:
            print(f"\x1b[{self.drawn}F\x1b[J", end="")
            self.drawn = 0


def _fit(text: str) -> str:
    """Cut a line to the terminal, where a wrapped line could not be overwritten; 汉字 fill two columns."""
    room = shutil.get_terminal_size().columns - 1
    for position, character in enumerate(text):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0:
            return text[:position]
    return text


# ------------------------------------------------------------------------------------------- the child's side


def _execute() -> int:
    """Execute the notebook that the parent describes on standard input; events go to standard output."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # whatever else prints, here or in the kernel, goes to the log

    def tell(**event):
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    notebook = read_notebook(Path(task["source"]))
    of = sum(cell.get("cell_type") == "code" for cell in notebook["cells"])
    tell(event="begin", cells=of)
    failure = _execute_notebook(task, of, tell)
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


def _execute_notebook(task: dict, of: int, tell) -> dict | None:
    """Run papermill; return None or what failed: number, of, line, source, error, message, traceback."""
    # jsonschema would compile a grammar of international web addresses: 4 s a chapter that no notebook needs.
    sys.modules.setdefault("rfc3987_syntax", None)
    import nbclient.exceptions
    import papermill

    at = {"number": 0, "index": None, "source": "", "began": 0.0}

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
            cwd=str(Path(task["source"]).parent),  # where JupyterLab would start the kernel
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
    """Return the largest peak memory among the kernel and its children (or what they use now)."""
    import psutil

    peaks = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            status = Path(f"/proc/{process.pid}/status")
            high_water = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
            memory = process.memory_info()
            peaks.append(
                int(high_water[1]) * 1024 if high_water else getattr(memory, "peak_wset", memory.rss)
            )
    return round(max(peaks) / 1e9, 3) if peaks else None


if __name__ == "__main__":
    if sys.argv[1:2] == ["_execute"]:
        sys.exit(_execute())
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]))
