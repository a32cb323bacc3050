"""Bands beside the results: the rule that makes them, the faults that the linter must catch, and what a build does with them."""

import dataclasses
import json
import math
import shutil

import pytest
from small_chapter import small_chapter
from small_notebook import RECORD, make_notebook

from course_utils import files, results
from course_utils.workshop import assemble, bands, build, jobs, seeds, source
from course_utils.workshop import lint as rules
from course_utils.workshop.chapters import PASSED

IN_CODE = """band = choose(smoke=(0, 1), laptop=(0.4, 0.6), full=(0.4, 0.6))
results.record("small.number", 0.5, band=band)"""
CELL = 'results.record("small.number", 0.5)'
GOOD = {"laptop": {"small.number": [0.4, 0.6]}, "smoke": {"small.number": [0.3, 0.7]}, "why": {}}


def carried_over(folder, content=GOOD, cell=CELL):
    """The small chapter with its bands beside the results instead of in its code."""
    read = small_chapter(folder, lambda text: text.replace(IN_CODE, cell))
    if content is not None:
        files.write(read.chapter.bands, bands.as_text(content))
    return read


def store(read, values=(0.5, 0.48, 0.53), **number):
    """Store a laptop run and seeds of the small chapter."""
    entry = {"value": values[0], "unit": "", "digits": 4, "band": [0.4, 0.6], "in_band": True, **number}
    spread = {"values": list(values), "lowest": min(values), "highest": max(values)}
    files.write_json(read.chapter.results(), {"numbers": {"small.number": entry}})
    files.write_json(read.chapter.results("seeds"), {"seeds": [0, 1, 2], "numbers": {"small.number": spread}})


# --- the rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, digits, band",
    [
        ([0.90, 0.94], 4, [0.82, 1.02]),
        ([0.8118, 0.8118, 0.8118], 4, [0.8117, 0.8119]),  # agreeing seeds: one unit of the last digit
        ([24_576, 24_576], 0, [24_576, 24_576]),  # a count is exact
        ([0.12341, 0.12359], 3, [0.122, 0.125]),  # rounded outwards, never inwards
        ([-3.0, -1.0, -2.0], 1, [-7.0, 3.0]),
    ],
)
def test_a_band_is_the_seeds_range_and_twice_that_on_either_side(values, digits, band):
    assert bands.suggested(values, digits) == band


def test_new_seeds_keep_what_a_person_overrode_and_judge_no_time():
    before = {
        "laptop": {"cnn.accuracy": [0.5, 0.9], "cnn.loss": [0, 9], "cnn.gone": [1, 2]},
        "smoke": {"cnn.loss": [0, 3]},
        "why": {"cnn.accuracy": "another oneDNN moves it"},
    }
    numbers = {
        "cnn.accuracy": {"suggested_band": [0.7, 0.8], "unit": ""},
        "cnn.loss": {"suggested_band": [0.1, 0.2], "unit": ""},
        "cnn.seconds": {"suggested_band": [1, 2], "unit": "s"},
    }
    content = bands.merged(before, "laptop", numbers)
    assert content == {
        "smoke": {"cnn.loss": [0, 3]},
        "laptop": {"cnn.accuracy": [0.5, 0.9], "cnn.loss": [0.1, 0.2], "cnn.seconds": None},
        "why": {"cnn.accuracy": "another oneDNN moves it", "cnn.seconds": bands.WHY_NOT_JUDGED},
    }
    assert json.loads(bands.as_text(content)) == content
    assert '  "cnn.loss": [0.1, 0.2],\n' in bands.as_text(content)


def test_seeds_write_the_bands_of_the_profiles_that_are_asked_for(course, tmp_path):
    make_notebook(course, "01_good", RECORD)
    options = ["01", "--seeds", "0", "4", "--output", str(tmp_path / "report"), "--jobs", "2"]
    assert seeds.main([*options, "--profile", "laptop,smoke"]) == PASSED
    written = files.read_json(course / "bands" / "01.json")
    # Printed with three digits: 0.90 and 0.94, and twice their range of 0.04.
    assert written == {
        "smoke": {"toy.accuracy": [0.82, 1.02]},
        "laptop": {"toy.accuracy": [0.82, 1.02]},
        "why": {},
    }


def test_seeds_leave_bands_alone_that_stand_in_the_code(tmp_path, capsys):
    read = small_chapter(tmp_path)
    seeds._store_bands(read.chapter, "laptop", {"small.number": {"suggested_band": [0.4, 0.6], "unit": ""}})
    assert not read.chapter.bands.exists() and "band=" in capsys.readouterr().out


# --- the linter ---------------------------------------------------------------------------------------------------

NAMED = 'results.record("small.number", 0.5)\nfor name in "ab":\n    results.record(f"loss.{name}_end", 1, unit="nats")'
BOTH = {
    profile: {"small.number": [0.4, 0.6], "loss.a_end": [0.5, 1.5], "loss.b_end": [0.5, 1.5]}
    for profile in ("laptop", "smoke")
}


def test_a_chapter_with_its_bands_is_clean(tmp_path):
    read = carried_over(tmp_path)
    store(read)
    assert rules.lint(read) + bands.lint(read, carried_over=True) == []
    computed = carried_over(tmp_path / "computed", {**BOTH, "why": {}}, NAMED)
    assert bands.lint(computed, carried_over=True) == []


def test_an_older_chapter_needs_no_bands(tmp_path):
    assert bands.lint(small_chapter(tmp_path), carried_over=False) == []


def with_band(name="small.number", band=(0.4, 0.6), **why):
    profiles = {profile: {"small.number": [0.4, 0.6], name: band} for profile in ("laptop", "smoke")}
    return {**profiles, "why": why}


FAULTS = {
    "no file": (None, "no bands: run python3 -m course_utils seeds 02"),
    "not JSON": ("{", "was expected"),
    "a misspelt profile": ({**GOOD, "latop": {}}, "latop"),
    "smoke lacks it": ({**GOOD, "smoke": {}}, "smoke: small.number has no entry"),
    "laptop lacks it": ({**GOOD, "laptop": {}}, "laptop: small.number has no entry"),
    "nobody records it": (with_band("small.gone"), "laptop: nobody records small.gone"),
    "null without a reason": (with_band(band=None), "say why it is not judged"),
    "three ends": (with_band(band=[1, 2, 3]), "[lowest, highest] was expected"),
    "turned round": (with_band(band=[2, 1]), "[lowest, highest] was expected"),
    "all of 0 to 1": (with_band(band=[-0.1, 1.2]), "covers all of 0 to 1"),
    "all of 0 to 1, with a reason": (
        with_band(band=[0, 1], **{"small.number": "so it passes"}),
        "covers all of 0 to 1",
    ),
    "no upper end": (with_band(band=[0, math.inf]), "nothing can leave"),
    "too wide": (with_band(band=[0.2, 0.8]), "more than 10 times as wide"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_linter_catches(tmp_path, fault):
    content, complaint = FAULTS[fault]
    read = carried_over(tmp_path, None if isinstance(content, str) else content)
    if isinstance(content, str):
        files.write(read.chapter.bands, content)
    store(read)
    said = bands.lint(read, carried_over=True)
    assert any(complaint in one for one in said), said


def test_the_linter_knows_recorded_names_that_are_computed(tmp_path):
    content = {**BOTH, "why": {}}
    read = carried_over(tmp_path, content, NAMED)
    store(read)
    stored = files.read_json(read.chapter.results())
    for name in ("loss.a_end", "loss.c_end"):
        stored["numbers"][name] = {"value": 1.0, "unit": "nats", "digits": 4, "band": None, "in_band": None}
    files.write_json(read.chapter.results(), stored)
    said = "\n".join(bands.lint(read, carried_over=True))
    assert "laptop: loss.c_end has no entry" in said and "smoke: loss.c_end has no entry" in said
    assert "laptop: nobody records loss.b_end" in said and "loss.a_end" not in said


def test_a_reason_may_widen_a_band_and_leave_a_number_unjudged(tmp_path):
    for band in ([0.2, 0.8], None):
        content = with_band(band=band, **{"small.number": "two cores and eight differ by this much"})
        read = carried_over(tmp_path / str(band), content)
        store(read)
        assert bands.lint(read, carried_over=True) == []


def test_bands_in_the_code_and_beside_the_results_are_one_too_many(tmp_path):
    read = small_chapter(tmp_path)
    files.write(read.chapter.bands, bands.as_text(GOOD))
    (said,) = bands.lint(read, carried_over=False)
    assert "02_small.py:" in said and "leave out band=" in said


# --- seed 0 is the stored run -------------------------------------------------------------------------------------


def test_seed_0_is_the_stored_run_up_to_what_is_printed(tmp_path):
    read = carried_over(tmp_path)
    assert bands.floating(read.chapter) == ["seeds: seed 0 is not among the stored ones"]
    store(read, value=0.500_04)
    assert bands.floating(read.chapter) == []
    store(read, value=0.501)
    assert bands.floating(read.chapter) == ["small.number: 0.5 with seed 0, 0.501 in the laptop run"]
    store(read, value=0.9, band=None, in_band=None)  # a time
    assert bands.floating(read.chapter) == []
    files.write_json(read.chapter.results(), {"numbers": {}})
    assert "nan in the laptop run" in bands.floating(read.chapter)[0]


# --- building -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The small chapter without band=, built once: executing it imports TensorFlow."""
    read = carried_over(tmp_path_factory.mktemp("course"))
    assert build.build([read]) == ([], False)
    return read


@pytest.fixture
def copy(built, tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "CARRIED_OVER", ["02"])
    monkeypatch.setattr(jobs.Job, "start", lambda *_: pytest.fail("a band is no reason to execute"))
    shutil.copytree(built.chapter.notebooks, tmp_path / "notebooks")
    return source.read(dataclasses.replace(built.chapter, notebooks=tmp_path / "notebooks"))


def printed(read):
    cells = assemble.code_cells(build._read(read.chapter.notebook("en")))
    return next(cell.outputs[0].text for cell in cells if "results.record" in cell.source)


def new_bands(read, laptop):
    files.write(read.chapter.bands, bands.as_text({**GOOD, "laptop": {"small.number": laptop}}))


def test_a_kernel_judges_by_the_bands_beside_the_results(built):
    number = files.read_json(built.chapter.results())["numbers"]["small.number"]
    assert number["band"] == [0.4, 0.6] and number["in_band"] is True
    assert "small.number = 0.5000 " in printed(built) and printed(built).endswith("[0.4, 0.6] ✓\n")


def test_check_is_content_with_bands(copy):
    assert build.check(copy) == [] and build.not_judged([copy]) == []


def test_a_new_band_executes_nothing_and_judges_the_stored_numbers_again(copy):
    new_bands(copy, [0.45, 0.55])
    (problem,) = build.check(copy)
    assert "laptop-02.json: judged by other bands" in problem
    assert build.build([copy]) == ([], False)
    assert files.read_json(copy.chapter.results())["numbers"]["small.number"]["band"] == [0.45, 0.55]
    assert printed(copy).endswith("[0.45, 0.55] ✓\n")
    assert build.check(copy) == []


def test_a_number_outside_its_new_band_is_said(copy):
    new_bands(copy, [0.51, 0.55])
    said = "02_small: small.number = 0.5 is outside its band [0.51, 0.55]"
    assert said in build.check(copy)
    assert build.build([copy]) == ([said], False)
    assert printed(copy).endswith("✗\n")


def test_a_number_without_an_entry_is_named_not_judged(copy):
    files.write(copy.chapter.bands, bands.as_text({**GOOD, "laptop": {}}))
    assert build.not_judged([copy]) == ["02: 未判定 · not judged: small.number"]
    assert build.build([copy]) == ([], False)
    assert printed(copy) == "small.number = 0.5000\n"
    assert any("laptop: small.number has no entry" in problem for problem in build.check(copy))


def test_a_line_is_rewritten_only_where_it_is_the_recorded_number():
    number = {"value": 0.5, "unit": "", "digits": 4, "band": [0.4, 0.6], "in_band": True}
    text = "a.b = 0.5000\na.b = 0.25 of all\nc.d = 0.5000\n"
    wanted = f"{results.line('a.b', number, 'en')}\na.b = 0.25 of all\nc.d = 0.5000\n"
    assert bands.rewritten(text, {"a.b": number}, "en") == wanted
    assert bands.rewritten(wanted, {"a.b": number}, "en") == wanted


def test_new_bands_of_another_chapter_s_results_change_no_stamp(copy, tmp_path):
    other = tmp_path / "laptop-07.json"
    number = {"value": 0.5, "band": None, "in_band": None}
    stamps = []
    for change in ({}, {"band": [0, 1], "in_band": True}, {"value": 0.6}):
        files.write_json(other, {"stamp": str(change), "numbers": {"a.b": {**number, **change}}})
        stamps.append(build.stamp(["print(1)"], [other]))
    assert stamps[0] == stamps[1] != stamps[2]
