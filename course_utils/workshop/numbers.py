"""Numbers in prose: `{{cnn.test_accuracy:.1%}}` in a source becomes what the stored runs say, when a notebook is assembled.

| placeholder | becomes |
|---|---|
| `{{name:.1%}}` | the number of the chapter's laptop run, in Python's format |
| `{{full:name:.1%}}` | the same of the stored full run |
| `{{seeds:name:.1%}}` | lowest to highest of the stored seeds |
| `{{05a/name:.1%}}`, `{{full:05a/name}}` | the same of another chapter |

Without a format a number has the digits that `results.record` printed. Formats are `,` `.2` and one of `f % e g d`.
"""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from course_utils.workshop.chapters import Chapter

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_PARTS = re.compile(
    r"(?:(?P<kind>[a-z]+):)?(?:(?P<chapter>\d\d[a-z]?)/)?(?P<name>[a-z0-9_]+(?:\.[a-z0-9_]+)+)(?::(?P<format>.*))?"
)
_FORMAT = re.compile(r",?(?:\.\d)?[f%eg]|,?d")
_KINDS = ("laptop", "full", "seeds")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
_TO = {"en": " to ", "zh": " 到 "}
_DIGITS = 4  # as many as `results.record` prints when nobody says how many


class Unknown(ValueError):
    """A placeholder that no stored run can fill; the message says why."""


def fill(text: str, chapter: Chapter, language: str) -> str:
    """Return a text with its numbers; a placeholder that cannot be filled stays as it is.

    Code in backticks is left alone.
    """

    def number(match):
        try:
            return value(match.group(1), chapter, language)
        except Unknown:
            return match.group(0)

    pieces = _CODE.split(text)
    return "".join(
        piece if position % 2 else PLACEHOLDER.sub(number, piece) for position, piece in enumerate(pieces)
    )


def placeholders(text: str) -> list[str]:
    """Return what stands between the double braces of a text, outside code."""
    return PLACEHOLDER.findall(_CODE.sub(" ", text))


def problems(text: str, chapter: Chapter) -> Iterator[tuple[str, str]]:
    """Yield (placeholder, why it cannot be filled)."""
    for inner in placeholders(text):
        try:
            value(inner, chapter, "en")
        except Unknown as error:
            yield inner, str(error)


def other_chapters(text: str, chapter: Chapter) -> bool:
    """Say whether a text shows numbers of another chapter."""
    found = [_PARTS.fullmatch(inner) for inner in placeholders(text)]
    return any(match and match["chapter"] not in (None, chapter.number) for match in found)


def own(inner: str, chapter: Chapter) -> tuple[str, str]:
    """Return (kind of run, name) of a well-written placeholder for the chapter itself, ("", "") for every other one."""
    match = _PARTS.fullmatch(inner)
    if match is None or match["chapter"] not in (None, chapter.number) or not _is_format(match["format"]):
        return "", ""
    return match["kind"] or "laptop", match["name"]


def value(inner: str, chapter: Chapter, language: str) -> str:
    """Return what a placeholder becomes.

    Args:
        inner: what stands between the braces, such as "full:05a/cnn.test_accuracy:.1%".
        chapter: the chapter whose text it is.
        language: "en" or "zh", for the word between lowest and highest.

    Raises:
        Unknown: its form, its format, its results file or its name is not known.
    """
    match = _PARTS.fullmatch(inner)
    if match is None or (match["kind"] or "laptop") not in _KINDS:
        raise Unknown(
            "a number is written {{name:.1%}}, {{full:name:.1%}}, {{seeds:name}} or {{05a/name:.1%}}"
        )
    form = match["format"]
    if not _is_format(form):
        raise Unknown(f"unknown format {form!r}; known are ,.2f .1% .1e .3g d and the like")
    of = chapter if match["chapter"] is None else Chapter(match["chapter"], "", chapter.notebooks)
    kind, name = match["kind"] or "laptop", match["name"]
    entry = _entry(of.results(kind), name)
    if kind != "seeds":
        return _written(entry["value"], form or f".{entry.get('digits', _DIGITS)}f")
    if form is None:
        form = f".{_digits(of, name)}f"
    ends = [_written(entry["lowest"], form), _written(entry["highest"], form)]
    return ends[0] if ends[0] == ends[1] else _TO[language].join(ends)


def _is_format(form: str | None) -> bool:
    return form is None or bool(_FORMAT.fullmatch(form))


def _entry(path: Path, name: str) -> dict:
    if not path.exists():
        raise Unknown(f"notebooks/results has no {path.name}")
    numbers = _stored(path, path.stat().st_mtime_ns)
    if name not in numbers:
        raise Unknown(f"{path.name} has no number {name!r}")
    if numbers[name].get("value", 0) is None:
        raise Unknown(f"{path.name}: {name} is not a finite number")
    return numbers[name]


@functools.lru_cache(maxsize=128)
def _stored(path: Path, changed: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8")).get("numbers", {})


def _digits(chapter: Chapter, name: str) -> int:
    """Return how many digits the chapter prints of a number; the stored seeds do not say."""
    try:
        return _entry(chapter.results(), name).get("digits", _DIGITS)
    except Unknown:
        return _DIGITS


def _written(number: float, form: str) -> str:
    """Return a number in Python's format, with a real minus sign; `d` rounds."""
    return format(round(number) if form.endswith("d") else number, form).replace("-", "−")
