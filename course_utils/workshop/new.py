"""`python3 -m course_utils new 08e "A title" "标题"`: the skeletons of a chapter, in the four places where its parts are."""

import argparse
import json
import re

from course_utils import files
from course_utils.workshop import assemble, source
from course_utils.workshop.chapters import (
    PASSED,
    ROOT,
    Chapter,
    UsageError,
    chapters,
    notebooks_folder,
    relative,
)
from course_utils.workshop.command import act

_SOURCE = """# %% [markdown] lang="en"
# # {shown} {english}
#
# What makes a reader curious, in two sentences.
#
# **By the end you will be able to**
#
# - do one thing;
#
# **Before you start:** what to know.

# %% [markdown] lang="zh" of=""
# # {shown} {chinese}
#
# 用两句话引起读者的好奇。
#
# **学完这一章，你能够**
#
# - 做到一件事；
#
# **预备知识：** 需要先了解什么。

# %% tags=["setup"]
{setup}

# %%
from course_utils import devices, exercises, plots, profiles, proofs, results
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)

# %% tags=["cost", "nbval-ignore-output"]
results.cost("{number}")

# %% [markdown] lang="en"
# ## Exercises
#
# ### Exercise 1 · easy
#
# Double a number.

# %% [markdown] lang="zh" of=""
# ## 练习
#
# ### 练习 1 · 易
#
# 把一个数加倍。

# %% tags=["exercise"]
def double(number):
    ### BEGIN SOLUTION
    return 2 * number
    ### END SOLUTION

# %% tags=["check"]
exercises.check("{number}.double", double)

# %% [markdown] lang="en" tags=["hint"]
# Twice.

# %% [markdown] lang="zh" of="" tags=["hint"]
# 两倍。

# %% tags=["quiz"]
exercises.quiz("{number}")
"""
_CHECKS = '''"""The checks of chapter {number}'s exercises."""

from course_utils.exercises import close, exercise, expect


@exercise("{number}.double")
def double(answer):
    expect(close(answer(3), 6), "double(3) 应为 6", "double(3) should be 6")
'''
_ANSWERS = '''"""Right answers to chapter {number}'s exercises, and wrong ones, each with a word that its hint must contain."""

ANSWERS = {{
    "{number}.double": {{
        "right": [lambda number: 2 * number, lambda number: number + number],
        "wrong": [
            (lambda number: number, "should be 6"),
            (lambda number: number**2, "should be 6"),
            (lambda number: 3 * number, "should be 6"),
        ],
    }},
}}
'''


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils new", description="新章节的骨架 · the skeletons of a new chapter"
    )
    parser.add_argument("number", help="like 08e")
    parser.add_argument("english", help="the title in English")
    parser.add_argument("chinese", help="the title in Chinese")
    return act(parser, arguments, _new)


def _new(options: argparse.Namespace) -> int:
    for path in write(options.number, options.english, options.chinese):
        print(relative(path))
    return PASSED


def write(number: str, english: str, chinese: str, root=ROOT) -> list:
    """Write source, checks, quiz and answers of a chapter that passes the linter; return their paths.

    Raises:
        UsageError: the number is malformed or taken, or a title is missing.
    """
    if not re.fullmatch(r"\d\d[a-z]?", number):
        raise UsageError(f"章号如 08e · a number like 08e was expected; found {number!r}")
    notebooks = notebooks_folder() if root == ROOT else root / "notebooks"
    taken = [chapter.stem for chapter in chapters(notebooks) if chapter.number == number]
    if taken:
        raise UsageError(f"章号已被占用 · the number is taken: {taken[0]}")
    name = "_".join(re.findall(r"[a-z0-9]+", english.lower()))
    if not name or not re.search(r"[\u4e00-\u9fff]", chinese):
        raise UsageError("需要英文和中文标题 · a title in English and one in Chinese are needed")
    chapter = Chapter(number, f"{number}_{name}", notebooks)
    words = {
        "number": number,
        "shown": number.lstrip("0"),
        "english": english,
        "chinese": chinese,
        "setup": assemble.SETUP.strip(),
    }
    options = [
        {"text": {"en": text, "zh": text}, "right": right, "why": {"en": why, "zh": why}}
        for text, right, why in (("5", False, "3 + 2"), ("6", True, "2 × 3"))
    ]
    quiz = [{"question": {"en": "What is twice three?", "zh": "三的两倍是多少？"}, "options": options}]
    package, tests = root / "course_utils", root / "tests" / "answers"
    contents = {
        chapter.source: _SOURCE.format(**words),
        package / "checks" / f"chapter_{number}.py": _CHECKS.format(**words),
        package / "quizzes" / f"chapter_{number}.json": json.dumps(quiz, ensure_ascii=False, indent=1) + "\n",
        tests / f"answers_{number}.py": _ANSWERS.format(**words),
    }
    for path, text in contents.items():
        files.write(path, text)
    source.accept_translations(source.read(chapter))
    return list(contents)
