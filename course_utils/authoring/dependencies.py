"""Which of the course's own code a chapter runs, and a hash that changes when that code does."""

import ast
import hashlib
from pathlib import Path

from course_utils.authoring.source import ROOT

PACKAGE = "course_utils"


def code_hash(texts: list) -> str:
    """Return a hash of a chapter's code cells and of every course_utils module that they import.

    Comments, docstrings and blank lines of the modules do not count: they cannot change an output.
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8") + b"\0")
    for path in modules(texts):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n{_meaning(path)}\0".encode())
    return digest.hexdigest()[:16]


def modules(texts: list) -> list:
    """Return the course_utils files that code imports, directly or through each other, sorted."""
    found, waiting = set(), [path for text in texts for path in _imported(text)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path.read_text(encoding="utf-8"))
    return sorted(found)


def _imported(text: str) -> list:
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    return [path for name in names if name.split(".")[0] == PACKAGE for path in _files(name)]


def _files(name: str) -> list:
    base = ROOT.joinpath(*name.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return [path for path in candidates if path.is_file()]


def _meaning(path: Path) -> str:
    """Return a module's lines without comment lines, docstrings and blank lines."""
    text = path.read_text(encoding="utf-8")
    skipped = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                skipped.update(range(first.lineno, first.end_lineno + 1))
    lines = text.splitlines()
    kept = (line.rstrip() for number, line in enumerate(lines, start=1) if number not in skipped)
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))
