"""python -m course_utils doctor: what this machine can run, and what to do about the rest.

Parses on Python 3.6 and imports everything third-party late: when set-up is what fails, it still has to report.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from course_utils.door import bootstrap

GOOD, NOTE, BAD = "ok", "note", "problem"
LAPTOP_GIGABYTES = 2.0  # a kernel peaks under 1.2 GB; JupyterLab and the system need the rest


class Findings:
    """The lines of the report, in order."""

    def __init__(self):
        self.rows = []

    def add(self, state, subject, text, remedy=""):
        self.rows.append({"state": state, "subject": subject, "text": str(text), "remedy": remedy})

    def bad(self):
        return [row for row in self.rows if row["state"] == BAD]


def memory_gigabytes():
    """(total, available) as this process may use them: a container's limit counts, None where nothing is known."""
    try:
        import psutil

        memory = psutil.virtual_memory()
        total, available = memory.total / 1e9, memory.available / 1e9
    except ImportError:
        try:
            page = os.sysconf("SC_PAGE_SIZE") / 1e9
            total, available = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
        except (AttributeError, ValueError, OSError):
            return None, None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")) / 1e9
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")) / 1e9
        total, available = min(total, limit), min(available, limit - used)
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return total, available


def usable_cores():
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def find_chromium():
    """A browser for the browser tests, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    found = [shutil.which(name) for name in names]
    return next((path for path in found if path), None)


def parse_requirements(text):
    """{"tensorflow": "2.21.0", ...} from the pinned lines of a requirements file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;#]+)", text, flags=re.MULTILINE))


def check_packages(findings):
    """Versions against requirements.txt."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7 and older: set-up has said so already
        return False
    path = bootstrap.ROOT / "requirements.txt"
    wanted = parse_requirements(path.read_text(encoding="utf-8"))
    missing, other = [], []
    for name, version in wanted.items():
        # Binder and some images have one of the other builds of TensorFlow.
        names = [name, "tensorflow-cpu", "tensorflow-intel"] if name == "tensorflow" else [name]
        versions = []
        for candidate in names:
            try:
                versions.append(metadata.version(candidate))
            except metadata.PackageNotFoundError:
                pass
        if not versions:
            missing.append(name)
        elif version not in versions:
            other.append(f"{name} {versions[0]} ({version})")
    if missing:
        remedy = f"{sys.executable} -m pip install -r requirements.txt -c constraints.txt"
        findings.add(BAD, "软件包 · packages", "缺少 · missing: " + ", ".join(missing), remedy)
    if other:
        text = "版本不同于课程（括号内） · other versions than the course's (in brackets): " + ", ".join(
            other
        )
        findings.add(NOTE, "软件包 · packages", text)
    if not missing and not other:
        findings.add(
            GOOD,
            "软件包 · packages",
            f"{len(wanted)} 个，版本与 requirements.txt 一致 · as in requirements.txt",
        )
    return not missing


@contextlib.contextmanager
def _quiet():
    """Hides what TensorFlow's C++ writes to the error stream while it starts, which no setting hides."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def check_tensorflow(findings):
    """Devices, and the strategy that a chapter would get. Returns the number of accelerators."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _quiet():
            import tensorflow

            found = tensorflow.config.list_physical_devices()
    except (
        Exception
    ) as error:  # an import can fail in many ways: a missing library, an old CPU, a broken wheel
        remedy = "删除 .venv 后重新运行；Windows 需要 VC++ 运行库 · delete .venv and run again; Windows needs the VC++ runtime"
        findings.add(BAD, "TensorFlow", f"{type(error).__name__}: {error}", remedy)
        return 0
    accelerators = [device for device in found if device.device_type != "CPU"]
    names = ", ".join(device.name for device in accelerators) or "仅 CPU · CPU only"
    findings.add(GOOD, "TensorFlow", f"{tensorflow.__version__}: {names}")
    try:
        from course_utils import devices

        with _quiet():
            strategy = devices.create_strategy()
        text = f"{type(strategy).__name__}, {strategy.num_replicas_in_sync} 个副本 · replicas"
        findings.add(GOOD, "策略 · strategy", text)
    except Exception as error:  # a wrong TF_CONFIG, a busy device
        findings.add(
            BAD,
            "策略 · strategy",
            f"{type(error).__name__}: {error}",
            "检查环境变量 · look at the variables COURSE_CPU_REPLICAS, TF_CONFIG",
        )
    return len(accelerators)


def check_data(findings):
    """Checksums of the data sets that ship, and the font for Chinese in figures."""
    try:
        from course_utils import datasets

        problems = datasets.verify()
    except Exception as error:
        findings.add(
            BAD, "数据 · data", f"{type(error).__name__}: {error}", "git checkout -- course_utils/data"
        )
        return
    for problem in problems:
        findings.add(BAD, "数据 · data", problem, "git checkout -- course_utils/data")
    if not problems:
        findings.add(GOOD, "数据 · data", "校验和全部正确 · all checksums are right")
    try:
        findings.add(GOOD, "字体 · font", datasets.font_path().name)
    except Exception as error:
        text = f"图中的中文会显示为方框 · Chinese in figures will be boxes: {error}"
        findings.add(NOTE, "字体 · font", text, "git checkout -- course_utils/data")


def examine(problem=None):
    """Looks at everything; `problem` is the reason why set-up failed, if it did."""
    findings = Findings()
    findings.add(GOOD, "系统 · system", f"{platform.system()} {platform.release()} {platform.machine()}")
    findings.add(GOOD, "Python", f"{platform.python_version()} ({sys.executable})")
    cores = usable_cores()
    findings.add(GOOD, "处理器 · cores", cores)
    total, available = memory_gigabytes()
    if total is None:
        findings.add(NOTE, "内存 · memory", "未知 · unknown")
    else:
        text = f"{total:.1f} GB, 可用 · available {available:.1f} GB"
        small = total < LAPTOP_GIGABYTES * 0.9  # "2 GB" machines report a little less
        tight = not small and available < 1.2
        remedy = "关闭其他程序，或用 --profile smoke · close other programs, or use --profile smoke"
        findings.add(
            BAD if small else NOTE if tight else GOOD, "内存 · memory", text, remedy if small or tight else ""
        )
    free = shutil.disk_usage(str(bootstrap.ROOT)).free / 1e9
    text = f"{free:.1f} GB 可用 · free"
    findings.add(GOOD if free > 0.5 else BAD, "磁盘 · disk", text, "" if free > 0.5 else "请清理 · make room")

    packages = False
    if problem:
        first, _, rest = problem.partition("\n")
        findings.add(BAD, "环境 · environment", first, rest)
    else:
        place = (
            f"当前 Python · this Python: {sys.prefix}"
            if bootstrap.using_current()
            else bootstrap.venv_folder()
        )
        findings.add(GOOD, "环境 · environment", place)
        packages = check_packages(findings)
    accelerators = check_tensorflow(findings) if packages else 0
    if packages:
        check_data(findings)
    browser = find_chromium()
    text = browser or "没有：浏览器测试会跳过 · none: the browser tests will be skipped"
    findings.add(GOOD if browser else NOTE, "Chromium", text)

    if findings.bad():
        advice = "先解决标有 ✗ 的问题 · first solve what is marked ✗"
    elif accelerators:
        advice = "smoke, laptop, full"
    else:
        advice = f"smoke, laptop；full 需要一夜（无加速器，{cores} 核） · full takes a night (no accelerator, {cores} cores)"
    findings.add(BAD if findings.bad() else GOOD, "可运行 · profiles", advice)
    return findings


def main(arguments, problem=None):
    """Prints the report; 0 when a laptop run can work, else 1."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils doctor", description="这台机器能运行什么 · what this machine can run"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    findings = examine(problem)
    if options.json:
        print(
            json.dumps(
                {"laptop": not findings.bad(), "findings": findings.rows}, ensure_ascii=False, indent=1
            )
        )
    else:
        for row in findings.rows:
            sign = {GOOD: "✓", NOTE: "·", BAD: "✗"}[row["state"]]
            print(f"{sign} {row['subject']}: {row['text']}")
            for line in row["remedy"].splitlines():
                print(f"    → {line.strip()}")
    return 1 if findings.bad() else 0
