"""One self-contained page about a run: chapters, figures, numbers in their bands, time, memory, machine.

    python3 -m course_utils report

It reads only what the run left behind: state.json, results/*.json and the executed notebooks. A missing
or half-written file makes its part of the page smaller, never an error: the page is also made after an
interruption. How it looks stands in report.html, a Jinja2 template that escapes every text.
"""

import argparse
import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from course_utils import files
from course_utils.workshop import chapters as course
from course_utils.workshop.command import act, add_output

_HEADING = re.compile(r"^#{1,4}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_STATUS = {
    "passed": ("✓", "通过", "passed"),
    "failed": ("✗", "失败", "failed"),
    "interrupted": ("◐", "中断", "interrupted"),
    "running": ("◐", "未完成", "unfinished"),
    "waiting": ("○", "未运行", "not run"),
}
_MACHINE = {
    "system": ("系统", "system"),
    "cpu": ("处理器", "processor"),
    "cores": ("核", "cores"),
    "memory_gb": ("内存", "memory"),
    "accelerators": ("加速器", "accelerators"),
    "python": ("Python", ""),
}


def main(arguments: list[str]) -> int:
    """Run the command: make the page again from what earlier runs left. Return 0, or 2 when they left nothing."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils report",
        description="Make index.html again from what earlier runs left in the folder.",
    )
    add_output(parser)
    return act(parser, arguments, _again)


def _again(options: argparse.Namespace) -> int:
    if not read_state(options.output / "state.json")["chapters"]:
        raise course.UsageError(
            f"没有可用的结果：{options.output}；请先运行章节（python3 -m course_utils run），或用 --output 指定文件夹 · "
            f"nothing to report in {options.output}: run chapters first (python3 -m course_utils run), "
            "or name their folder with --output"
        )
    page = write(options.output.resolve(), course.notebooks_folder())
    print(f"报告 · report: {course.relative(page)}")
    return course.PASSED


def read_state(path: Path) -> dict[str, Any]:
    """Return the state file of a run, an empty state when there is none or it is damaged."""
    state = files.read_json(path)
    chapters = state.get("chapters")
    return {**state, "version": 1, "chapters": chapters if isinstance(chapters, dict) else {}}


def duration(seconds: float) -> str:
    """Return 8.3 as "8.3 s", 85 as "1 min 25 s", 7260 as "2 h 01 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def write(output: Path, notebooks: Path) -> Path:
    """Write <output>/index.html.

    Args:
        output: the folder of a run.
        notebooks: the course's notebooks; chapters that were not run are named, and the numbers stored
            with the course (notebooks/results) are shown beside the run's.

    Returns:
        The path of the page.
    """
    state = read_state(output / "state.json")
    entries = [state["chapters"][key] for key in sorted(state["chapters"])]
    chapters = [_Chapter(entry, output, notebooks) for entry in entries if isinstance(entry, dict)]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    page = environment.get_template("report.html").render(
        statuses=_STATUS,
        facts=_facts(chapters, dict(state.get("machine") or {})),
        chapters=chapters,
        missing=_missing(chapters, notebooks),
    )
    target = output / "index.html"
    files.write(target, page)
    return target


class _Chapter:
    """What is known about one executed chapter, as the template shows it."""

    def __init__(self, entry: dict[str, Any], output: Path, notebooks: Path) -> None:
        self.number = str(entry.get("chapter", "?"))
        self.name = str(entry.get("name", self.number))
        self.language = str(entry.get("language", "en"))
        self.anchor = f"{self.language}-{self.number}"
        self.status = entry["status"] if entry.get("status") in _STATUS else "running"
        self.profile = str(entry.get("profile", ""))
        self.finished = str(entry.get("finished", ""))
        self.failure, self.log = entry.get("failure"), entry.get("log")
        self.cells = entry.get("cells") or {}
        self.parameters = [f"{name} = {value!r}" for name, value in (entry.get("parameters") or {}).items()]

        results = files.read_json(output / entry["results"]) if entry.get("results") else {}
        self.hardware = results.get("hardware") or {}
        cost = results.get("cost") or {}
        self.seconds = float(entry.get("seconds") or cost.get("seconds") or 0.0)
        # The kernel's own measurement first; the one from outside for a chapter that records nothing.
        self.memory = float(cost.get("peak_memory_gb") or entry.get("peak_memory_gb") or 0.0)
        stored = _numbers(files.read_json(notebooks / "results" / f"{self.profile}-{self.number}.json"))
        self.numbers = [
            _number(name, number, stored.get(name, {}).get("value"))
            for name, number in _numbers(results).items()
        ]
        judged = [number["inside"] for number in self.numbers if number["inside"] is not None]
        self.judged, self.inside = len(judged), sum(map(bool, judged))

        self.notebook = entry.get("notebook")
        cells = files.read_json(output / self.notebook).get("cells", []) if self.notebook else []
        cells = [cell for cell in cells if isinstance(cell, dict)]
        title = _title(cells) or self.name
        # The page shows the chapter's number by itself.
        self.heading = re.sub(rf"^0*{re.escape(self.number.lstrip('0'))}[.:：]?\s+", "", title) or title
        self.figures = list(_figures(cells, self.language, title))


def _numbers(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in (results.get("numbers") or {}).items() if isinstance(one, dict)}


def _number(name: str, number: dict[str, Any], stored: float | None) -> dict[str, Any]:
    """Return a recorded number with its texts and, if it has a band, where to draw it."""
    value, band, digits = number.get("value"), number.get("band"), number.get("digits")
    return {
        "name": name,
        "value": value,
        "shown": _format(value, digits),
        "unit": number.get("unit"),
        "band": band,
        "inside": number.get("in_band"),
        "stored": "–" if stored is None else _format(stored, digits),
        "drawing": _place(value, band, stored) if band else None,
    }


def _format(value: float | None, digits: Any) -> str:
    if value is None:
        return "NaN"
    return f"{float(value):.{digits}f}" if isinstance(digits, int) else f"{float(value):.4g}"


def _place(value: float | None, band: list[float], stored: float | None) -> dict[str, float | None]:
    """Return where a drawing 240 wide has its band (start, width), this run's value and the stored one."""
    low, high = map(float, band)
    points = [low, high] + [float(one) for one in (value, stored) if one is not None]
    left, right = min(points), max(points)
    room = (right - left) or abs(right) or 1.0
    left, right = left - 0.12 * room, right + 0.12 * room

    def place(one: float) -> float:
        return 240 * (float(one) - left) / (right - left)

    # A band of one value is still seen behind its dot.
    width = max(place(high) - place(low), 16.0)
    return {
        "start": (place(low) + place(high) - width) / 2,
        "width": width,
        "value": None if value is None else place(value),
        "stored": None if stored is None else place(stored),
    }


def _joined(text: str | list[str] | None) -> str:
    """Return a notebook's text; the file format also allows a list of lines."""
    return text if isinstance(text, str) else "".join(text or [])


def _plain_text(markdown: str) -> str:
    """Return a heading without links, emphasis and code marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("**", "").replace("`", "").strip()


def _title(cells: list[dict[str, Any]]) -> str:
    for cell in cells:
        heading = (
            _HEADING.search(_joined(cell.get("source"))) if cell.get("cell_type") == "markdown" else None
        )
        if heading and "papermill" not in str(cell.get("metadata", {}).get("tags")):
            return _plain_text(heading[1])
    return ""


def _figures(cells: list[dict[str, Any]], language: str, title: str) -> Iterator[dict[str, Any]]:
    """Yield url (data inside), alt text, caption (the heading above) and width in CSS pixels of each picture."""
    section = ""
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            headings = _HEADING.findall(_joined(cell.get("source")))
            section = _plain_text(headings[-1]) if headings else section
        for output in cell.get("outputs") or []:
            data, metadata = output.get("data") or {}, output.get("metadata") or {}
            kind = next((kind for kind in ("image/png", "image/jpeg") if kind in data), None)
            if kind is None:
                continue
            said = {**metadata, **(metadata[kind] if isinstance(metadata.get(kind), dict) else {})}
            width = said.get("width")
            yield {
                "url": f"data:{kind};base64,{''.join(_joined(data[kind]).split())}",
                "alt": str((said.get("alt_zh") if language == "zh" else None) or said.get("alt") or ""),
                "caption": "" if section == title else section,
                "width": width if isinstance(width, (int, float)) else 0,
            }


def _facts(chapters: list[_Chapter], machine: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (Chinese, English, value) of what a reader needs to judge the run."""
    finished = max((chapter.finished for chapter in chapters), default="")
    with contextlib.suppress(ValueError):
        finished = datetime.fromisoformat(finished).strftime("%Y-%m-%d %H:%M")
    facts = [
        ("配置", "profile", ", ".join(dict.fromkeys(chapter.profile for chapter in chapters))),
        ("语言", "language", ", ".join(dict.fromkeys(chapter.language for chapter in chapters))),
        ("日期", "date", finished),
    ]
    for chapter in chapters:
        machine.update(chapter.hardware)
    for name, value in machine.items():
        if value in (None, "", []) or isinstance(value, dict):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if name.endswith("_gb"):
            with contextlib.suppress(ValueError):
                text = f"{float(text):.1f} GB"
        facts.append((*_MACHINE.get(name, (name.replace("_", " "), "")), text))
    return facts


def _missing(chapters: list[_Chapter], notebooks: Path) -> list[str]:
    """Return the course's chapters that were not run in a language of this run."""
    seen = {(chapter.language, chapter.name) for chapter in chapters}
    missing = [
        chapter.stem
        for language in dict.fromkeys(chapter.language for chapter in chapters)
        for chapter in course.chapters(notebooks)
        if chapter.notebook(language).exists() and (language, chapter.stem) not in seen
    ]
    return list(dict.fromkeys(missing))
