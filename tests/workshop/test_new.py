"""`new`: what it writes passes the linter and the tests of answers, and nothing that exists is written over."""

import importlib.util
import json

import pytest

from course_utils import exercises
from course_utils.workshop import new, source
from course_utils.workshop.chapters import UsageError, at
from course_utils.workshop.lint import lint


def load(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_new_chapter_passes_the_linter_and_its_answers_are_judged(tmp_path):
    chapter_file, checks, quiz, answers = new.write("42", "A Quiet Chapter", "安静的一章", tmp_path)
    assert chapter_file == tmp_path / "notebooks" / "source" / "42_a_quiet_chapter.py"
    assert lint(source.read(at(chapter_file))) == []
    assert json.loads(quiz.read_text(encoding="utf-8"))[0]["options"][1]["right"] is True
    load(checks)
    ((name, cases),) = load(answers).ANSWERS.items()
    for answer in cases["right"]:
        exercises.grade(name, answer)
    for answer, word in cases["wrong"]:
        with pytest.raises(exercises.Wrong, match=word):
            exercises.grade(name, answer)


@pytest.mark.parametrize(
    "number, english, chinese, said",
    [
        ("8", "A", "一", "08e"),
        ("08E", "A", "一", "08e"),
        ("42", "", "一", "title"),
        ("42", "A", "B", "title"),
    ],
)
def test_wrong_numbers_and_titles_are_refused(tmp_path, number, english, chinese, said):
    with pytest.raises(UsageError, match=said):
        new.write(number, english, chinese, tmp_path)
    assert list(tmp_path.rglob("*.py")) == []


def test_a_taken_number_is_refused(tmp_path):
    new.write("42", "A", "一", tmp_path)
    with pytest.raises(UsageError, match="taken: 42_a"):
        new.write("42", "B", "二", tmp_path)
