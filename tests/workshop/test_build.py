"""The way from a chapter's source to its notebooks, and every fault that the check must catch."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from small_chapter import small_chapter

from course_utils import files
from course_utils.workshop import assemble, build, jobs, readme, source
from course_utils.workshop.chapters import INTERRUPTED, ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The small chapter, built once: executing it imports TensorFlow."""
    folder = tmp_path_factory.mktemp("course")
    read = small_chapter(folder)
    assert build.build([read]) == ([], False)
    return read


@pytest.fixture
def copy(built, tmp_path):
    """A fresh copy of the built chapter that a test may break."""
    shutil.copytree(built.chapter.notebooks, tmp_path / "notebooks")
    return source.read(dataclasses.replace(built.chapter, notebooks=tmp_path / "notebooks"))


def changed(read, old: str, new: str):
    path = read.chapter.source
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return source.read(read.chapter)


def notebook(read, language="en"):
    return nbformat.read(read.chapter.notebook(language), as_version=4)


# --- building ---------------------------------------------------------------------------------------------------


def test_both_languages_share_code_ids_and_outputs(built):
    english, chinese = (assemble.code_cells(notebook(built, language)) for language in ("en", "zh"))
    assert [(cell.id, cell.source, cell.execution_count) for cell in english] == [
        (cell.id, cell.source, cell.execution_count) for cell in chinese
    ]
    assert all(re.fullmatch("[0-9a-f]{8}", cell.id) for cell in english)
    assert [cell.execution_count for cell in english] == list(range(1, len(english) + 1))


def test_figures_carry_alt_text_of_their_language(built):
    for language, alt in (("en", "a rising line"), ("zh", "一条上升的直线")):
        cell = next(
            cell for cell in assemble.code_cells(notebook(built, language)) if "plots.show" in cell.source
        )
        assert [assemble.alt_of(output) for output in cell.outputs] == [alt]
        assert cell.metadata.mystnb.image.alt == alt
        markup = cell.outputs[0]["data"]["text/html"]
        assert f'<img alt="{alt}"' in markup and (f"<figcaption>{alt}" in markup) is (language == "zh")


def test_plumbing_is_folded_and_nothing_else(built):
    for language in ("en", "zh"):
        for cell in notebook(built, language).cells:
            tags = cell.metadata.get("tags", [])
            folded = bool({"setup", "parameters", "plot"} & set(tags))
            assert cell.metadata.get("jupyter", {}).get("source_hidden", False) is folded
            assert (cell.metadata.get("cellView") == "form") is folded
            assert ("hide-input" in tags) is folded


def test_folding_a_cell_executes_nothing(copy):
    plot = changed(copy, "# %%\nfigure, axis", '# %% tags=["plot"]\nfigure, axis')
    assert not build.execution_needed(plot, notebook(copy))
    assert build.build([plot]) == ([], False)
    cell = next(cell for cell in notebook(copy).cells if "plots.show" in cell.source)
    assert cell.metadata.jupyter.source_hidden and cell.outputs


def test_hero_is_shown_under_the_title_of_both_notebooks(copy):
    hero = changed(copy, "# %%\nfigure, axis", '# %% tags=["hero"]\nfigure, axis')
    assert build.build([hero]) == ([], False) and build.check(hero) == []
    for language, alt in (("en", "a rising line"), ("zh", "一条上升的直线")):
        cells = notebook(copy, language).cells
        figure = next(cell for cell in cells if "plots.show" in cell.source).outputs[0]
        picture = figure["data"]["image/png"].strip()
        assert cells[1].source.startswith(
            f'<img alt="{alt}" width="168" src="data:image/png;base64,{picture}">'
        )
        assert cells[1].source.endswith(alt) is (language == "zh")


def test_a_heavy_hero_is_refused(copy, monkeypatch):
    monkeypatch.setattr(assemble, "MOST_HERO_BYTES", 1000)
    hero = changed(copy, "# %%\nfigure, axis", '# %% tags=["hero"]\nfigure, axis')
    with pytest.raises(build.BuildError, match="kB; it has at most 1"):
        build.finished_notebooks(hero, build.stored_notebooks(copy.chapter))


def test_results_hold_number_band_and_cost(built):
    stored = json.loads(built.chapter.results().read_text(encoding="utf-8"))
    assert stored["numbers"]["small.number"]["band"] == [0.4, 0.6]
    assert stored["numbers"]["small.number"]["in_band"] is True
    assert stored["cost"]["seconds"] > 0.5 and 0.05 < stored["cost"]["peak_memory_gb"] < 1.2
    assert stored["profile"] == "laptop" and stored["chapter"] == "02"


def test_cost_cell_shows_the_run_that_is_stored(built):
    stored = json.loads(built.chapter.results().read_text(encoding="utf-8"))
    cell = next(
        cell for cell in assemble.code_cells(notebook(built)) if "cost" in cell.metadata.get("tags", [])
    )
    assert f"measured: {stored['cost']['seconds']:.0f} s" in cell.outputs[0].text


def test_building_again_changes_nothing(copy, capsys):
    before = {path: path.read_bytes() for path in copy.chapter.notebooks.rglob("*.ipynb")}
    assert len(before) == 2 and build.build([copy]) == ([], False)
    assert {path: path.read_bytes() for path in before} == before
    assert capsys.readouterr().out == ""


def test_text_edits_execute_nothing(copy, monkeypatch):
    monkeypatch.setattr(build, "_job", lambda *_: pytest.fail("a text edit must not execute"))
    chapter = changed(copy, "# # 2 A small chapter", "# # 2 A very small chapter")
    source.accept_translations(chapter)
    build.build([source.read(chapter.chapter)])
    assert notebook(copy).cells[0].source == "# 2 A very small chapter"
    assert build.check(source.read(chapter.chapter)) == []


def test_code_edits_execute_the_chapter(copy, monkeypatch):
    executed = []
    monkeypatch.setattr(build, "_job", lambda read: executed.append(read.chapter.number))
    monkeypatch.setattr(jobs, "run", lambda *_: False)
    build.build([changed(copy, "print(6 * 7)", "print(6 * 8)")])
    assert executed == ["02"]


def test_exercise_is_emptied_and_its_solution_folded_after_the_hint(built):
    cells = notebook(built).cells
    position = next(n for n, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", []))
    assert cells[position].source == "def double(number):\n    return ...  # ✎"
    assert "  not attempted yet" in cells[position + 1].outputs[0].text
    assert cells[position + 2].source.startswith("<details><summary>Hint")
    assert "return 2 * number" in cells[position + 3].source
    assert cells[position + 3].source.startswith("<details><summary>One solution")


def test_top_level_solutions_become_names_to_fill_in():
    text = f"{assemble.BEGIN}\nwidth = 3\nheight = width\n{assemble.END}\nprint(width)"
    blank = "# ✎"
    assert assemble.learners_cell(text) == f"width = ...  {blank}\nheight = ...  {blank}\nprint(width)"
    with pytest.raises(ValueError, match="must assign a name"):
        assemble.learners_cell(f"{assemble.BEGIN}\nprint(3)\n{assemble.END}")


def test_solved_and_nbgrader_variants(copy, tmp_path):
    solved = build.solved_notebook(copy, "en")
    assert any("return 2 * number" in cell.source for cell in assemble.code_cells(solved))
    graded = build.nbgrader_notebook(copy, "en")
    kinds = [cell.metadata.nbgrader for cell in graded.cells if "nbgrader" in cell.metadata]
    assert [kind["solution"] for kind in kinds] == [True, False] and kinds[1]["points"] == 1
    assert any(assemble.BEGIN in cell.source for cell in assemble.code_cells(graded))
    assert any("exercises.grade(" in cell.source for cell in assemble.code_cells(graded))


def test_failing_cell_is_named(tmp_path):
    chapter = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", "print(6 / 0)"))
    (problem,), _ = build.build([chapter])
    assert re.search(r"cell 6 failed \(print\(6 / 0\)\)(.|\n)*ZeroDivisionError(.|\n)*log: ", problem), (
        problem
    )
    assert not chapter.chapter.notebook("en").exists()


@pytest.mark.parametrize(
    "code, message",
    [
        ("import sys; print('oops', file=sys.stderr)", "writes to stderr"),
        ("from pathlib import Path; print(Path.home() / 'x', course)", "tells"),
    ],
)
def test_outputs_that_no_reader_should_see_are_refused(tmp_path, code, message):
    chapter = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", code))
    (problem,), _ = build.build([chapter])
    assert message in problem
    assert not chapter.chapter.notebook("en").exists()


def test_a_user_without_a_name_can_build(monkeypatch):
    """Containers start processes under ids that no list of users knows."""

    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(build.getpass, "getuser", nameless)
    assert build._private_text("nothing private") is None
    assert build._private_text(f"in {ROOT}") == str(ROOT)


def test_costly_chapter_is_refused():
    with pytest.raises(build.BuildError, match="peak memory"):
        build._check_cost({"peak_memory_gb": 1.3, "seconds": 1})
    with pytest.raises(build.BuildError, match="took 999 s"):
        build._check_cost({"peak_memory_gb": 1.0, "seconds": 999})


# --- checking ---------------------------------------------------------------------------------------------------


def test_printed_text_is_stored_in_one_piece():
    """The kernel sends what a cell prints in as many pieces as it likes; a figure in between does separate them."""
    cell = nbformat.v4.new_code_cell("print(1)")
    figure = nbformat.v4.new_output("display_data", {"text/plain": "figure"})
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\nb", "c\n", "d\n")]
    cell.outputs = [pieces[0], pieces[1], figure, pieces[2]]
    build._give_clean_outputs(nbformat.v4.new_notebook(cells=[cell]))
    assert [output.get("text") for output in cell.outputs] == ["a\nbc\n", None, "d\n"]


def test_figures_of_earlier_executions_become_html_too(copy):
    stored = notebook(copy)
    cell = next(cell for cell in assemble.code_cells(stored) if "plots.show" in cell.source)
    del cell.outputs[0]["data"]["text/html"]
    for built in build.finished_notebooks(copy, {"en": stored, "zh": stored}).values():
        cells = [cell for cell in assemble.code_cells(built) if "plots.show" in cell.source]
        assert "<img alt=" in cells[0].outputs[0]["data"]["text/html"]


def test_check_is_content_with_what_build_wrote(copy):
    assert build.check(copy) == []


def edit_output(chapter, language):
    edited = notebook(chapter, language)
    cell = next(cell for cell in assemble.code_cells(edited) if cell.source == "print(6 * 7)")
    cell.outputs[0].text = "43\n"
    nbformat.write(edited, chapter.chapter.notebook(language))


def test_check_catches_edited_outputs(copy):
    for language in ("zh", "en"):
        edit_output(copy, language)
        assert f"{language}/02_small: the stored outputs were edited by hand" in build.check(copy)[0]


def test_check_catches_changed_code_and_text(copy):
    assert "runs or reads changed" in build.check(changed(copy, "print(6 * 7)", "print(6 * 8)"))[0]
    text = changed(changed(copy, "print(6 * 8)", "print(6 * 7)"), "double a number", "double any number")
    assert "not what its source gives" in build.check(text)[0]


def test_check_catches_missing_notebook_and_missing_results(copy):
    copy.chapter.results().unlink()
    assert "runs or reads changed" in build.check(copy)[0]
    copy.chapter.notebook("en").unlink()
    assert "never built" in build.check(copy)[0]


# --- several chapters, and an interruption ------------------------------------------------------------------------


def test_chapters_that_read_other_runs_are_built_after_them(tmp_path, monkeypatch):
    """Chapter 1 reads every laptop run: it is executed when chapter 2's new one is there."""
    reader = small_chapter(
        tmp_path, lambda text: text.replace('lang="en"', 'lang="en" reads=["laptop-*"]', 1), "01"
    )
    other = small_chapter(tmp_path, number="02")
    order = []
    monkeypatch.setattr(build, "_job", lambda read: read.chapter.number)
    monkeypatch.setattr(jobs, "run", lambda waiting, *_: order.append(waiting) and False)
    build.build([reader, other], parallel=2)
    assert order == [["02"], ["01"]]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
def test_an_interrupted_build_leaves_no_kernel_and_goes_on_where_it_was(tmp_path):
    """Chapter 98 is done and chapter 99 hangs when Ctrl-C comes; the next build executes chapter 99 alone."""
    hang = "import os, pathlib, time\nmark = pathlib.Path(os.environ['MARK'])\n"
    hang += "if not mark.exists():\n    mark.write_text(str(os.getpid()))\n    time.sleep(120)"
    done = small_chapter(tmp_path, number="98")
    other = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", hang), number="99")
    mark = tmp_path / "mark"
    environment = {
        **os.environ,
        "COURSE_NOTEBOOKS": str(done.chapter.notebooks),
        "COURSE_ENVIRONMENT": "current",
        "MARK": str(mark),
    }
    command = [sys.executable, "-m", "course_utils", "build"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    signal.signal(signal.SIGINT, before)
    for _ in range(1200):
        if mark.exists() and mark.read_text():
            break
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == INTERRUPTED and "en/98_small.ipynb: written" in printed
    assert "what was built is kept" in errors
    assert not psutil.pid_exists(int(mark.read_text()))
    assert done.chapter.notebook("en").exists() and not other.chapter.notebook("en").exists()

    again = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert again.returncode == 0, again.stderr
    assert "98_small" not in again.stdout and "zh/99_small.ipynb: written" in again.stdout


# --- the README ---------------------------------------------------------------------------


def test_readme_table_is_made_from_results_and_checked(copy):
    copy = changed(
        copy, '# %% [markdown] lang="en"\n# # 2', '# %% [markdown] lang="en" telling=["small.number"]\n# # 2'
    )
    root = copy.chapter.notebooks.parent
    page = root / "README.md"
    page.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    assert "table is not what" in readme.update(root, check=True)[0]
    assert readme.update(root, check=False) == []
    text = page.read_text(encoding="utf-8")
    assert "1 / 1" in text and "`small.number` 0.5000" in text and "(notebooks/en/02_small.ipynb)" in text
    assert readme.update(root, check=True) == []
    changed(copy, 'telling=["small.number"]', 'telling=["small.renamed"]')
    assert "02_small.py: not in its results: small.renamed" in readme.update(root, check=False)[0]
    assert page.read_text(encoding="utf-8") == text
    changed(copy, ' telling=["small.renamed"]', "")
    assert readme.update(root, check=True) == []


def test_stored_seeds_and_full_runs_of_earlier_code_are_named(copy):
    assert build.old_results([copy]) == []
    stored = {"stamp": build.stamp_now(copy), "numbers": {}}
    files.write_json(copy.chapter.results("full"), stored)
    files.write_json(copy.chapter.results("seeds"), {**stored, "stamp": "0"})
    assert [note.split(":")[0] for note in build.old_results([copy])] == ["seeds-02.json"]
    read = changed(copy, "print(6 * 7)", "print(6 * 8)")
    assert len(build.old_results([read])) == 2
