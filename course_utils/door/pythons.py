"""Which Python will do, said before anything is downloaded."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Sequence

from course_utils.door import SetupError

# The Pythons that TensorFlow 2.21 and the course both have.
OLDEST, NEWEST = (3, 11), (3, 13)
MACHINES = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",), "Windows": ("amd64",)}


def running_version() -> tuple[int, int]:
    """Return (3, 12) of the Python that runs this."""
    return sys.version_info[0], sys.version_info[1]


def interpreter_version(command: Sequence[str]) -> tuple[int, int] | None:
    """Return (3, 12) for a command that starts a 64-bit Python, None for one that does not.

    A pyenv shim without its Python, the Microsoft Store's stand-in and a broken link are there and do not start.
    """
    question = "import sys, struct; print(*sys.version_info[:2], struct.calcsize('P'))"
    try:
        # -E: PYTHONHOME of another Python would keep this one from starting.
        output = subprocess.check_output(
            [*command, "-E", "-c", question], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=15
        )
        major, minor, pointer = (int(word) for word in output.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return (major, minor) if pointer == 8 else None


def suitable_interpreter() -> list[str] | None:
    """Return the command words of a Python that would do and really starts, e.g. ["python3.12"]; None without one."""
    versions = [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    names = [*(f"python{version}" for version in versions), "python3", "python"]
    commands = [[name] for name in names if shutil.which(name)]
    if os.name == "nt" and shutil.which("py"):
        commands = [["py", f"-{version}"] for version in versions] + commands
    for command in commands:
        version = interpreter_version(command)
        if version and OLDEST <= version <= NEWEST:
            return command
    return None


def check_python(arguments: Sequence[str] = ()) -> None:
    """Say early that no TensorFlow of the course exists for this Python or this machine.

    Args:
        arguments: the command line, to be typed again with another Python.

    Raises:
        SetupError: what is wrong, and which Python on this machine would do.
    """
    version, written = running_version(), "{}.{}".format(*running_version())
    system, machine = platform.system(), platform.machine().lower()
    if version < OLDEST:
        reason = (
            f"Python {written} 太旧：需要 3.11 到 3.13 · Python {written} is too old: 3.11 to 3.13 is needed"
        )
    elif version > NEWEST:
        reason = (
            f"Python {written} 太新：TensorFlow 2.21 只支持到 3.13 · Python {written} is too new: "
            "TensorFlow 2.21 exists for 3.11 to 3.13"
        )
    elif struct.calcsize("P") != 8:
        reason = "这是 32 位 Python，TensorFlow 只有 64 位版本 · this Python is 32-bit, TensorFlow exists for 64-bit only"
    elif (system, machine) == ("Darwin", "x86_64"):
        raise SetupError(
            "TensorFlow 2.21 不支持 Intel Mac：请用 Binder 或 Colab；若是 Apple 芯片，请改装 arm64 的 Python · "
            "TensorFlow 2.21 does not exist for Intel Macs: use Binder or Colab; "
            "on Apple silicon this is an Intel Python, install an arm64 one"
        )
    elif machine not in MACHINES.get(system, ()):
        raise SetupError(
            f"没有 {system} {machine} 的 TensorFlow · there is no TensorFlow for {system} {machine}: use Binder or Colab "
            "(Windows on ARM: install the x86-64 Python)"
        )
    elif platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        reason = (
            "TensorFlow 需要普通的 CPython（非 PyPy、非自由线程版） · TensorFlow needs ordinary CPython, "
            "not PyPy and not the free-threaded build"
        )
    elif "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        raise SetupError(
            "TensorFlow 需要 glibc，Alpine 不行 · TensorFlow needs glibc; Alpine Linux has musl: use another image"
        )
    else:
        return
    raise SetupError(f"{reason} ({sys.executable})\n{_another_python(arguments)}")


def _another_python(arguments: Sequence[str]) -> str:
    """Tell what to type, or what to install."""
    found = suitable_interpreter()
    if found:
        typed = " ".join([*found, "-m", "course_utils", *arguments])
        return f"这台机器上有合适的版本，请输入 · this machine has a suitable one, type:\n    {typed}"
    return (
        "请安装 Python 3.12：python.org 或系统的软件包管理器 · "
        "install Python 3.12, from python.org or your system's package manager"
    )


def check_venv_module() -> None:
    """Say that this Python cannot make an environment: Debian leaves the modules out.

    Raises:
        SetupError: the module that is missing, and the package that has it.
    """
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        version = "{}.{}".format(*running_version())
        raise SetupError(
            f"这个 Python 缺少模块 {error.name} · this Python lacks the module {error.name}. "
            f"Debian, Ubuntu: sudo apt install python{version}-venv"
        ) from None
