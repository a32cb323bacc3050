"""A learner's home and shell change nothing, however a chapter is started (JupyterLab: see test_browser)."""

import os
import subprocess
import sys
from pathlib import Path

import hostile
import nbformat
import pytest
from small_chapter import small_chapter

from course_utils import surroundings
from course_utils.workshop import assemble, build
from course_utils.workshop.chapters import ROOT

# What a hostile surrounding would change: the backend, number formats, capped epochs, what a cell shows, figures.
PROBE = """import keras, numpy as np, os
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
history = model.fit(np.ones((8, 2)), np.ones(8), batch_size=2, epochs=3, verbose=0)
print(keras.backend.backend(), keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
print(len(history.history["loss"]), model.optimizer.iterations.numpy(), plt.rcParams["text.usetex"], plt.rcParams["figure.dpi"])
print(os.environ["no_proxy"], keras.src.backend.config.keras_home().endswith(".keras"))
'one'
'two'"""
SAID = """tensorflow float32 1e-07 channels_last
3 12 False 100.0
localhost,127.0.0.1,::1 True
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The small chapter with the probe in it, assembled as if it had been executed."""
    read = small_chapter(tmp_path_factory.mktemp("course"), lambda text: text.replace("print(6 * 7)", PROBE))
    english = assemble.notebook(read, "en")
    for count, cell in enumerate(assemble.code_cells(english), start=1):
        cell.execution_count = count
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "nbval-ignore-output"]
    (probe,) = [cell for cell in english.cells if cell.source == PROBE]
    probe.metadata["tags"] = []
    probe.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=SAID),
        nbformat.v4.new_output("execute_result", data={"text/plain": "'two'"}, execution_count=6),
    ]
    path = read.chapter.notebook("en")
    path.parent.mkdir()
    nbformat.write(english, path)
    return read


@pytest.fixture
def environment(tmp_path, course):
    return {**hostile.environment(tmp_path), "COURSE_NOTEBOOKS": str(course.chapter.notebooks)}


def start(command: list, environment: dict, folder: Path) -> str:
    """Run a command to its end and return what it printed; a failure fails the test."""
    finished = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def said(path: Path) -> list:
    """Return what the probe of an executed notebook showed."""
    cells = assemble.code_cells(nbformat.read(path, as_version=4))
    (probe,) = [cell for cell in cells if cell.source == PROBE]
    assert [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    return ["".join(output.get("text", "")) or output["data"]["text/plain"] for output in probe.outputs]


def test_papermill_by_hand(environment, course, tmp_path):
    path, executed = course.chapter.notebook("en"), tmp_path / "executed.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(path),
        str(executed),
        "--cwd",
        str(ROOT),
        "-p",
        "SEED",
        "1",
    ]
    start(command, environment, path.parent)
    assert said(executed) == [SAID, "'two'"]


def test_nbval_by_hand(environment, course):
    path = course.chapter.notebook("en")
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(ROOT)])
    command = [sys.executable, "-m", "pytest", "--nbval", "-c", os.devnull]
    command += ["--noconftest", "--rootdir", str(path.parent), "-p", "no:cacheprovider", str(path)]
    assert "passed" in start(command, environment, path.parent)


def test_run(environment, course, tmp_path):
    command = [
        sys.executable,
        "-m",
        "course_utils",
        "run",
        "--profile",
        "smoke",
        "--output",
        str(tmp_path / "report"),
    ]
    start(command, {**environment, "COURSE_ENVIRONMENT": "current"}, ROOT)
    assert said(tmp_path / "report" / "notebooks" / "en" / "02_small.ipynb") == [SAID, "'two'"]


def test_build(environment, course, tmp_path):
    read = small_chapter(tmp_path, lambda text: text.replace("print(6 * 7)", PROBE), number="99")
    environment.update(COURSE_NOTEBOOKS=str(read.chapter.notebooks), COURSE_ENVIRONMENT="current")
    start([sys.executable, "-m", "course_utils", "build"], environment, ROOT)
    assert said(read.chapter.notebook("en")) == [SAID, "'two'"]
    assert build.check(read) == []


def test_the_tests(environment, tmp_path):
    """The command `test` hands its further arguments to pytest; here a test that asks Keras what it is."""
    probe = ROOT / "tests" / "notebook" / "test_notebook_side.py"
    command = [sys.executable, "-m", "course_utils", "test", "-n", "0", "-p", "no:cacheprovider", "-q"]
    environment.update(COURSE_ENVIRONMENT="current")
    environment.pop("COURSE_NOTEBOOKS")
    said = start([*command, f"{probe}::test_seed_makes_runs_repeat"], environment, tmp_path)
    assert "1 passed" in said


# --- what cleaning keeps and what it takes ------------------------------------------------------------------------


def test_cleaning_keeps_what_is_harmless_and_names_what_it_takes(tmp_path):
    given = {
        "PATH": "/bin",
        "TF_CONFIG": "{}",
        "KERAS_TORCH_DEVICE": "cuda",
        "TF_DETERMINISTIC_OPS": "1",
        "XLA_FLAGS": "--xla_gpu_cuda_data_dir=/opt/cuda --xla_cpu_enable_fast_math=true",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(tmp_path / "mine")]),
        "no_proxy": "example.org",
    }
    (tmp_path / "numpy").mkdir()
    cleaned = surroundings.clean(given)
    assert cleaned["TF_CONFIG"] == "{}" and cleaned["PATH"] == "/bin"
    assert not {"KERAS_TORCH_DEVICE", "TF_DETERMINISTIC_OPS"} & set(cleaned)
    assert cleaned["XLA_FLAGS"] == "--xla_gpu_cuda_data_dir=/opt/cuda"
    assert cleaned["PYTHONPATH"].split(os.pathsep) == [str(ROOT), str(tmp_path / "mine")]
    assert cleaned["no_proxy"] == cleaned["NO_PROXY"] == "example.org,localhost,127.0.0.1,::1"
    assert surroundings.kept_out(given) == [
        "KERAS_TORCH_DEVICE=cuda",
        "TF_DETERMINISTIC_OPS=1",
        f"PYTHONPATH: {tmp_path}",
    ]
    assert surroundings.clean(cleaned) == cleaned


def test_a_kernel_without_the_course_says_which_one_to_choose(tmp_path):
    """A hub's or an editor's kernel: another Python, without TensorFlow."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from course_utils import quiet"
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (
        "lacks tensorflow, keras" in finished.stderr and "python3 -m course_utils kernel" in finished.stderr
    )


@pytest.mark.parametrize("depth", ["course", "course/deep-learning-measured-main"])
def test_an_unpacked_zip_is_found_one_folder_deeper_too(tmp_path, depth):
    """Kaggle keeps the archive's top folder, and its input folder is read-only."""
    package = tmp_path / "input" / depth / "course_utils"
    package.mkdir(parents=True)
    for name in ("__init__", "profiles", "quiet"):
        (package / f"{name}.py").write_text("", encoding="utf-8")
    setup = assemble.SETUP.replace("/kaggle/input", str(tmp_path / "input"))
    assert setup != assemble.SETUP
    code = f"{setup}\nprint(course)"
    (tmp_path / "elsewhere").mkdir()
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert finished.stdout.strip() == str(package.parent), finished.stderr
