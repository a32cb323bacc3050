"""python3 -m course_utils test: pytest in the repository, on the smallest profile; out of band is a failure."""

from __future__ import annotations

import os

from course_utils.surroundings import ROOT


def main(arguments: list[str]) -> int:
    """Run the tests, two files at a time; arguments go to pytest, whose exit code is returned."""
    os.environ.update({"COURSE_STRICT": "1", "COURSE_PROFILE": "smoke", "TF_CPP_MIN_LOG_LEVEL": "3"})
    os.chdir(ROOT)
    import pytest

    # Groups: a file stays on one process, where its fixtures are made once; each chapter is one of its own (conftest.py).
    return int(pytest.main(["-n", "2", "--dist", "loadgroup", "--durations", "25", *arguments]))
