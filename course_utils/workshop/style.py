"""The words that a reader would hear as a translation: `style_words.toml` against the prose of the chapters.

Chapters of the second edition may hold none (the linter says so); `build --style` reports what is left in all of them.
"""

import collections
import functools
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from course_utils.language import LANGUAGES
from course_utils.workshop.source import Source

_WORDS = Path(__file__).parent / "style_words.toml"


@functools.cache
def rules() -> dict[str, list[tuple[re.Pattern, str]]]:
    """Return {language: [(what not to write, what to write)]}."""
    lists = tomllib.loads(_WORDS.read_text(encoding="utf-8"))
    return {
        language: [(re.compile(entry["not"], re.M | re.I), entry["but"]) for entry in lists[language]]
        for language in LANGUAGES
    }


def hits(source: Source, prose: Callable[[str], str]) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line of the cell, language, what was found, what to write instead) for a chapter's text cells.

    Args:
        source: the chapter.
        prose: takes code, formulas and addresses out of a text.
    """
    for cell in source.cells:
        if cell.language:
            # A source line ends where it is full: what belongs together may stand on two.
            text = re.sub(
                r"(?<=[^\n])\n(?=[^\n#|*+-])", "" if cell.language == "zh" else " ", prose(cell.text)
            )
            for pattern, instead in rules()[cell.language]:
                for match in pattern.finditer(text):
                    yield cell.line, cell.language, match.group(0).strip(" .:;,*"), instead


def report(sources: list[Source], prose: Callable[[str], str]) -> list[str]:
    """Return a line per chapter and language: how many hits are left, and the five most common."""
    lines, total = [], 0
    for source in sources:
        found = list(hits(source, prose))
        for language in LANGUAGES:
            words = collections.Counter(word.lower() for _, spoken, word, _ in found if spoken == language)
            common = ", ".join(f"{word} ×{count}" for word, count in words.most_common(5))
            total += words.total()
            lines.append(f"{source.chapter.number:4}{language}{words.total():5}  {common}".rstrip())
    return [*lines, f"总计 · total {total}"]
