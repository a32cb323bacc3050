"""The READMEs' tables of measured results, made from the committed results files between two markers."""

import json
from pathlib import Path

from course_utils.authoring import source

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_HEAD = {
    "README.md": "| chapter | time | peak memory | numbers in band | some of them |\n|---|---|---|---|---|",
    "README.zh.md": "| 章节 | 用时 | 内存峰值 | 区间内的数值 | 其中几个 |\n|---|---|---|---|---|",
}


def update(root: Path, *, check: bool) -> list:
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
        wanted = f"{before}{BEGIN}\n{table(root / 'notebooks', name)}\n{END}{after}"
        if wanted == text:
            continue
        if check:
            problems.append(
                f"{name}: its table is not what notebooks/results say; run: python3 -m course_utils build"
            )
        else:
            path.write_text(wanted, encoding="utf-8", newline="\n")
            print(f"{name}: table written")
    return problems


def table(notebooks: Path, name: str) -> str:
    """Return the table of one README."""
    language = "zh" if name == "README.zh.md" else "en"
    lines = [_HEAD[name]]
    for number, path in source.chapter_paths(notebooks).items():
        stored_path = notebooks / "results" / f"laptop-{number}.json"
        if not stored_path.exists():
            continue
        chapter = source.read(path)
        stored = json.loads(stored_path.read_text(encoding="utf-8"))
        numbers = stored["numbers"]
        judged = [entry for entry in numbers.values() if entry["band"]]
        inside = sum(entry["in_band"] for entry in judged)
        shown = [
            f"`{key}` {entry['value']:.{entry['digits']}f} {entry['unit']}".strip()
            for key, entry in numbers.items()
        ]
        link = f"[{chapter.title(language)}](notebooks/{language}/{chapter.stem}.ipynb)"
        cost = stored["cost"]
        lines.append(
            f"| {link} | {cost['seconds']:.0f} s | {cost['peak_memory_gb']:.2f} GB | "
            f"{inside} / {len(judged)} | {'<br>'.join(_most_telling(shown))} |"
        )
    return "\n".join(lines)


def _most_telling(shown: list) -> list:
    """Accuracies before anything else; three a chapter."""
    return sorted(shown, key=lambda text: ("test_accuracy" not in text, "ratio" not in text))[:3]
