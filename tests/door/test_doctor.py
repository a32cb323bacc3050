"""The doctor: always a report, whatever set-up, a package, a processor or a user's home does."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils import surroundings
from course_utils.door import accelerators, doctor, environment

POSIX = os.name != "nt"
sizes = itertools.count()


@pytest.fixture
def tensorflow(finished):
    """Put a stand-in for TensorFlow into the finished environment."""
    path = finished.packages() / "tensorflow.py"

    def write(text):
        # Another size each time: a compiled file counts as fresh when size and second are the same.
        path.write_text(f"{text}\n{'#' * 100 * next(sizes)}\n", encoding="utf-8")
        return str(environment.venv_python(finished.venv))

    yield write
    path.unlink()


@pytest.fixture
def healthy(monkeypatch):
    """A machine on which all is well; a test changes one answer."""
    wanted = doctor.parse_requirements((surroundings.ROOT / "requirements.txt").read_text(encoding="utf-8"))
    answers = {
        "packages": {"versions": dict(wanted), "memory": [8.0, 6.0]},
        "tensorflow": {"version": "2.21.0", "accelerators": [], "strategy": "Default, 1"},
        "data": {"problems": [], "font": "a.otf"},
    }
    monkeypatch.setattr(doctor, "ask", lambda python, question, *names: answers[question])
    monkeypatch.setenv("COURSE_ENVIRONMENT", "current")
    monkeypatch.setattr(accelerators, "nvidia", accelerators.Nvidia)
    for name in accelerators.TPU_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(accelerators, "TPU_DEVICES", "/no/such/device")
    monkeypatch.setattr(accelerators, "AMD_DEVICE", "/no/such/device")
    return answers


def line(output, subject):
    """Return the line on a subject, and the remedies below it."""
    lines = output.splitlines()
    start = next(index for index, text in enumerate(lines) if text[2:].startswith(subject))
    stop = next((index for index in range(start + 1, len(lines)) if lines[index][0] != " "), len(lines))
    return "\n".join(lines[start:stop])


def test_requirements_are_all_pinned_and_read():
    text = (surroundings.ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wanted = doctor.parse_requirements(text)
    assert len(wanted) == len(lines), "each is read"
    assert all("  # " in line for line in lines), "every direct dependency says why it is there"
    pins = doctor.parse_requirements((surroundings.ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = {name.lower(): version for name, version in pins.items()}
    assert all(pins.get(name.lower()) for name in wanted), "what is not pinned here is pinned there"
    assert all(pins[name.lower()] == version for name, version in wanted.items() if version)


def test_exit_code_says_whether_a_laptop_run_can_work(healthy, capsys):
    assert doctor.main([]) == 0
    assert "✓ 可运行 · profiles: smoke, laptop" in capsys.readouterr().out
    healthy["data"]["problems"] = ["mnist.npz is damaged"]
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert "✗ 数据 · data: mnist.npz is damaged" in output and "git checkout" in output
    healthy["data"]["problems"] = []
    healthy["packages"]["memory"] = [1.0, 0.5]
    assert doctor.main([]) == 1
    assert "✗ 内存 · memory: 1.0 GB" in capsys.readouterr().out


def test_a_check_that_breaks_is_a_finding(healthy, monkeypatch, capsys):
    def broken(_):
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(doctor, "CHECKS", (broken, *doctor.CHECKS))
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert "✗ broken: RuntimeError: nobody thought of this" in output and "✓ TensorFlow" in output


def test_reports_when_set_up_fails(course):
    place = str(course.root / "requirements.txt" / "venv")
    code, output = course.run("doctor", COURSE_VENV=place)
    assert code == 1
    assert "✗ 环境 · environment: 无法写入" in output
    assert "✓ 处理器 · cores" in output and "Traceback" not in output
    code, output = course.run("doctor", "--json", COURSE_VENV=place)
    assert code == 1 and json.loads(output)["laptop"] is False


def test_reports_as_json_although_set_up_talks(updated):
    process = subprocess.run(
        [sys.executable, "-m", "course_utils", "doctor", "--json"],
        cwd=updated.root,
        env=updated.environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    rows = {row["subject"]: row for row in json.loads(process.stdout)["findings"]}
    assert rows["软件包 · packages"]["state"] == "ok" and "ready after" in process.stderr


def test_names_a_missing_package_and_another_version(finished):
    finished.require(
        "tinything==1.1", "no_such_package==1.0", "unpinned", "tinytest[extra]==1.0 ; python_version > '3'"
    )
    try:
        python = environment.venv_python(finished.venv)
        code, output = finished.run("doctor", COURSE_ENVIRONMENT="current", python=python)
    finally:
        finished.require("tinything==1.0")
    found = line(output, "软件包")
    assert code == 1 and "缺少 · missing: no_such_package, unpinned, tinytest" in found
    assert "-m pip install -c constraints.txt no_such_package==1.0 unpinned tinytest==1.0" in found
    assert "tinything 1.0 (1.1)" in output


def test_a_smaller_build_of_tensorflow_is_never_replaced(finished):
    """Binder has tensorflow-cpu; installing all requirements would put the large one over it."""
    info = finished.packages() / "tensorflow_cpu-2.21.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.21.0\n", encoding="utf-8"
    )
    finished.require("tensorflow==2.21.0", "tinything==1.0", "no_such_package==1.0")
    python = environment.venv_python(finished.venv)
    try:
        output = finished.run("doctor", COURSE_ENVIRONMENT="current", python=python)[1]
        finished.require("tensorflow==2.21.0", "tinything==1.0")
        complete = finished.run("doctor", COURSE_ENVIRONMENT="current", python=python)[1]
    finally:
        finished.require("tinything==1.0")
        (info / "METADATA").unlink()
        info.rmdir()
    found = line(output, "软件包")
    assert (
        "missing: no_such_package" in found and "tensorflow" not in found and "requirements.txt" not in found
    )
    assert "✓ 软件包 · packages: 2 个" in complete


@pytest.mark.skipif(not POSIX, reason="Windows has no signals")
@pytest.mark.parametrize(
    "death, words",
    [
        ("signal.SIGILL", "AVX"),
        ("signal.SIGKILL", "for want of memory"),
        ("signal.SIGABRT", "died (SIGABRT)"),
    ],
)
def test_a_package_that_kills_the_process(tensorflow, death, words):
    python = tensorflow(f"import os, signal\nos.kill(os.getpid(), {death})")
    answer = doctor.ask(python, "tensorflow")
    assert words in answer["error"] and answer["remedy"]


@pytest.mark.skipif(not POSIX, reason="Windows has no signals")
def test_a_processor_without_avx(finished, tensorflow):
    tensorflow("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    code, output = finished.run("doctor")
    found = line(output, "TensorFlow")
    assert code == 1 and found.startswith("✗") and "SIGILL" in found and "Colab" in found
    assert "Chromium" in output and "✗ 可运行 · profiles" in output, "the report goes on"


def test_a_package_that_answers_never(tensorflow, monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 1)
    answer = doctor.ask(tensorflow("import time\ntime.sleep(60)"), "tensorflow")
    assert "no answer within 1 s" in answer["error"] and "try again" in answer["remedy"]


def test_an_import_that_fails_says_why_past_all_noise(tensorflow):
    python = tensorflow(
        "import os\nos.write(1, b'noise\\n')\nprint('more')\nraise ImportError('libfoo.so.1 is missing')"
    )
    assert doctor.ask(python, "tensorflow") == {"error": "ImportError: libfoo.so.1 is missing"}


def test_a_python_that_is_not_there():
    assert "error" in doctor.ask("/no/such/python", "packages")


def test_another_numpy_on_the_module_path_stays_out_and_is_named(finished, tmp_path):
    for name in ("numpy", "psutil"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong one')", encoding="utf-8")
    output = finished.run("doctor", PYTHONPATH=str(tmp_path), KERAS_MAX_EPOCHS="1")[1]
    assert "the wrong one" not in output and "✓ 软件包" in output and "✓ 内存" in output
    found = line(output, "环境变量")
    assert found.startswith("·") and f"PYTHONPATH: {tmp_path}" in found and "KERAS_MAX_EPOCHS=1" in found


def test_replaced_variables_are_named_too(healthy, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor.main([]) == 0
    assert "KERAS_BACKEND=jax" in line(capsys.readouterr().out, "环境变量")


def test_files_of_the_users_that_the_course_does_not_read_are_notes(healthy, monkeypatch, tmp_path, capsys):
    for name in ("KERAS_HOME", "MATPLOTLIBRC", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "IPYTHONDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    keras = tmp_path / ".keras" / "keras.json"
    files = [
        keras,
        tmp_path / (".config/matplotlib" if sys.platform == "linux" else ".matplotlib") / "matplotlibrc",
        tmp_path / ".ipython" / "profile_default" / "startup" / "00-start.py",
        tmp_path / ".ipython" / "profile_default" / "ipython_config.py",
    ]
    assert doctor.unread_files() == []
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"backend": "jax"}', encoding="utf-8")
    # What IPython itself puts there is no startup file.
    (files[2].parent / "README").write_text("", encoding="utf-8")
    assert sorted(doctor.unread_files()) == sorted(files)
    # A Keras file that says what the course says changes nothing.
    keras.write_text((surroundings.SETTINGS / "keras.json").read_text(encoding="utf-8"), encoding="utf-8")
    assert sorted(doctor.unread_files()) == sorted(files[1:])
    assert doctor.main([]) == 0
    found = line(capsys.readouterr().out, "个人设置")
    assert found.startswith("·") and all(str(path) in found for path in files[1:])


def test_the_courses_own_settings_are_not_the_users(healthy, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cleaned = surroundings.clean({})
    for name in ("KERAS_HOME", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, cleaned[name])
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path)
    assert doctor.unread_files() == []
