"""Which language the reader sees: the notebooks' code is the same in both, so helpers ask here."""

import os
from pathlib import PurePath

LANGUAGES = ("en", "zh")


def current() -> str:
    """Return "en" or "zh".

    JupyterLab tells a kernel the path of its notebook (`JPY_SESSION_NAME`), and the two languages live in
    folders named after them; the runner says it in `COURSE_LANGUAGE`. English when nobody says anything.
    """
    for part in reversed(PurePath(os.environ.get("JPY_SESSION_NAME", "")).parts):
        if part in LANGUAGES:
            return part
    chosen = os.environ.get("COURSE_LANGUAGE", "en")
    return chosen if chosen in LANGUAGES else "en"
