"""A small chapter that the authoring and gate tests build, break and mend."""

from pathlib import Path

from course_utils.workshop import assemble, chapters, source

TEXT = """# %% [markdown] lang="en"
# # 2 A small chapter
# %% [markdown] lang="zh" of=""
# # 2 一个小章节
# %% tags=["setup"]
{setup}
# %%
import matplotlib.pyplot as plt
from course_utils import exercises, plots, profiles, results
from course_utils.profiles import choose
# %% tags=["parameters"]
PROFILE = None
SEED = 0
# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
# %% tags=["cost", "nbval-ignore-output"]
results.cost("02")
# %%
print(6 * 7)
# %%
figure, axis = plt.subplots(figsize=(2, 1))
axis.plot([1, 2])
plots.show(figure, alt="a rising line", alt_zh="一条上升的直线")
# %% tags=["nbval-ignore-output"]
band = choose(smoke=(0, 1), laptop=(0.4, 0.6), full=(0.4, 0.6))
results.record("small.number", 0.5, band=band)
# %% [markdown] lang="en"
# ### Exercise 1 · easy — double a number.
# %% [markdown] lang="zh" of=""
# ### 练习 1 · 易 —— 把一个数加倍。
# %% tags=["exercise"]
def double(number):
    ### BEGIN SOLUTION
    return 2 * number
    ### END SOLUTION
# %% tags=["check"]
@exercises.exercise("small.double")
def check_double(answer):
    exercises.expect(answer(3) == 6, "应为 6", "6 expected")


exercises.check("small.double", double)
# %% [markdown] lang="en" tags=["hint"]
# Twice.
# %% [markdown] lang="zh" of="" tags=["hint"]
# 两倍。
"""


def second_edition(text: str) -> str:
    """Return the small chapter as the second edition has it: with a hero, two predictions and a summary."""
    prediction = """# %% [markdown] lang="en" tags=["predict"]
# **Predict {number}:** what comes next?
# %% [markdown] lang="zh" of="" tags=["predict"]
# **先猜 {number}：** 接下来是什么？
"""
    answer = """# %% [markdown] lang="en" tags=["answer"]
# It is this, for the {number}. time.
# %% [markdown] lang="zh" of="" tags=["answer"]
# 第 {number} 次，答案是这个。
"""
    lines = "\n".join(["# - it is {{small.number:.1%}}"] * 5)
    summary = f"""# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
{lines}
# %% [markdown] lang="zh" of="" tags=["summary"]
# ## 你测到了什么
{lines.replace("it is", "这是")}
"""
    figure = "# %%\nfigure, axis"
    record = '# %% tags=["nbval-ignore-output"]\nband'
    text = text.replace("# %%\nprint(6 * 7)", prediction.format(number=1) + "# %%\nprint(6 * 7)")
    text = text.replace(figure, answer.format(number=1) + '# %% tags=["hero", "plot"]\nfigure, axis')
    text = text.replace(record, prediction.format(number=2) + record)
    first_exercise = '# %% [markdown] lang="en"\n# ### Exercise 1'
    return text.replace(first_exercise, answer.format(number=2) + summary + first_exercise)


def small_chapter(folder: Path, change=lambda text: text, number: str = "02"):
    """Write the small chapter under folder/notebooks/source, stamped, and return it read."""
    path = folder / "notebooks" / "source" / f"{number}_small.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(change(TEXT.format(setup=assemble.SETUP.strip())), encoding="utf-8")
    chapter = chapters.at(path)
    source.accept_translations(source.read(chapter))
    return source.read(chapter)
