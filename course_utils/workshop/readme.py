"""The READMEs' tables of measured results, made from the committed results files between two markers."""

from pathlib import Path

from course_utils import files
from course_utils.workshop import source
from course_utils.workshop.chapters import chapters

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_HEAD = {
    "README.md": "| chapter | time | peak memory | numbers in band | some of them |\n|---|---|---|---|---|",
    "README.zh.md": "| 章节 | 用时 | 内存峰值 | 区间内的数值 | 其中几个 |\n|---|---|---|---|---|",
}


def update(root: Path, *, check: bool) -> list[str]:
    """Rewrite the tables (or, with `check`, only compare them) and return what is wrong."""
    problems = []
    for name in _HEAD:
        path = root / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if text.count(BEGIN) != 1 or text.count(END) != 1:
            problems.append(f"{name}: one {BEGIN} and one {END} were expected")
            continue
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        try:
            wanted = f"{before}{BEGIN}\n{table(root / 'notebooks', name)}\n{END}{after}"
        except ValueError as error:
            return [*problems, str(error)]
        if wanted == text:
            continue
        if check:
            problems.append(
                f"{name}: its table is not what notebooks/results say; run: python3 -m course_utils build"
            )
        else:
            files.write(path, wanted)
            print(f"{name}: table written")
    return problems


def table(notebooks: Path, name: str) -> str:
    """Return the table of one README."""
    language = "zh" if name == "README.zh.md" else "en"
    lines = [_HEAD[name]]
    for chapter in chapters(notebooks):
        stored = files.read_json(chapter.results())
        if not stored:
            continue
        read = source.read(chapter)
        numbers, cost = stored["numbers"], stored["cost"]
        judged = [entry for entry in numbers.values() if entry["band"]]
        inside = sum(entry["in_band"] for entry in judged)
        shown = [
            f"`{key}` {numbers[key]['value']:.{numbers[key]['digits']}f} {numbers[key]['unit']}".strip()
            for key in _most_telling(read, numbers)
        ]
        link = f"[{read.title(language)}](notebooks/{language}/{chapter.stem}.ipynb)"
        lines.append(
            f"| {link} | {cost['seconds']:.0f} s | {cost['peak_memory_gb']:.2f} GB | "
            f"{inside} / {len(judged)} | {'<br>'.join(shown)} |"
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
