"""Every chapter once, by nbval, without a network; three of them solved, by `run`; and what all of them must keep."""

import re

import nbformat
import pytest
import runners

from course_utils import files
from course_utils.workshop import assemble, bands, build, source
from course_utils.workshop.chapters import LANGUAGES, choose
from course_utils.workshop.lint import CARRIED_OVER, lint

CHAPTERS = choose([])
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.number)


@pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(chapter, marks=pytest.mark.xdist_group(chapter.stem), id=chapter.number)
        for chapter in CHAPTERS
    ],
)
def test_outputs_are_what_is_stored_and_numbers_are_in_band(chapter, tmp_path):
    results = tmp_path / f"smoke-{chapter.number}.json"
    code, text = runners.nbval(chapter.notebook("en"), results=results)
    assert code == 0, text
    numbers = files.read_json(results)["numbers"]
    assert numbers and [name for name, number in numbers.items() if number["in_band"] is False] == []


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=pytest.mark.xdist_group(f"solved {number}"))
        for number in ("01", "07", "09")
    ],
)
def test_solved_chapters_pass_run_on_two_replicas(number, tmp_path):
    """With its solutions filled in, every exercise is answered correctly, and two devices change no conclusion.

    The weekly workflow runs all chapters so.
    """
    (chapter,) = choose([number])
    path = tmp_path / "notebooks" / "en" / f"{chapter.stem}.ipynb"
    files.write(path, nbformat.writes(build.solved_notebook(source.read(chapter), "en")))
    code, statuses, text = runners.run(tmp_path / "notebooks", tmp_path / "report", COURSE_CPU_REPLICAS="2")
    assert (code, statuses) == (0, {number: "passed"}), text
    executed = nbformat.read(tmp_path / "report" / "notebooks" / "en" / path.name, as_version=4)
    outputs = [output for cell in assemble.code_cells(executed) for output in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "COURSE_CPU_REPLICAS=2" in printed
    exercises = re.findall(r'exercises\.check\("([^"]+)"', chapter.source.read_text(encoding="utf-8"))
    assert exercises and [name for name in exercises if f"✓ {name}  correct" not in printed] == []


@each_chapter
def test_committed_notebooks_are_what_the_source_gives(chapter):
    read = source.read(chapter)
    assert lint(read) + build.check(read) == []


@pytest.mark.parametrize("number", CARRIED_OVER)
def test_seed_0_of_the_stored_seeds_is_the_stored_run(number):
    (chapter,) = choose([number])
    assert bands.floating(chapter) == []


@each_chapter
def test_chinese_code_is_the_english_code(chapter):
    english, chinese = (nbformat.read(chapter.notebook(language), as_version=4) for language in ("en", "zh"))
    code = [
        [(cell.id, cell.source) for cell in assemble.code_cells(notebook)] for notebook in (english, chinese)
    ]
    assert code[0] == code[1] and len(code[0]) > 10
    prose = [
        [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        for notebook in (english, chinese)
    ]
    assert len(prose[0]) == len(prose[1])
    same = [text for text, other in zip(*prose, strict=True) if text == other]
    assert same == [], "text that was not translated"


@each_chapter
def test_half_of_the_outputs_are_compared(chapter):
    notebook = nbformat.read(chapter.notebook("en"), as_version=4)
    cells = [cell for cell in assemble.code_cells(notebook) if cell.outputs]
    compared = [cell for cell in cells if "nbval-ignore-output" not in cell.metadata.get("tags", [])]
    assert len(compared) >= len(cells) / 2, f"{len(compared)} of {len(cells)} output cells are compared"


@each_chapter
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_committed_cell_is_unrun_or_failed(chapter, language):
    notebook = nbformat.read(chapter.notebook(language), as_version=4)
    assert [cell.source for cell in assemble.code_cells(notebook) if not cell.execution_count] == []
    outputs = [output for cell in assemble.code_cells(notebook) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []
