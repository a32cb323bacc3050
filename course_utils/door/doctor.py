"""python3 -m course_utils doctor: what this machine can run, and what to do about the rest.

The doctor stays outside: it makes the environment like every command, but looks at what is third-party through child
processes of that environment. Whatever set-up, a package or a processor does, there is a report.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from course_utils import files, machine, surroundings
from course_utils.door import SetupError, accelerators, environment, idle
from course_utils.door.findings import BAD, GOOD, NOTE, Findings

SIGNS = {GOOD: "✓", NOTE: "·", BAD: "✗"}
# A kernel peaks under 1.2 GB; JupyterLab and the system need the rest.
LAPTOP_GIGABYTES = 2.0
# TensorFlow's first import from a slow disk takes a minute or two.
PATIENCE = 300
ALL_REDUCE = (
    "试试 COURSE_ALL_REDUCE=one_device，或用 CUDA_VISIBLE_DEVICES=0 只用一个 GPU · try COURSE_ALL_REDUCE=one_device, or one GPU: "
    "CUDA_VISIBLE_DEVICES=0"
)
RESTORE_DATA = "git checkout -- course_utils/data"


def parse_requirements(text: str) -> dict[str, str]:
    """Return {"tensorflow": "2.21.0", "scipy": ""} from a requirements file; "" is a package that is not pinned there."""
    return dict(
        re.findall(r"^(\w[\w.-]*)(?:\[[\w,-]*\])?(?:==([^\s;#]+))?(?=[\s;]|$)", text, flags=re.MULTILINE)
    )


def ask(python: str, question: str, *names: str) -> dict[str, Any]:
    """Ask the finished environment in a process of its own, see inside.py.

    Returns:
        The answer; when there is none, {"error": what happened, "remedy": what to do}.
    """
    command = [python, "-m", "course_utils.door.inside", question, *names]
    try:
        finished = subprocess.run(
            command,
            # Workers that TF_CONFIG lists are as a rule not there now.
            env={"COURSE_WORKER_SECONDS": "10", **environment.for_children()},
            cwd=surroundings.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {
            "error": f"{PATIENCE} 秒内没有回答 · no answer within {PATIENCE} s",
            "remedy": "再试一次（首次导入很慢）；若仍如此，查看杀毒软件、网络磁盘和显卡驱动 · try again, the first import is slow; "
            "if it stays so, look at the virus scanner, network disks and the GPU's driver",
        }
    except OSError as error:
        return {"error": f"{python}: {error.strerror}"}
    try:
        return json.loads(finished.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return _death(finished.returncode, finished.stderr.decode("utf-8", "replace"))


def _death(code: int, errors: str) -> dict[str, Any]:
    """Explain a process that ended without an answer."""
    # Windows: STATUS_ILLEGAL_INSTRUCTION.
    if code in (-getattr(signal, "SIGILL", 4), 0xC000001D):
        return {
            "error": "处理器缺少 TensorFlow 所用的指令（多半是 AVX） · "
            "the processor lacks instructions that TensorFlow uses, AVX as a rule (SIGILL)",
            "remedy": "换一台电脑，或用 Binder、Colab；虚拟机请直通主机的处理器（QEMU：-cpu host） · use another computer, Binder or "
            "Colab; in a virtual machine hand the host's processor through (QEMU: -cpu host)",
        }
    if code == -getattr(signal, "SIGKILL", 9):
        return {
            "error": "进程被系统终止，多半是内存不足 · the system killed the process, for want of memory as a rule (SIGKILL)",
            "remedy": "关闭其他程序，或提高容器的内存限额（至少 2 GB） · close other programs, or raise the container's memory limit to "
            "2 GB or more",
        }
    try:
        how = signal.Signals(-code).name
    except ValueError:
        how = f"exit code {code}"
    last = (errors.strip().splitlines() or [""])[-1]
    return {"error": f"进程意外结束 · the process died ({how}) {last}".rstrip(), "remedy": _again()}


def _again() -> str:
    if environment.using_current():
        return "重新安装这个包 · install the package again"
    folder = environment.venv_folder()
    return f"删除 {folder} 后重新运行；Windows 需要 VC++ 运行库 · delete {folder} and run again; Windows needs the VC++ runtime"


# ------------------------------------------------------------------------------------------------------ the checks


def check_system(findings: Findings) -> None:
    """Name the system, the Python and the cores."""
    findings.add(GOOD, "系统 · system", f"{platform.system()} {platform.release()} {platform.machine()}")
    findings.add(GOOD, "Python", f"{platform.python_version()} ({sys.executable})")
    findings.add(GOOD, "处理器 · cores", machine.cores())


def check_environment(findings: Findings) -> None:
    """Make the environment when there is none."""
    try:
        findings.python = environment.python_of_the_course("doctor", [])
    except SetupError as error:
        first, _, rest = str(error).partition("\n")
        findings.add(BAD, "环境 · environment", first, rest)
        return
    current = f"当前 Python · this Python: {sys.prefix}"
    findings.add(
        GOOD, "环境 · environment", current if environment.using_current() else environment.venv_folder()
    )


def check_packages(findings: Findings) -> None:
    """Compare the installed versions with requirements.txt."""
    if not findings.python:
        return
    subject = "软件包 · packages"
    wanted = parse_requirements((surroundings.ROOT / "requirements.txt").read_text(encoding="utf-8"))
    # Binder and some images have one of the other builds of TensorFlow.
    builds = ("tensorflow-cpu", "tensorflow-intel", "tensorflow-tpu")
    findings.packages = ask(findings.python, "packages", *wanted, *builds, accelerators.A_CUDA_LIBRARY)
    if "error" in findings.packages:
        findings.add(BAD, subject, findings.packages["error"], findings.packages.get("remedy", _again()))
        return
    versions = findings.packages["versions"]
    for build in builds:
        if build in versions and "tensorflow" in wanted:
            versions.setdefault("tensorflow", versions[build])
    missing = [name for name in wanted if name not in versions]
    other = [
        f"{name} {versions[name]} ({version})"
        for name, version in wanted.items()
        if version and versions.get(name, version) != version
    ]
    if missing:
        # Only what is missing: all of requirements.txt would put the large TensorFlow over tensorflow-cpu.
        pins = " ".join(f"{name}=={wanted[name]}".rstrip("=") for name in missing)
        remedy = f"{findings.python} -m pip install -c constraints.txt {pins}"
        findings.add(BAD, subject, "缺少 · missing: " + ", ".join(missing), remedy)
    if other:
        text = "版本不同于课程（括号内） · other versions than the course's (in brackets): "
        findings.add(NOTE, subject, text + ", ".join(other))
    if not missing and not other:
        text = f"{len(wanted)} 个，版本与 requirements.txt 一致 · as in requirements.txt"
        findings.add(GOOD, subject, text)
    findings.complete = not missing


def check_memory(findings: Findings) -> None:
    """Judge the memory that this process may use: a container's limit counts."""
    subject = "内存 · memory"
    total, available = findings.packages.get("memory") or machine.memory_gb()
    if total is None:
        findings.add(NOTE, subject, "未知 · unknown")
        return
    # "2 GB" machines report a little less.
    small = total < LAPTOP_GIGABYTES * 0.9
    state = BAD if small else NOTE if available < 1.2 else GOOD
    remedy = "关闭其他程序，或用 --profile smoke · close other programs, or use --profile smoke"
    text = f"{total:.1f} GB, 可用 · available {available:.1f} GB"
    findings.add(state, subject, text, "" if state == GOOD else remedy)


def check_disk(findings: Findings) -> None:
    """Judge the room on the disk that has the course."""
    free = shutil.disk_usage(surroundings.ROOT).free / 1e9
    enough = free > 0.5
    text = f"{free:.1f} GB 可用 · free"
    findings.add(GOOD if enough else BAD, "磁盘 · disk", text, "" if enough else "请清理 · make room")


def check_tensorflow(findings: Findings) -> None:
    """Import TensorFlow, find its devices and the strategy that a chapter would get."""
    if not findings.python or not findings.complete:
        return
    answer = ask(findings.python, "tensorflow")
    if "error" in answer:
        remedy = answer.get("remedy", _again())
        # Apple's plugin is loaded by every import of TensorFlow, and stops the newer ones.
        if "libmetal_plugin" in answer["error"]:
            remedy = f"{findings.python} -m pip uninstall -y tensorflow-metal"
        findings.add(BAD, "TensorFlow", answer["error"], remedy)
        return
    findings.accelerators = answer["accelerators"]
    findings.add(GOOD, "TensorFlow", answer["version"])
    if "strategy" in answer:
        findings.add(GOOD, "策略 · strategy", answer["strategy"])
    else:
        remedy = "检查环境变量 · look at the variables COURSE_CPU_REPLICAS, TF_CONFIG"
        findings.add(BAD, "策略 · strategy", answer["strategy_error"], remedy)


def check_devices(findings: Findings) -> None:
    """Train on one device and on all that a chapter would get, and compare the weights: they differ by rounding only."""
    if not findings.python or not findings.complete:
        return
    answer, subject = ask(findings.python, "devices"), "设备 · devices"
    if "error" in answer:
        findings.add(BAD, subject, answer["error"], answer.get("remedy", ALL_REDUCE))
        return
    replicas, difference = answer["replicas"], answer["difference"]
    text = f"{replicas} 个副本与一个设备的权重相差 · replicas and one device differ by {difference:.1e}"
    # Rounding in another order gives 1e-7; TF32 would give 1e-4.
    right = difference < 1e-5
    findings.add(GOOD if right else BAD, subject, text, "" if right else ALL_REDUCE)


def check_data(findings: Findings) -> None:
    """Check the data sets that ship, and the font for Chinese in figures."""
    if not findings.python or not findings.complete:
        return
    answer = ask(findings.python, "data")
    problems = [answer["error"]] if "error" in answer else answer["problems"]
    for problem in problems:
        findings.add(BAD, "数据 · data", problem, answer.get("remedy", RESTORE_DATA))
    if not problems:
        findings.add(GOOD, "数据 · data", "校验和全部正确 · all checksums are right")
    if "font" in answer:
        findings.add(GOOD, "字体 · font", answer["font"])
    elif "font_error" in answer:
        text = f"图中的中文会显示为方框 · Chinese in figures will be boxes: {answer['font_error']}"
        findings.add(NOTE, "字体 · font", text, RESTORE_DATA)


def check_chromium(findings: Findings) -> None:
    """Find a browser for the browser tests."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    browser = next((path for path in map(shutil.which, names) if path), None)
    text = browser or "没有：浏览器测试会跳过 · none: the browser tests will be skipped"
    findings.add(GOOD if browser else NOTE, "Chromium", text)


def check_surroundings(findings: Findings) -> None:
    """Name what stands in the user's shell and home and does not reach the course; nothing of it is a problem."""
    variables = surroundings.kept_out(os.environ)
    if variables:
        text = f"课程不受这些变量影响 · these do not reach the course: {', '.join(variables)}"
        findings.add(NOTE, "环境变量 · variables", text)
    unread = [str(path) for path in unread_files()]
    if unread:
        text = f"课程不读取 · the course does not read: {', '.join(unread)}"
        findings.add(NOTE, "个人设置 · settings of yours", text)


def unread_files() -> list[Path]:
    """Return the user's files that would change Keras, Matplotlib or IPython elsewhere, and that the course does not read."""
    home = Path(os.path.expanduser("~"))

    def place(variable: str, otherwise: Path) -> Path:
        return Path(os.environ.get(variable) or otherwise)

    keras = place("KERAS_HOME", home / ".keras") / "keras.json"
    ours = files.read_json(surroundings.SETTINGS / "keras.json")
    found = [keras] if any(ours.get(name) != value for name, value in files.read_json(keras).items()) else []
    config = (
        place("XDG_CONFIG_HOME", home / ".config") / "matplotlib"
        if sys.platform == "linux"
        else home / ".matplotlib"
    )
    matplotlib = [Path.cwd(), place("MPLCONFIGDIR", config)]
    if os.environ.get("MATPLOTLIBRC"):
        named = Path(os.environ["MATPLOTLIBRC"])
        matplotlib.append(named if named.is_dir() else named.parent)
    places = dict.fromkeys(folder / "matplotlibrc" for folder in matplotlib)
    found += [path for path in places if path.is_file() and surroundings.SETTINGS not in path.parents]
    profile = place("IPYTHONDIR", home / ".ipython") / "profile_default"
    scripts = [*profile.glob("ipython*_config.py"), *profile.glob("startup/*.*py")]
    return found + sorted(path for path in scripts if path.is_file())


CHECKS = (
    check_system,
    check_environment,
    check_packages,
    check_memory,
    check_disk,
    check_tensorflow,
    idle.check_accelerators,
    check_data,
    check_chromium,
    check_surroundings,
)


def examine(devices: bool = False) -> Findings:
    """Look at everything, train on all devices if asked to, and say which profiles can be run."""
    findings = Findings()
    for check in [*CHECKS, check_devices] if devices else CHECKS:
        try:
            check(findings)
        # What nobody thought of is a finding as well; the others are still wanted.
        except Exception as error:
            findings.add(BAD, check.__name__, f"{type(error).__name__}: {error}")
    if not findings.laptop():
        advice = "先解决标有 ✗ 的问题 · first solve what is marked ✗"
    elif findings.bad():
        advice = "smoke, laptop（CPU）；先让加速器工作，再运行 full · full once the accelerator works"
    elif findings.accelerators:
        advice = "smoke, laptop, full"
    else:
        cores = machine.cores()
        advice = f"smoke, laptop；full 需要一夜（无加速器，{cores} 核） · full takes a night (no accelerator, {cores} cores)"
    state = BAD if not findings.laptop() else NOTE if findings.bad() else GOOD
    findings.add(state, "可运行 · profiles", advice)
    return findings


def main(arguments: list[str]) -> int:
    """Print the report; return 0 when nothing is marked as a problem, else 1."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils doctor", description="这台机器能运行什么 · what this machine can run"
    )
    parser.add_argument("--json", action="store_true", help="供程序读取 · for programs")
    help_devices = "在一个设备和全部设备上各训练一次，比较结果 · train on one device and on all, and compare"
    parser.add_argument("--devices", action="store_true", help=help_devices)
    options = parser.parse_args(arguments)
    if options.json:
        # What set-up says on its way is not JSON.
        with contextlib.redirect_stdout(sys.stderr):
            findings = examine(options.devices)
        report = {"laptop": findings.laptop(), "findings": findings.rows}
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        findings = examine(options.devices)
        for row in findings.rows:
            print(f"{SIGNS[row['state']]} {row['subject']}: {row['text']}")
            for line in row["remedy"].splitlines():
                print(f"    → {line.strip()}")
    return 1 if findings.bad() else 0
