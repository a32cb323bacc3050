"""What the notebooks call: profiles, recorded numbers, proofs, figures, exercises, quizzes."""

import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

import course_utils
from course_utils import exercises, files, plots, profiles, proofs, results
from course_utils.workshop.chapters import ROOT, choose


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test starts as a new kernel would, in the laptop profile of a learner."""
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setitem(profiles._state, "profile", None)
    monkeypatch.setitem(profiles._state, "seed", 0)
    results._run.clear()
    monkeypatch.setitem(results._here, "chapter", None)
    exercises._registry.pop("02.double", None)


# --- profiles -----------------------------------------------------------------------------------------------------


def test_profile_comes_from_parameter_then_environment_then_laptop(monkeypatch):
    assert profiles.name() == "laptop"
    monkeypatch.setenv("COURSE_PROFILE", "smoke")
    assert profiles.choose(smoke=1, laptop=4, full=20) == 1
    profiles.use("full", 3)
    assert (profiles.name(), profiles.seed(), profiles.choose(smoke=1, laptop=4, full=20)) == ("full", 3, 20)


@pytest.mark.parametrize("profile, seed", [("fast", 0), (None, -1), (None, 1.5), (None, True)])
def test_wrong_profile_or_seed_is_refused(profile, seed):
    with pytest.raises(ValueError, match="laptop|whole number"):
        profiles.use(profile, seed)


def test_seed_makes_runs_repeat():
    import keras

    draws = []
    for seed in (1, 1, 2):
        profiles.use(None, seed)
        draws.append((np.random.rand(), float(keras.random.normal((1,))[0])))
    assert draws[0] == draws[1] != draws[2]


# --- results ------------------------------------------------------------------------------------------------------


def test_record_prints_judges_and_stores(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_RESULTS", str(tmp_path / "laptop-02.json"))
    results.record("cnn.test_accuracy", 0.98765, band=(0.98, 0.99))
    results.record("cnn.seconds", 12.3456, unit="s", digits=1)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("cnn.test_accuracy = 0.9877 ") and printed[0].endswith("[0.98, 0.99] ✓")
    assert printed[1] == "cnn.seconds = 12.3 s"
    stored = json.loads((tmp_path / "laptop-02.json").read_text(encoding="utf-8"))
    assert stored["chapter"] == "02" and stored["profile"] == "laptop"
    number = stored["numbers"]["cnn.test_accuracy"]
    assert number == {"value": 0.98765, "unit": "", "band": [0.98, 0.99], "in_band": True, "digits": 4}
    assert stored["numbers"]["cnn.seconds"]["in_band"] is None


@pytest.mark.parametrize("value", [0.97, 1.0, math.nan, math.inf])
def test_out_of_band_is_a_notice_for_learners_and_an_error_when_strict(value, monkeypatch, capsys):
    results.record("cnn.test_accuracy", value, band=(0.98, 0.99))
    assert "that is your experiment" in capsys.readouterr().out
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(results.OutOfBand, match="✗"):
        results.record("cnn.test_accuracy", value, band=(0.98, 0.99))


@pytest.mark.parametrize(
    "name, band", [("Accuracy", None), ("accuracy", None), ("cnn.x", (2, 1)), ("cnn.x", (1,))]
)
def test_malformed_records_are_refused(name, band):
    with pytest.raises(ValueError, match="expected"):
        results.record(name, 1.0, band=band)


@pytest.fixture
def stored_bands(monkeypatch, tmp_path):
    """A course whose chapter 02 has bands; `results.cost` says that this is chapter 02."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    bands = {"laptop": {"cnn.test_accuracy": [0.98, 0.99], "cnn.seconds": None}, "smoke": {}, "why": {}}
    files.write_json(tmp_path / "bands" / "02.json", bands)
    results.cost("02")
    return tmp_path / "bands"


def test_a_band_is_looked_up_by_chapter_profile_and_name(stored_bands, capsys):
    results.record("cnn.test_accuracy", 0.985)
    results.record("cnn.test_accuracy", 0.97)
    results.record("cnn.seconds", 3.0, unit="s")
    results.record("cnn.other", 3.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("[0.98, 0.99] ✓") and lines[1].endswith("[0.98, 0.99] ✗")
    assert lines[-2:] == ["cnn.seconds = 3.0000 s", "cnn.other = 3.0000"]
    numbers = results._run["numbers"]
    assert numbers["cnn.test_accuracy"]["in_band"] is False and numbers["cnn.other"]["in_band"] is None


def test_a_stored_band_is_as_strict_as_one_in_the_code(stored_bands, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(results.OutOfBand):
        results.record("cnn.test_accuracy", 0.97)
    results.record("cnn.test_accuracy", 0.97, band=(0.9, 1.0))  # the code's own band goes first
    results.begin("smoke")
    results.record("cnn.test_accuracy", 0.97)
    assert results._run["numbers"]["cnn.test_accuracy"]["in_band"] is None


@pytest.mark.parametrize("damage", ["missing", "damaged", "another chapter", "never said"])
def test_without_bands_numbers_are_recorded_and_nothing_raises(stored_bands, monkeypatch, damage):
    monkeypatch.setenv("COURSE_STRICT", "1")
    if damage == "missing":
        (stored_bands / "02.json").unlink()
    elif damage == "damaged":
        (stored_bands / "02.json").write_text("{", encoding="utf-8")
    elif damage == "another chapter":
        results.cost("02a")
    else:
        monkeypatch.setitem(results._here, "chapter", None)
    results.record("cnn.test_accuracy", 0.5)
    assert results._run["numbers"]["cnn.test_accuracy"]["in_band"] is None


def test_cost_line_and_spread(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    assert "not measured yet" in results.cost_line(results.read("laptop-02"), "en")
    assert results.spread("02", "cnn.test_accuracy") is None
    number = {"values": [1, 2, 3], "mean": 2.0, "lowest": 1.0, "highest": 3.0, "suggested_band": [0, 4]}
    files.write_json(tmp_path / "seeds-02.json", {"numbers": {"cnn.test_accuracy": number}})
    assert results.spread("02", "cnn.test_accuracy") == {
        "count": 3,
        "mean": 2.0,
        "lowest": 1.0,
        "highest": 3.0,
    }
    assert results.spread("02", "cnn.other") is None
    stored = {"cost": {"seconds": 61.7, "peak_memory_gb": 0.912}, "hardware": {"cores": 2}}
    assert results.cost_line(stored, "en") == "measured: 62 s, peak memory 0.91 GB (laptop, 2 cores)"
    assert results.cost_line(stored, "zh") == "实测：62 秒，内存峰值 0.91 GB（laptop，2 核）"


# --- proofs -------------------------------------------------------------------------------------------------------


def test_equal_prints_one_line(capsys):
    proofs.equal({"NumPy": np.ones((2, 3)), "Keras": np.ones((2, 3)) + 1e-7})
    assert capsys.readouterr().out == "NumPy = Keras  ✓ equal within 1e-05, shape (2, 3)\n"


@pytest.mark.parametrize(
    "other, message",
    [
        (np.ones(3) + 1e-3, "largest difference 1.00e-03"),
        (np.ones(4), "has shape"),
        (np.full(3, np.nan), "undefined"),
    ],
)
def test_equal_refuses_what_differs(other, message):
    with pytest.raises(AssertionError, match=message):
        proofs.equal({"NumPy": np.ones(3), "Keras": other})


def test_finite_differences_know_a_gradient():
    point = np.array([[1.0, -2.0], [0.5, 3.0]])
    gradient = proofs.finite_differences(lambda x: np.sum(x**3), point)
    np.testing.assert_allclose(gradient, 3 * point**2, rtol=1e-8)


# --- figures ------------------------------------------------------------------------------------------------------


def test_show_displays_png_with_alt_text_and_closes(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **more: shown.append((data, more["metadata"])))
    figure, axis = plt.subplots(figsize=(3, 2))
    axis.plot([1, 2])
    monkeypatch.setenv("COURSE_LANGUAGE", "zh")
    plots.show(figure, alt="a line", alt_zh="一条线")
    data, metadata = shown[0]
    assert data["text/plain"] == "[一条线]" and len(data["image/png"]) > 1000
    assert metadata["image/png"] == {"alt": "一条线", "alt_zh": "一条线", "width": 252, "height": 168}
    png = data["image/png"]
    assert data["text/html"] == (
        '<figure style="margin: 0"><img alt="一条线" width="252" height="168" style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{png}"><figcaption>一条线</figcaption></figure>'
    )
    assert not plt.fignum_exists(figure.number)
    with pytest.raises(ValueError, match="alt"):
        plots.show(figure, alt="", alt_zh="一条线")


def test_grid_has_one_axis_an_image_and_titles():
    figure = plots.grid(np.zeros((5, 4, 4, 1)), titles=range(5), columns=3)
    assert [axis.get_title() for axis in figure.axes] == ["0", "1", "2", "3", "4", ""]
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 1, 1, 0]
    plt.close(figure)
    with pytest.raises(ValueError, match="at least one image"):
        plots.grid([])


def test_chinese_is_drawn_with_the_shipped_font(recwarn):
    figure, axis = plt.subplots()
    axis.set_title("床前明月光")
    figure.canvas.draw()
    plt.close(figure)
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []


# --- exercises ----------------------------------------------------------------------------------------------------


@pytest.fixture
def double():
    @exercises.exercise("02.double")
    def check(answer):
        exercises.expect(exercises.close(answer(3), 6), "应为 6", "6 was expected")


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda number: 2 * number, "✓ 02.double  correct\n"),
        (lambda number: 3 * number, "6 was expected"),
        (lambda number: None, "6 was expected"),
        (lambda number: "text", "6 was expected"),
        (lambda number: number / 0, "your answer raised ZeroDivisionError"),
        (lambda: 6, "your answer raised TypeError"),
        (lambda number: {}["missing"], "your answer raised KeyError"),
        (6, "your answer raised TypeError"),
        (lambda number: ..., "○ 02.double  not attempted yet\n"),
        (..., "not attempted yet"),
    ],
)
def test_check_answers_and_never_raises(double, answer, words, capsys):
    exercises.check("02.double", answer)
    assert words in capsys.readouterr().out


def test_unknown_exercise_is_an_authors_error():
    with pytest.raises((KeyError, ModuleNotFoundError)):
        exercises.check("99.nothing", 1)


def test_progress_is_kept_in_the_learners_folder_and_never_lost(double, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "my-course" / "en"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    exercises.check("02.double", lambda number: 0)
    exercises.check("02.double", lambda number: 2 * number)
    stored = json.loads((tmp_path / "my-course" / "progress.json").read_text(encoding="utf-8"))
    assert stored["02.double"]["attempts"] == 2 and stored["02.double"]["solved"]
    exercises.progress()
    assert "✓ 02.double" in capsys.readouterr().out
    (tmp_path / "my-course" / "progress.json").write_text("{half", encoding="utf-8")
    exercises.check("02.double", lambda number: 2 * number)
    kept = list((tmp_path / "my-course").glob("progress-damaged-*.json"))
    assert [path.read_text(encoding="utf-8") for path in kept] == ["{half"]


def test_nothing_is_written_outside_a_learners_folder(double, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exercises.check("02.double", lambda number: 2 * number)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [chapter.number for chapter in choose([])])
def test_quiz_is_whole(number):
    path = ROOT / "course_utils" / "quizzes" / f"chapter_{number}.json"
    questions = json.loads(path.read_text(encoding="utf-8"))
    assert 4 <= len(questions) <= 6
    for question in questions:
        options = question["options"]
        assert sum(option["right"] for option in options) == 1 and len(options) >= 3
        texts = [question["question"]] + [option[key] for option in options for key in ("text", "why")]
        assert all(text["en"].strip() and text["zh"].strip() for text in texts)
    places = [[option["right"] for option in question["options"]].index(True) for question in questions]
    assert max(map(places.count, places)) <= 2 / 3 * len(places), "who always picks one place is mostly right"
    for lang, words in (("en", "Not this one"), ("zh", "不对")):
        page = exercises.quiz_data(number, lang)["text/html"]
        assert (
            page.count("<details>") == sum(len(question["options"]) for question in questions)
            and words in page
        )


# --- copies of version 0.1 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(course_utils._MOVED))
def test_a_learner_s_copy_finds_modules_under_their_earlier_names(name):
    scope = {}
    exec(f"from course_utils import {name}", scope)
    assert scope[name].__name__ == f"course_utils.{course_utils._MOVED[name]}"


def test_an_unknown_module_is_still_an_import_error():
    with pytest.raises(ImportError, match="no_such_module"):
        exec("from course_utils import no_such_module", {})


def test_chapter_nine_s_earlier_question_is_answered():
    from course_utils import doctor

    assert doctor.memory_gigabytes()[0] > 1
