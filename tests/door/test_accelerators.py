"""GPUs and TPUs, with stand-ins for the driver: what is found, what set-up installs, and that nothing hangs or crashes."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course_utils import surroundings
from course_utils.door import accelerators, environment

ROOT = surroundings.ROOT
GOOD = "echo 'NVIDIA GeForce RTX 4070 Ti, 550.54.14'"
NO_GPU = "echo 'No devices were found'; exit 6"
BROKEN = 'echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9'
HANGING = "exec sleep 60"

linux = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="TensorFlow's wheel for this system has no CUDA in it",
)


def requirements(name):
    """Return {name: Requirement} of a requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(re.split(r"\s+#", line)[0]) for line in lines if line and line[0] not in "#-"]
    return {one.name.lower().replace("_", "-"): one for one in found}


# --------------------------------------------------------------------------------------------- what the driver says


def test_a_healthy_driver_names_its_gpus(driver):
    driver(
        "echo 'Tesla T4, 535.10.2'\necho 'WARNING: infoROM is corrupted, at gpu 0'\necho 'Tesla T4, 535.10.2'"
    )
    found = accelerators.nvidia()
    assert found == (("Tesla T4", "Tesla T4"), "535.10.2", "") and found.text == "Tesla T4 x 2"
    assert accelerators.Nvidia(("A100", "T4")).text == "A100, T4"


@pytest.mark.parametrize(
    "script, said",
    [
        (NO_GPU, ""),
        (BROKEN, "couldn't communicate"),
        ("exit 12", "exit code 12"),
        ("kill -SEGV $$", "exit code -11"),
        ("echo 'a driver that says something new'", "something new"),
    ],
)
def test_a_driver_without_a_gpu_or_broken_is_no_crash(driver, script, said):
    driver(script)
    found = accelerators.nvidia()
    assert not found.names and said in found.failure and bool(said) == bool(found.failure)


def test_a_driver_that_does_not_start(driver):
    driver(GOOD, interpreter="/no/such/interpreter")
    assert "does not start" in accelerators.nvidia().failure


def test_a_driver_that_hangs_is_given_up(driver, monkeypatch, tmp_path):
    ended = tmp_path / "ended"
    driver(f"sleep 20\ntouch '{ended}'")
    monkeypatch.setattr(accelerators, "PATIENCE", 0.2)
    assert "no answer within 0.2 s" in accelerators.nvidia().failure
    assert not ended.exists(), "not waited for"


def test_without_a_driver_nothing_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accelerators, "WSL_NVIDIA_SMI", str(tmp_path / "none"))
    assert accelerators.nvidia() == accelerators.Nvidia()


def test_wsl_keeps_its_tool_beside_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accelerators, "WSL_NVIDIA_SMI", str(tmp_path))
    assert accelerators.nvidia_smi() == str(tmp_path)


@pytest.mark.parametrize(
    "driver, old",
    [("470.256.02", True), ("525.53", True), ("525.60.13", False), ("580.1", False), ("?", False)],
)
def test_a_driver_before_cuda_12_is_too_old(driver, old):
    assert accelerators.Nvidia(("T4",), driver).driver_is_too_old is old


# --------------------------------------------------------------------------------------- what set-up makes of it


@pytest.mark.parametrize(
    "system, machine, takes",
    [
        ("Linux", "x86_64", True),
        ("Linux", "aarch64", False),
        ("Windows", "AMD64", False),
        ("Darwin", "arm64", False),
    ],
)
@pytest.mark.parametrize("word, wants", [(None, True), ("", True), ("1", False), ("yes", False), ("0", True)])
def test_what_is_wanted_on_which_system(driver, monkeypatch, system, machine, takes, word, wants):
    driver(GOOD)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if word is not None:
        monkeypatch.setenv("COURSE_CPU_ONLY", word)
    assert accelerators.wants_cuda() is (takes and wants)


@pytest.mark.parametrize("script, wants", [(GOOD, True), (NO_GPU, False), (BROKEN, False), (HANGING, False)])
def test_only_a_gpu_that_answers_is_wanted(driver, monkeypatch, capsys, script, wants):
    driver(script)
    monkeypatch.setattr(accelerators, "PATIENCE", 0.5)
    monkeypatch.setattr(accelerators, "takes_cuda", lambda: True)
    assert [accelerators.wants_cuda() for _ in range(2)] == [wants] * 2
    said = capsys.readouterr().out
    assert said.count("going on with the CPU") == (script in (BROKEN, HANGING)), "once, and with the reason"


def test_the_wish_for_the_cpu_reaches_tensorflow(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("COURSE_CPU_ONLY", "1")
    assert environment.for_children()["CUDA_VISIBLE_DEVICES"] == "-1"
    monkeypatch.setenv("COURSE_CPU_ONLY", "0")
    assert "CUDA_VISIBLE_DEVICES" not in environment.for_children()


@pytest.mark.parametrize(
    "value, hides", [(None, False), ("", True), (" -1", True), ("0", False), ("1,0", False)]
)
def test_gpus_that_the_user_hides(monkeypatch, value, hides):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if value is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert accelerators.hidden() is hides


@pytest.fixture
def with_gpu(driver):
    """A machine with a GPU: the variables with which a command of the course is started there."""
    driver(GOOD)
    return {"PATH": os.environ["PATH"], "COURSE_CPU_ONLY": ""}


@linux
def test_an_environment_without_the_gpus_libraries_is_completed(updated, with_gpu):
    """The GPU appears after set-up: nothing is made again, and what a learner installed stays."""
    updated.require("tinything==1.0")
    updated.run("run", "0")
    assert set(updated.marker()) == {"main"}
    mine = updated.packages() / "mine.py"
    mine.write_text("VERSION = 'mine'", encoding="utf-8")
    code, output = updated.run("run", "0", **with_gpu)
    assert code == 0, output
    assert "NVIDIA GeForce RTX 4070 Ti" in output and "2.8 GB more to download" in output
    assert "另外下载 CUDA 库 2.8 GB" in output and "COURSE_CPU_ONLY=1 declines" in output
    assert "[3/3]" in output and "bringing the existing environment up to date" in output
    assert "installing packages" not in output, "only what is missing"
    assert mine.exists() and (updated.packages() / "tinycuda.py").exists()
    assert set(updated.marker()) == {"main", "cuda"}
    # Done once; and it stays when the GPU is gone, or not wanted.
    for variables in (with_gpu, {}):
        assert updated.run("run", "0", **variables)[1].splitlines() == [f"RAN run ['0'] 1.0 {updated.venv}"]
    assert "installing the test tools" in updated.run("test")[1]
    assert set(updated.marker()) == {"main", "cuda", "tests"}
    # Newer pins are installed for both.
    updated.require("tinything==2.0")
    code, output = updated.run("run", "0", **with_gpu)
    assert code == 0 and "[2/3]" in output and "[3/3]" in output and "RAN run ['0'] 2.0" in output


@linux
def test_a_first_set_up_beside_a_gpu(course, with_gpu):
    code, output = course.run("run", "0", **with_gpu)
    assert code == 0, output
    steps = re.findall(r"^\[\d/\d\]", output, re.MULTILINE)
    assert steps == ["[1/3]", "[2/3]", "[3/3]"]
    assert output.index("COURSE_CPU_ONLY=1") < output.index("[1/3]"), "said before anything is downloaded"
    assert (course.packages() / "tinycuda.py").exists()


@linux
def test_declined(updated, driver):
    asked = updated.root / "asked"
    driver(f"touch '{asked}'\n{GOOD}")
    code, output = updated.run("run", "0", PATH=os.environ["PATH"], COURSE_CPU_ONLY="1")
    assert code == 0 and "CUDA" not in output and not asked.exists()
    assert not (updated.packages() / "tinycuda.py").exists() and "cuda" not in updated.marker()


@linux
def test_wanted_where_no_gpu_is_seen(updated, driver):
    """A cluster's login node has the network, its compute nodes have the GPUs."""
    driver(NO_GPU)
    code, output = updated.run("run", "0", PATH=os.environ["PATH"], COURSE_CPU_ONLY="0")
    assert code == 0 and (updated.packages() / "tinycuda.py").exists(), output


@linux
def test_a_broken_driver_does_not_stop_set_up(updated, driver):
    driver(BROKEN)
    code, output = updated.run("run", "0", PATH=os.environ["PATH"], COURSE_CPU_ONLY="")
    assert code == 0 and "RAN run ['0'] 2.0" in output and "Traceback" not in output
    assert output.count("couldn't communicate with the NVIDIA driver") == 1
    assert not (updated.packages() / "tinycuda.py").exists()


@linux
def test_libraries_that_cannot_be_had_leave_the_course_on_the_cpu(updated, with_gpu):
    """A compute node without a network, say: what works on the CPU goes on working, and says what is missing."""
    (updated.wheels / "tinycuda-1.0-py3-none-any.whl").rename(updated.root / "kept.whl")
    code, output = updated.run("run", "0", **with_gpu)
    assert code == 0 and "RAN run ['0'] 2.0" in output, output
    assert "package tinycuda==1.0 was not found" in output
    assert "the course runs on the CPU" in " ".join(output.split()) and "课程先用 CPU 运行" in output
    assert updated.marker()["cuda"] == environment.REFUSED
    # Not again at every command; the doctor tries.
    assert updated.run("run", "0", **with_gpu)[1].splitlines() == [f"RAN run ['0'] 2.0 {updated.venv}"]
    assert "tinycuda==1.0 was not found" in updated.run("doctor", **with_gpu)[1]
    (updated.root / "kept.whl").rename(updated.wheels / "tinycuda-1.0-py3-none-any.whl")
    updated.run("doctor", **with_gpu)
    assert (updated.packages() / "tinycuda.py").exists()


@linux
def test_no_room_for_the_libraries(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(accelerators, "GIGABYTES_ON_DISK", 10**6)
    monkeypatch.setattr(environment.pip, "install", lambda *_: pytest.fail("went on without room"))
    assert environment._install_cuda(tmp_path / "python", tmp_path, 0, "[3/3]") == environment.REFUSED
    assert "not enough disk" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- the requirement files


def test_the_gpus_tensorflow_is_the_courses():
    (gpu,) = requirements("requirements-gpu.txt").values()
    assert gpu.name == "tensorflow" and gpu.extras == {"and-cuda"}
    assert gpu.specifier == requirements("requirements.txt")["tensorflow"].specifier
    assert gpu.marker.evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
    for system, machine in (("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")):
        assert not gpu.marker.evaluate({"sys_platform": system, "platform_machine": machine})


def test_what_cuda_brings_along_is_pinned_and_reaches_no_other_install():
    try:
        wanted = map(Requirement, importlib.metadata.requires("tensorflow"))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("another build of TensorFlow is installed, which has no extra and-cuda")
    cuda = {one.name: one for one in wanted if one.marker and one.marker.evaluate({"extra": "and-cuda"})}
    cuda = {name: one for name, one in cuda.items() if not one.marker.evaluate({"extra": ""})}
    pins = {name: one for name, one in requirements("constraints.txt").items() if name.startswith("nvidia-")}
    assert cuda and set(pins) == set(cuda) and accelerators.A_CUDA_LIBRARY in pins
    for name, pin in pins.items():
        (version,) = (one.version for one in pin.specifier)
        assert cuda[name].specifier.contains(version), f"{name} {version}"
        assert not pin.marker.evaluate({"sys_platform": "darwin", "platform_machine": "arm64"})
    named = {name for file in ("requirements.txt", "binder/requirements.txt") for name in requirements(file)}
    assert not named & set(pins), "a machine without a GPU installs none of them"


def test_the_tpus_requirements_are_the_courses_but_for_tensorflow():
    course, tpu = requirements("requirements.txt"), requirements("requirements-tpu.txt")
    assert set(course) - set(tpu) == {"tensorflow"} and set(tpu) - set(course) == {"tensorflow-tpu", "libtpu"}
    assert "\n-c constraints.txt\n" in (ROOT / "requirements-tpu.txt").read_text(encoding="utf-8")
    assert all(tpu[name].specifier for name in ("tensorflow-tpu", "libtpu"))
    # constraints.txt pins all others; of TensorFlow it pins the package that must not stand beside it.
    assert set(tpu) - {"tensorflow-tpu", "libtpu"} <= set(requirements("constraints.txt"))


@pytest.mark.parametrize("name", ["tensorflow-tpu", "libtpu"])
def test_the_tpus_pins_are_on_the_package_index(name):
    """Asks for the list of versions: downloading both wheels would take 400 MB."""
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--retries", "0", "--timeout", "15"]
    command += ["--python-version", "3.12", "--only-binary", ":all:", "--platform", "manylinux_2_17_x86_64"]
    command += ["--platform", "manylinux_2_31_x86_64"]
    answer = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=600)
    listed = re.search(r"Available versions: (.*)", answer.stdout)
    if not listed:
        pytest.skip(f"no package index was reached: {(answer.stderr.strip().splitlines() or ['?'])[-1]}")
    (pin,) = requirements("requirements-tpu.txt")[name].specifier
    assert pin.version in listed.group(1).split(", ")


def test_the_tpus_tensorflow_is_the_newest_there_is_for_the_course():
    """When tensorflow-tpu catches up, requirements-tpu.txt and what doctor says have to follow."""
    course = requirements("requirements.txt")["tensorflow"].specifier
    tpu = requirements("requirements-tpu.txt")["tensorflow-tpu"].specifier
    (pin,) = tpu
    assert SpecifierSet("<2.21").contains(pin.version) and not course.contains(pin.version)


def test_the_signs_of_a_tpu_are_those_that_a_chapter_looks_for(monkeypatch):
    text = (ROOT / "course_utils" / "devices.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in accelerators.TPU_VARIABLES)
    assert f'"{accelerators.TPU_DEVICES}"' in text
    for name in accelerators.TPU_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(accelerators, "TPU_DEVICES", "/no/such/device")
    assert not accelerators.tpu_is_plausible()
    monkeypatch.setenv("TPU_WORKER_ID", "0")
    assert accelerators.tpu_is_plausible()
