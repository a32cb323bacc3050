"""`run` against small notebooks without TensorFlow: what passes, fails, and must be noticed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from small_notebook import PARAMETERS, RECORD, make_notebook

from course_utils.workshop import jobs, report, run
from course_utils.workshop.chapters import FAILED, INTERRUPTED, PASSED, USAGE, choose

ROOT = Path(__file__).resolve().parents[2]


def state(output: Path) -> dict:
    return json.loads((output / "state.json").read_text(encoding="utf-8"))["chapters"]


# ------------------------------------------------------------------------ refused before anything is executed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["7"], ["'7'", "01_good", "02a_more"]),
        (["--profile", "huge"], ["huge", "smoke, laptop, full"]),
        (["--language", "fr"], ["fr", "en, zh"]),
        (["-p", "rate=1"], ["01_good.ipynb", "rate", "PROFILE, SEED"]),
        (["-p", "rate"], ["name=value", "'rate'"]),
        (["-p", "SEED=1", "-p", "SEED=2"], ["SEED", "twice"]),
        (["-p", "PROFILE=smoke"], ["--profile"]),
        (["--jobs", "0"], ["greater than 0"]),
        (["--language", "zh"], ["zh", "build"]),
    ],
)
def test_a_wrong_command_line_names_what_is_known(course, capsys, tmp_path, arguments, expected):
    make_notebook(course, "01_good", "1 + 1")
    make_notebook(course, "02a_more", "1 + 1")
    assert run.main([*arguments, "--output", str(tmp_path / "report")]) == USAGE
    said = capsys.readouterr().err
    for text in expected:
        assert text in said
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("cells", [(), (PARAMETERS, "SEED = 1")])
def test_exactly_one_parameters_cell_is_needed(course, capsys, tmp_path, cells):
    make_notebook(course, "01_good", "1 + 1")
    make_notebook(course, "02_bad", "1 + 1", parameters=cells)
    assert run.main(["--output", str(tmp_path / "report")]) == USAGE
    assert f"02_bad.ipynb: exactly one cell tagged `parameters` was expected; found {len(cells)}" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "report").exists()


def test_a_damaged_notebook_is_named(course, capsys, tmp_path):
    make_notebook(course, "01_good", "1 + 1").write_text('{"cells": [', encoding="utf-8")
    assert run.main(["--output", str(tmp_path / "report")]) == USAGE
    assert "01_good.ipynb" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["2", "02", "02_convolution", "02_convolution.ipynb"])
def test_a_chapter_has_several_names(course, name):
    for chapter in ("01_first", "02_convolution", "02a_deeper", "12_late"):
        make_notebook(course, chapter)
    assert [chapter.stem for chapter in choose([name])] == ["02_convolution"]
    assert [chapter.number for chapter in choose(["12", "2a"])] == ["02a", "12"]
    assert [chapter.number for chapter in choose([])] == ["01", "02", "02a", "12"]


def test_parameter_values_are_typed():
    texts = ["a=1", "b=1e-3", "c=true", "d=True", "e=None", "f=cnn", "g=[1, 2]", 'h="2"', "i=x=y", "j="]
    assert run.parse_parameters(texts) == {
        "a": 1, "b": 0.001, "c": True, "d": True, "e": None, "f": "cnn", "g": [1, 2], "h": "2",
        "i": "x=y", "j": "",
    }  # fmt: skip


# -------------------------------------------------------------------------------------- one run, all outcomes

# Chapters 01 and 02 each wait for the other: they can only pass that cell when two run at the same time.
MEET = """
import os, pathlib, time
folder = pathlib.Path(os.environ["COURSE_WORK"]).parent
(folder / "met-{mine}").touch()
end = time.monotonic() + 60
while not (folder / "met-{other}").exists():
    assert time.monotonic() < end, "the other chapter never came"
    time.sleep(0.05)
"""
SETTINGS = """
print({name: os.environ.get(name) for name in
       ("COURSE_PROFILE", "COURSE_STRICT", "COURSE_LANGUAGE", "TF_CPP_MIN_LOG_LEVEL", "PYTHONHASHSEED")},
      os.environ["MPLBACKEND"], os.getcwd())
"""


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Run five chapters, two at a time: the first and the last pass, the others fail, each in its way."""
    folder = tmp_path_factory.mktemp("everything")
    notebooks, output = folder / "notebooks", folder / "report"
    make_notebook(notebooks, "01_good", RECORD, MEET.format(mine="01", other="02"), SETTINGS)
    make_notebook(
        notebooks, "02_wrong", MEET.format(mine="02", other="01"),
        "# the loss\nraise ValueError('shape (3,) expected\\nsecond line')", "print('never')",
    )  # fmt: skip
    make_notebook(notebooks, "03_slow", "import time\ntime.sleep(60)")
    make_notebook(notebooks, "04_dead", "import os; os._exit(7)")
    make_notebook(notebooks, "05_last", "print('reached')")
    (output / "results").mkdir(parents=True)
    (output / "results" / "smoke-02.json").write_text('{"numbers": {"old": {"value": 1}}}', encoding="utf-8")
    environment = {
        **os.environ, "COURSE_NOTEBOOKS": str(notebooks), "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "agg", "JPY_SESSION_NAME": "zh/x.ipynb",
    }  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-m", "course_utils", "run", "--profile", "smoke", "--jobs", "2",
         "--timeout", "9", "--output", str(output)],
        check=False, env=environment, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=200,
    )  # fmt: skip
    return finished, output, notebooks


def test_failures_do_not_stop_the_others(everything):
    finished, output, _ = everything
    assert finished.returncode == FAILED, finished.stdout + finished.stderr
    statuses = {key: entry["status"] for key, entry in state(output).items()}
    assert statuses == {
        "en/01": "passed", "en/02": "failed", "en/03": "failed", "en/04": "failed", "en/05": "passed",
    }  # fmt: skip
    assert "passed 2 / 5" in finished.stdout


def test_the_summary_names_chapter_cell_and_error(everything):
    finished, _, _ = everything
    summary = finished.stdout[finished.stdout.index("passed 2 / 5") :]
    assert re.search(
        r"FAILED 02 \(02_wrong\), cell 3/4\n    # the loss\n    ValueError: shape \(3,\) expected\n"
        r"    notebook: .*02_wrong\.ipynb\n    log: .*smoke-02\.log\n",
        summary,
    ), summary
    assert re.search(r"FAILED 03 .*cell 2/2\n.*\n    CellTimeoutError: .* 9 s \(--timeout\)", summary), (
        summary
    )
    assert re.search(r"FAILED 04 .*cell 2/2\n    import os; os._exit\(7\)\n    DeadKernelError: ", summary), (
        summary
    )


def test_the_log_holds_the_traceback(everything):
    _, output, _ = everything
    log = (output / "logs" / "smoke-02.log").read_text(encoding="utf-8")
    assert "second line" in log and "\x1b" not in log


@pytest.mark.parametrize(("name", "error"), [("02_wrong", "ValueError"), ("03_slow", "CellTimeoutError")])
def test_the_executed_notebook_shows_the_error(everything, name, error):
    _, output, _ = everything
    notebook = nbformat.read(output / "notebooks" / "en" / f"{name}.ipynb", as_version=4)
    errors = [
        one.ename for cell in notebook.cells for one in cell.get("outputs", []) if one.output_type == "error"
    ]
    assert errors[-1] == error  # before a timeout's stands the interruption, where the kernel told it


def test_the_kernel_gets_the_settings(everything):
    _, output, notebooks = everything
    notebook = nbformat.read(output / "notebooks" / "en" / "01_good.ipynb", as_version=4)
    said = notebook.cells[-1].outputs[0].text
    expected = {
        "COURSE_PROFILE": "smoke", "COURSE_STRICT": "1", "COURSE_LANGUAGE": "en", "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONHASHSEED": "0",
    }  # fmt: skip
    assert str(expected) in said
    assert "matplotlib_inline" in said and "agg" not in said.replace(str(notebooks), "")
    assert str((notebooks / "en").resolve()) in said


def test_progress_is_shown_cell_by_cell(everything):
    finished, _, _ = everything
    assert re.search(r"^  02  3/4  .*# the loss$", finished.stdout, re.MULTILINE), finished.stdout
    assert re.search(r"^✓ 01  01_good  4/4  \d.* s  \d\.\d\d GB$", finished.stdout, re.MULTILINE), (
        finished.stdout
    )


def test_numbers_of_an_earlier_run_are_gone(everything):
    _, output, _ = everything
    assert (output / "results" / "smoke-01.json").exists()
    assert not (output / "results" / "smoke-02.json").exists()
    assert state(output)["en/02"]["results"] is None


def test_the_report_is_made_and_can_be_made_again(everything, capsys, monkeypatch):
    _, output, notebooks = everything
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(notebooks))
    page = output / "index.html"
    first = page.read_text(encoding="utf-8")
    page.unlink()
    assert report.main(["--output", str(output)]) == PASSED
    assert page.read_text(encoding="utf-8") == first
    assert "toy.accuracy" in first and "CellTimeoutError" in first


# ------------------------------------------------------------------------------------ resume and interruption


def test_resume_runs_only_what_changed(course, tmp_path, capsys):
    output = str(tmp_path / "report")
    count = "with open(os.environ['COURSE_WORK'] + '/runs', 'a') as runs: runs.write('x')"
    make_notebook(course, "01_kept", "import os", count)
    make_notebook(course, "02_changed", "import os", count)
    runs = {number: tmp_path / "report" / "work" / f"laptop-{number}" / "runs" for number in ("01", "02")}
    options = ["--jobs", "2", "--output", output]
    assert run.main([*options, "-p", "SEED=1"]) == PASSED
    notebook = nbformat.read(tmp_path / "report" / "notebooks" / "en" / "01_kept.ipynb", as_version=4)
    assert any("SEED = 1" in cell.source for cell in notebook.cells), "the parameter did not arrive"

    # Other outputs are not another source; another text is.
    stored = nbformat.read(course / "en" / "01_kept.ipynb", as_version=4)
    stored.cells[-1].outputs = [nbformat.v4.new_output("stream", text="old")]
    nbformat.write(stored, course / "en" / "01_kept.ipynb")
    make_notebook(course, "02_changed", "import os", count, "'new'")
    capsys.readouterr()
    assert run.main([*options, "-p", "SEED=1", "--resume"]) == PASSED
    assert "passed 2 / 2 (1 " in capsys.readouterr().out
    assert runs["01"].read_text() == "x"
    assert runs["02"].read_text() == "xx", "with --resume a chapter continues in its work folder"

    # Another parameter is another experiment: it runs again, and not with the earlier fits.
    assert run.main(["01", *options, "-p", "SEED=2", "--resume"]) == PASSED
    assert runs["01"].read_text() == "x"
    assert (runs["01"].parent.with_name("laptop-01.previous") / "runs").read_text() == "x"


def test_a_failed_chapter_is_not_finished(course, tmp_path):
    notebook = make_notebook(course, "01_x", "1")
    (chapter,) = choose(["01"])
    job = jobs.Job("01", chapter, "laptop", "en", {}, True, None, notebook, *[tmp_path / "x"] * 4)
    before = {**run.identity(job), "notebook": notebook.as_posix(), "results": None, "status": "passed"}
    assert run.is_done(job, before, tmp_path)
    for name, other in (
        ("status", "failed"), ("status", "interrupted"), ("profile", "smoke"), ("language", "zh"),
        ("parameters", {"SEED": 1}), ("source", "0"), ("notebook", "gone.ipynb"), ("results", "gone.json"),
    ):  # fmt: skip
        assert not run.is_done(job, {**before, name: other}, tmp_path), name


INTERRUPTIBLE = """
import os, pathlib, time
work = pathlib.Path(os.environ["COURSE_WORK"])
if not (work / "fit").exists():
    (work / "fit").write_text("done")
    (work / "pid").write_text(str(os.getpid()))
    time.sleep(120)
"""


def start_and_wait(course: Path, output: Path, *chapters: str) -> tuple[subprocess.Popen, int]:
    """Start a run whose chapter 02 hangs; return the process and the hanging kernel's process id."""
    make_notebook(course, "01_quick", "1 + 1")
    make_notebook(course, "02_long", INTERRUPTIBLE)
    # Tests that were started in the background ignore Ctrl-C, and so would everything that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "run", *chapters, "--output", str(output)],
        cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    pid, end = output / "work" / "laptop-02" / "pid", time.monotonic() + 60
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    return process, int(pid.read_text())


def alive(pid: int, seconds: float) -> bool:
    """Say whether a process still runs after at most so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_ends_the_children_and_resume_continues(course, tmp_path, capsys):
    output = tmp_path / "report"
    process, kernel = start_and_wait(course, output)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == INTERRUPTED
    assert "passed 1 / 2" in said and "not finished: 02" in said and "--resume" in said
    assert not alive(kernel, 5)
    assert {key: one["status"] for key, one in state(output).items()} == {
        "en/01": "passed",
        "en/02": "interrupted",
    }
    assert (output / "index.html").exists()

    assert run.main(["--output", str(output), "--resume"]) == PASSED
    said = capsys.readouterr().out
    assert "01  已通过" in said and "passed 2 / 2 (1 " in said
    assert (output / "work" / "laptop-02" / "fit").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_leaves_no_kernel_behind(course, tmp_path):
    process, kernel = start_and_wait(course, tmp_path / "report", "02")
    process.kill()
    process.wait()
    process.stdout.close()
    assert not alive(kernel, 10)


# ------------------------------------------------------------------------------------------------- --store


def test_store_puts_a_passed_full_run_beside_the_course_s_results(course, tmp_path, capsys):
    path = make_notebook(course, "01_good", RECORD)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["course"] = {"stamp": "0123"}
    nbformat.write(notebook, path)
    make_notebook(course, "02_bad", "1 / 0")
    options = ["--profile", "full", "--store", "--jobs", "2", "--output", str(tmp_path / "report")]
    assert run.main(options) == FAILED
    stored = json.loads((course / "results" / "full-01.json").read_text(encoding="utf-8"))
    assert stored["stamp"] == "0123" and stored["numbers"]["toy.accuracy"]["value"] == 0.9
    assert not (course / "results" / "full-02.json").exists()
    assert "stored: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--profile", "laptop"], "build stores the laptop numbers"),
        (["--profile", "full", "-p", "SEED=1"], "no -p"),
    ],
)
def test_what_is_not_the_course_s_own_full_run_is_not_stored(course, tmp_path, capsys, arguments, expected):
    make_notebook(course, "01_good", RECORD)
    assert run.main([*arguments, "--store", "--output", str(tmp_path / "report")]) == USAGE
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
