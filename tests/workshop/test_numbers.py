"""Numbers in prose: what a placeholder becomes, and which ones nobody can fill."""

import pytest
from small_chapter import small_chapter

from course_utils import files
from course_utils.workshop import assemble, build, numbers, source
from course_utils.workshop.chapters import Chapter
from course_utils.workshop.lint import awaited, lint


@pytest.fixture
def chapter(tmp_path):
    """A chapter 02 with three kinds of stored runs, beside a chapter 05a."""
    here, other = (Chapter(number, f"{number}_x", tmp_path / "notebooks") for number in ("02", "05a"))
    store(here, "laptop", {"cnn.accuracy": (0.98765, 4), "cnn.change": (-3.6, 1), "cnn.never": (None, 4)})
    store(here, "full", {"cnn.accuracy": (0.9921, 4)})
    store(other, "laptop", {"cnn.accuracy": (0.5, 2), "cnn.steps": (12345.6, 0)})
    entry = {"lowest": 0.981, "highest": 0.9894, "values": [0.981, 0.9894]}
    files.write_json(here.results("seeds"), {"numbers": {"cnn.accuracy": entry}})
    return here


def store(chapter, profile, values):
    entries = {name: {"value": value, "digits": digits} for name, (value, digits) in values.items()}
    files.write_json(chapter.results(profile), {"numbers": entries})


@pytest.mark.parametrize(
    "inner, text",
    [
        ("cnn.accuracy:.1%", "98.8%"),
        ("cnn.accuracy", "0.9877"),
        ("laptop:cnn.accuracy:.2f", "0.99"),
        ("cnn.change", "−3.6"),
        ("full:cnn.accuracy:.1%", "99.2%"),
        ("05a/cnn.accuracy", "0.50"),
        ("05a/cnn.steps:,d", "12,346"),
        ("seeds:cnn.accuracy:.1%", "98.1% to 98.9%"),
        ("seeds:cnn.accuracy", "0.9810 to 0.9894"),
        ("seeds:cnn.accuracy:.1f", "1.0"),
    ],
)
def test_a_placeholder_becomes_what_the_runs_say(chapter, inner, text):
    assert numbers.value(inner, chapter, "en") == text
    assert numbers.fill(f"It is {{{{{inner}}}}}.", chapter, "en") == f"It is {text}."


def test_lowest_to_highest_is_said_in_the_readers_language(chapter):
    assert numbers.fill("{{seeds:cnn.accuracy:.1%}}", chapter, "zh") == "98.1% 到 98.9%"


@pytest.mark.parametrize(
    "inner, why",
    [
        ("cnn.acuracy:.1%", "laptop-02.json has no number 'cnn.acuracy'"),
        ("full:cnn.change:.1f", "full-02.json has no number"),
        ("full:05a/cnn.accuracy:.1%", "no full-05a.json"),
        ("07/cnn.accuracy:.1%", "no laptop-07.json"),
        ("cnn.accuracy:.1q", "unknown format '.1q'"),
        ("cnn.accuracy:>20", "unknown format"),
        ("seed:cnn.accuracy", "a number is written"),
        ("accuracy", "a number is written"),
        ("", "a number is written"),
        ("cnn.never", "not a finite number"),
    ],
)
def test_a_placeholder_that_nobody_can_fill_says_why(chapter, inner, why):
    with pytest.raises(numbers.Unknown, match=why):
        numbers.value(inner, chapter, "en")
    text = f"It is {{{{{inner}}}}}."
    assert numbers.fill(text, chapter, "en") == text
    assert [place for place, _ in numbers.problems(text, chapter)] == [inner]


def test_braces_in_code_are_code(chapter):
    text = "`{{cnn.accuracy}}` and\n```\n{{nothing}}\n```"
    assert numbers.fill(text, chapter, "en") == text
    assert list(numbers.problems(text, chapter)) == []


# --- in a chapter -----------------------------------------------------------------------------------------------


def with_number(folder, inner):
    def change(text):
        text = text.replace("A small chapter", f"It has {{{{{inner}}}}}")
        return text.replace("一个小章节", f"它有 {{{{{inner}}}}}")

    return small_chapter(folder, change)


def title(read, language):
    return assemble.notebook(read, language).cells[0].source


def test_a_new_number_changes_both_notebooks_and_no_translation(tmp_path):
    read = with_number(tmp_path, "small.number:.1%")
    for number, text in ((0.5, "50.0%"), (0.25, "25.0%")):
        store(read.chapter, "laptop", {"small.number": (number, 4)})
        again = source.read(read.chapter)
        assert lint(again) == []
        assert title(again, "en") == f"# 2 It has {text}" and title(again, "zh") == f"# 2 它有 {text}"
    assert numbers.other_chapters("{{05a/cnn.x}}", read.chapter)
    assert not numbers.other_chapters("{{02/cnn.x}} {{cnn.x}}", read.chapter)


def test_a_number_that_the_code_records_is_awaited(tmp_path):
    """Before its first execution a chapter has no results; the code says which there will be."""
    read = with_number(tmp_path, "small.number:.1%")
    assert not read.chapter.results().exists() and lint(read) == []
    assert title(read, "en") == "# 2 It has {{small.number:.1%}}"
    assert len(build.unfilled(read)) == 2


def test_seeds_of_a_number_that_the_code_records_do_not_keep_it_from_being_built(tmp_path):
    for inner, waits in (("seeds:small.number", True), ("full:small.number", True), ("seeds:small.x", False)):
        read = with_number(tmp_path, inner)
        assert len(lint(read)) == 2
        assert (awaited([read]) == lint(read)) is waits


@pytest.mark.parametrize(
    "code, known", [('f"{part}.number"', True), ('f"{part}.size"', False), ("name", True)]
)
def test_a_recorded_name_may_be_computed(tmp_path, code, known):
    def change(text):
        text = text.replace('"small.number"', code).replace("A small chapter", "It has {{small.number}}")
        return text.replace("一个小章节", "它有 {{small.number}}")

    assert (lint(small_chapter(tmp_path, change)) == []) is known


@pytest.mark.parametrize(
    "inner, complaint",
    [
        ("small.numbers:.1%", "{{small.numbers:.1%}}: notebooks/results has no laptop-02.json"),
        ("full:small.number", "has no full-02.json"),
        ("number", "a number is written"),
        ("small.number:.1q", "unknown format"),
    ],
)
def test_linter_catches_an_unknown_number(tmp_path, inner, complaint):
    found = lint(with_number(tmp_path, inner))
    assert len(found) == 2 and all(complaint in message for message in found), found
