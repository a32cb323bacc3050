"""Which Python will do, and what is said on one that will not."""

import ast
import os
import shutil
from pathlib import Path

import pytest

from course_utils.door import SetupError, pythons

ROOT = Path(__file__).resolve().parents[2]
POSIX = os.name != "nt"
AT_THE_DOOR = sorted(
    [
        *(ROOT / "course_utils" / "door").glob("*.py"),
        *(
            ROOT / "course_utils" / f"{name}.py"
            for name in ("__init__", "__main__", "files", "machine", "surroundings")
        ),
    ]
)


def old_pythons():
    """Return the interpreters older than 3.11 that are on this machine."""
    found = {}
    for minor in range(8, 11):
        name = f"python3.{minor}"
        paths = [shutil.which(name), *Path.home().glob(f".pyenv/versions/*/bin/{name}")]
        for path in paths:
            if path and pythons.interpreter_version([str(path)]) == (3, minor):
                found.setdefault(minor, str(path))
    return found


@pytest.mark.parametrize("path", AT_THE_DOOR, ids=lambda path: path.stem)
def test_parses_on_python_3_8(path):
    """ast.parse raises when it does not."""
    assert ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8)).body


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_old_pythons_say_what_is_needed(course, command):
    found = old_pythons()
    if not found:
        pytest.skip("no Python older than 3.11 on this machine")
    for minor, python in found.items():
        code, output = course.run(command, python=python, LC_ALL="C")
        assert code == 1
        assert f"Python 3.{minor} is too old: 3.11 to 3.13 is needed" in output, output
        assert f"Python 3.{minor} 太旧" in output
        assert "Traceback" not in output
        assert not course.venv.exists()


def test_a_suitable_python_on_the_path_is_named(monkeypatch, tmp_path):
    good, broken = tmp_path / "python3.12", tmp_path / "python3.13"
    broken.write_text("#!/bin/sh\necho no such version >&2; exit 127\n")
    good.write_text("#!/bin/sh\necho 3 12 8\n")
    for path in (good, broken):
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pythons, "running_version", lambda: (3, 9))
    if POSIX:
        with pytest.raises(SetupError, match="python3.12 -m course_utils lab --port 1"):
            pythons.check_python(["lab", "--port", "1"])
        good.unlink()
    with pytest.raises(SetupError, match="install Python 3.12"):
        pythons.check_python(["lab"])


def machine(monkeypatch, system="Linux", name="x86_64", version=(3, 12), pointer=8, implementation="CPython"):
    monkeypatch.setattr(pythons, "running_version", lambda: version)
    monkeypatch.setattr(pythons.platform, "system", lambda: system)
    monkeypatch.setattr(pythons.platform, "machine", lambda: name)
    monkeypatch.setattr(pythons.platform, "python_implementation", lambda: implementation)
    monkeypatch.setattr(pythons.struct, "calcsize", lambda _: pointer)
    monkeypatch.setattr(pythons, "suitable_interpreter", lambda: None)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"version": (3, 14)}, "3.14 is too new"),
        ({"version": (3, 10)}, "3.10 is too old"),
        ({"pointer": 4}, "32-bit"),
        ({"system": "Darwin"}, "Intel Macs"),
        ({"name": "riscv64"}, "no TensorFlow for Linux riscv64"),
        ({"system": "Windows", "name": "ARM64"}, "x86-64 Python"),
        ({"implementation": "PyPy"}, "ordinary CPython"),
    ],
)
def test_machines_without_tensorflow(monkeypatch, change, words):
    machine(monkeypatch, **change)
    with pytest.raises(SetupError, match=words):
        pythons.check_python()


@pytest.mark.parametrize("system, name", [("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")])
@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_machines_with_tensorflow(monkeypatch, system, name, version):
    machine(monkeypatch, system=system, name=name, version=version)
    assert pythons.check_python() is None
