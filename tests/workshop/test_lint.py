"""Every rule of the linter, each with a fault that it must catch."""

import pytest
from small_chapter import second_edition, small_chapter

from course_utils import files
from course_utils.workshop import lint as rules
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


# --- chapters of the second edition -------------------------------------------------------------------------------


@pytest.fixture
def carried_over(monkeypatch):
    """Let the second edition's rules hold for the small chapter."""
    monkeypatch.setattr(rules, "CARRIED_OVER", ("02",))


CARRIED_OVER_FAULTS = [
    ("print(6 * 7)", "\n".join(["print(1)"] * 16), "16 lines; a cell has at most 15"),
    ("print(6 * 7)", f"print({'1' * 82})", "89 columns"),
    ("print(6 * 7)", f"print('{'数' * 40}')", "89 columns"),
    (
        "# %%\nprint(6 * 7)",
        '# %% tags=["plot"]\n' + "\n".join(["print(1)"] * 41),
        "41 lines; a cell has at most 15, a plot cell 40",
    ),
    ("第 1 次，", "第 *一* 次，", "*一*: no italics on Chinese"),
    ("第 1 次，", "第 _一_ 次，", "_一_: no italics on Chinese"),
    ("It is this,", "Errs least,", "'Errs least': rather 'has the lowest error'"),
    ("答案是这个", "本页是答案", "'本页': rather '上文、本章'"),
    ('tags=["hero", "plot"]', 'tags=["plot"]', "tagged hero, to be shown under the title; found 0"),
    ("# %%\nprint(6 * 7)", '# %% tags=["hero"]\nprint(6 * 7)', "under the title; found 2"),
    ("plots.show(figure", "print(figure", "the hero's cell shows one figure"),
    (
        'tags=["predict"]\n# **Predict 2',
        'tags=["hint"]\n# **Predict 2',
        "1 text cells are tagged predict; a chapter has at least 2",
    ),
    (' tags=["answer"]\n# It is this, for the 1', "\n# It is this, for the 1", "after this prediction come"),
    ("print(6 * 7)", "answer = 6 * 7", "after this prediction come"),
    ("# %%\nprint(6 * 7)", '# %% tags=["answer"]\nprint(6 * 7)', "are tags of text cells"),
    (' tags=["summary"]', "", "is tagged summary; found 0"),
    (
        "# ## What you measured\n# - it is",
        "# ## What you measured\n#\n# It is",
        "has 4 lines of a list; it has 5",
    ),
    ("{{small.number:.1%}}", "much", "the summary holds no number"),
    ('tags=["predict"]', 'tags=["summary"]', "is tagged summary; found 3"),
]


@pytest.mark.parametrize(
    "old, new, complaint", CARRIED_OVER_FAULTS, ids=[fault[2] for fault in CARRIED_OVER_FAULTS]
)
def test_second_editions_linter_catches(tmp_path, carried_over, old, new, complaint):
    def change(text):
        text = second_edition(text)
        assert old in text
        return text.replace(old, new)

    found = lint(small_chapter(tmp_path, change))
    assert any(complaint in message for message in found), found


def test_plot_cells_may_be_long(tmp_path, carried_over):
    plot = '# %% tags=["plot"]\n' + "\n".join(["print('a long line, folded away')" + " " * 80] * 40)
    change = lambda text: second_edition(text).replace("# %%\nprint(6 * 7)", plot)  # noqa: E731
    assert lint(small_chapter(tmp_path, change)) == []


def test_small_chapter_of_the_second_edition_is_clean(tmp_path, carried_over):
    assert lint(small_chapter(tmp_path, second_edition)) == []


def test_decimals_of_the_stored_run_are_placeholders(tmp_path, carried_over):
    def change(text):
        return second_edition(text).replace("It is this,", "It is 0.973, not 0.98,")

    read = small_chapter(tmp_path, change)
    files.write_json(read.chapter.results(), {"numbers": {"small.number": {"value": 0.97312, "digits": 4}}})
    assert [message.split(": ", 1)[1] for message in lint(read)] == [
        "0.973: write {{small.number:.3f}}, and it stays true"
    ] * 2


def test_rules_of_the_second_edition_wait_for_a_chapter(tmp_path):
    for old, new, complaint in CARRIED_OVER_FAULTS:
        found = lint(small_chapter(tmp_path, lambda text, old=old, new=new: text.replace(old, new)))
        assert not any(complaint in message for message in found), found


def test_summary_comes_near_the_end(tmp_path, carried_over):
    def change(text):
        text = second_edition(text).replace(' tags=["summary"]', "")
        return text.replace(' tags=["predict"]\n# **Predict 1', ' tags=["predict", "summary"]\n# **Predict 1')

    found = lint(small_chapter(tmp_path, change))
    assert any("comes near the end" in message for message in found), found


def test_bold_chinese_latin_italics_and_lists_are_no_italics_on_chinese(tmp_path, carried_over):
    line = "答案是这个 **一** *batch* 长\n#\n# * 一项 *\n# * 二项 $a*数*b$ `*数*` \\\\*数\\\\*"
    assert lint(small_chapter(tmp_path, lambda text: second_edition(text).replace("答案是这个", line))) == []


def test_a_cell_may_answer_first_and_then_ask(tmp_path, carried_over):
    def change(text):
        text = second_edition(text).replace(
            ' tags=["answer"]\n# It is this, for the 1.', "\n# It is this, for the 1."
        )
        text = text.replace(' tags=["answer"]\n# 第 1 次', "\n# 第 1 次")
        for asks in ("# **Predict 2", "# **先猜 2"):
            text = text.replace(f'tags=["predict"]\n{asks}', f'tags=["answer", "predict"]\n{asks}')
        return text

    assert lint(small_chapter(tmp_path, change)) == []


def test_cells_that_a_reader_passes_by_are_not_counted(tmp_path):
    cells = [cell for cell in small_chapter(tmp_path).cells if cell.language != "zh"]
    counted = [cell for cell in cells if not {"setup", "parameters", "cost", "hint"} & set(cell.tags)]
    assert len(counted) <= len(cells) - 3

    def found(count):
        more = "print(6 * 7)\n" + "# %%\nprint(1)\n" * (count - len(counted))
        return lint(small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)\n", more)))

    assert found(60) == []
    assert "61 cells; a chapter has at most 60" in found(61)[0]
