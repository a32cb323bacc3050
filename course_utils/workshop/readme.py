"""The generated parts of README.md and README.zh.md: numbers, routes, chapter cards and the table of results.

| in the README | is filled with |
|---|---|
| `<!--{{08/in_order.chinese_eleven_twelve:.0%}}-->100%<!---->` | a number of a stored run, see numbers.py |
| `<!--{{course:chapters}}-->21<!---->` | a number of the course itself, see `course_numbers` |
| `<!-- highlights:begin -->` … `<!-- highlights:end -->` | three results with their figures, see cards.py |
| `<!-- routes:begin -->` … `<!-- routes:end -->` | which chapters for whom |
| `<!-- cards:begin -->` … `<!-- cards:end -->` | the chapters with their pictures, see cards.py |
| `<!-- results:begin -->` … `<!-- results:end -->` | the table of measured results |

The words come from notebooks/front_page.toml. A chapter that it does not name yet is shown all the same: with the first
lines of its title cell and the code names of its numbers.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils import files
from course_utils.door import accelerators, doctor, pip
from course_utils.workshop import cards, numbers, source
from course_utils.workshop.chapters import Chapter, chapters
from course_utils.workshop.front_page import FrontPage

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
LANGUAGE = {"README.md": "en", "README.zh.md": "zh"}
HOURS = (2, 3)  # for a chapter with its exercises: an estimate, nobody has been timed
_NUMBER = re.compile(r"<!--\{\{([^{}\n]+)\}\}-->[^\n]*?<!---->")
_HEAD = {
    "en": "| chapter | some of what it measures | numbers in band | time | peak memory |\n|---|---|---|---|---|",
    "zh": "| 章 | 测到的结果（部分） | 区间内的数值 | 用时 | 内存峰值 |\n|---|---|---|---|---|",
}
_ROUTES_HEAD = {
    "en": "| you | your chapters, in this order | hours |\n|---|---|---|",
    "zh": "| 你的情况 | 按这个顺序学 | 学时 |\n|---|---|---|",
}
_SECONDS = {"en": "s", "zh": "秒"}
_ALL = {"en": "all", "zh": "全部"}


@dataclass(frozen=True)
class Course:
    """What the READMEs are made from."""

    root: Path
    sources: list[source.Source]
    words: FrontPage

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def built(self) -> list[source.Source]:
        """Return the chapters that have been built."""
        return [read for read in self.sources if read.chapter.results().exists()]


def update(root: Path, *, check: bool) -> list[str]:
    """Rewrite the generated parts and the cards' pictures (or, with `check`, only compare them); return what is wrong."""
    notebooks = root / "notebooks"
    sources = [source.read(chapter) for chapter in chapters(notebooks) if chapter.source.exists()]
    course = Course(root, sources, FrontPage.read(notebooks))
    for note in course.words.notes(course.sources):
        print(f"· {note}")
    problems, written = [], False
    for name in LANGUAGE:
        path = root / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if text.count(BEGIN) != 1 or text.count(END) != 1:
            problems.append(f"{name}: one {BEGIN} and one {END} were expected")
            continue
        try:
            wanted = filled(text, course, LANGUAGE[name])
        except ValueError as error:
            return [*problems, str(error)]
        written = True
        if wanted == text:
            continue
        if check:
            problems.append(
                f"{name}: its numbers, cards or table is not what notebooks/ says; run: python3 -m course_utils build"
            )
        else:
            files.write(path, wanted)
            print(f"{name}: generated parts written")
    if written:
        problems += cards.update_pictures(root, course.built(), course.words, check=check)
    return problems


def filled(text: str, course: Course, language: str) -> str:
    """Return a README with its generated parts.

    Raises:
        ValueError: a number that no stored run has.
    """
    parts = {
        "highlights": lambda: cards.highlights(course.built(), course.words, language),
        "routes": lambda: routes(course, language),
        "cards": lambda: cards.cards(course.built(), course.words, language),
        "results": lambda: table(course, language),
    }
    for part, make in parts.items():
        begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
        if text.count(begin) == text.count(end) == 1:
            before, rest = text.split(begin)
            text = f"{before}{begin}\n{make()}\n{end}{rest.split(end)[1]}"
    facts = course_numbers(course)
    anywhere = Chapter("", "", course.notebooks)

    def number(match: re.Match) -> str:
        inner = match[1]
        kind, _, fact = inner.partition(":")
        if kind == "course":
            if fact not in facts:
                raise ValueError(f"README: unknown {inner!r}; known are {', '.join(facts)}")
            value = facts[fact]
        else:
            try:
                value = numbers.value(inner, anywhere, language)
            except numbers.Unknown as error:
                raise ValueError(f"README: {{{{{inner}}}}}: {error}") from None
        return f"<!--{{{{{inner}}}}}-->{value}<!---->"

    return _NUMBER.sub(number, text)


def course_numbers(course: Course) -> dict[str, str]:
    """Return what a README may say of the course itself: how many chapters, how long, how much disk."""
    built = course.built()
    cells = [cell for read in built for cell in read.cells]
    stored = [files.read_json(read.chapter.results()) for read in built]
    judged = [entry for one in stored for entry in one["numbers"].values() if entry["band"]]
    quizzes = [_quiz(read.chapter) for read in built]
    return {
        "chapters": str(len(built)),
        "exercises": str(sum("exercise" in cell.tags for cell in cells)),
        "questions": str(sum(map(len, quizzes))),
        "judged": str(len(judged)),
        "minutes": f"{sum(one['cost']['seconds'] for one in stored) / 60:.0f}",
        "hours": _hours(len(built), "–"),
        "chapter_hours": _hours(1, "–"),
        "download_gb": f"{pip.GIGABYTES_TO_DOWNLOAD:g} GB",
        "installed_gb": f"{pip.GIGABYTES_INSTALLED:g} GB",
        "memory_gb": f"{doctor.LAPTOP_GIGABYTES:g} GB",
        "disk_gb": f"{pip.GIGABYTES_NEEDED:g} GB",
        "cuda_download_gb": f"{accelerators.GIGABYTES_TO_DOWNLOAD:g} GB",
        "cuda_disk_gb": f"{accelerators.GIGABYTES_ON_DISK:g} GB",
    }


def _quiz(chapter: Chapter) -> list:
    path = Path(__file__).parents[1] / "quizzes" / f"chapter_{chapter.number}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _hours(count: int, dash: str) -> str:
    return f"{HOURS[0] * count}{dash}{HOURS[1] * count}"


def routes(course: Course, language: str) -> str:
    """Return the table of routes; a chapter that is not built (yet) is left out."""
    known = {read.chapter.number: read.chapter for read in course.built()}
    lines = [_ROUTES_HEAD[language]]
    for route in course.words.routes:
        chosen = [known[number] for number in route["chapters"] or known if number in known]
        links = [f"[{cards.short(one)}](notebooks/{language}/{one.stem}.ipynb)" for one in chosen]
        way = " → ".join(links) if route["chapters"] else _ALL[language]
        lines.append(f"| {route['who'][language]} | {way} | {_hours(len(chosen), '–')} |")
    return "\n".join(lines)


def table(course: Course, language: str) -> str:
    """Return the table of results of one language."""
    lines = [_HEAD[language]]
    for read in course.built():
        chapter = read.chapter
        stored = files.read_json(chapter.results())
        judged = [entry for entry in stored["numbers"].values() if entry["band"]]
        inside = sum(entry["in_band"] for entry in judged)
        shown = [
            course.words.number(chapter, name, stored["numbers"][name], language)
            for name in _most_telling(read, stored["numbers"])
        ]
        link = f"[{read.title(language)}](notebooks/{language}/{chapter.stem}.ipynb)"
        cost = stored["cost"]
        lines.append(
            f"| {link} | {'<br>'.join(shown)} | {inside} / {len(judged)} | {cost['seconds']:.0f}\u00a0{_SECONDS[language]} | "
            f"{cost['peak_memory_gb']:.2f}\u00a0GB |"
        )
    return "\n".join(lines)


def _most_telling(read: source.Source, stored: dict) -> list[str]:
    """Return the names that the chapter declares; the first three that were recorded if it declares none."""
    names = read.telling or list(stored)[:3]
    missing = [name for name in names if name not in stored]
    if missing:
        raise ValueError(
            f"{read.chapter.source.name}: not in its results: {', '.join(missing)}; correct telling=[…] in its first line"
        )
    return names
