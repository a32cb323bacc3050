"""Every number a run produces: printed, compared with its band, and stored for tables and reports."""

import json
import math
import os
import re
import sys
import time
from pathlib import Path

from course_utils import devices, files, machine

_NOTEBOOKS = Path(os.environ.get("COURSE_NOTEBOOKS") or Path(__file__).resolve().parent.parent / "notebooks")
FOLDER = _NOTEBOOKS / "results"
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")

_run = {}


class OutOfBand(AssertionError):
    """A recorded number lies outside the band that three seeds gave it."""


def begin(profile: str | None = None, seed: int = 0) -> None:
    """Start a new set of numbers; `profiles.use` calls this. Inside a notebook the cost follows each cell.

    Args:
        profile: None means the environment's `COURSE_PROFILE`, else laptop.
        seed: the seed of this run.
    """
    profile = profile or os.environ.get("COURSE_PROFILE") or "laptop"
    _run.clear()
    _run.update(profile=profile, seed=seed, hardware=devices.hardware(), cost={}, numbers={})
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        if _after_cell in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", _after_cell)
        shell.events.register("post_run_cell", _after_cell)


def record(name: str, value: float, band: tuple | None = None, unit: str = "", digits: int = 4) -> None:
    """Print a number, say whether it lies in its band, and store it.

    Args:
        name: "<topic>.<quantity>" in lower case, for example "cnn.test_accuracy".
        value: the number.
        band: (lowest, highest) from at least three seeds, usually `choose(smoke=…, laptop=…, full=…)`;
            None records without judging (times, for instance, which depend on the machine).
        unit: what the number counts; "" for a ratio.
        digits: digits after the point when printed.

    Raises:
        ValueError: a malformed name or band.
        OutOfBand: outside the band while `COURSE_STRICT=1` (run, test and build set it). A learner who
            experiments gets a notice instead.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f'a name like "cnn.test_accuracy" was expected; found {name!r}')
    if band is not None and not (len(band) == 2 and band[0] <= band[1]):
        raise ValueError(f"band (lowest, highest) was expected; found {band!r}")
    if not _run:
        begin()
    value = float(value)
    inside = None if band is None else bool(band[0] <= value <= band[1])  # NaN is in no band
    _run["numbers"][name] = {
        "value": value if math.isfinite(value) else None,
        "unit": unit,
        "band": None if band is None else [float(band[0]), float(band[1])],
        "in_band": inside,
        "digits": digits,
    }
    _store()
    line = f"{name} = {value:.{digits}f}{' ' + unit if unit else ''}"
    if band is None:
        print(line)
        return
    line += f"    区间 · band [{band[0]:g}, {band[1]:g}] {'✓' if inside else '✗'}"
    if not inside and os.environ.get("COURSE_STRICT") == "1":
        raise OutOfBand(line)
    print(line)
    if not inside:
        print(
            "  与课程记录的结果不同；如果你改了代码，这正是实验 · "
            "differs from the course's runs; if you changed something, that is your experiment"
        )


def cost(chapter: str) -> None:
    """Print what the laptop run of a chapter took when the course was last built: time and peak memory."""
    print(cost_line(read(f"laptop-{chapter}")))


def cost_line(stored: dict | None) -> str:
    """Return the line that `cost` prints, from the content of a results file."""
    if not stored or not stored.get("cost"):
        return "尚未测量 · not measured yet"
    seconds, memory = stored["cost"]["seconds"], stored["cost"]["peak_memory_gb"]
    return (
        f"实测 · measured: {seconds:.0f} 秒 · s, 内存峰值 · peak memory {memory:.2f} GB "
        f"(laptop, {stored['hardware']['cores']} 核 · cores)"
    )


def spread(chapter: str, name: str) -> dict | None:
    """Return {"count", "mean", "lowest", "highest"} of a number over the stored seeds, or None if not stored."""
    stored = read(f"seeds-{chapter}")
    if not stored or name not in stored["numbers"]:
        return None
    number = stored["numbers"][name]
    return {"count": len(number["values"]), **{key: number[key] for key in ("mean", "lowest", "highest")}}


def read(stem: str) -> dict | None:
    """Return the committed results file `<stem>.json`, or None when there is none."""
    path = FOLDER / f"{stem}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _after_cell(*_) -> None:
    """IPython calls this after each cell, so that a chapter that stops half-way has its cost too."""
    import psutil

    _run["cost"] = {
        "seconds": round(time.time() - psutil.Process().create_time(), 1),
        "peak_memory_gb": round(machine.peak_memory_gb(), 3),
    }
    _store()


def _store() -> None:
    target = os.environ.get("COURSE_RESULTS")
    if target:
        chapter = Path(target).stem.split("-")[-1]
        files.write_json(target, {"chapter": chapter, **_run}, sort_keys=True)
