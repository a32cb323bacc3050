"""Every rule of the linter, each with a fault that it must catch."""

import pytest
from small_chapter import small_chapter

from course_utils.workshop import source
from course_utils.workshop.lint import lint


def changed(read, old: str, new: str):
    path = read.chapter.source
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return source.read(read.chapter)


def test_small_chapter_is_clean(tmp_path):
    assert lint(small_chapter(tmp_path)) == []


FAULTS = [
    ("print(6 * 7)", "%time print(6 * 7)", "no notebook magic"),
    ("print(6 * 7)", "!ls", "no notebook magic"),
    ("print(6 * 7)", "print(6 *", "not Python"),
    ("print(6 * 7)", "\n".join(["print(1)"] * 26), "at most 25"),
    ("print(6 * 7)", "plt.show()", "plots.show"),
    ("print(6 * 7)", "results.spread('02', 'small.number')", "tag it nbval-ignore-output"),
    ("print(6 * 7)", "results.spread('02', 'small.number')", 'declare reads=["seeds-02"]'),
    ("print(6 * 7)", "results.read('full-02')", 'declare reads=["full-02"]'),
    ("print(6 * 7)", "[results.read(name) for name in names]", "of a computed name"),
    (', alt_zh="一条上升的直线"', "", "plots.show without alt_zh"),
    ('alt="a rising line", ', "", "plots.show without alt"),
    (
        "SEED = 0\n",
        'SEED = 0\n# %% tags=["parameters"]\nPROFILE = None\nSEED = 0\n',
        "exactly one cell tagged parameters",
    ),
    ("profiles.use(PROFILE, SEED)", "profiles.name()", "must call profiles.use"),
    ("import sys\n", "import sys, re\n", "setup_cell.py"),
    ("# # 2 A small chapter", "# # 2 Simply a chapter", "'Simply'"),
    ("# # 2 A small chapter", "# # 2 It reaches 98.7 % here", "'98.7 %'"),
    ("# # 2 A small chapter", "# # 2 It takes 12 s", "'12 s'"),
    ("一个小章节", "一个小章节,两行", "full-width punctuation"),
    ("一个小章节", "一个small章节", "a space between"),
    ("一个小章节", "一个小\n# *章节*", "break the line after punctuation"),
    ("一个小章节", "a chapter", "no Chinese character"),
    ('# %% [markdown] lang="en"\n# # 2', "# %% [markdown]\n# # 2", 'needs lang="en"'),
    ("    ### BEGIN SOLUTION\n", "", "### BEGIN SOLUTION"),
    ('# %% tags=["check"]', "# %%", "must be tagged check"),
    ('tags=["hint"]', "", "tagged hint must follow"),
    ("print(6 * 7)\n", "print(6 * 7)\n" + "# %%\nprint(1)\n" * 60, "at most 60"),
]


@pytest.mark.parametrize("old, new, complaint", FAULTS, ids=[fault[2] for fault in FAULTS])
def test_linter_catches(tmp_path, old, new, complaint):
    def change(text):
        assert old in text
        return text.replace(old, new)

    found = lint(small_chapter(tmp_path, change))
    assert any(complaint in message for message in found), found


def test_linter_catches_stale_translation(tmp_path):
    chapter = changed(small_chapter(tmp_path), "A small chapter", "A smaller chapter")
    assert "stale translation" in lint(chapter)[0]
    assert source.accept_translations(chapter) == 1
    assert lint(source.read(chapter.chapter)) == []


def test_published_numbers_with_a_source_are_allowed(tmp_path):
    change = lambda text: text.replace("A small chapter", "LeCun et al. (1998) report 0.8 % errors")  # noqa: E731
    assert lint(small_chapter(tmp_path, change)) == []


def test_declared_results_may_be_read(tmp_path):
    def change(text):
        text = text.replace(
            '# %% [markdown] lang="en"', '# %% [markdown] lang="en" reads=["full-02", "seeds-02"]', 1
        )
        return text.replace("print(6 * 7)", "stored = results.read('full-02')")

    assert lint(small_chapter(tmp_path, change)) == []
