"""Which language the reader sees: the notebooks' code is the same in both, so helpers ask here.

    language.words("loss", "损失")

is "loss" in an English notebook and 损失 in a Chinese one. A build executes a chapter once for both notebooks: there the
text carries both sides between marks, through prints, f-strings and exceptions, and `side` keeps one of them.
"""

import functools
import os
import re
import sys
from pathlib import PurePath

LANGUAGES = ("en", "zh")
BOTH = "both"  # the value of COURSE_LANGUAGE during a build

# Characters of Unicode's private use, which no text holds by itself; Python writes them as \ue000 in a repr.
_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"
_TEXT = "(?:(?!\ue000|\\\\ue000|\ue001|\\\\ue001|\ue002|\\\\ue002).)*"
_CARRIED = re.compile(
    f"(?:\ue000|\\\\ue000)({_TEXT})(?:\ue001|\\\\ue001)({_TEXT})(?:\ue002|\\\\ue002)", re.DOTALL
)


def current() -> str:
    """Return "en" or "zh": the language of the notebook that runs, English when nobody says anything.

    The two languages live in folders of their names, so the notebook's folder tells. JupyterLab names the notebook in
    `JPY_SESSION_NAME`, the course's own runner says the language in `COURSE_LANGUAGE`, VS Code names the notebook in a
    variable; nbval and others start the kernel in its folder; papermill and nbconvert have it in their command line.
    """
    return (
        _of_path(os.environ.get("JPY_SESSION_NAME", ""))
        or _said()
        or _of_path(_notebook_in_vs_code())
        or _of_path(os.path.join(os.getcwd(), "notebook.ipynb"), nearest=True)
        or _of_path(_notebook_in_command_line(), nearest=True)
        or "en"
    )


def words(english: str, chinese: str) -> str:
    """Return the reader's side of a text; during a build, both sides in a form that the build splits.

    The result is a text like any other: print it, put it into an f-string (a width counts for each side), raise it.
    `plots.show` draws a figure once for each language if such words stand in it.
    """
    return both(english, chinese) if carries_both() else {"en": english, "zh": chinese}[current()]


def carries_both() -> bool:
    """Whether this kernel runs for both notebooks at once."""
    return os.environ.get("COURSE_LANGUAGE") == BOTH


def both(english: str, chinese: str) -> str:
    """Return a text that carries both sides."""
    return _Both(f"{_OPEN}{english}{_MIDDLE}{chinese}{_CLOSE}")


def side(text: str, language: str) -> str:
    """Return a text with the "en" or the "zh" side of everything in it that carries both."""
    group = LANGUAGES.index(language) + 1
    if _CLOSE not in text and r"\ue002" not in text:  # a picture's data, for instance: long, and quickly told
        return text
    while True:  # words may stand within words: the innermost first
        split = _CARRIED.sub(lambda match: match[group], text)
        if split == text:
            return text
        text = split


def is_torn(text: str) -> bool:
    """Whether a mark is left without its partner: a text with both sides was cut, as by text[:9], or changed letter by letter."""
    return any(mark in text or repr(mark)[1:-1] in text for mark in (_OPEN, _MIDDLE, _CLOSE))


class _Both(str):
    """A text with two sides, of which an f-string's width and alignment hold for each."""

    def __format__(self, specification: str) -> str:
        if not specification:
            return str(self)
        english, chinese = (format(side(str(self), language), specification) for language in LANGUAGES)
        return both(english, chinese)


def _said() -> str | None:
    chosen = os.environ.get("COURSE_LANGUAGE")
    return {"en": "en", "zh": "zh", BOTH: "en"}.get(chosen or "")


def _of_path(path: str | None, *, nearest: bool = False) -> str | None:
    """Return the language of a notebook's folder; `nearest` looks at the last folder alone."""
    folders = [part for part in PurePath(path or "").parts[:-1]][-1 if nearest else None :]
    return next((part for part in reversed(folders) if part in LANGUAGES), None)


def _notebook_in_vs_code() -> str | None:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return None if shell is None else shell.user_ns.get("__vsc_ipynb_file__")


@functools.cache
def _notebook_in_command_line() -> str | None:
    """Return the first notebook in the command line of the program that started this kernel (papermill, nbconvert)."""
    if "ipykernel" not in sys.modules:
        return None
    import psutil

    try:
        starter = psutil.Process().parent()
        arguments, folder = starter.cmdline(), starter.cwd()
    except (psutil.Error, OSError, AttributeError):  # gone, or not ours to look at
        return None
    notebooks = [argument for argument in arguments if argument.endswith(".ipynb")]
    return os.path.abspath(os.path.join(folder, notebooks[0])) if notebooks else None
