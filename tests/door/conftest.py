"""A small copy of the course with two tiny packages from a folder: no network, real environments."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from course_utils.door import accelerators, environment

ROOT = Path(__file__).resolve().parents[2]
# A stand-in for a command of the workshop: proves that the package is installed, and passes an exit code on.
COMMAND = """
import sys
import {package}

def main(arguments):
    print("RAN", __name__.split(".")[-1], arguments, {package}.VERSION, sys.prefix)
    return int(arguments[0]) if arguments else 0
"""
# Read by every Python that has its folder on PYTHONPATH: makes `pip install` wait where a test wants it to.
SLOW_PIP = """
import os, sys, time
words = getattr(sys, "orig_argv", [])
if "pip" in words and "install" in words:
    open(os.environ["SLOW_PIP"], "w").close()
    time.sleep(float(os.environ["SLOW_SECONDS"]))
"""


class Course:
    """A copy of the course's door in a folder with a blank and Chinese characters, as a learner may have."""

    def __init__(self, folder):
        self.root = folder / "我的 course"
        self.wheels = folder / "wheels"
        self.slow = folder / "slow"
        self.venv = self.root / ".venv"
        package = self.root / "course_utils"
        for name in ("door", "settings"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "course_utils" / name, package / name, ignore=ignored)
        for name in ("__init__", "__main__", "files", "machine", "surroundings"):
            shutil.copy(ROOT / "course_utils" / f"{name}.py", package)
        (package / "workshop").mkdir()
        for name in ("run", "seeds"):
            self.command(name)
        (self.root / "tests").mkdir()
        self.require("tinything==1.0")
        (self.root / "requirements-gpu.txt").write_text("tinycuda==1.0  # a reason\n", encoding="utf-8")
        (self.root / "tests" / "requirements.txt").write_text("tinytest==1.0\n", encoding="utf-8")
        (self.root / "constraints.txt").write_text("tinytest==1.0\n", encoding="utf-8")
        for name, version in (
            ("tinything", "1.0"),
            ("tinything", "2.0"),
            ("tinytest", "1.0"),
            ("tinycuda", "1.0"),
        ):
            make_wheel(self.wheels, name, version)
        self.slow.mkdir()
        (self.slow / "sitecustomize.py").write_text(SLOW_PIP, encoding="utf-8")

    def command(self, name, package="tinything"):
        """Write a command's stand-in, which imports a package that has a VERSION."""
        path = self.root / "course_utils" / "workshop" / f"{name}.py"
        path.write_text(COMMAND.format(package=package), encoding="utf-8")

    def require(self, *pins):
        """Write the course's requirements, each with its reason."""
        lines = "".join(f"{pin}  # a reason\n" for pin in pins)
        (self.root / "requirements.txt").write_text(lines, encoding="utf-8")

    def environment(self, **more):
        """Return a user's variables without this machine's or these tests' settings."""
        ours = (
            "COURSE_",
            "PIP_",
            "PYTEST_",
            "PYTHON",
            "VIRTUAL_ENV",
            "KERAS_",
            "MATPLOTLIBRC",
            "no_proxy",
            "NO_PROXY",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        # The GPU of the machine that runs the tests is none of theirs.
        return {**kept, **pip, "PYTHONUTF8": "1", "COURSE_CPU_ONLY": "1", **more}

    def start(self, *arguments, python=sys.executable, before=(), **more):
        """Start a command as a user types it; `before` are words in front of it, such as those of setpriv."""
        return subprocess.Popen(
            [*before, str(python), "-m", "course_utils", *arguments],
            cwd=self.root,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    def run(self, *arguments, **more):
        """Run a command to its end; return (exit code, output)."""
        process = self.start(*arguments, **more)
        output = process.communicate(timeout=240)[0]
        return process.returncode, output

    def marker(self):
        """Return the environment's marker."""
        return json.loads((self.venv / environment.MARKER).read_text(encoding="utf-8"))

    def packages(self):
        """Return the folder of the environment's installed packages."""
        return next(self.venv.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"))

    def wait_for_pip(self):
        """Wait until pip has started, see SLOW_PIP."""
        deadline = time.time() + 120
        while not self.pip_started.exists() and time.time() < deadline:
            time.sleep(0.05)
        assert self.pip_started.exists(), "pip never started"

    @property
    def pip_started(self):
        return self.root / "pip-started"

    def slow_pip(self, seconds):
        """Return the variables that make pip wait."""
        started = str(self.pip_started)
        return {"PYTHONPATH": str(self.slow), "SLOW_PIP": started, "SLOW_SECONDS": str(seconds)}


def make_wheel(folder, name, version):
    """Make a wheel by hand: one module and its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)


@pytest.fixture(autouse=True)
def ask_the_driver_again():
    """Forget what nvidia-smi said in another test."""
    accelerators.nvidia.cache_clear()
    accelerators._warn.cache_clear()


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a stand-in for nvidia-smi in front of everything on the PATH; returns how to write it."""
    if os.name == "nt":
        pytest.skip("the stand-in is a shell script")
    folder = tmp_path / "driver"
    folder.mkdir()
    monkeypatch.setattr(accelerators, "WSL_NVIDIA_SMI", str(folder / "none"))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("COURSE_CPU_ONLY", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)

    def write(script, interpreter="/bin/sh"):
        path = folder / "nvidia-smi"
        path.write_text(f"#!{interpreter}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        accelerators.nvidia.cache_clear()
        return path

    return write


@pytest.fixture
def course(tmp_path):
    """A fresh clone."""
    return Course(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """One finished environment for the tests that only use it."""
    course = Course(tmp_path_factory.mktemp("finished"))
    # A user's `pip config set install.user true` must not send packages elsewhere.
    code, output = course.run("run", "0", PIP_USER="1")
    assert code == 0, output
    course.output = output
    return course


@pytest.fixture
def updated(finished, tmp_path):
    """A clone whose environment is there and asks for a newer package: installs in a second."""
    course = Course(tmp_path)
    shutil.copytree(finished.venv, course.venv, symlinks=True)
    course.require("tinything==2.0")
    return course


@pytest.fixture
def ordinary_user():
    """Return the words that make an ordinary user, without a name, run a command, and a Python that this user has."""
    words = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"]
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become another user, with setpriv")
    question = "import ensurepip, os, sys; os.stat(os.path.realpath(sys.executable)); assert sys.version_info >= (3, 11)"
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        if not subprocess.run([*words, python, "-c", question], capture_output=True, check=False).returncode:
            return words, python
    pytest.skip("no suitable Python in a folder that other users can read")
