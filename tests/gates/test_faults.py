"""Faults that the gates must not let pass, each planted in a small notebook."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import runners
from small_chapter import small_chapter
from small_notebook import make_notebook

from course_utils.workshop import assemble, build
from course_utils.workshop.chapters import ROOT
from course_utils.workshop.lint import lint

OUT_OF_BAND = "from course_utils import results\nresults.record('small.number', 0.5, band=(0.6, 0.7))"


def notebook_in(folder: Path, *cells: str) -> Path:
    """Write a small notebook, executed in appearance: nbval compares no cell that never ran."""
    path = make_notebook(folder / "notebooks", "02_small", *cells)
    notebook = nbformat.read(path, as_version=4)
    for count, cell in enumerate(assemble.code_cells(notebook), start=1):
        cell.execution_count = count
    nbformat.write(notebook, path)
    return path


def store_output(path: Path, source: str, output) -> None:
    """Give one cell of a notebook the output with which nbval compares."""
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.source == source]
    cell.outputs = [output]
    nbformat.write(notebook, path)


def both(path: Path, output: Path, *arguments: str):
    """Return whether nbval and whether `run` pass a notebook, and what `run` printed."""
    compared, _ = runners.nbval(path)
    executed, _, text = runners.run(path.parent.parent, output, *arguments)
    return compared == 0, executed == 0, text


def test_both_runners_pass_a_good_notebook_and_fail_a_bad_one(tmp_path):
    assert both(notebook_in(tmp_path / "a", "number = 1"), tmp_path / "one")[:2] == (True, True)
    assert both(notebook_in(tmp_path / "b", "number = 1 / 0"), tmp_path / "two")[:2] == (False, False)


def test_network_is_refused_in_the_kernel_by_both_runners(tmp_path):
    path = notebook_in(tmp_path, "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)")
    code, said = runners.nbval(path)
    assert code != 0 and "the network is blocked in this test" in said
    _, statuses, said = runners.run(path.parent.parent, tmp_path / "report")
    assert statuses == {"02": "failed"} and "the network is blocked in this test" in said


def test_broken_magic_passes_nbval_and_is_caught_by_the_linter(tmp_path):
    """The reason for the linter's rule: to nbval a magic that does not exist is a cell that prints to stderr."""
    path = notebook_in(tmp_path / "a", "%no_such_magic 1")
    said = "UsageError: Line magic function `%no_such_magic` not found.\n"
    store_output(path, "%no_such_magic 1", nbformat.v4.new_output("stream", name="stderr", text=said))
    code, text = runners.nbval(path)
    assert code == 0, text
    read = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", "%no_such_magic 1"))
    assert any("no notebook magic" in complaint for complaint in lint(read))


def test_timeout_is_caught(tmp_path):
    path = notebook_in(tmp_path, "import time\ntime.sleep(30)")
    code, text = runners.nbval(path, "--nbval-cell-timeout=3")
    assert code != 0, text
    code, statuses, text = runners.run(path.parent.parent, tmp_path / "report", "--timeout", "3")
    assert code != 0 and statuses == {"02": "failed"}, text


def test_unrun_cell_is_caught_by_the_check(tmp_path):
    read = small_chapter(tmp_path, number="99")  # the rules for finished chapters are not its subject
    english = assemble.notebook(read, "en")
    for count, cell in enumerate(assemble.code_cells(english), start=1):
        cell.execution_count = count
    read.chapter.results().parent.mkdir()
    read.chapter.results().write_text("{}", encoding="utf-8")
    build._write(read, {"en": english, "zh": english})
    assert build.check(read) == []
    path = read.chapter.notebook("en")
    notebook = nbformat.read(path, as_version=4)
    assemble.code_cells(notebook)[5].execution_count = None
    nbformat.write(notebook, path)
    assert "edited by hand" in build.check(read)[0]


def test_missing_parameters_cell_is_caught(tmp_path):
    path = make_notebook(tmp_path / "notebooks", "02_small", "number = 1", parameters=())
    code, _, text = runners.run(path.parent.parent, tmp_path / "report")
    assert code != 0 and "parameters" in text


def test_unknown_parameter_is_caught(tmp_path):
    path = notebook_in(tmp_path, "number = 1")
    code, _, text = runners.run(path.parent.parent, tmp_path / "report", "-p", "SED=1")
    assert code != 0 and "SED" in text


def test_out_of_band_number_is_caught_by_both_runners(tmp_path):
    compared, executed, text = both(notebook_in(tmp_path, OUT_OF_BAND), tmp_path / "report")
    assert (compared, executed) == (False, False) and "OutOfBand" in text


def test_changed_output_is_caught_by_nbval(tmp_path):
    path = notebook_in(tmp_path, "print(6 * 7)")
    store_output(path, "print(6 * 7)", nbformat.v4.new_output("stream", name="stdout", text="42\n"))
    assert runners.nbval(path)[0] == 0
    store_output(path, "print(6 * 7)", nbformat.v4.new_output("stream", name="stdout", text="43\n"))
    assert runners.nbval(path)[0] != 0


def test_learner_gets_a_notice_instead_of_an_error():
    learner = {name: value for name, value in os.environ.items() if name != "COURSE_STRICT"}
    finished = subprocess.run(
        [sys.executable, "-c", OUT_OF_BAND],
        env=learner,
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    )
    assert "that is your experiment" in finished.stdout


def test_a_chapter_that_was_never_built_is_named(tmp_path):
    assert "never built" in build.check(small_chapter(tmp_path))[0]


@pytest.mark.parametrize("name", ["results", "stamp"])
def test_a_notebook_without_its_results_or_stamp_is_out_of_date(tmp_path, name):
    read = small_chapter(tmp_path, number="99")  # the rules for finished chapters are not its subject
    english = assemble.notebook(read, "en")
    read.chapter.results().parent.mkdir()
    read.chapter.results().write_text("{}", encoding="utf-8")
    build._write(read, {"en": english, "zh": english})
    if name == "results":
        read.chapter.results().unlink()
    else:
        path = read.chapter.notebook("en")
        notebook = nbformat.read(path, as_version=4)
        del notebook.metadata.course["stamp"]
        nbformat.write(notebook, path)
    assert "since it was executed" in build.check(read)[0]
