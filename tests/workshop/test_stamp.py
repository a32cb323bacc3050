"""What changes a chapter's stamp and what does not: tried on a copy of the course's own code."""

import shutil

import pytest

from course_utils.workshop import assemble, source
from course_utils.workshop.chapters import ROOT, choose
from course_utils.workshop.stamp import modules, stamp

CHAPTERS = ["05", "07b", "08", "08d"]  # a stamp of all of them takes ten seconds


@pytest.fixture
def course(tmp_path):
    """A copy of everything that stamps depend on."""
    for name in ("course_utils", "notebooks/source", "notebooks/results"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc", "*.xz", "*.npz"))
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    return tmp_path


def stamps(root) -> dict:
    found = {}
    for chapter in choose(CHAPTERS, root / "notebooks"):
        read = source.read(chapter)
        cells = [cell.source for cell in assemble.code_cells(assemble.notebook(read, "en"))]
        found[chapter.number] = stamp(cells, read.results_read(), root)
    return found


def edit(root, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{name} no longer holds {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def changed(before: dict, after: dict) -> set:
    assert before.keys() == after.keys()
    return {number for number in before if before[number] != after[number]}


def test_moves_versions_comments_and_layout_change_no_stamp(course):
    before = stamps(course)
    (course / "course_utils" / "topics" / "privacy.py").rename(course / "course_utils" / "privacy.py")
    chapter = next((course / "notebooks" / "source").glob("08d_*.py")).relative_to(course)
    edit(course, chapter, "from course_utils.topics import privacy\n", "")
    edit(course, chapter, "from course_utils import datasets,", "from course_utils import privacy, datasets,")
    edit(course, "course_utils/__init__.py", '__version__ = "', '__version__ = "9')
    edit(course, "course_utils/privacy.py", '"""', '"""Another docstring. ')
    edit(course, "course_utils/plots.py", "def show(", "# why\n\n\ndef show(")
    assert changed(before, stamps(course)) == set()


def test_one_arithmetic_edit_changes_the_chapters_that_use_it(course):
    before = stamps(course)
    path = course / "course_utils" / "topics" / "privacy.py"
    path.write_text(path.read_text(encoding="utf-8").replace("+ 1", "+ 2", 1), encoding="utf-8")
    assert changed(before, stamps(course)) == {"08d"}


def test_a_result_that_is_read_makes_its_reader_stale(course):
    before = stamps(course)
    path = course / "notebooks" / "results" / "laptop-05.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"seconds": ', '"seconds": 1'), encoding="utf-8")
    assert changed(before, stamps(course)) == {"08"}
    own = course / "notebooks" / "results" / "laptop-08.json"
    middle = stamps(course)
    own.write_text("{}", encoding="utf-8")
    assert changed(middle, stamps(course)) == set(), "a chapter would never be up to date"


def test_data_count_for_the_chapters_that_load_them(course):
    before = stamps(course)
    sums = course / "course_utils" / "data" / "SHA256SUMS"
    lines = sums.read_text(encoding="utf-8").splitlines()
    sums.write_text(
        "\n".join("0" * 64 + line[64:] if "poems" in line else line for line in lines), encoding="utf-8"
    )
    assert changed(before, stamps(course)) == {"07b"}


def test_pins_of_the_deciding_libraries_count_and_no_others(course):
    before = stamps(course)
    edit(course, "requirements.txt", "papermill==", "papermill==9")
    assert changed(before, stamps(course)) == set()
    edit(course, "requirements.txt", "keras==", "keras==9")
    assert changed(before, stamps(course)) == set(before)


def test_code_counts_where_it_stands_in_the_chapter():
    assert stamp(["a = 1", "b = 2"]) != stamp(["a = 1\nb = 2"])
    assert stamp(["a = 1  # one"]) == stamp(["a = (\n    1\n)"])
    assert stamp(["a = 1"]) != stamp(["a = 1.0"])


def test_modules_are_found_through_each_other(tmp_path):
    package = tmp_path / "course_utils"
    package.mkdir()
    (package / "one.py").write_text("from course_utils import two\n")
    (package / "two.py").write_text("value = 1\n")
    assert {path.stem for path in modules(["from course_utils.one import two"], tmp_path)} == {"one", "two"}
