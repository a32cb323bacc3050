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


# --------------------------------------------------------------------- accelerators: what is there and what is used


T4 = accelerators.Nvidia(("Tesla T4",), "550.54.14")
FAILED = accelerators.Nvidia(failure="nvidia-smi: couldn't communicate")


@pytest.fixture
def with_gpu(healthy, monkeypatch):
    """A Linux machine with a GPU and the CUDA libraries, which TensorFlow does not see; a test changes one answer."""
    healthy["packages"]["versions"][accelerators.A_CUDA_LIBRARY] = "9.28.0.42"
    for name in ("COURSE_CPU_ONLY", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(doctor.platform, "machine", lambda: "x86_64")
    healthy["nvidia"] = T4
    monkeypatch.setattr(accelerators, "nvidia", lambda: healthy["nvidia"])
    return healthy


def test_a_gpu_at_work_is_good(with_gpu, capsys):
    with_gpu["tensorflow"]["accelerators"] = ["/physical_device:GPU:0"]
    assert doctor.main([]) == 0
    output = capsys.readouterr().out
    assert "✓ GPU: Tesla T4：TensorFlow 使用 1 个 · TensorFlow uses 1 of 1 (driver 550.54.14)" in output
    assert "✓ 可运行 · profiles: smoke, laptop, full" in output
    with_gpu["nvidia"] = accelerators.Nvidia(("Tesla T4", "Tesla T4"), "550.54.14")
    assert doctor.main([]) == 0
    assert "· GPU: Tesla T4 x 2：TensorFlow 使用 1 个 · TensorFlow uses 1 of 2" in capsys.readouterr().out


def test_an_idle_gpu_is_a_problem_and_no_reason_not_to_start(with_gpu, capsys):
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert line(output, "GPU").startswith("✗ GPU: Tesla T4：闲置") and "idle" in output
    assert (
        "· 可运行 · profiles: smoke, laptop（CPU）" in output and "full once the accelerator works" in output
    )
    assert doctor.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)["laptop"] is True


def _no_libraries(answers, _):
    del answers["packages"]["versions"][accelerators.A_CUDA_LIBRARY]


def _small_build(answers, _):
    answers["packages"]["versions"]["tensorflow-cpu"] = answers["packages"]["versions"].pop("tensorflow")


def _old_driver(answers, _):
    answers["nvidia"] = accelerators.Nvidia(("Tesla T4",), "470.256.02")


def _library_path(_, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/cuda-11/lib64")


def _broken(answers, _):
    answers["nvidia"] = FAILED


@pytest.mark.parametrize(
    "change, why, remedy",
    [
        (
            _no_libraries,
            "CUDA libraries are missing",
            "pip install -r requirements-gpu.txt -c constraints.txt",
        ),
        (_small_build, "tensorflow-cpu is installed", "pip uninstall -y tensorflow-cpu && "),
        (_old_driver, "470.256.02 is too old", "driver 525.60 or newer"),
        (_library_path, "may bring another CUDA", "env -u LD_LIBRARY_PATH python3 -m course_utils doctor"),
        (_broken, "the driver does not work", "install NVIDIA's driver again"),
        (lambda *_: None, "own log says why", 'python -c "import tensorflow'),
    ],
)
def test_why_a_gpu_lies_idle(with_gpu, monkeypatch, capsys, change, why, remedy):
    change(with_gpu, monkeypatch)
    assert doctor.main([]) == 1
    found = line(capsys.readouterr().out, "GPU")
    assert found.startswith("✗") and why in found
    remedies = [text.strip() for text in found.splitlines()[1:]]
    assert (
        len(remedies) == 2
        and remedy.split("python ")[-1] in remedies[0]
        and "COURSE_CPU_ONLY=1" in remedies[1]
    )


@pytest.mark.parametrize(
    "name, value, said", [("COURSE_CPU_ONLY", "1", "not used"), ("CUDA_VISIBLE_DEVICES", "-1", "hidden by")]
)
@pytest.mark.parametrize("nvidia", [T4, FAILED])
def test_a_gpu_that_is_not_wanted_is_a_note(with_gpu, monkeypatch, capsys, name, value, said, nvidia):
    monkeypatch.setenv(name, value)
    with_gpu["nvidia"] = nvidia
    wanted = nvidia is FAILED and name == "CUDA_VISIBLE_DEVICES"
    assert doctor.main([]) == wanted
    found = line(capsys.readouterr().out, "GPU")
    assert found.startswith("✗" if wanted else "·") and (wanted or said in found)


def test_without_tensorflows_answer_there_is_nothing_to_compare(with_gpu, capsys):
    with_gpu["tensorflow"] = {"error": "ImportError: libfoo"}
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert line(output, "GPU").startswith("· GPU: Tesla T4：TensorFlow 没有回答")
    assert "✗ 可运行" in output


@pytest.mark.parametrize(
    "system, machine, said",
    [
        (
            "Windows",
            "AMD64",
            ["since 2.11", "从 2.11 起不支持 GPU", "→ wsl --install", "-m course_utils lab"],
        ),
        ("Linux", "aarch64", ["for aarch64 has no CUDA in it", "aarch64 上的 TensorFlow 2.21 不含 CUDA"]),
    ],
)
def test_systems_where_tensorflow_has_no_gpu(with_gpu, monkeypatch, capsys, system, machine, said):
    monkeypatch.setattr(doctor.platform, "system", lambda: system)
    monkeypatch.setattr(doctor.platform, "machine", lambda: machine)
    assert doctor.main([]) == 0
    found = line(capsys.readouterr().out, "GPU")
    assert found.startswith("· GPU: Tesla T4：") and [words for words in said if words not in found] == []


def test_a_mac_and_what_its_plugin_does(with_gpu, monkeypatch, capsys):
    with_gpu["nvidia"] = accelerators.Nvidia()
    monkeypatch.setattr(doctor.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(doctor.platform, "machine", lambda: "arm64")
    assert doctor.main([]) == 0
    found = line(capsys.readouterr().out, "Apple GPU")
    assert found.startswith("·") and "up to TensorFlow 2.19" in found and "does not install it" in found
    with_gpu["tensorflow"] = {"error": "NotFoundError: dlopen(tensorflow-plugins/libmetal_plugin.dylib)"}
    assert doctor.main([]) == 1
    assert "pip uninstall -y tensorflow-metal" in line(capsys.readouterr().out, "TensorFlow")


def test_amds_gpu_is_a_note(with_gpu, monkeypatch, tmp_path, capsys):
    with_gpu["nvidia"] = accelerators.Nvidia()
    monkeypatch.setattr(accelerators, "AMD_DEVICE", str(tmp_path))
    assert doctor.main([]) == 0
    found = line(capsys.readouterr().out, "AMD GPU")
    assert found.startswith("·") and "AMD's own build" in found


def test_no_accelerator_is_said_in_one_line(healthy, capsys):
    assert doctor.main([]) == 0
    output = capsys.readouterr().out
    if (sys.platform, doctor.platform.machine()) != ("darwin", "arm64"):
        assert "· 加速器 · accelerators: 没有" in output
    assert "GPU: " not in output and "TPU" not in output


def test_a_tpus_machine_is_sent_to_its_own_requirements(healthy, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_CPU_ONLY", raising=False)
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v5litepod-1")
    assert doctor.main([]) == 1
    found = line(capsys.readouterr().out, "TPU")
    assert found.startswith("✗") and "no build for TPUs" in found and "没有 TPU 版本" in found
    remedies = found.splitlines()[1:]
    assert "pip install -r requirements-tpu.txt" in remedies[0]
    assert "COURSE_ENVIRONMENT=current ~/tpu/bin/python -m course_utils doctor" in remedies[1]
    monkeypatch.setenv("COURSE_CPU_ONLY", "1")
    assert doctor.main([]) == 0


def test_a_tpu_in_an_environment_of_its_own(healthy, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_CPU_ONLY", raising=False)
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v5litepod-1")
    versions = healthy["packages"]["versions"]
    del versions["tensorflow"]
    versions["tensorflow-tpu"] = "2.20.0"
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert "close the other kernels" in line(output, "TPU")
    found = line(output, "软件包")
    assert found.startswith("·") and "missing" not in found and "tensorflow 2.20.0 (2.21.0)" in found
    healthy["tensorflow"]["accelerators"] = [f"/physical_device:TPU:{index}" for index in range(8)]
    assert doctor.main([]) == 0
    output = capsys.readouterr().out
    assert "✓ TPU: TensorFlow 使用 8 个核 · TensorFlow uses 8 cores" in output
    assert "✓ 可运行 · profiles: smoke, laptop, full" in output


def test_a_tpu_is_listed_only_after_a_strategy_has_connected_to_it(tensorflow):
    """The stand-in lists it then, beside the TPU_SYSTEM that computes nothing."""
    python = tensorflow(
        "__version__ = '2.20.0'\nclass config:\n    @staticmethod\n    def list_physical_devices():\n"
        "        import sys\n        kinds = ['CPU', 'TPU_SYSTEM', 'TPU'] if 'course_utils.devices' in sys.modules else ['CPU']\n"
        "        return [type('Device', (), {'name': f'/physical_device:{kind}:0', 'device_type': kind}) for kind in kinds]\n"
    )
    assert doctor.ask(python, "tensorflow")["accelerators"] == ["/physical_device:TPU:0"]


# ---------------------------------------------------------------- all devices


def test_devices_are_compared_by_training(monkeypatch):
    """For real, on two simulated replicas: the same weights as on one device, and a clip that would betray them."""
    monkeypatch.setenv("COURSE_ENVIRONMENT", "current")
    monkeypatch.setenv("COURSE_CPU_REPLICAS", "2")
    answer = doctor.ask(sys.executable, "devices")
    assert answer["replicas"] == 2 and answer["difference"] < 1e-6


@pytest.mark.parametrize("difference, state", [(1e-7, doctor.GOOD), (0.2, doctor.BAD)])
def test_devices_that_give_other_numbers_are_a_problem(monkeypatch, difference, state):
    answer = {"replicas": 3, "difference": difference}
    monkeypatch.setattr(doctor, "ask", lambda python, question: answer)
    findings = doctor.Findings()
    findings.python, findings.complete = "python", True
    doctor.check_devices(findings)
    (row,) = findings.rows
    assert row["state"] == state and "3 个副本" in row["text"]
    assert ("COURSE_ALL_REDUCE=one_device" in row["remedy"]) == (state == doctor.BAD)
