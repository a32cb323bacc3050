"""The words of the READMEs' generated parts, from notebooks/front_page.toml: both languages side by side."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.workshop import numbers
from course_utils.workshop.chapters import Chapter
from course_utils.workshop.source import Source

NAME = "front_page.toml"


@dataclass(frozen=True)
class FrontPage:
    """What is said of parts, routes and chapters; nothing, when there is no file.

    Attributes:
        highlights: [{"chapter": "08", "figure": how its alt text begins, "title": {"en": …, "zh": …}, "text": …}, …].
        parts: [{"first": "01", "title": {"en": …, "zh": …}}, …]; a part ends where the next one begins.
        routes: [{"who": {"en": …, "zh": …}, "chapters": ["01", …]}, …]; no chapters are all of them.
        chapters: {"01": {"about": {"en": …, "zh": …}, "figure": …, "numbers": {name: {"en", "zh", "format"}}}, …}.
    """

    highlights: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    chapters: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, notebooks: Path) -> "FrontPage":
        path = notebooks / NAME
        return cls(**tomllib.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def about(self, chapter: Chapter, language: str) -> str:
        """Return the sentence of a chapter's card, "" if there is none."""
        return self.chapters.get(chapter.number, {}).get("about", {}).get(language, "")

    def figure(self, chapter: Chapter) -> str:
        """Return how the alt text begins of the figure that stands for a chapter without a hero; "" is none."""
        return self.chapters.get(chapter.number, {}).get("figure", "")

    def number(self, chapter: Chapter, name: str, entry: dict[str, Any], language: str) -> str:
        """Return a recorded number in words, with its code name and its own digits if there are no words for it."""
        words = self.chapters.get(chapter.number, {}).get("numbers", {}).get(name)
        if words is None:
            return f"`{name}` {entry['value']:.{entry['digits']}f} {entry['unit']}".strip()
        value = numbers.value(f"{name}:{words['format']}", chapter, language)
        return words[language].replace("{}", f"**{value}**")

    def notes(self, sources: Iterable[Source]) -> Iterator[str]:
        """Yield what the file does not say of a chapter, and what it says of none."""
        if not self.chapters:
            return
        known = {read.chapter.number: read for read in sources}
        for number, read in known.items():
            words = self.chapters.get(number, {})
            missing = [name for name in read.telling if name not in words.get("numbers", {})]
            if "about" not in words:
                yield f"{NAME}: no words for chapter {number}"
            elif missing:
                yield f"{NAME}: chapter {number} has no words for {', '.join(missing)}"
        named = {number for route in self.routes for number in route["chapters"]} | set(self.chapters)
        if named - set(known):
            yield f"{NAME}: no chapter {', '.join(sorted(named - set(known)))} (yet)"
