"""What every command of the workshop does alike: parse its arguments, act, answer with an exit code."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from course_utils.language import LANGUAGES
from course_utils.profiles import PROFILES
from course_utils.workshop.chapters import INTERRUPTED, USAGE, UsageError


def act(
    parser: argparse.ArgumentParser, arguments: list[str], action: Callable[[argparse.Namespace], int]
) -> int:
    """Parse the arguments, call the action with them, and return the command's exit code.

    0: everything passed; 1: something failed; 2: what is asked for does not exist; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a console may not know Chinese
    try:
        return action(parser.parse_args(arguments))
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` and `seeds` have in common."""
    parser.add_argument("--profile", default="laptop", help=f"one of {', '.join(PROFILES)}; default: laptop")
    parser.add_argument("--language", default="en", help=f"one of {', '.join(LANGUAGES)}; default: en")
    parser.add_argument(
        "--timeout", type=positive(float), metavar="SECONDS", help="for each cell; default: none"
    )
    add_output(parser)
    add_jobs(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, default=Path("report"), metavar="FOLDER", help="default: report"
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=positive(int), default=1, help="chapters at the same time; default: 1")


def positive(kind: Callable) -> Callable:
    """Return a converter for argparse that refuses numbers that are not greater than 0."""

    def convert(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"a number greater than 0 was expected; found {text}")
        return value

    convert.__name__ = kind.__name__  # argparse names it in its own message
    return convert
