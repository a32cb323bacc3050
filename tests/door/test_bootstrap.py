"""Set-up, on a small copy of the course with two tiny packages from a folder: no network, real environments."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from course_utils.door import bootstrap

ROOT = Path(__file__).resolve().parents[2]
POSIX = os.name != "nt"
# A stand-in for the runner: proves that the package is installed, and passes an exit code on.
RUNNER = """
import sys
import {package}

def main(command, arguments):
    print("RAN", command, arguments, {package}.VERSION, sys.prefix)
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


def make_wheel(folder, name, version="1.0"):
    """A wheel by hand: one module and its metadata."""
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


class Course:
    """A copy of the course's set-up in a folder with a blank and Chinese characters, as a learner may have."""

    def __init__(self, folder):
        self.root = folder / "我的 course"
        self.wheels = folder / "wheels"
        self.slow = folder / "slow"
        package = self.root / "course_utils"
        package.mkdir(parents=True)
        for name in ("__init__", "__main__", "bootstrap", "doctor", "lab"):
            shutil.copy(ROOT / "course_utils" / f"{name}.py", package)
        (package / "runner.py").write_text(RUNNER.format(package="tinything"), encoding="utf-8")
        (self.root / "tests").mkdir()
        self.require("1.0")
        (self.root / "tests" / "requirements.txt").write_text("tinytest==1.0\n", encoding="utf-8")
        (self.root / "constraints.txt").write_text("tinytest==1.0\n", encoding="utf-8")
        make_wheel(self.wheels, "tinything")
        make_wheel(self.wheels, "tinything", "2.0")
        make_wheel(self.wheels, "tinytest")
        self.slow.mkdir()
        (self.slow / "sitecustomize.py").write_text(SLOW_PIP, encoding="utf-8")
        self.venv = self.root / ".venv"

    def require(self, version):
        (self.root / "requirements.txt").write_text(f"tinything=={version}  # a reason\n", encoding="utf-8")

    def environment(self, **more):
        """A user's environment without this machine's or these tests' settings."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COURSE_", "PIP_", "PYTEST_", "PYTHON", "VIRTUAL_ENV"))
        }
        kept.update(
            PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.wheels), PIP_CONFIG_FILE=os.devnull, PYTHONUTF8="1"
        )
        kept.update(more)
        return kept

    def start(self, *arguments, python=sys.executable, **more):
        return subprocess.Popen(
            [str(python), "-m", "course_utils", *arguments],
            cwd=self.root,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    def run(self, *arguments, **more):
        process = self.start(*arguments, **more)
        output = process.communicate(timeout=240)[0]
        return process.returncode, output

    def marker(self):
        return json.loads((self.venv / bootstrap.MARKER).read_text(encoding="utf-8"))


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished environment for the tests that only use it."""
    course = Course(tmp_path_factory.mktemp("finished"))
    # A user's `pip config set install.user true` must not send packages elsewhere.
    code, output = course.run("run", "0", PIP_USER="1")
    assert code == 0, output
    course.output = output
    return course


def test_first_call_sets_up_and_runs_inside(finished):
    assert "making an empty environment" in finished.output
    assert "ready after" in finished.output
    assert f"RAN run ['0'] 1.0 {finished.venv}" in finished.output
    assert not (finished.venv / "course-temporary").exists()


def test_second_call_does_nothing_but_run(finished):
    before = finished.marker(), (finished.venv / bootstrap.MARKER).stat().st_mtime_ns
    code, output = finished.run("seeds", "0")
    assert code == 0
    assert output.splitlines() == [f"RAN seeds ['0'] 1.0 {finished.venv}"]
    assert before == (finished.marker(), (finished.venv / bootstrap.MARKER).stat().st_mtime_ns)


def test_who_wants_no_compiled_files_beside_the_sources_gets_them_kept_elsewhere(course):
    code, output = course.run("run", "0", PYTHONDONTWRITEBYTECODE="1")
    assert code == 0, output
    assert list((course.venv / "compiled").rglob("tinything.*.pyc"))
    beside = [path for path in course.root.rglob("__pycache__") if course.venv not in path.parents]
    assert not beside and not list(course.venv.rglob("site-packages/__pycache__/tinything.*"))
    course.run("run", "0", PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=str(course.slow / "mine"))
    assert list((course.slow / "mine").rglob("tinything.*.pyc")), (
        "a folder of the user's own is left as it is"
    )


@pytest.mark.parametrize("wanted", [1, 7])
def test_exit_code_is_passed_on(finished, wanted):
    assert finished.run("run", str(wanted))[0] == wanted


def test_course_utils_imports_from_anywhere_in_the_environment(finished, tmp_path):
    output = subprocess.check_output(
        [
            bootstrap.venv_python(finished.venv),
            "-c",
            "import course_utils; print(ascii(course_utils.__file__))",
        ],
        cwd=tmp_path,
        env=finished.environment(),
        encoding="utf-8",
    )
    assert Path(ast.literal_eval(output.strip())) == finished.root / "course_utils" / "__init__.py"


def test_killed_in_the_middle_is_repaired(course):
    """The set-up is killed while pip works; what pip left looks installed but is not whole."""
    flag = course.root / "pip-started"
    process = course.start("run", PYTHONPATH=str(course.slow), SLOW_PIP=str(flag), SLOW_SECONDS="6")
    deadline = time.time() + 120
    while not flag.exists() and time.time() < deadline:
        time.sleep(0.05)
    assert flag.exists(), "pip never started"
    process.kill()  # SIGKILL: no clean-up of ours can run
    process.wait()
    assert not (course.venv / bootstrap.MARKER).exists()
    # A package whose metadata is there and whose module is not: `pip install` would call it satisfied.
    site = next(course.venv.glob("lib/python*/site-packages" if POSIX else "Lib/site-packages"))
    info = site / "tinything-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n", encoding="utf-8")
    code, output = course.run("run", "0")
    assert code == 0, output
    assert "RAN run ['0'] 1.0" in output
    assert "making it again" in output
    if POSIX:  # the orphaned pip still held the lock
        assert "waiting for it" in output


def test_two_at_once_install_once(course):
    first, second = course.start("run", "0"), course.start("run", "0")
    outputs = [process.communicate(timeout=240)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert all("RAN run ['0'] 1.0" in output for output in outputs)
    assert sum("making an empty environment" in output for output in outputs) == 1
    assert sum("waiting for it" in output for output in outputs) == 1


def test_no_network_is_explained_then_repaired_then_updated(course):
    offline = {
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    code, output = course.run("run", **offline)
    assert code == 1
    for words in ("packages cannot be downloaded", "无法下载", "index-url", "PIP_FIND_LINKS"):
        assert words in output
    assert "Traceback" not in output
    code, output = course.run("run", "0")
    assert code == 0 and "RAN" in output

    # The course asks for a newer package: an offline update says so and does not spoil what was there.
    marker = course.marker()
    course.require("2.0")
    assert course.run("run", "0", **offline)[0] == 1
    assert course.marker() == marker
    code, output = course.run("run", "0")
    assert code == 0 and "RAN run ['0'] 2.0" in output
    assert "bringing the existing environment up to date" in output

    # `test` adds the test tools to the same environment; here, those do not include pytest.
    code, output = course.run("test")
    assert "installing the test tools" in output and "No module named 'pytest'" in output
    assert set(course.marker()) == {"main", "tests"}

    course.require("3.0")  # neither a network error nor a package
    code, output = course.run("run", "0")
    assert code == 1 and "package tinything==3.0 was not found" in output


def test_a_folder_that_is_not_ours_is_never_deleted(course):
    precious = course.venv / "thesis.txt"
    course.venv.mkdir()
    precious.write_text("three years", encoding="utf-8")
    code, output = course.run("run")
    assert code == 1 and "left alone" in output
    assert precious.read_text(encoding="utf-8") == "three years"


def test_current_environment_installs_nothing(course):
    (course.root / "course_utils" / "runner.py").write_text(
        RUNNER.format(package="json").replace("json.VERSION", "1")
    )
    code, output = course.run("run", "5", COURSE_ENVIRONMENT="current")
    assert code == 5 and f"RAN run ['5'] 1 {sys.prefix}" in output
    assert not course.venv.exists()


@pytest.mark.skipif(not POSIX, reason="Windows delivers Ctrl-C to a whole console")
def test_interrupting_the_set_up_ends_pip_too(course):
    flag = course.root / "pip-started"
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "run"],
        cwd=course.root,
        env=course.environment(PYTHONPATH=str(course.slow), SLOW_PIP=str(flag), SLOW_SECONDS="60"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        # tests started in the background inherit an ignored Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.time() + 120
    while not flag.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130 and "interrupted" in output
    assert not (course.venv / bootstrap.MARKER).exists()


@pytest.mark.parametrize("arguments, code", [([], 0), (["--help"], 0), (["rum"], 2)])
def test_help_and_unknown_commands(course, arguments, code):
    found, output = course.run(*arguments)
    assert found == code
    for command in ("run", "test", "lab", "build", "seeds", "report", "doctor"):
        assert f"\n  {command} " in output
    assert "execute the chapters" in output and "执行章节" in output
    assert ("did you mean run" in output) == (code == 2)
    assert not course.venv.exists()


# ------------------------------------------------------------------------------ machines on which it cannot work


def old_pythons():
    """Interpreters older than 3.11 that are on this machine."""
    folders = [Path.home() / ".pyenv" / "versions" / "*" / "bin"]
    found = {}
    for minor in range(6, 11):
        name = f"python3.{minor}"
        paths = (
            [
                path
                for folder in folders
                for path in Path(folder.anchor).glob(str(folder.relative_to("/") / name))
            ]
            if POSIX
            else []
        )
        for path in [*paths, shutil.which(name)]:
            if path and bootstrap._interpreter_version([str(path)]) == (3, minor):
                found.setdefault(minor, str(path))
    return found


@pytest.mark.parametrize("name", ["__init__", "__main__", "bootstrap", "doctor"])
def test_parses_on_python_3_6(name):
    text = (ROOT / "course_utils" / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_old_pythons_say_what_is_needed(course, command):
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python older than 3.11 on this machine")
    for minor, python in pythons.items():
        code, output = course.run(command, python=python, LC_ALL="C")
        assert code == 1
        assert f"Python 3.{minor} is too old: 3.11 to 3.13 is needed" in output, output
        assert f"Python 3.{minor} 太旧" in output or minor > 6
        assert "Traceback" not in output
        assert not course.venv.exists()


def test_a_suitable_python_on_the_path_is_named(monkeypatch, tmp_path):
    good, broken = tmp_path / "python3.12", tmp_path / "python3.13"
    broken.write_text("#!/bin/sh\necho no such version >&2; exit 127\n")
    good.write_text("#!/bin/sh\necho 3 12 8\n")
    for path in (good, broken):
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "running_version", lambda: (3, 9))
    if POSIX:
        with pytest.raises(bootstrap.SetupError, match="python3.12 -m course_utils lab --port 1"):
            bootstrap.check_python(["lab", "--port", "1"])
        good.unlink()
    with pytest.raises(bootstrap.SetupError, match="install Python 3.12"):
        bootstrap.check_python(["lab"])


def machine(monkeypatch, system="Linux", name="x86_64", version=(3, 12), pointer=8, implementation="CPython"):
    monkeypatch.setattr(bootstrap, "running_version", lambda: version)
    monkeypatch.setattr(bootstrap.platform, "system", lambda: system)
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: name)
    monkeypatch.setattr(bootstrap.platform, "python_implementation", lambda: implementation)
    monkeypatch.setattr(bootstrap.struct, "calcsize", lambda _: pointer)
    monkeypatch.setattr(bootstrap, "suitable_interpreter", lambda: None)


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
    with pytest.raises(bootstrap.SetupError, match=words):
        bootstrap.check_python()


@pytest.mark.parametrize("system, name", [("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")])
def test_machines_with_tensorflow(monkeypatch, system, name):
    for version in ((3, 11), (3, 12), (3, 13)):
        machine(monkeypatch, system=system, name=name, version=version)
        bootstrap.check_python()


def test_no_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(
        bootstrap.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**11, 10**11, 10**9)
    )
    # If the check were missing, this test must fail at once and not install the real requirements.
    monkeypatch.setattr(bootstrap, "_make_venv", lambda *_: pytest.fail("went on without room"))
    with pytest.raises(bootstrap.SetupError, match="4 GB needed, 1.0 GB free"):
        bootstrap.set_up()
    assert not (tmp_path / "venv").exists()


def test_disk_full_while_installing(tmp_path):
    error = bootstrap._explain(
        "ERROR: Could not install packages: [Errno 28] No space left on device", tmp_path
    )
    assert "disk became full" in str(error)


def test_no_venv_module(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "venv"))
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # what Debian does without python3-venv
    with pytest.raises(
        bootstrap.SetupError, match=r"lacks the module ensurepip.*apt install python3\.\d+-venv"
    ):
        bootstrap.set_up()


def test_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")  # a file where a folder is needed: refuses root too, unlike a mode
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "file" / "venv"))
    with pytest.raises(bootstrap.SetupError, match="cannot write .* COURSE_VENV"):
        bootstrap.set_up()


def test_doctor_reports_when_set_up_fails(course):
    code, output = course.run("doctor", COURSE_VENV=str(course.root / "requirements.txt" / "venv"))
    assert code == 1
    assert "✗ 环境 · environment: 无法写入" in output
    assert "✓ 处理器 · cores" in output and "Traceback" not in output
    code, output = course.run("doctor", "--json", COURSE_VENV=str(course.root / "requirements.txt" / "venv"))
    assert code == 1 and json.loads(output)["laptop"] is False
