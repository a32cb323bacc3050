"""Chinese paragraphs: lines joined where a blank would show, and left where Markdown needs them."""

import pytest

from course_utils.workshop import typeset


@pytest.mark.parametrize(
    "text, seen",
    [
        ("第一行\n第二行", "第一行第二行"),
        ("第一行，\n第二行", "第一行，第二行"),
        ("用 Keras，\nNumPy 也行", "用 Keras，NumPy 也行"),
        ("用 Keras\n“引号”", "用 Keras“引号”"),
        ("**粗**\n再说", "**粗**再说"),
        ("见[这里](https://x.org)\n再说", "见[这里](https://x.org)再说"),
        ("再看\n[这里](https://x.org)", "再看[这里](https://x.org)"),
        ("- 一项\n  还没完\n- 二项", "- 一项还没完\n- 二项"),
        ("```\n代码\n```\n文字\n还有", "```\n代码\n```\n文字还有"),
    ],
)
def test_lines_of_a_paragraph_are_joined(text, seen):
    assert typeset.chinese(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        "用\nKeras",  # a blank belongs between Chinese and Latin
        "用 `relu`\n函数",
        "设 $x$\n为零",
        "**好。**\n然后",  # without the blank, the asterisks would show
        "说\n**“好”**",
        "# 标题\n文字",
        "一段\n\n另一段",
        "文字\n- 一项\n- 二项\n1. 三项",
        "| 表 | 头 |\n|---|---|\n| 一 | 二 |",
        "```python\n第一行\n第二行\n```",
        "~~~\n第一行\n第二行\n~~~",
        "$$\n甲\n乙\n$$",
        "$$ 甲 $$\n乙",
        "文字\n$$ 甲 $$",
        "> 引文\n> 第二行",
        "<details>\n文字\n</details>",
        "    代码\n    代码",
        "换行  \n第二行",
        "换行\\\n第二行",
    ],
)
def test_what_is_no_sentence_stays(text):
    assert typeset.chinese(text) == text


@pytest.mark.parametrize(
    "text, seen",
    [
        ("叫做 “权重” 的数", "叫做“权重”的数"),
        ("， “权重” 。", "，“权重”。"),
        ("用 Keras “权重” Keras", "用 Keras“权重”Keras"),
        ("说 “yes” 或 “no” 吧", "说“yes”或“no”吧"),
        ("a “b” c", "a “b” c"),
        ("`x “权重” y` 与 $x$ “权重”", "`x “权重” y` 与 $x$ “权重”"),
        ("**“好”** 的", "**“好”** 的"),
    ],
)
def test_quotation_marks_bring_their_own_room(text, seen):
    assert typeset.chinese(text) == seen
