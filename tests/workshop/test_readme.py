"""What is generated into the READMEs, from a small chapter that nobody has to execute."""

import base64
import struct
import zlib

import nbformat
import pytest
from small_chapter import small_chapter

from course_utils import files
from course_utils.workshop import assemble, cards, readme, source

PAGE = """# A course
<!--{{course:chapters}}-->?<!----> chapter, <!--{{02/small.number:.0%}}-->?<!----> right
<!-- highlights:begin -->
<!-- highlights:end -->
<!-- routes:begin -->
<!-- routes:end -->
<!-- cards:begin -->
<!-- cards:end -->
<!-- results:begin -->
<!-- results:end -->
"""
WORDS = """
[[highlights]]
chapter = "02"
figure = "a rising"
title = {en = "It rises", zh = "在上升"}
text = {en = "Half & half: {{small.number:.0%}}", zh = "一半：{{small.number:.0%}}"}

[[parts]]
first = "01"
title = {en = "Foundations", zh = "基础"}

[[routes]]
who = {en = "You", zh = "你"}
chapters = ["02", "01a"]

[chapters.02]
figure = "a rising"
about = {en = "What rises?", zh = "什么在上升？"}
[chapters.02.numbers]
"small.number" = {en = "{} of all", zh = "占 {}", format = ".1%"}
"""


def picture(width=40, height=20, grey=0) -> bytes:
    """A PNG of one shade."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    rows = (b"\0" + bytes([grey]) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def output(png: bytes, alt: str, alt_zh: str):
    metadata = {"image/png": {"alt": alt, "alt_zh": alt_zh, "width": 40, "height": 20}}
    return nbformat.v4.new_output(
        "display_data", {"image/png": base64.b64encode(png).decode()}, metadata=metadata
    )


def write_notebook(read, *figures, hero=False):
    """Write the English notebook with one output cell for each figure; the last one may be the hero."""
    built = assemble.notebook(read, "en")
    for figure in figures:
        built.cells.append(nbformat.v4.new_code_cell("plots.show(figure)", outputs=[figure]))
    if hero:
        built.cells[-1].metadata["tags"] = ["hero"]
    files.write(read.chapter.notebook("en"), nbformat.writes(built))


@pytest.fixture
def root(tmp_path):
    read = small_chapter(
        tmp_path, lambda text: text.replace('lang="en"', 'lang="en" telling=["small.number"]', 1)
    )
    entry = {"value": 0.5, "digits": 4, "unit": "", "band": [0, 1], "in_band": True}
    cost = {"seconds": 90.0, "peak_memory_gb": 0.5}
    files.write_json(read.chapter.results(), {"numbers": {"small.number": entry}, "cost": cost})
    write_notebook(read, output(picture(), "a rising line", "一条上升的直线"))
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "README.zh.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "notebooks" / "front_page.toml").write_text(WORDS, encoding="utf-8")
    return tmp_path


def chapter_of(root):
    return source.read(source.Chapter("02", "02_small", root / "notebooks"))


def text(root, name="README.md"):
    return (root / name).read_text(encoding="utf-8")


def test_numbers_stand_in_the_text_and_are_checked(root):
    assert readme.update(root, check=False) == [] and readme.update(root, check=True) == []
    assert "-->1<!----> chapter, <!--{{02/small.number:.0%}}-->50%<!----> right" in text(root)
    (root / "README.md").write_text(
        text(root).replace("50%<!----> right", "51%<!----> right"), encoding="utf-8"
    )
    assert [problem.split(":")[0] for problem in readme.update(root, check=True)] == ["README.md"]
    assert readme.update(root, check=False) == [] and "50%<!----> right" in text(root)


@pytest.mark.parametrize("unknown", ["02/small.renamed", "03/small.number", "course:weather", "small"])
def test_a_number_that_nobody_stored_is_a_problem(root, unknown):
    page = PAGE.replace("02/small.number:.0%", unknown)
    (root / "README.md").write_text(page, encoding="utf-8")
    (problem,) = readme.update(root, check=False)
    assert unknown in problem and text(root) == page


def test_the_table_names_numbers_in_words(root):
    readme.update(root, check=False)
    assert "| **50.0%** of all | 1 / 1 | 90\u00a0s | 0.50\u00a0GB |" in text(root)
    assert "| 占 **50.0%** | 1 / 1 | 90\u00a0秒 |" in text(root, "README.zh.md")


def test_chapters_without_words_are_shown_and_named(root, capsys):
    (root / "notebooks" / "front_page.toml").write_text(
        '[chapters.03]\nabout = {en = "x", zh = "x"}\n', encoding="utf-8"
    )
    assert readme.update(root, check=False) == []
    said = capsys.readouterr().out
    assert "no words for chapter 02" in said and "no chapter 03 (yet)" in said
    assert "`small.number` 0.5000" in text(root) and "<img" not in text(root)
    assert '<a href="notebooks/en/02_small.ipynb">2 A small chapter</a></b>' in text(root)


def test_a_route_leaves_out_what_is_not_built_yet(root, capsys):
    readme.update(root, check=False)
    assert "| You | [2](notebooks/en/02_small.ipynb) | 2–3 |" in text(root)
    assert "no chapter 01a (yet)" in capsys.readouterr().out


def test_cards_and_highlights_have_pictures_in_both_languages(root):
    readme.update(root, check=False)
    for name, alt, title, about in (
        ("README.md", "a rising line", "Foundations", "What rises?"),
        ("README.zh.md", "一条上升的直线", "基础", "什么在上升？"),
    ):
        page = text(root, name)
        assert f'<img src="docs/chapters/02.png" width="240" height="120" alt="{alt}">' in page
        assert f'<img src="docs/highlights/02.png" width="240" height="120" alt="{alt}">' in page
        assert f"### {title}" in page and about in page
    assert "Half &amp; half: 50%" in text(root) and "一半：50%" in text(root, "README.zh.md")
    assert (root / "docs" / "chapters" / "02.png").read_bytes() == picture()


def test_a_hero_comes_before_the_figure_that_is_named(root):
    read = chapter_of(root)
    figures = output(picture(), "a rising line", "一条上升的直线"), output(picture(30, 30, 9), "hero", "主图")
    write_notebook(read, *figures, hero=True)
    assert "docs/chapters/02.png" in readme.update(root, check=True)[-1]
    readme.update(root, check=False)
    assert (root / cards.CARDS / "02.png").read_bytes() == picture(30, 30, 9)
    assert (root / cards.HIGHLIGHTS / "02.png").read_bytes() == picture()


def test_pictures_are_compared_and_those_of_nobody_go(root):
    readme.update(root, check=False)
    files.write(root / cards.CARDS / "02.png", b"edited")
    files.write(root / cards.CARDS / "77.png", b"old")
    (problem,) = readme.update(root, check=True)
    assert "docs/chapters/02.png, docs/chapters/77.png" in problem
    assert readme.update(root, check=False) == [] and readme.update(root, check=True) == []
    assert not (root / cards.CARDS / "77.png").exists()


def test_a_heavy_picture_is_left_out(root, monkeypatch):
    (root / "notebooks" / "front_page.toml").write_text(WORDS.split("[[parts]]")[1].join(["[[parts]]", ""]))
    monkeypatch.setattr(cards, "MOST_BYTES", 10)
    cards._read_figures.cache_clear()
    assert readme.update(root, check=False) == []
    assert "<img" not in text(root) and not (root / cards.CARDS).exists()
    cards._read_figures.cache_clear()


def test_a_highlight_whose_figure_or_number_is_gone_is_a_problem(root):
    words = root / "notebooks" / "front_page.toml"
    words.write_text(WORDS.replace('figure = "a rising"', 'figure = "a falling"'), encoding="utf-8")
    assert "chapter 02 has no figure 'a falling'" in readme.update(root, check=True)[0]
    words.write_text(WORDS.replace("half: {{small.number", "half: {{small.renamed"), encoding="utf-8")
    assert "small.renamed" in readme.update(root, check=True)[0]


def test_the_opening_of_a_chapter_is_plain_text(tmp_path):
    english = "# # 2 A small chapter\n#\n# *Look*: [here](https://a.b) it `is`. Is it? " + "Long " * 60 + "."
    chinese = "# # 2 一个小章节\n#\n# 看，就在\n# 这里。"
    read = small_chapter(
        tmp_path,
        lambda text: text.replace("# # 2 A small chapter", english).replace("# # 2 一个小章节", chinese),
    )
    assert cards.opening(read, "en") == "Look: here it is. Is it?"
    assert cards.opening(read, "zh") == "看，就在这里。"
