"""Exercises that check themselves, quizzes that explain, and the learner's own progress file.

A wrong answer never stops a notebook: `check` prints what is right or a hint that names the mistake.
"""

import datetime
import html
import importlib
import json
from pathlib import Path

import numpy as np

from course_utils import files, language

_registry = {}
_QUIZZES = Path(__file__).resolve().parent / "quizzes"


class Wrong(Exception):
    """An expectation failed; holds the hint in both languages."""

    def __init__(self, hint_zh: str, hint_en: str):
        super().__init__(hint_en)
        self.hint_zh, self.hint_en = hint_zh, hint_en


class NotAttempted(Exception):
    """The answer is still the three dots of the template."""


def exercise(name: str):
    """Register the decorated function as the check of exercise `name` ("02.output_size")."""

    def register(check_function):
        _registry[name] = check_function
        return check_function

    return register


def expect(condition, hint_zh: str, hint_en: str) -> None:
    """Stop the check with a hint unless `condition` holds (everywhere, if it is an array)."""
    if not np.all(condition):
        raise Wrong(hint_zh, hint_en)


def close(found, expected, tolerance: float = 1e-6) -> bool:
    """Say whether two things are the same numbers in the same shape; False, never an error, for anything else."""
    try:
        found, expected = np.asarray(found, dtype="float64"), np.asarray(expected, dtype="float64")
    except (TypeError, ValueError):
        return False
    return found.shape == expected.shape and bool(
        np.allclose(found, expected, rtol=tolerance, atol=tolerance)
    )


def grade(name: str, answer) -> None:
    """Run a check and let it raise: `NotAttempted`, `Wrong`, or whatever the answer itself raised.

    For tests and for graded assignments; notebooks use `check`.
    """
    check_function = _find(name)
    if answer is ...:
        raise NotAttempted
    check_function(_watched(answer) if callable(answer) and not isinstance(answer, type) else answer)


def check(name: str, answer) -> None:
    """Print whether an answer is right, and otherwise a hint. Never raises for what a learner wrote."""
    _find(name)
    try:
        grade(name, answer)
    except NotAttempted:
        print(f"○ {name}  {language.words('not attempted yet', '还没有作答')}")
        return
    except Wrong as wrong:
        print(f"✗ {name}\n  {language.words(wrong.hint_en, wrong.hint_zh)}")
        _remember(name, right=False)
        return
    except Exception as crash:
        said = language.words("your answer raised", "运行你的答案时出错：")
        print(f"✗ {name}\n  {said} {type(crash).__name__}: {crash}")
        _remember(name, right=False)
        return
    print(f"✓ {name}  {language.words('correct', '正确')}")
    _remember(name, right=True)


def progress() -> None:
    """Print which exercises the learner has solved so far."""
    path = _progress_file()
    stored = _read_progress(path) if path else {}
    solved = sorted(name for name, entry in stored.items() if entry["solved"])
    print(language.words(f"solved: {len(solved)}", f"已完成：{len(solved)}"))
    for name in solved:
        print(f"  ✓ {name}  {stored[name]['solved']}")


def quiz(chapter: str) -> None:
    """Show a chapter's questions; each option unfolds and says why it is right or wrong."""
    from IPython.display import display

    english, chinese = (quiz_data(chapter, reader) for reader in language.LANGUAGES)
    display({kind: language.words(english[kind], chinese[kind]) for kind in english}, raw=True)


def quiz_data(chapter: str, lang: str) -> dict:
    """Return a chapter's quiz in one language, as MIME type -> text."""
    questions = json.loads((_QUIZZES / f"chapter_{chapter}.json").read_text(encoding="utf-8"))
    return {
        "text/html": _quiz_html(questions, lang),
        "text/plain": "\n".join(question["question"][lang] for question in questions),
    }


def _quiz_html(questions: list, lang: str) -> str:
    right, wrong = {"en": ("Right", "Not this one"), "zh": ("正确", "不对")}[lang]
    lines = []
    for number, question in enumerate(questions, start=1):
        lines.append(f"<p><b>{number}.</b> {html.escape(question['question'][lang], quote=False)}</p>")
        for letter, option in zip("ABCDEF", question["options"], strict=False):
            verdict = f"✓ {right}" if option["right"] else f"✗ {wrong}"
            text, why = (html.escape(option[key][lang], quote=False) for key in ("text", "why"))
            lines.append(
                f"<details><summary>{letter}. {text}</summary><blockquote><b>{verdict}.</b> {why}</blockquote></details>"
            )
    return "\n".join(lines)


def _watched(function):
    """Return `function`, but raising NotAttempted while it still returns the template's three dots."""

    def watched(*arguments, **keywords):
        result = function(*arguments, **keywords)
        if result is ... or (isinstance(result, tuple) and any(part is ... for part in result)):
            raise NotAttempted
        return result

    return watched


def _find(name: str):
    """Return the check registered under `name`, loading its chapter's checks when needed."""
    if name not in _registry:
        importlib.import_module(f"course_utils.checks.chapter_{name.split('.')[0]}")
    if name not in _registry:
        raise KeyError(f"no exercise {name!r}; known: {', '.join(sorted(_registry))}")
    return _registry[name]


def _progress_file() -> Path | None:
    """Return my-course/progress.json when the notebook is a learner's copy, else None."""
    for place in [Path.cwd(), *Path.cwd().parents]:
        if place.name == "my-course":
            return place / "progress.json"
    return None


def _read_progress(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:  # damaged: kept aside, never overwritten
        path.replace(path.with_name(f"progress-damaged-{datetime.datetime.now():%Y%m%d%H%M%S}.json"))
        return {}


def _remember(name: str, *, right: bool) -> None:
    path = _progress_file()
    if path is None:
        return
    stored = _read_progress(path)
    entry = stored.setdefault(name, {"attempts": 0, "solved": None})
    entry["attempts"] += 1
    if right and entry["solved"] is None:
        entry["solved"] = datetime.date.today().isoformat()
    files.write_json(path, stored)
