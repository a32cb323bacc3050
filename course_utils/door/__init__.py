"""From a bare Python to the finished environment: set-up, JupyterLab, kernel, doctor. The standard library only.

These files parse on Python 3.8, to be able to say which Python is needed. What is third-party is imported late, inside
the finished environment, by functions that only run there.
"""


class SetupError(Exception):
    """Set-up cannot go on; the text says, in both languages, what was found and what to do."""


def say(text: str) -> None:
    """Print at once: whoever waits for a download looks at the last line."""
    print(text, flush=True)
