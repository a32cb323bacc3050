"""The chapters as cards, and three results as highlights, for the READMEs: a picture, a title, a sentence or two.

A picture is a stored figure, byte for byte as its notebook has it, in docs/chapters/NN.png or docs/highlights/NN.png:
GitHub shows no picture that stands in a page as data. A card has its chapter's hero; a chapter without one has the
figure that notebooks/front_page.toml names, or none.
"""

import base64
import functools
import html
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from course_utils import files
from course_utils.workshop import numbers, typeset
from course_utils.workshop.chapters import Chapter
from course_utils.workshop.front_page import FrontPage
from course_utils.workshop.source import Source

CARDS, HIGHLIGHTS = "docs/chapters", "docs/highlights"
COLUMNS, WIDEST, HIGHEST = 3, 250, 120  # CSS pixels of a picture at most
MOST_BYTES = 200_000
MOST_CHARACTERS = {"en": 170, "zh": 80}


@dataclass(frozen=True)
class Picture:
    """A chapter's picture: its bytes, and what is seen in both languages."""

    png: bytes
    alt: dict[str, str]

    def size(self) -> tuple[int, int]:
        """Return width and height on a card, in CSS pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        scale = min(WIDEST / width, HIGHEST / height)
        return round(width * scale), round(height * scale)


def short(chapter: Chapter) -> str:
    """Return a chapter's number as readers write it: 2a."""
    return chapter.number.lstrip("0") or chapter.number


def cards(sources: list[Source], words: FrontPage, language: str) -> str:
    """Return the cards of all chapters, part by part, as HTML that GitHub keeps."""
    parts: dict[str, list[Source]] = {}
    for read in sources:
        begun = [part for part in words.parts if part["first"] <= read.chapter.number]
        parts.setdefault(begun[-1]["title"][language] if begun else "", []).append(read)
    return "\n\n".join(_part(title, members, words, language) for title, members in parts.items())


def _part(title: str, members: list[Source], words: FrontPage, language: str) -> str:
    lines = [f"### {title}\n"] if title else []
    lines.append("<table>")
    for start in range(0, len(members), COLUMNS):
        lines.append(_row([_card(read, words, language) for read in members[start : start + COLUMNS]]))
    return "\n".join([*lines, "</table>"])


def _card(read: Source, words: FrontPage, language: str) -> str:
    chapter = read.chapter
    link = f'<a href="notebooks/{language}/{chapter.stem}.ipynb">'
    shown = picture(chapter, words)
    image = f"{link}{_image(shown, f'{CARDS}/{chapter.number}.png', language)}</a><br>" if shown else ""
    about = words.about(chapter, language) or opening(read, language)
    return f"{image}<b>{link}{html.escape(read.title(language))}</a></b><br>{html.escape(about, quote=False)}"


def opening(read: Source, language: str) -> str:
    """Return the first sentences of a chapter as plain text, for a card nobody has written."""
    cell = next(cell for cell in read.cells if cell.language == language)
    text = numbers.fill(cell.text, read.chapter, language)
    if language == "zh":
        text = typeset.chinese(text)
    paragraphs = [part for part in re.split(r"\n\s*\n", text)[1:] if not part.startswith(("**", "-", "#"))]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraphs[0].split()) if paragraphs else "")
    sentences = re.split(r"(?<=[。？！])|(?<=[.?!]) ", re.sub(r"[*`$\\]", "", plain))
    between = "" if language == "zh" else " "
    taken = ""
    for sentence in filter(None, sentences):
        if taken and len(taken) + len(sentence) > MOST_CHARACTERS[language]:
            break
        taken += between * bool(taken) + sentence
    return taken


def highlights(sources: list[Source], words: FrontPage, language: str) -> str:
    """Return the results above everything else, side by side, each with its figure.

    Raises:
        ValueError: a number or a figure that no chapter has (any more).
    """
    columns = []
    for highlight in words.highlights:
        chapter, shown = _highlighted(sources, highlight)
        link = f'<a href="notebooks/{language}/{chapter.stem}.ipynb">'
        for inner, why in numbers.problems(highlight["text"][language], chapter):
            raise ValueError(f"front_page.toml: {{{{{inner}}}}}: {why}")
        text = numbers.fill(html.escape(highlight["text"][language], quote=False), chapter, language)
        image = _image(shown, f"{HIGHLIGHTS}/{chapter.number}.png", language)
        columns.append(
            f"{link}{image}</a><br><b>{link}{html.escape(highlight['title'][language])}</a></b><br>{text}"
        )
    return "\n".join(["<table>", _row(columns), "</table>"])


def _highlighted(sources: list[Source], highlight: dict) -> tuple[Chapter, Picture]:
    """Return a highlight's chapter and figure.

    Raises:
        ValueError: there is none.
    """
    of = {read.chapter.number: read.chapter for read in sources}
    chapter = of.get(highlight["chapter"])
    shown = _figure(chapter, highlight["figure"]) if chapter else None
    if chapter is None or shown is None:
        raise ValueError(
            f"front_page.toml: chapter {highlight['chapter']} has no figure {highlight['figure']!r}: name another one"
        )
    return chapter, shown


def _row(columns: list[str]) -> str:
    """Return a row of a table; empty columns keep the others at their width."""
    columns = columns + [""] * (COLUMNS - len(columns))
    share = 100 // COLUMNS
    return "\n".join(
        ["<tr>", *(f'<td width="{share}%" valign="top">{column}</td>' for column in columns), "</tr>"]
    )


def _image(shown: Picture, place: str, language: str) -> str:
    width, height = shown.size()
    alt = html.escape(" ".join(shown.alt[language].split()))
    return f'<img src="{place}" width="{width}" height="{height}" alt="{alt}">'


# ----------------------------------------------------------------------------------------------------- pictures


def picture(chapter: Chapter, words: FrontPage) -> Picture | None:
    """Return a chapter's hero, else the figure that front_page.toml names; None if there is neither."""
    hero = next((shown for is_hero, shown in _figures(chapter) if is_hero), None)
    return hero or _figure(chapter, words.figure(chapter))


def _figure(chapter: Chapter, beginning: str) -> Picture | None:
    """Return the figure of a chapter whose English alt text begins so, None if there is none."""
    found = (shown for _, shown in _figures(chapter) if beginning and shown.alt["en"].startswith(beginning))
    return next(found, None)


def _figures(chapter: Chapter) -> list[tuple[bool, Picture]]:
    """Return the figures of a chapter that are light enough for a page, each with whether its cell is tagged hero."""
    path = chapter.notebook("en")
    return _read_figures(path, path.stat().st_mtime_ns) if path.exists() else []


@functools.lru_cache(maxsize=256)
def _read_figures(path: Path, changed: int) -> list[tuple[bool, Picture]]:
    found = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {})
            if "alt" not in alt or "image/png" not in output["data"]:
                continue
            png = base64.b64decode("".join(output["data"]["image/png"]))
            if len(png) <= MOST_BYTES:
                both = {"en": alt["alt"], "zh": alt.get("alt_zh", alt["alt"])}
                found.append(("hero" in cell["metadata"].get("tags", []), Picture(png, both)))
    return found


def update_pictures(root: Path, sources: list[Source], words: FrontPage, *, check: bool) -> list[str]:
    """Write the pictures of cards and highlights, and remove those that belong to none; return what is wrong."""
    wanted = {}
    for read in sources:
        shown = picture(read.chapter, words)
        if shown:
            wanted[root / CARDS / f"{read.chapter.number}.png"] = shown.png
    for highlight in words.highlights:
        chapter, shown = _highlighted(sources, highlight)
        wanted[root / HIGHLIGHTS / f"{chapter.number}.png"] = shown.png
    old = {path for folder in (CARDS, HIGHLIGHTS) for path in (root / folder).glob("*.png")} - set(wanted)
    changed = [path for path, png in wanted.items() if not path.exists() or path.read_bytes() != png]
    if check:
        names = ", ".join(sorted(path.relative_to(root).as_posix() for path in old.union(changed)))
        return [f"not the figures of the chapters: {names}; run: python3 -m course_utils build"] * bool(names)
    for path in changed:
        files.write(path, wanted[path])
    for path in old:
        path.unlink()
    return []
