"""Every number a run produces: printed, compared with its band, and stored for tables and reports."""

import json
import math
import os
import re
import sys
import time
from pathlib import Path

from course_utils import devices, files, language, machine

_NOTEBOOKS = Path(os.environ.get("COURSE_NOTEBOOKS") or Path(__file__).resolve().parent.parent / "notebooks")
FOLDER = _NOTEBOOKS / "results"
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")

_run = {}
_here = {"chapter": None}  # whose bands count; `cost` says it


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

    The band stands in `notebooks/bands/NN.json`, under the profile and the name. A number without one is recorded and
    not judged: a time, which depends on the machine, or any number in a copy of the course without that folder.

    Args:
        name: "<topic>.<quantity>" in lower case, for example "cnn.test_accuracy".
        value: the number.
        band: (lowest, highest) instead of the stored band, for chapters whose bands still stand in the code.
        unit: what the number counts; "" for a ratio.
        digits: digits after the point when printed.

    Raises:
        ValueError: a malformed name or band.
        OutOfBand: outside the band while `COURSE_STRICT=1` (run, test and build set it). A learner who
            experiments gets a notice instead.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f'a name like "cnn.test_accuracy" was expected; found {name!r}')
    if not _run:
        begin()
    band = _band(name) if band is None else band
    value = float(value)
    number = {"value": value if math.isfinite(value) else None, "unit": unit, "digits": digits}
    _run["numbers"][name] = {**number, **judged(value, band)}
    inside = _run["numbers"][name]["in_band"]
    _store()
    number = {**_run["numbers"][name], "value": value}
    shown = language.words(*(line(name, number, reader) for reader in language.LANGUAGES))
    if inside is False and os.environ.get("COURSE_STRICT") == "1":
        raise OutOfBand(shown)
    print(shown)
    if inside is False:
        print(
            language.words(
                "  differs from the course's runs; if you changed something, that is your experiment",
                "  与课程记录的结果不同；如果你改了代码，这正是你的实验",
            )
        )


def line(name: str, number: dict, reader: str) -> str:
    """Return the line that `record` prints in "en" or "zh", from what it stores."""
    value = math.nan if number["value"] is None else number["value"]
    text = f"{name} = {value:.{number['digits']}f}{' ' + number['unit'] if number['unit'] else ''}"
    if number["band"] is None:
        return text
    low, high = number["band"]
    word = {"en": "band", "zh": "区间"}[reader]
    return f"{text}    {word} [{low:g}, {high:g}] {'✓' if number['in_band'] else '✗'}"


def judged(value: float, band) -> dict:
    """Return {"band", "in_band"} of a number: a band as a list of two, and whether the number is inside.

    Args:
        value: NaN and infinity are in no band.
        band: (lowest, highest), or None for a number that is not judged.

    Raises:
        ValueError: a malformed band.
    """
    if band is None:
        return {"band": None, "in_band": None}
    if not (len(band) == 2 and band[0] <= band[1]):
        raise ValueError(f"band (lowest, highest) was expected; found {band!r}")
    return {"band": [float(band[0]), float(band[1])], "in_band": bool(band[0] <= value <= band[1])}


def cost(chapter: str) -> None:
    """Begin a chapter: print what its laptop run took when the course was last built, and judge by its bands from here on.

    Args:
        chapter: its number, such as "02a". Every chapter calls this before it records, however it was started.
    """
    _here["chapter"] = chapter
    stored = read(f"laptop-{chapter}")
    print(language.words(*(cost_line(stored, reader) for reader in language.LANGUAGES)))


def cost_line(stored: dict | None, reader: str) -> str:
    """Return the line that `cost` prints in "en" or "zh", from the content of a results file."""
    if not stored or not stored.get("cost"):
        return {"en": "not measured yet", "zh": "尚未测量"}[reader]
    seconds, memory = stored["cost"]["seconds"], stored["cost"]["peak_memory_gb"]
    cores = stored["hardware"]["cores"]
    return {
        "en": f"measured: {seconds:.0f} s, peak memory {memory:.2f} GB (laptop, {cores} cores)",
        "zh": f"实测：{seconds:.0f} 秒，内存峰值 {memory:.2f} GB（laptop，{cores} 核）",
    }[reader]


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


def _band(name: str):
    """Return the band that stands beside the results for this chapter, profile and name; None when there is none."""
    if _here["chapter"] is None:
        return None
    bands = files.read_json(FOLDER.parent / "bands" / f"{_here['chapter']}.json")
    return bands.get(_run["profile"], {}).get(name)


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
