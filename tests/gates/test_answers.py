"""Every exercise: right answers pass, typical wrong ones are refused with a hint that names the mistake."""

import importlib
import re

import pytest

from course_utils import exercises
from course_utils.workshop import source
from course_utils.workshop.chapters import choose

CHAPTERS = {chapter.number: source.read(chapter) for chapter in choose([])}


def answers(number: str) -> dict:
    return importlib.import_module(f"answers.answers_{number}").ANSWERS


def cases(kind: str):
    for number in CHAPTERS:
        for name, entry in answers(number).items():
            for position, answer in enumerate(entry[kind]):
                yield pytest.param(name, answer, id=f"{name}-{position}")


def solutions():
    """Every exercise of every chapter: its name, and the cells that its solution needs."""
    for number, chapter in CHAPTERS.items():
        for position, cell in enumerate(chapter.cells):
            if "exercise" in cell.tags:
                name = re.search(r'exercises\.check\("([^"]+)"', chapter.cells[position + 1].text)[1]
                yield number, name


def test_every_exercise_has_answers():
    for number in CHAPTERS:
        assert {name for chapter, name in solutions() if chapter == number} == set(answers(number))
        assert 3 <= len(answers(number)) <= 5, f"chapter {number} has {len(answers(number))} exercises"


@pytest.mark.parametrize("name, answer", list(cases("right")))
def test_right_answers_pass(name, answer):
    exercises.grade(name, answer)


@pytest.mark.parametrize("name, answer", list(cases("wrong")))
def test_wrong_answers_get_a_hint_that_names_the_mistake(name, answer):
    wrong, word = answer
    with pytest.raises(exercises.Wrong) as caught:
        exercises.grade(name, wrong)
    assert word.lower() in caught.value.hint_en.lower(), caught.value.hint_en
    assert re.search(r"[\u4e00-\u9fff]", caught.value.hint_zh)


@pytest.mark.parametrize("number, name", list(solutions()))
def test_three_wrong_answers_an_exercise(number, name):
    assert len(answers(number)[name]["right"]) >= 1
    assert len(answers(number)[name]["wrong"]) >= 3
