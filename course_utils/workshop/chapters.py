"""Which chapters there are, where their files stand, and which of them somebody means. Every command asks here."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils.language import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130  # exit codes of every command
_STEM = re.compile(r"(\d+)([a-z]?)_.+")


class UsageError(ValueError):
    """What was asked cannot be done; the message says what can."""


@dataclass(frozen=True)
class Chapter:
    """One chapter of the course: number "02a", stem "02a_deeper_networks", and the folder of all notebooks."""

    number: str
    stem: str
    notebooks: Path

    @property
    def source(self) -> Path:
        return self.notebooks / "source" / f"{self.stem}.py"

    def notebook(self, language: str) -> Path:
        return self.notebooks / language / f"{self.stem}.ipynb"

    def results(self, profile: str = "laptop") -> Path:
        """Return the file of a stored run: of a profile, or "seeds"."""
        return self.notebooks / "results" / f"{profile}-{self.number}.json"

    @property
    def bands(self) -> Path:
        """The file of its numbers' bands: {profile: {name: [lowest, highest]}, "why": {name: text}}."""
        return self.notebooks / "bands" / f"{self.number}.json"


def notebooks_folder() -> Path:
    """Return the folder with source/, en/, zh/, results/ and bands/; `COURSE_NOTEBOOKS` names another one (tests do)."""
    return Path(os.environ.get("COURSE_NOTEBOOKS") or ROOT / "notebooks").resolve()


def at(path: Path) -> Chapter:
    """Return the chapter that a source file or a notebook belongs to."""
    match = _STEM.fullmatch(path.stem)
    if match is None:
        raise UsageError(f"文件名应以章号开头 · a file name such as 02a_name was expected; found {path.name}")
    return Chapter(match[1] + match[2], path.stem, path.parent.parent)


def chapters(notebooks: Path | None = None) -> list[Chapter]:
    """Return every chapter that has a source or a notebook, in the course's order."""
    notebooks = notebooks or notebooks_folder()
    paths = [*(notebooks / "source").glob("*.py")]
    paths += [path for language in LANGUAGES for path in (notebooks / language).glob("*.ipynb")]
    known = {path.stem: at(path) for path in paths if _STEM.fullmatch(path.stem)}
    return [known[stem] for stem in sorted(known)]


def choose(names: list[str], notebooks: Path | None = None) -> list[Chapter]:
    """Return the chapters that are named, in the course's order; all of them when no name is given.

    Args:
        names: "2", "02", "02a", "02_convolution" or "02_convolution.ipynb".
        notebooks: the folder of all notebooks; the course's own if None.

    Raises:
        UsageError: an unknown name, or no chapter at all; it lists the known ones.
    """
    known = chapters(notebooks)
    if not known:
        raise UsageError(f"没有找到章节 · no chapter found in {notebooks or notebooks_folder()}")
    chosen, unknown = [], []
    for name in names:
        wanted = Path(name).stem if name.endswith((".ipynb", ".py")) else name
        hits = [
            chapter for chapter in known if wanted == chapter.stem or _plain(wanted) == _plain(chapter.number)
        ]
        chosen += hits
        unknown += [] if hits else [name]
    if unknown:
        listing = "\n".join(f"  {chapter.number:4}{chapter.stem}" for chapter in known)
        raise UsageError(f"未知的章节 · unknown chapter {', '.join(map(repr, unknown))}; known:\n{listing}")
    return [chapter for chapter in known if chapter in chosen] if names else known


def check_choice(kind: str, value: str, known: tuple) -> None:
    """Raise a UsageError that lists what is known, unless value is."""
    if value not in known:
        label = {"profile": "配置", "language": "语言"}[kind]
        raise UsageError(f"未知的{label} · unknown {kind} {value!r}; known: {', '.join(known)}")


def relative(path: Path) -> str:
    """Return a path as a reader in the current folder would type it."""
    try:
        return str(path.relative_to(Path.cwd().resolve()))
    except ValueError:
        return str(path)


def _plain(number: str) -> str:
    return number.lstrip("0") or number  # "02a" -> "2a", "00" stays
