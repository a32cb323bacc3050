"""python3 -m course_utils COMMAND: one entry for everything. Sets up first (see bootstrap.py), then hands over.

This file parses on Python 3.6, as bootstrap.py does, so that an old Python can say which one is needed.
"""

import difflib
import os
import sys

from course_utils.door import bootstrap

COMMANDS = (
    ("run", "执行章节，写出 report/index.html", "execute the chapters and write report/index.html"),
    ("lab", "在 JupyterLab 中打开你自己的副本 my-course/", "open your own copies, my-course/, in JupyterLab"),
    ("test", "运行测试（其余参数交给 pytest）", "run the tests (further arguments go to pytest)"),
    (
        "build",
        "由 notebooks/source 生成两种语言的笔记本",
        "make both languages' notebooks from notebooks/source",
    ),
    ("seeds", "换随机种子重复运行，保存波动范围", "repeat with other seeds and store the spread"),
    ("report", "由已有结果重写报告", "write the report again from stored results"),
    ("doctor", "检查这台机器能运行什么", "say what this machine can run"),
)


def help_text():
    """Both languages, so that nobody has to know a switch before being able to read."""
    lines = [
        "实测深度学习 · Deep Learning, Measured",
        "",
        "用法 · usage:  python3 -m course_utils COMMAND [...]",
        "",
    ]
    for name, chinese, english in COMMANDS:
        lines += [f"  {name:<8}{chinese}", f"  {'':<8}{english}"]
    lines += [
        "",
        "每个命令在首次使用时都会先建立 .venv（约 4 GB 磁盘、需要网络）；之后不再重复。",
        "Every command first makes .venv when there is none (about 4 GB of disk, a network); that is done once.",
        "",
        "环境变量 · environment variables:",
        "  COURSE_VENV=FOLDER          环境放在别处 · put the environment elsewhere",
        "  COURSE_ENVIRONMENT=current  使用当前 Python，不安装 · use this Python as it is, install nothing",
    ]
    return "\n".join(lines)


def dispatch(command, arguments):
    """Runs one command inside the finished environment; returns its exit code."""
    if command in ("run", "report", "seeds"):
        from course_utils.workshop import runner

        return runner.main(command, arguments)
    if command == "build":
        from course_utils.workshop import build

        return build.main(arguments)
    if command == "test":
        return run_tests(arguments)
    if command == "lab":
        from course_utils.door import lab

        return lab.main(arguments)
    from course_utils.door import doctor

    return doctor.main(arguments)


def run_tests(arguments):
    """Runs pytest in the repository, two files at a time, on the smallest profile; out of band is a failure."""
    os.environ.update({"COURSE_STRICT": "1", "COURSE_PROFILE": "smoke", "TF_CPP_MIN_LOG_LEVEL": "3"})
    os.chdir(str(bootstrap.ROOT))
    import pytest

    # A file stays on one process: cells of one notebook belong together, and fixtures are made once.
    return int(pytest.main(["-n", "2", "--dist", "loadfile", "--durations", "10"] + arguments))


def main(argv):
    """Returns the exit code: the command's own, 1 for a failed set-up, 2 for a wrong call, 130 after Ctrl-C."""
    bootstrap.prepare_streams()
    names = [name for name, _, _ in COMMANDS]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    command, arguments = argv[0], argv[1:]
    if command not in names:
        close = difflib.get_close_matches(command, names, n=1)
        guess = f"（是 {close[0]} 吗？） · did you mean {close[0]}?" if close else ""
        print(f"没有命令 {command!r} · no command {command!r} {guess}\n", file=sys.stderr)
        print(help_text(), file=sys.stderr)
        return 2
    try:
        bootstrap.enter(command, arguments)
        return dispatch(command, arguments) or 0
    except bootstrap.SetupError as error:
        if command == "doctor":
            from course_utils.door import doctor

            return doctor.main(arguments, problem=str(error))
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n已中断 · interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
