"""The notebooks' own gate: every chapter by a second runner without a network, and faults it must not let pass.

The first runner, nbval, executes notebooks/en in the same pytest session (see pyproject.toml).
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_chapter import small_chapter

from course_utils.workshop import assemble, build, source
from course_utils.workshop.lint import lint

ROOT = source.ROOT
OFFLINE = str(ROOT / "tests" / "offline")


def environment(**more):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([OFFLINE, str(ROOT)]), **more}


@functools.cache
def isolation() -> list:
    """Return the command that takes every network away, compiled code's too, where the system allows it."""
    isolated = ["unshare", "-rn", sys.executable, str(ROOT / "tests" / "offline" / "isolated.py")]
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return []
    allowed = subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode == 0
    return isolated if allowed else []


def second_runner(notebooks: Path, output: Path, *arguments: str):
    """Execute notebooks with papermill, no network allowed, and return (exit code, chapter -> status, text)."""
    command = [
        sys.executable,
        "-m",
        "course_utils.workshop.runner",
        "run",
        "--profile",
        "smoke",
        "--output",
        str(output),
    ]
    finished = subprocess.run(
        [*isolation(), *command, *arguments],
        env=environment(COURSE_NOTEBOOKS=str(notebooks)),
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=1800,
        check=False,
    )
    state = output / "state.json"
    chapters = json.loads(state.read_text(encoding="utf-8"))["chapters"] if state.exists() else {}
    statuses = {entry["chapter"]: entry["status"] for entry in chapters.values()}
    return finished.returncode, statuses, finished.stdout + finished.stderr


def first_runner(notebook: Path, *arguments: str):
    """Run nbval as the gate does, and return (exit code, text)."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--rootdir", str(notebook.parent), "-c", os.devnull]
    command += ["-q", "-p", "no:cacheprovider", "--nbval-sanitize-with", str(ROOT / "tests" / "sanitize.cfg")]
    finished = subprocess.run(
        [*command, *arguments, str(notebook)],
        env=environment(COURSE_PROFILE="smoke", COURSE_STRICT="1"),
        cwd=notebook.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    return finished.returncode, finished.stdout + finished.stderr


# --- the course -------------------------------------------------------------------------------------------------


def test_every_solved_chapter_passes_the_second_runner_without_a_network(tmp_path):
    """The chapters with their solutions filled in: every exercise must then be answered correctly."""
    chapters = source.select([])
    for chapter in chapters:
        path = tmp_path / "notebooks" / "en" / f"{chapter.stem}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(build.solved_notebook(chapter, "en"), path)
    status, statuses, text = second_runner(tmp_path / "notebooks", tmp_path / "report", "--jobs", "2")
    assert status == 0, text
    assert statuses == {chapter.number: "passed" for chapter in chapters}
    for chapter in chapters:
        executed = nbformat.read(
            tmp_path / "report" / "notebooks" / "en" / f"{chapter.stem}.ipynb", as_version=4
        )
        printed = "".join(
            output.get("text", "") for cell in assemble.code_cells(executed) for output in cell.outputs
        )
        exercises = re.findall(r'exercises\.check\("([^"]+)"', chapter.path.read_text(encoding="utf-8"))
        assert exercises and [name for name in exercises if f"✓ {name}  正确" not in printed] == []


def test_committed_notebooks_are_what_the_sources_give():
    problems = [
        complaint for chapter in source.select([]) for complaint in lint(chapter) + build.check(chapter)
    ]
    assert problems == []


@pytest.mark.parametrize(
    "path", sorted((source.NOTEBOOKS / "en").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_chinese_code_is_the_english_code(path):
    english, chinese = (
        nbformat.read(path.parent.parent / lang / path.name, as_version=4) for lang in ("en", "zh")
    )
    code = [
        [(cell.id, cell.source) for cell in assemble.code_cells(notebook)] for notebook in (english, chinese)
    ]
    assert code[0] == code[1] and len(code[0]) > 10
    prose = [
        [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        for notebook in (english, chinese)
    ]
    assert len(prose[0]) == len(prose[1])
    same = [one for one, other in zip(*prose, strict=True) if one == other]
    assert same == [], "text that was not translated"


@pytest.mark.parametrize(
    "path", sorted((source.NOTEBOOKS / "en").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_half_of_the_outputs_are_compared(path):
    cells = [cell for cell in assemble.code_cells(nbformat.read(path, as_version=4)) if cell.outputs]
    compared = [cell for cell in cells if "nbval-ignore-output" not in cell.metadata.get("tags", [])]
    assert len(compared) >= len(cells) / 2, f"{len(compared)} of {len(cells)} output cells are compared"


# --- faults that must be caught -----------------------------------------------------------------------------------


def write_notebook(folder: Path, *cells: str, number: str = "02") -> Path:
    """Write a notebook of plain cells without TensorFlow, executed in appearance, and return its path."""
    path = folder / "notebooks" / "en" / f"{number}_small.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_code_cell("PROFILE = None\nSEED = 0", metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(text) for text in cells]
    for count, cell in enumerate(made, start=1):
        cell.execution_count = count
    kernel = {"kernelspec": assemble.KERNEL}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), path)
    return path


def both(path: Path, output: Path, *arguments):
    nbval, _ = first_runner(path)
    papermill, statuses, text = second_runner(path.parent.parent, output, *arguments)
    return nbval == 0, papermill == 0, text


def test_both_runners_pass_a_good_notebook_and_fail_a_bad_one(tmp_path):
    assert both(write_notebook(tmp_path / "a", "number = 1"), tmp_path / "one")[:2] == (True, True)
    assert both(write_notebook(tmp_path / "b", "number = 1 / 0"), tmp_path / "two")[:2] == (False, False)


def test_network_is_refused_in_the_kernel(tmp_path):
    reach = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)"
    _, statuses, text = second_runner(write_notebook(tmp_path, reach).parent.parent, tmp_path / "report")
    assert statuses == {"02": "failed"} and "the network is blocked in this test" in text


def test_broken_magic_is_caught_by_the_linter_although_nbval_passes_it(tmp_path):
    chapter = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", "%no_such_magic 1"))
    assert any("no notebook magic" in complaint for complaint in lint(chapter))


def test_timeout_is_caught(tmp_path):
    path = write_notebook(tmp_path, "import time\ntime.sleep(30)")
    status, text = first_runner(path, "--nbval-cell-timeout=3")
    assert status != 0, text
    status, statuses, text = second_runner(path.parent.parent, tmp_path / "report", "--timeout", "3")
    assert status != 0 and statuses == {"02": "failed"}, text


def test_unrun_cell_is_caught(tmp_path):
    chapter = small_chapter(tmp_path)
    english = assemble.notebook(chapter, "en")
    for count, cell in enumerate(assemble.code_cells(english), start=1):
        cell.execution_count = count
    built = build.finished(chapter, english)["en"]
    assert unrun(built) == []
    assemble.code_cells(built)[5].execution_count = None
    assert unrun(built) == ["print(6 * 7)"]


def unrun(notebook) -> list:
    return [cell.source for cell in assemble.code_cells(notebook) if not cell.execution_count]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_committed_cell_is_unrun_or_failed(language):
    for path in (source.NOTEBOOKS / language).glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert unrun(notebook) == [], path.name
        outputs = [output for cell in assemble.code_cells(notebook) for output in cell.outputs]
        assert [output for output in outputs if output.output_type == "error"] == [], path.name
        assert [output for output in outputs if output.get("name") == "stderr"] == [], path.name


def test_missing_parameters_cell_is_caught(tmp_path):
    path = write_notebook(tmp_path, "number = 1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = notebook.cells[1:]
    nbformat.write(notebook, path)
    status, statuses, text = second_runner(path.parent.parent, tmp_path / "report")
    assert status != 0 and "parameters" in text


def test_unknown_parameter_is_caught(tmp_path):
    path = write_notebook(tmp_path, "number = 1")
    status, _, text = second_runner(path.parent.parent, tmp_path / "report", "-p", "SED=1")
    assert status != 0 and "SED" in text


def test_out_of_band_number_is_caught_by_both_runners(tmp_path):
    path = write_notebook(
        tmp_path, "from course_utils import results\nresults.record('small.number', 0.5, band=(0.6, 0.7))"
    )
    nbval, papermill, text = both(path, tmp_path / "report")
    assert (nbval, papermill) == (False, False) and "OutOfBand" in text


def test_changed_output_is_caught_by_nbval(tmp_path):
    path = write_notebook(tmp_path, "print(6 * 7)")
    notebook = nbformat.read(path, as_version=4)
    cell = notebook.cells[1]
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="42\n")]
    nbformat.write(notebook, path)
    assert first_runner(path)[0] == 0
    cell.outputs[0].text = "43\n"
    nbformat.write(notebook, path)
    assert first_runner(path)[0] != 0


def test_learner_gets_a_notice_instead_of_an_error(tmp_path):
    code = "from course_utils import results\nresults.record('small.number', 0.5, band=(0.6, 0.7))"
    learner = {name: value for name, value in environment().items() if name != "COURSE_STRICT"}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=learner, capture_output=True, encoding="utf-8", check=True, cwd=ROOT
    )
    assert "that is your experiment" in finished.stdout
