"""One execution, two notebooks: each holds its own language alone."""

import dataclasses
import shutil

import nbformat
import pytest
from small_chapter import small_chapter

from course_utils.workshop import assemble, build, jobs, source

WORDS = """
from IPython.display import HTML
from course_utils import language
print(language.words("loss", "损失"), 0.5)
try:
    raise ValueError(language.words("too small", "太小"))
except ValueError as error:
    print(repr(error))
HTML(f"<b>{language.words('bold', '粗体')}</b>")
"""
FIGURE = 'axis.set_title(language.words("a line", "一条线"))\nplots.show('


def changed_chapter(folder, *changes):
    def change(text):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return text

    return small_chapter(folder, change)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The small chapter with words in a print, an exception, HTML and a figure, built once."""
    read = changed_chapter(
        tmp_path_factory.mktemp("course"), ("print(6 * 7)", WORDS.strip()), ("plots.show(", FIGURE)
    )
    assert build.build([read]) == ([], False)
    return read


@pytest.fixture
def copy(built, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs.Job, "start", lambda *_: pytest.fail("nothing calls for an execution"))
    shutil.copytree(built.chapter.notebooks, tmp_path / "notebooks")
    return source.read(dataclasses.replace(built.chapter, notebooks=tmp_path / "notebooks"))


def outputs(read, language):
    notebook = nbformat.read(read.chapter.notebook(language), as_version=4)
    return [output for cell in assemble.code_cells(notebook) for output in cell.outputs]


def text(output):
    data = output.get("data", {})
    return output.get("text", "") + data.get("text/html", "") + data.get("text/plain", "")


def test_each_notebook_holds_its_own_language(built):
    english, chinese = ("\n".join(map(text, outputs(built, language))) for language in ("en", "zh"))
    assert not any("\u4e00" <= character <= "\u9fff" for character in english), english
    for one, other in (
        ("loss 0.5", "损失 0.5"),
        ("ValueError('too small')", "ValueError('太小')"),
        ("<b>bold</b>", "<b>粗体</b>"),
        ("[a rising line]", "[一条上升的直线]"),
        ("○ small.double  not attempted yet", "○ small.double  还没有作答"),
        ("small.number = 0.5000    band [", "small.number = 0.5000    区间 ["),
        ("profile: laptop", "配置：laptop"),
        ("measured: ", "实测："),
    ):
        assert one in english and other in chinese, one
        assert other not in english and one not in chinese, one


def test_each_notebook_has_its_own_drawing(built):
    english, chinese = (
        [output for output in outputs(built, language) if "image/png" in output.get("data", {})]
        for language in ("en", "zh")
    )
    assert len(english) == len(chinese) == 1
    assert english[0].data["image/png"] != chinese[0].data["image/png"]
    assert all("png_zh" not in output.metadata["image/png"] for output in (*english, *chinese))


def test_check_is_content_and_a_text_edit_keeps_both_languages(copy):
    assert build.check(copy) == []
    before = [outputs(copy, language) for language in ("en", "zh")]
    path = copy.chapter.source
    path.write_text(
        path.read_text(encoding="utf-8").replace("一个小章节", "一个小小的章节"), encoding="utf-8"
    )
    assert build.build([source.read(copy.chapter)]) == ([], False)
    assert [outputs(copy, language) for language in ("en", "zh")] == before
    assert build.check(source.read(copy.chapter)) == []


def test_a_chinese_notebook_that_is_missing_or_edited_calls_for_an_execution(copy):
    path = copy.chapter.notebook("zh")
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("损失 0.5", "损失 0.4"), encoding="utf-8")
    assert "zh/02_small: the stored outputs were edited by hand" in build.check(copy)[0]
    assert build.execution_needed(copy, build._read(copy.chapter.notebook("en")))
    path.unlink()
    assert "runs or reads changed" in build.check(copy)[0]
    path.write_text(whole, encoding="utf-8")
    assert not build.execution_needed(copy, build._read(copy.chapter.notebook("en")))


def test_words_that_are_cut_are_refused(tmp_path):
    cut = 'from course_utils import language\nprint(language.words("loss", "损失")[:3])'
    (problem,), _ = build.build([changed_chapter(tmp_path, ("print(6 * 7)", cut))])
    assert "cell 6" in problem and "language.words" in problem


def test_a_failing_cell_speaks_one_language(tmp_path):
    failing = 'from course_utils import proofs\nproofs.equal({"a": [1.0], "b": [2.0]})'
    (problem,), _ = build.build([changed_chapter(tmp_path, ("print(6 * 7)", failing))])
    assert "AssertionError: a ≠ b: largest difference 1.00e+00" in problem
    assert "最大差 1.00e+00" not in problem and "\ue000" not in problem
