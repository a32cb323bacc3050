"""The reader's language, wherever a notebook runs; and texts that carry both during a build."""

import base64
import io
import json
import os
import subprocess
import sys
import types

import matplotlib.pyplot as plt
import nbformat
import pytest

from course_utils import exercises, language, plots, profiles, proofs
from course_utils.workshop.chapters import ROOT

CHINESE = range(0x4E00, 0xA000)


@pytest.fixture(autouse=True)
def profile_of_its_own(monkeypatch):
    """`profiles.use` is called below; the tests that follow in this process must not see it."""
    monkeypatch.setitem(profiles._state, "profile", profiles._state["profile"])


@pytest.fixture(autouse=True)
def nobody_says(monkeypatch, tmp_path):
    """Nothing tells the language, as in a terminal in some folder."""
    for name in ("COURSE_LANGUAGE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(language, "_notebook_in_vs_code", lambda: None)
    monkeypatch.setattr(language, "_notebook_in_command_line", lambda: None)
    monkeypatch.chdir(tmp_path)


def holds_chinese(text: str) -> bool:
    return any(ord(character) in CHINESE for character in text)


# --- who says it --------------------------------------------------------------------------------------------------


def test_english_when_nobody_says_anything():
    assert language.current() == "en" and language.words("loss", "损失") == "loss"


def test_the_notebook_then_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "zh")
    assert language.current() == "zh" and language.words("loss", "损失") == "损失"
    monkeypatch.setenv("JPY_SESSION_NAME", "/courses/my-course/en/02_convolution.ipynb")
    assert language.current() == "en"
    monkeypatch.setenv("COURSE_LANGUAGE", "fr")
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook-7")
    assert language.current() == "en"


def test_vs_code_names_the_notebook(monkeypatch):
    monkeypatch.undo()
    for name in ("COURSE_LANGUAGE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    names = {"__vsc_ipynb_file__": "/course/notebooks/zh/04_softmax_and_loss.ipynb"}
    shell = types.SimpleNamespace(user_ns=names)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert language.current() == "zh"
    names.clear()
    assert language.current() == "en"


def test_the_kernel_s_folder_and_only_the_nearest(monkeypatch, tmp_path):
    for place, said in (("my-course/zh", "zh"), ("zh/en", "en"), ("zh/course", "en"), ("zhong", "en")):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        assert language.current() == said, place


@pytest.fixture
def chinese_notebook(tmp_path):
    """notebooks/zh/04_small.ipynb, whose one cell prints words."""
    code = "from course_utils import language\nprint(language.words('loss', '损失'))"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "notebooks" / "zh" / "04_small.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata=kernel), path)
    return path


@pytest.mark.parametrize("program", ["papermill", "nbconvert", "papermill in its folder"])
def test_programs_that_a_reader_starts_by_hand(chinese_notebook, tmp_path, program):
    """None of them says which notebook runs: papermill starts the kernel where the reader stands."""
    executed = tmp_path / "executed.ipynb"
    folder = chinese_notebook.parent if program.endswith("folder") else tmp_path
    name = os.path.relpath(chinese_notebook, folder)
    arguments = {
        "papermill": ["papermill", name, str(executed)],
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", "--output", str(executed), name],
    }[program.split()[0]]
    finished = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    code = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    assert [output.text for cell in code for output in cell.outputs] == ["损失\n"]


# --- both at once, during a build ---------------------------------------------------------------------------------


@pytest.fixture
def build(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "both")


def sides(text: str) -> tuple:
    return language.side(text, "en"), language.side(text, "zh")


def test_a_text_with_both_sides_is_split(build):
    loss = language.words("loss", "损失")
    inner = language.words(f"the {loss} falls", f"{loss}下降")
    for text, expected in (
        (loss, ("loss", "损失")),
        (f"{loss}: 0.5, {loss}\n", ("loss: 0.5, loss\n", "损失: 0.5, 损失\n")),
        (inner, ("the loss falls", "损失下降")),
        (repr([loss, "a"]), ("['loss', 'a']", "['损失', 'a']")),
        (json.dumps({"name": str(loss)}), ('{"name": "loss"}', '{"name": "\\u635f\\u5931"}')),
        (f"|{loss:>6}|{loss:-<5}|", ("|  loss|loss-|", "|    损失|损失---|")),
        (f"<b>{language.words('two<br>lines', '两<br>行')}</b>", ("<b>two<br>lines</b>", "<b>两<br>行</b>")),
        (language.words("a\nb", "甲\n乙"), ("a\nb", "甲\n乙")),
        ("plain 中文", ("plain 中文", "plain 中文")),
    ):
        assert sides(text) == expected
        assert not any(language.is_torn(one) for one in sides(text))


def test_a_cut_text_is_noticed(build):
    loss = language.words("loss", "损失")
    assert language.is_torn(loss[:3]) and language.is_torn(loss[-3:]) and language.is_torn(repr(loss[:3]))
    assert not language.is_torn("损失 · loss")


def test_no_text_carries_both_outside_a_build(monkeypatch):
    for said in ("en", "zh"):
        monkeypatch.setenv("COURSE_LANGUAGE", said)
        assert not language.is_torn(language.words("loss", "损失"))


def test_an_exception_carries_both(build):
    with pytest.raises(AssertionError) as refusal:
        proofs.equal({"a": [1.0], "b": [2.0]})
    english, chinese = sides(str(refusal.value))
    assert "largest difference" in english and not holds_chinese(english) and "最大差" in chinese


# --- helpers speak the reader's language --------------------------------------------------------------------------


@exercises.exercise("zz.double")
def _double(answer):
    exercises.expect(answer(3) == 6, "应为 6", "6 was expected")


def say_everything():
    """Call every helper that prints words and needs no training."""
    from course_utils import devices, profiles, results

    profiles.use("smoke", 0)
    devices.describe()
    results.cost("00")
    results.record("a.b", 0.5, band=(0, 1))
    results.record("a.b", 0.5, band=(1, 2))
    proofs.equal({"a": [1.0], "b": [1.0]})
    for answer in (..., lambda number: 6, lambda number: 5, lambda number: number / 0):
        exercises.check("zz.double", answer)
    exercises.progress()


def test_helpers_print_one_language(monkeypatch, capsys):
    said = {}
    for reader in ("en", "zh", "both"):
        monkeypatch.setenv("COURSE_LANGUAGE", reader)
        monkeypatch.delenv("COURSE_STRICT", raising=False)
        say_everything()
        said[reader] = capsys.readouterr().out
    assert not holds_chinese(said["en"]) and " · " not in said["en"]
    assert " · " not in said["zh"]
    for english in (
        "band",
        "equal",
        "attempted",
        "correct",
        "expected",
        "raised",
        "solved",
        "why",
        "seed",
        "measured",
    ):
        assert english in said["en"] and english not in said["zh"], english
    assert sides(said["both"]) == (said["en"], said["zh"])


def test_the_quiz_is_shown_in_the_reader_s_language(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    for reader in ("en", "zh", "both"):
        monkeypatch.setenv("COURSE_LANGUAGE", reader)
        exercises.quiz("01")
    assert "Right" in shown[0]["text/html"] and "正确" in shown[1]["text/html"]
    assert [sides(shown[2][kind]) for kind in shown[0]] == [
        (shown[0][kind], shown[1][kind]) for kind in shown[0]
    ]


# --- figures ------------------------------------------------------------------------------------------------------


def shown_figure(monkeypatch, label):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, metadata, raw: shown.append((data, metadata)))
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.bar([label, "b"], [1, 2])
    axis.set_ylabel(label)
    plots.show(figure, alt="bars", alt_zh="条形")
    return shown[0][0], shown[0][1]["image/png"]


def pixels(picture):
    return plt.imread(io.BytesIO(base64.b64decode(picture)))


def test_a_figure_with_words_is_drawn_once_for_each_language(monkeypatch):
    drawn = {}
    for reader in ("en", "zh", "both"):
        monkeypatch.setenv("COURSE_LANGUAGE", reader)
        drawn[reader] = shown_figure(monkeypatch, language.words("loss", "损失"))
    data, metadata = drawn["both"]
    english, chinese = pixels(data["image/png"]), pixels(metadata["png_zh"])
    assert (english == pixels(drawn["en"][0]["image/png"])).all()
    # The layout of a second drawing begins at the first one's: some edges move by a part of a pixel.
    assert (chinese != pixels(drawn["zh"][0]["image/png"])).mean() < 0.02 < (chinese != english).mean()
    assert sides(data["text/plain"]) == ("[bars]", "[条形]")
    assert "png_zh" not in drawn["en"][1] and "png_zh" not in drawn["zh"][1]


def test_a_figure_without_words_is_drawn_once(monkeypatch, build):
    assert "png_zh" not in shown_figure(monkeypatch, "loss")[1]
