"""python3 -m course_utils COMMAND: one entry for everything. Sets up first (see door/), then hands over.

This file parses on Python 3.8, as the door does, so that an old Python can say which one is needed.
"""

from __future__ import annotations

import difflib
import importlib
import io
import sys

from course_utils.door import SetupError, accelerators, environment, pip

# Command: (module, in Chinese, in English). A module's main(arguments) returns the exit code.
COMMANDS = {
    "run": (
        "workshop.run",
        "执行章节，写出 report/index.html",
        "execute the chapters and write report/index.html",
    ),
    "lab": (
        "door.lab",
        "在 JupyterLab 中打开你自己的副本 my-course/",
        "open your own copies, my-course/, in JupyterLab",
    ),
    "test": (
        "door.tests",
        "运行测试（其余参数交给 pytest）",
        "run the tests (further arguments go to pytest)",
    ),
    "build": (
        "workshop.build",
        "由 notebooks/source 生成两种语言的笔记本",
        "make both languages' notebooks from notebooks/source",
    ),
    "seeds": (
        "workshop.seeds",
        "换随机种子重复运行，保存波动范围",
        "repeat with other seeds and store the spread",
    ),
    "report": ("workshop.report", "由已有结果重写报告", "write the report again from stored results"),
    "new": ("workshop.new", "写出新一章的骨架", "write a new chapter's skeletons"),
    "kernel": (
        "door.kernel",
        "把课程环境登记为 Jupyter 内核（JupyterLab、VS Code……）",
        "register the course's environment as a Jupyter kernel (JupyterLab, VS Code ...)",
    ),
    "launch": (
        "door.launch",
        "把一个脚本作为多个工作进程启动（本机，或通过 ssh）",
        "start a script as several workers (on this machine, or over ssh)",
    ),
    "doctor": ("door.doctor", "检查这台机器能运行什么", "say what this machine can run"),
}


def help_text() -> str:
    """Return the help in both languages, so that nobody has to know a switch before being able to read."""
    lines = [
        "实测深度学习 · Deep Learning, Measured",
        "",
        "用法 · usage:  python3 -m course_utils COMMAND [...]",
        "",
    ]
    for name, (_, chinese, english) in COMMANDS.items():
        lines += [f"  {name:<8}{chinese}", f"  {'':<8}{english}"]
    disk, cuda = f"{pip.GIGABYTES_NEEDED:g} GB", f"{accelerators.GIGABYTES_TO_DOWNLOAD:g} GB"
    lines += [
        "",
        f"每个命令在首次使用时都会先建立 .venv（约 {disk} 磁盘、需要网络）；之后不再重复。",
        f"Every command first makes .venv when there is none (about {disk} of disk, a network); that is done once.",
        "",
        "环境变量 · environment variables:",
        "  COURSE_VENV=FOLDER          环境放在别处 · put the environment elsewhere",
        "  COURSE_ENVIRONMENT=current  使用当前 Python，不安装 · use this Python as it is, install nothing",
        f"  COURSE_CPU_ONLY=1           有 NVIDIA GPU 也只用 CPU，不下载 CUDA 库（{cuda}）",
        f"                              the CPU alone in spite of an NVIDIA GPU, without its libraries ({cuda})",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Return the exit code: the command's own, 1 for a failed set-up, 2 for a wrong call, 130 after Ctrl-C."""
    _prepare_streams()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    command, *further = arguments
    if command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        guess = f"（是 {close[0]} 吗？） · did you mean {close[0]}?" if close else ""
        print(f"没有命令 {command!r} · no command {command!r} {guess}\n", file=sys.stderr)
        print(help_text(), file=sys.stderr)
        return 2
    try:
        # The doctor looks at the environment from outside: it has to report when there is none.
        if command != "doctor":
            environment.enter(command, further)
        module = importlib.import_module(f"course_utils.{COMMANDS[command][0]}")
        return int(module.main(further))
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n已中断 · interrupted", file=sys.stderr)
        return 130


def _prepare_streams() -> None:
    """Replace characters that a terminal cannot show; an error text must never fail to print."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
