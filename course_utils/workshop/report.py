"""One self-contained page about a run: chapters, figures, numbers in their bands, time, memory, machine.

It reads only what the runner left behind: state.json, results/*.json and the executed notebooks. A missing
or half-written file makes its part of the page smaller, never an error: the page is also made after an
interruption.
"""

import contextlib
import html
import json
import os
import re
import string
from datetime import datetime
from pathlib import Path

_TEMPLATE = Path(__file__).with_name("report.html")
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


def read_state(path: Path) -> dict:
    """Return the runner's state file, an empty state when there is none or it is damaged."""
    state = _read_json(path)
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
    template = string.Template(_TEMPLATE.read_text(encoding="utf-8"))
    page = template.substitute(
        summary=_summary(chapters, state),
        contents=_contents(chapters, notebooks),
        cards="\n".join(_card(chapter) for chapter in chapters),
    )
    output.mkdir(parents=True, exist_ok=True)
    target = output / "index.html"
    half = output / f"index.html.{os.getpid()}"
    half.write_text(page, encoding="utf-8")
    os.replace(half, target)
    return target


class _Chapter:
    """What is known about one executed chapter."""

    def __init__(self, entry: dict, output: Path, notebooks: Path):
        self.entry = entry
        self.number = str(entry.get("chapter", "?"))
        self.language = str(entry.get("language", "en"))
        self.anchor = f"{self.language}-{self.number}"
        self.status = entry.get("status") if entry.get("status") in _STATUS else "running"
        self.profile = str(entry.get("profile", ""))
        self.failure = entry.get("failure") or None
        results = _read_json(output / entry["results"]) if entry.get("results") else {}
        self.hardware = results.get("hardware") or {}
        self.numbers = {
            name: one for name, one in (results.get("numbers") or {}).items() if isinstance(one, dict)
        }
        cost = results.get("cost") or {}
        self.seconds = float(entry.get("seconds") or cost.get("seconds") or 0.0)
        # The kernel's own measurement first; the runner's from outside for a chapter that records nothing.
        self.memory = cost.get("peak_memory_gb") or entry.get("peak_memory_gb")
        stored = _read_json(notebooks / "results" / f"{self.profile}-{self.number}.json")
        self.stored = {
            name: one for name, one in (stored.get("numbers") or {}).items() if isinstance(one, dict)
        }
        notebook = _read_json(output / entry["notebook"]) if entry.get("notebook") else {}
        cells = [cell for cell in notebook.get("cells", []) if isinstance(cell, dict)]
        self.title = _title(cells) or str(entry.get("name", self.number))
        self.figures = list(_figures(cells, self.language))

    def judged(self) -> list[bool]:
        return [bool(one["in_band"]) for one in self.numbers.values() if one.get("in_band") is not None]


def _read_json(path: Path) -> dict:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _joined(text) -> str:
    return text if isinstance(text, str) else "".join(text or [])


def _plain_text(markdown: str) -> str:
    """Return a heading without links, emphasis and code marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("**", "").replace("`", "").strip()


def _title(cells: list[dict]) -> str:
    for cell in cells:
        heading = (
            _HEADING.search(_joined(cell.get("source"))) if cell.get("cell_type") == "markdown" else None
        )
        if heading and "papermill" not in str(cell.get("metadata", {}).get("tags")):
            return _plain_text(heading[1])
    return ""


def _figures(cells: list[dict], language: str):
    """Yield (data URL, alt text, heading above, width in CSS pixels or None) of every picture."""
    section = ""
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            headings = _HEADING.findall(_joined(cell.get("source")))
            section = _plain_text(headings[-1]) if headings else section
        for output in cell.get("outputs") or []:
            data, metadata = output.get("data") or {}, output.get("metadata") or {}
            for kind in ("image/png", "image/jpeg"):
                if kind not in data:
                    continue
                own = metadata.get(kind) if isinstance(metadata.get(kind), dict) else {}
                said = {**metadata, **own}
                alt = (said.get("alt_zh") if language == "zh" else None) or said.get("alt") or ""
                width = said.get("width") if isinstance(said.get("width"), (int, float)) else None
                yield f"data:{kind};base64,{''.join(_joined(data[kind]).split())}", str(alt), section, width
                break


# -------------------------------------------------------------------------------------------------- the page


def _both(chinese: str, english: str) -> str:
    """Return a label in both languages, marked up so that a screen reader speaks each properly."""
    if not english:
        return html.escape(chinese)
    return f'<span lang="zh">{html.escape(chinese)}</span> · <span lang="en">{html.escape(english)}</span>'


def _pill(status: str) -> str:
    mark, chinese, english = _STATUS[status]
    return (
        f'<span class="pill {status}"><span aria-hidden="true">{mark}</span> {_both(chinese, english)}</span>'
    )


def _tile(label: str, value: str, note: str = "", bad: bool = False) -> str:
    small = f"<small>{note}</small>" if note else ""
    return f'<div class="tile{" bad" if bad else ""}"><dt>{label}</dt><dd>{value}{small}</dd></div>'


def _summary(chapters: list[_Chapter], state: dict) -> str:
    judged = [inside for chapter in chapters for inside in chapter.judged()]
    passed = sum(chapter.status == "passed" for chapter in chapters)
    memories = [float(chapter.memory) for chapter in chapters if chapter.memory]
    finished = max((str(chapter.entry.get("finished", "")) for chapter in chapters), default="")
    with contextlib.suppress(ValueError):
        finished = datetime.fromisoformat(finished).strftime("%Y-%m-%d %H:%M")
    tiles = [
        _tile(
            _both("章节通过", "chapters passed"),
            f"{passed}<i>/{len(chapters)}</i>",
            bad=passed < len(chapters),
        ),
        _tile(
            _both("数值在区间内", "numbers in band"),
            f"{sum(judged)}<i>/{len(judged)}</i>" if judged else "–",
            bad=sum(judged) < len(judged),
        ),
        _tile(_both("总时间", "total time"), duration(sum(chapter.seconds for chapter in chapters))),
        _tile(_both("内存峰值", "peak memory"), f"{max(memories):.2f} <i>GB</i>" if memories else "–"),
    ]
    profiles = ", ".join(dict.fromkeys(chapter.profile for chapter in chapters))
    languages = ", ".join(dict.fromkeys(chapter.language for chapter in chapters))
    facts = [
        (_both("配置", "profile"), profiles),
        (_both("语言", "language"), languages),
        (_both("日期", "date"), finished),
    ]
    machine = dict(state.get("machine") or {})
    for chapter in chapters:
        machine.update(chapter.hardware)
    for name, value in machine.items():
        if value in (None, "", [], {}) or isinstance(value, dict):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        text = f"{float(text):.1f} GB" if name.endswith("_gb") and _is_number(text) else text
        facts.append((_both(*_MACHINE.get(name, (name.replace("_", " "), ""))), text))
    rows = "".join(f"<div><dt>{label}</dt><dd>{html.escape(str(text))}</dd></div>" for label, text in facts)
    return f'<dl class="tiles">{"".join(tiles)}</dl>\n<dl class="facts">{rows}</dl>'


def _is_number(text: str) -> bool:
    with contextlib.suppress(ValueError):
        float(text)
        return True
    return False


def _contents(chapters: list[_Chapter], notebooks: Path) -> str:
    """Return the list of chapters, a bar for the time of each; those that were not run are named below."""
    longest = max((chapter.seconds for chapter in chapters), default=0.0) or 1.0
    rows = []
    for chapter in chapters:
        judged, share = chapter.judged(), 100 * chapter.seconds / longest
        rows.append(
            f'<li><a href="#{html.escape(chapter.anchor)}"><b>{html.escape(chapter.number)}</b>'
            f'<span class="name">{html.escape(_without_number(chapter))}</span>'
            f'<span class="bar" aria-hidden="true"><i style="width:{share:.1f}%"></i></span>'
            f'<span class="amount">{duration(chapter.seconds)}</span>'
            f'<span class="amount">{f"{sum(judged)}/{len(judged)}" if judged else ""}</span>'
            f"{_pill(chapter.status)}</a></li>"
        )
    seen = {(chapter.language, str(chapter.entry.get("name"))) for chapter in chapters}
    languages = dict.fromkeys(chapter.language for chapter in chapters)
    missing = [
        path.stem
        for language in languages
        for path in sorted((notebooks / language).glob("[0-9]*_*.ipynb"))
        if (language, path.stem) not in seen
    ]
    note = ""
    if missing:
        names = ", ".join(html.escape(stem) for stem in dict.fromkeys(missing))
        note = f'<p class="missing">{_both("未运行", "not run")}: {names}</p>'
    return f'<ol class="contents">{"".join(rows)}</ol>{note}'


def _without_number(chapter: _Chapter) -> str:
    return (
        re.sub(rf"^0*{re.escape(chapter.number.lstrip('0'))}[.:：]?\s+", "", chapter.title) or chapter.title
    )


def _card(chapter: _Chapter) -> str:
    meta = [f"{_both('时间', 'time')} <b>{duration(chapter.seconds)}</b>"]
    if chapter.memory:
        meta.append(f"{_both('内存峰值', 'peak memory')} <b>{float(chapter.memory):.2f} GB</b>")
    cells = chapter.entry.get("cells") or {}
    if cells.get("of"):
        meta.append(f"{_both('单元', 'cells')} <b>{cells.get('done', 0)}/{cells['of']}</b>")
    meta.append(f"<b>{html.escape(chapter.profile)}</b> · <b>{html.escape(chapter.language)}</b>")
    parameters = chapter.entry.get("parameters") or {}
    for name, value in parameters.items():
        meta.append(f"<code>{html.escape(f'{name} = {value!r}')}</code>")
    if chapter.entry.get("notebook"):
        link = html.escape(chapter.entry["notebook"], quote=True)
        meta.append(f'<a href="{link}">{_both("执行后的笔记本", "executed notebook")}</a>')
    parts = "".join(f"<li>{part}</li>" for part in meta)
    return (
        f'<section class="card {chapter.status}" id="{html.escape(chapter.anchor)}" '
        f'aria-labelledby="{html.escape(chapter.anchor)}-title">'
        f'<header><span class="number">{html.escape(chapter.number)}</span>'
        f'<h2 id="{html.escape(chapter.anchor)}-title" lang="{"zh" if chapter.language == "zh" else "en"}">'
        f"{html.escape(_without_number(chapter))}</h2>{_pill(chapter.status)}</header>"
        f'<ul class="meta">{parts}</ul>'
        f"{_failure(chapter)}{_numbers(chapter)}{_gallery(chapter)}</section>"
    )


def _failure(chapter: _Chapter) -> str:
    failure = chapter.failure
    if not failure:
        return ""
    where = (
        _both("单元", "cell") + f" {failure['number']}/{failure.get('of', '?')}"
        if failure.get("number")
        else ""
    )
    source = f"<pre><code>{html.escape(failure['source'])}</code></pre>" if failure.get("source") else ""
    trace = ""
    if failure.get("traceback"):
        trace = (
            f"<details><summary>{_both('完整的错误信息', 'full traceback')}</summary>"
            f"<pre>{html.escape(failure['traceback'])}</pre></details>"
        )
    log = (
        f"<p>{_both('日志', 'log')}: <code>{html.escape(chapter.entry['log'])}</code></p>"
        if chapter.entry.get("log")
        else ""
    )
    return (
        f'<div class="failure"><h3>{_both("出错的单元", "the cell that failed")} <small>{where}</small></h3>'
        f"{source}"
        f'<p class="error"><b>{html.escape(str(failure.get("error", "")))}</b>: '
        f"{html.escape(str(failure.get('message', '')))}</p>{trace}{log}</div>"
    )


def _format(value, digits) -> str:
    if value is None:
        return "NaN"
    return f"{float(value):.{int(digits)}f}" if isinstance(digits, int) else f"{float(value):.4g}"


def _numbers(chapter: _Chapter) -> str:
    if not chapter.numbers:
        return ""
    rows = []
    for name, number in chapter.numbers.items():
        digits = number.get("digits")
        unit = f" <i>{html.escape(str(number['unit']))}</i>" if number.get("unit") else ""
        value = _format(number.get("value"), digits)
        band, inside = number.get("band"), number.get("in_band")
        stored = (chapter.stored.get(name) or {}).get("value")
        if band:
            limits = f"{float(band[0]):g} – {float(band[1]):g}"
            drawing = _draw_band(name, number.get("value"), band, inside, stored)
            verdict = (
                '<span class="inside">✓ <span class="words">'
                + _both("在区间内", "in band")
                + "</span></span>"
                if inside
                else '<span class="outside">✗ <span class="words">'
                + _both("在区间外", "out of band")
                + "</span></span>"
            )
        else:
            limits, drawing = "", ""
            verdict = f'<span class="unbounded">{_both("只记录", "recorded only")}</span>'
        was = _format(stored, digits) if stored is not None else "–"
        rows.append(
            f'<tr><th scope="row"><code>{html.escape(name)}</code></th>'
            f'<td class="value">{value}{unit}</td>'
            f'<td class="limits">{limits}</td><td class="drawing">{drawing}</td>'
            f'<td class="stored">{was}</td><td class="verdict">{verdict}</td></tr>'
        )
    heads = [
        ("数值", "number"),
        ("本次", "this run"),
        ("区间", "band"),
        ("位置", "where it lies"),
        ("课程记录", "stored"),
        ("结论", "verdict"),
    ]
    head = "".join(f'<th scope="col">{_both(*label)}</th>' for label in heads)
    return (
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="数值 · numbers {html.escape(chapter.number)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _draw_band(name: str, value, band: list, inside, stored) -> str:
    """Return an SVG: the band a bar, this run a dot (a diamond when outside), the stored run a ring."""
    low, high = float(band[0]), float(band[1])
    points = [low, high] + [float(one) for one in (value, stored) if one is not None]
    left, right = min(points), max(points)
    room = (right - left) or abs(right) or 1.0
    left, right = left - 0.12 * room, right + 0.12 * room

    def place(one) -> float:
        return 240 * (float(one) - left) / (right - left)

    width = max(place(high) - place(low), 16.0)  # a band of one value is still seen behind its dot
    start = (place(low) + place(high) - width) / 2
    parts = [
        '<line class="axis" x1="0" y1="14" x2="240" y2="14"/>',
        f'<rect class="band" x="{start:.1f}" y="7" width="{width:.1f}" height="14" rx="3"/>',
    ]
    if stored is not None:
        parts.append(f'<circle class="ring" cx="{place(stored):.1f}" cy="14" r="7"/>')
    if value is not None:
        x = place(value)
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="14" r="4.5"/>'
            if inside
            else f'<path class="diamond" d="M{x:.1f} 6l8 8-8 8-8-8z"/>'
        )
    words = f"{name}: {value} {'在区间内 · in' if inside else '在区间外 · outside'} [{low:g}, {high:g}]"
    return (
        f'<svg viewBox="0 0 240 28" role="img" aria-label="{html.escape(words, quote=True)}">'
        f"<title>{html.escape(words)}</title>{''.join(parts)}</svg>"
    )


def _gallery(chapter: _Chapter) -> str:
    figures = []
    for url, alt, section, width in chapter.figures:
        # A wide figure takes two columns: in one, its lettering could not be read.
        wide = " wide" if (width or 0) > 620 else ""
        said = html.escape(alt, quote=True)
        caption = (
            f"<figcaption>{html.escape(section)}</figcaption>" if section not in ("", chapter.title) else ""
        )
        figures.append(
            f'<figure class="picture{wide}"><button type="button" class="zoom" '
            f'aria-label="放大 · enlarge: {said}"><img src="{url}" alt="{said}"></button>'
            f"{caption}</figure>"
        )
    return f'<div class="gallery">{"".join(figures)}</div>' if figures else ""
