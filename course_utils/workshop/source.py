"""Reading a chapter's source: jupytext percent format whose text cells carry their language."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

from course_utils import files
from course_utils.workshop.chapters import Chapter

_MARKER = re.compile(r"^# %%")
_OF = re.compile(r'of="[^"]*"')


@dataclass
class Cell:
    """One cell of a source file."""

    kind: str  # "markdown" or "code"
    text: str
    line: int  # of its marker, from 1
    language: str | None = None
    of: str | None = None  # the hash of the English that this Chinese translates
    tags: list = field(default_factory=list)


@dataclass
class Source:
    """A chapter's source, read."""

    chapter: Chapter
    cells: list[Cell]
    reads: list[str]  # stored results that its code reads: ["seeds-02", "laptop-*"]
    telling: list[str]  # recorded numbers for the READMEs' table

    def title(self, language: str) -> str:
        first = next(cell for cell in self.cells if cell.language == language)
        return first.text.splitlines()[0].lstrip("# ").strip()

    def results_read(self) -> list[Path]:
        """Return the stored results files that the chapter declares to read, without its own laptop run."""
        folder = self.chapter.notebooks / "results"
        found = {path for pattern in self.reads for path in folder.glob(f"{pattern}.json")}
        return sorted(found - {self.chapter.results()})


def read(chapter: Chapter) -> Source:
    """Read a chapter's source file."""
    text = chapter.source.read_text(encoding="utf-8")
    markers = [number for number, line in enumerate(text.splitlines(), start=1) if _MARKER.match(line)]
    parsed = jupytext.reads(text, fmt="py:percent").cells
    if len(parsed) != len(markers):
        raise ValueError(
            f"{chapter.source.name}: every cell must begin with a # %% line; found text before the first"
        )
    cells = [
        Cell(
            kind=cell.cell_type,
            text=cell.source.strip("\n"),
            line=line,
            language=cell.metadata.get("lang"),
            of=cell.metadata.get("of"),
            tags=list(cell.metadata.get("tags", [])),
        )
        for cell, line in zip(parsed, markers, strict=True)
    ]
    first = parsed[0].metadata if parsed else {}
    return Source(chapter, cells, list(first.get("reads", [])), list(first.get("telling", [])))


def translation_hash(english: str) -> str:
    """Return the 8 hex digits that a Chinese cell carries of the English it translates."""
    return hashlib.sha256(english.strip().encode("utf-8")).hexdigest()[:8]


def accept_translations(source: Source) -> int:
    """Stamp every Chinese cell with its English neighbour's hash; return how many stamps changed."""
    path = source.chapter.source
    lines = path.read_text(encoding="utf-8").split("\n")
    changed = 0
    for english, chinese in zip(source.cells, source.cells[1:], strict=False):
        if english.language != "en" or chinese.language != "zh":
            continue
        stamp = f'of="{translation_hash(english.text)}"'
        line = lines[chinese.line - 1]
        stamped = (
            _OF.sub(stamp, line) if _OF.search(line) else line.replace('lang="zh"', f'lang="zh" {stamp}')
        )
        changed += stamped != line
        lines[chinese.line - 1] = stamped
    if changed:
        files.write(path, "\n".join(lines))
    return changed
