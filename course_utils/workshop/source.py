"""Reading a chapter's source: jupytext percent format whose text cells carry their language."""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = Path(os.environ.get("COURSE_NOTEBOOKS") or ROOT / "notebooks")
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
class Chapter:
    """A chapter's source, read."""

    path: Path
    cells: list
    reads: list = field(default_factory=list)  # stored results that its code reads: ["seeds-02", "laptop-*"]

    def results_read(self) -> list:
        """Return the stored results files that the chapter declares to read, without its own laptop run."""
        folder = notebooks_folder(self.path) / "results"
        found = {path for pattern in self.reads for path in folder.glob(f"{pattern}.json")}
        return sorted(found - {self.results()})

    @property
    def number(self) -> str:
        return self.path.stem.split("_")[0]

    @property
    def stem(self) -> str:
        return self.path.stem

    def notebook(self, language: str) -> Path:
        return notebooks_folder(self.path) / language / f"{self.stem}.ipynb"

    def results(self, profile: str = "laptop") -> Path:
        return notebooks_folder(self.path) / "results" / f"{profile}-{self.number}.json"

    def title(self, language: str) -> str:
        first = next(cell for cell in self.cells if cell.language == language)
        return first.text.splitlines()[0].lstrip("# ").strip()


def notebooks_folder(source_path: Path) -> Path:
    return source_path.parent.parent


def chapter_paths(notebooks: Path = NOTEBOOKS) -> dict:
    """Return chapter number -> source path, in the course's order."""
    paths = sorted((notebooks / "source").glob("[0-9]*.py"))
    return {path.stem.split("_")[0]: path for path in paths}


def select(numbers: list, notebooks: Path = NOTEBOOKS) -> list:
    """Return the named chapters ("2", "02" or "02_name"; all when none is named), read.

    Raises:
        SystemExit: an unknown chapter, naming the known ones.
    """
    known = chapter_paths(notebooks)
    by_name = {path.stem: number for number, path in known.items()}
    chosen = []
    for name in numbers or known:
        number = by_name.get(name, name)
        number = number if number in known else f"0{number}"
        if number not in known:
            raise SystemExit(f"未知的章节 · unknown chapter {name!r}; 已有 · known: {', '.join(known)}")
        chosen.append(read(known[number]))
    return chosen


def read(path: Path) -> Chapter:
    """Read one source file."""
    text = path.read_text(encoding="utf-8")
    markers = [number for number, line in enumerate(text.splitlines(), start=1) if _MARKER.match(line)]
    parsed = jupytext.reads(text, fmt="py:percent").cells
    if len(parsed) != len(markers):
        raise ValueError(f"{path.name}: every cell must begin with a # %% line; found text before the first")
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
    return Chapter(path, cells, list(parsed[0].metadata.get("reads", [])) if parsed else [])


def translation_hash(english: str) -> str:
    """Return the 8 hex digits that a Chinese cell carries of the English it translates."""
    return hashlib.sha256(english.strip().encode("utf-8")).hexdigest()[:8]


def accept_translations(chapter: Chapter) -> int:
    """Stamp every Chinese cell with its English neighbour's hash; return how many stamps changed."""
    lines = chapter.path.read_text(encoding="utf-8").split("\n")
    changed = 0
    for english, chinese in zip(chapter.cells, chapter.cells[1:], strict=False):
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
        chapter.path.write_text("\n".join(lines), encoding="utf-8")
    return changed
