"""One table of commands: each is there, each main takes its arguments and returns an exit code; help in both languages."""

import ast
from pathlib import Path

import pytest

from course_utils import __main__ as entry

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", entry.COMMANDS)
def test_every_command_is_a_module_with_a_main_of_its_arguments(command):
    module, chinese, english = entry.COMMANDS[command]
    path = ROOT / "course_utils" / (module.replace(".", "/") + ".py")
    # Parsed, not imported: some need what is only in the finished environment.
    mains = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if getattr(node, "name", "") == "main"
    ]
    (main,) = mains
    arguments = main.args
    needed = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    assert needed == 1 and not [default for default in arguments.kw_defaults if default is None]
    assert ast.unparse(main.returns) == "int"
    assert chinese and english.isascii()


@pytest.mark.parametrize("arguments, code", [([], 0), (["--help"], 0), (["rum"], 2)])
def test_help_and_unknown_commands(course, arguments, code):
    found, output = course.run(*arguments)
    assert found == code
    for command in entry.COMMANDS:
        assert f"\n  {command} " in output
    assert "execute the chapters" in output and "执行章节" in output
    assert ("did you mean run" in output) == (code == 2)
    assert not course.venv.exists()


def test_a_terminal_without_chinese_still_gets_the_help(course):
    code, output = course.run("--help", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert code == 0 and "execute the chapters" in output and "?" in output
