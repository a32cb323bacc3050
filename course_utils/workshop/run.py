"""`python3 -m course_utils run`: execute chapters, judge their numbers and write a report.

papermill executes the notebooks. Around it stands what papermill leaves out: unknown parameters are errors, a
failing chapter does not stop the others, an interrupted course continues, and progress is shown cell by cell.
"""

import argparse
import ast
import contextlib
import datetime
import hashlib
import json
import platform
import shutil
import time
from pathlib import Path

from course_utils import files, machine
from course_utils.language import LANGUAGES
from course_utils.profiles import PROFILES
from course_utils.workshop import jobs, report
from course_utils.workshop.chapters import (
    FAILED,
    INTERRUPTED,
    PASSED,
    Chapter,
    UsageError,
    check_choice,
    choose,
    notebooks_folder,
    relative,
)
from course_utils.workshop.command import act, add_execution_options

STATE = "state.json"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils run",
        description="执行章节，写出报告 · execute chapters and write a report",
    )
    parser.add_argument("chapters", nargs="*", help="like 02, 2, 02a or 02_name; default: all")
    add_execution_options(parser)
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the chapters, for instance -p SEED=1; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="skip chapters that passed and did not change")
    parser.add_argument(
        "--store", action="store_true", help="store the numbers of passed chapters in notebooks/results"
    )
    return act(parser, arguments, _run)


def _run(options: argparse.Namespace) -> int:
    check_choice("profile", options.profile, PROFILES)
    check_choice("language", options.language, LANGUAGES)
    chosen = built(choose(options.chapters), options.language)
    parameters = parse_parameters(options.parameters)
    check_parameters(chosen, options.language, parameters)
    if options.store:
        _check_store(options.profile, parameters)

    output = options.output.resolve()
    waiting, kept = [], []
    for chapter in chosen:
        job = _job(chapter, options, parameters, output)
        before = report.read_state(output / STATE)["chapters"].get(key(job), {})
        if options.resume and is_done(job, before, output):
            kept.append(job)
            continue
        same_experiment = all(
            before.get(name) == value for name, value in identity(job).items() if name != "source"
        )
        if not (options.resume and same_experiment):
            # A new run must not load an earlier run's fits. They are moved, not deleted: they may be a
            # night's work and --resume only forgotten.
            _set_aside(job.work)
        waiting.append(job)

    for job in kept:
        print(
            f"{job.label}  已通过且未改动，不再运行 · passed before and unchanged: not run again", flush=True
        )
    began = time.monotonic()
    interrupted = jobs.run(waiting, options.jobs, lambda job: _store_state(output, job))
    page = report.write(output, notebooks_folder())
    code = _summary(waiting, kept, page, time.monotonic() - began, interrupted)
    if options.store:
        for job in [*waiting, *kept]:
            if job in kept or job.status == "passed":
                store(job)
    return code


def _job(chapter: Chapter, options: argparse.Namespace, parameters: dict, output: Path) -> jobs.Job:
    stem = f"{options.profile}-{chapter.number}"
    return jobs.Job(
        label=chapter.number,
        chapter=chapter,
        profile=options.profile,
        language=options.language,
        parameters=parameters,
        strict=True,
        timeout=options.timeout,
        source=chapter.notebook(options.language),
        notebook=output / "notebooks" / options.language / f"{chapter.stem}.ipynb",
        results=output / "results" / f"{stem}.json",
        work=output / "work" / stem,
        log=output / "logs" / f"{stem}.log",
    )


def built(chosen: list[Chapter], language: str) -> list[Chapter]:
    """Return the chapters that have a notebook in a language; a UsageError when none has."""
    found = [chapter for chapter in chosen if chapter.notebook(language).exists()]
    if not found:
        raise UsageError(
            f"没有找到章节 · no chapter found in {chosen[0].notebook(language).parent}; "
            "build the notebooks first: python3 -m course_utils build"
        )
    return found


# ------------------------------------------------------------------------------------------------- parameters


def parse_parameters(texts: list[str]) -> dict:
    """Turn ["SEED=1", "name=cnn"] into {"SEED": 1, "name": "cnn"}: JSON or a Python literal, else a text."""
    parameters: dict = {}
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


def check_parameters(chosen: list[Chapter], language: str, parameters: dict) -> None:
    """Raise one UsageError that lists every chapter which cannot take the parameters."""
    problems = []
    for chapter in chosen:
        path = chapter.notebook(language)
        try:
            known = known_parameters(path)
        except UsageError as error:
            problems.append(str(error))
            continue
        unknown = [name for name in parameters if name not in known]
        if unknown:
            problems.append(
                f"{path.name}: 未知的参数 · unknown parameter {', '.join(unknown)}; known: {', '.join(known)}"
            )
    if problems:
        raise UsageError("\n".join(problems))


# ------------------------------------------------------------------------------------------------------ state


def key(job: jobs.Job) -> str:
    return f"{job.language}/{job.chapter.number}"


def identity(job: jobs.Job) -> dict:
    """Return what must be unchanged for the job to count as the same one; outputs and metadata do not count."""
    if not job.fingerprint:  # once: what is executed is what stood there when the job was made
        cells = [[cell.get("cell_type"), source_of(cell)] for cell in read_notebook(job.source)["cells"]]
        job.fingerprint = hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]
    return {
        "source": job.fingerprint,
        "profile": job.profile,
        "language": job.language,
        "parameters": job.parameters,
    }


def is_done(job: jobs.Job, before: dict, output: Path) -> bool:
    """Say whether an earlier run's state belongs to this very job, passed, with its files still there."""
    same = all(before.get(name) == value for name, value in identity(job).items())
    kept = [output / before[name] for name in ("notebook", "results") if before.get(name)]
    return same and before.get("status") == "passed" and all(path.exists() for path in kept)


def _set_aside(work: Path) -> None:
    if work.exists() and any(work.iterdir()):
        earlier = work.with_name(f"{work.name}.previous")
        shutil.rmtree(earlier, ignore_errors=True)
        work.rename(earlier)


def _store_state(output: Path, job: jobs.Job) -> None:
    """Write the job's state in one step: a killed run leaves the old state or the new, never half of it."""
    state = report.read_state(output / STATE)
    state["machine"] = _machine()
    state["chapters"][key(job)] = {
        **identity(job),
        "chapter": job.chapter.number,
        "name": job.chapter.stem,
        "status": job.status,
        "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(job.seconds, 1),
        "cells": {"done": job.done, "of": job.cells},
        "peak_memory_gb": job.peak_memory_gb,
        "failure": job.failure,
        **{
            name: path.relative_to(output).as_posix() if path.exists() else None
            for name, path in (("notebook", job.notebook), ("log", job.log), ("results", job.results))
        },
    }
    files.write_json(output / STATE, state)


def _machine() -> dict:
    """Return what a reader needs to judge times; no host or user names."""
    memory = machine.memory_gb()[0]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": machine.cores(),
        "memory_gb": None if memory is None else round(memory, 1),
    }


# -------------------------------------------------------------------------------------------------- the outcome


def _summary(
    finished: list[jobs.Job], kept: list[jobs.Job], page: Path, seconds: float, interrupted: bool
) -> int:
    passed = [job for job in finished if job.status == "passed"]
    failed = [job for job in finished if job.status == "failed"]
    earlier = f" ({len(kept)} 章此前通过 · earlier)" if kept else ""
    print()
    print(
        f"通过 · passed {len(passed) + len(kept)} / {len(finished) + len(kept)}{earlier}, {report.duration(seconds)}"
    )
    for job in failed:
        print(job.failure_text())
    if interrupted:
        undone = ", ".join(job.label for job in finished if job.status in ("interrupted", "waiting"))
        print(f"中断 · interrupted; not finished: {undone}")
        print("继续 · to continue: the same command with --resume (finished chapters and fits are kept)")
    print(f"报告 · report: {relative(page)}", flush=True)
    return INTERRUPTED if interrupted else FAILED if failed else PASSED


def _check_store(profile: str, parameters: dict) -> None:
    if profile != "full":
        raise UsageError(
            "--store 只用于 --profile full：laptop 的数值由 build 保存，smoke 的不保存 · --store belongs to "
            "--profile full: build stores the laptop numbers together with the notebook they stand in, and smoke's are not kept"
        )
    if parameters:
        raise UsageError(
            "--store 不能带 -p：保存的是课程本身的设置 · --store takes no -p: what is stored are the course's own settings"
        )


def store(job: jobs.Job) -> None:
    """Put the numbers of a passed job beside the course's other results, with the stamp of the code that gave them."""
    stored = files.read_json(job.results)
    if not stored:
        print(f"{job.label}: 没有记录数值 · no number was recorded, nothing to store")
        return
    target = job.chapter.results(job.profile)
    files.write_json(target, {**stored, "stamp": stamp_of(job.source)}, sort_keys=True)
    print(f"已写入 · stored: {relative(target)}", flush=True)


def stamp_of(notebook: Path) -> str | None:
    """Return the stamp of the code in a built notebook."""
    return read_notebook(notebook).get("metadata", {}).get("course", {}).get("stamp")
