"""The code's style, and that nothing in the project tells of the machine it was made on."""

import re
import subprocess
import sys

from course_utils.workshop.chapters import ROOT

TEXT = {".py", ".md", ".ipynb", ".json", ".toml", ".txt", ".yml", ".cff", ".cfg", ".html", ""}
PRIVATE = re.compile(
    r"(?<![\w.])/(?:root|home|work|Users)/[\w.-]+/|(?<![\w.])/tmp/(?:pytest|tmp)|C:\\+Users\\+"
)


def test_ruff_has_no_complaint():
    command = [sys.executable, "-m", "ruff", "check", "."]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def shipped_files():
    """What git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def test_nothing_tells_of_the_machine_it_was_made_on():
    found = []
    for path in shipped_files():
        if path.suffix in TEXT and path.is_file() and path.stat().st_size < 5_000_000:
            text = path.read_text(encoding="utf-8", errors="ignore")
            found += [f"{path.relative_to(ROOT)}: {match.group(0)}" for match in PRIVATE.finditer(text)]
    assert found == []


def test_formatter_would_change_nothing():
    command = [sys.executable, "-m", "ruff", "format", "--check", "."]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_types_of_the_tools_are_consistent():
    command = [sys.executable, "-m", "mypy", "--no-incremental"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
