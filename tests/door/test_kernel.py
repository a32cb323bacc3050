"""The course's kernel, registered for real and started by a Jupyter of another environment."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from course_utils import surroundings
from course_utils.door import environment, kernel

ROOT = Path(__file__).resolve().parents[2]
# Starts a kernel by its name, as JupyterLab does, and prints what the code prints there.
CLIENT = """
import sys
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=600)
client.execute_interactive(sys.argv[2], timeout=600)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""
CODE = """
import json, os, sys, numpy
import course_utils
names = ("KERAS_BACKEND", "KERAS_HOME", "MATPLOTLIBRC", "PYTHONHASHSEED", "IPYTHONDIR")
print(json.dumps({"prefix": sys.prefix, "course": course_utils.__file__, "started": "STARTED" in globals(),
                  **{name: os.environ[name] for name in names}}))
"""


@pytest.fixture
def user(tmp_path):
    """Return the variables of a user with a home of their own, another backend, a startup file and a broken NumPy."""
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("STARTED = True", encoding="utf-8")
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "numpy.py").write_text("raise ImportError('the wrong NumPy')", encoding="utf-8")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "COURSE", "IPYTHON"))
    }
    home = str(tmp_path / "home")
    return {
        **kept,
        "HOME": home,
        "USERPROFILE": home,
        "APPDATA": home,
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(tmp_path / "module"),
        "PYTHONUTF8": "1",
    }


def run(user, *arguments):
    command = [sys.executable, "-m", "course_utils", "kernel", *arguments]
    variables = {**user, "COURSE_ENVIRONMENT": "current"}
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return finished.returncode, finished.stdout


def other_python(folder):
    """Make an environment of another Jupyter, which borrows this one's packages."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    site = next(folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"))
    borrowed = Path(sys.prefix) / site.relative_to(folder)
    (site / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    return environment.venv_python(folder)


def test_registered_started_from_another_environment_and_removed(user, tmp_path):
    code, output = run(user)
    folder = tmp_path / "data" / "kernels" / kernel.NAME
    assert code == 0 and str(folder) in output, output
    for program in ("JupyterLab", "Notebook 7", "VS Code", "PyCharm", "--remove"):
        assert program in output
    assert (
        json.loads((folder / "kernel.json").read_text(encoding="utf-8"))["display_name"]
        == kernel.DISPLAY_NAME
    )

    python = other_python(tmp_path / "other")
    client = {name: value for name, value in user.items() if name != "PYTHONPATH"}
    # The broken NumPy is in front only where the kernel starts, not in this small client.
    start = f"import os; os.environ['PYTHONPATH'] = {user['PYTHONPATH']!r}\n{CLIENT}"
    found = json.loads(
        subprocess.check_output(
            [python, "-c", start, kernel.NAME, CODE], env=client, cwd=tmp_path, encoding="utf-8"
        )
    )
    assert found == {
        "prefix": sys.prefix,
        "course": str(ROOT / "course_utils" / "__init__.py"),
        "started": False,
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": str(surroundings.SETTINGS),
        "MATPLOTLIBRC": str(surroundings.SETTINGS / "matplotlibrc"),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(folder / "ipython"),
    }

    code, output = run(user)
    assert code == 0, "registering it again renews it"
    code, output = run(user, "--remove")
    assert code == 0 and "removed" in output and not folder.exists()
    code, output = run(user, "--remove")
    assert code == 1 and "not registered here" in output


def test_for_everybody_under_a_prefix(user, tmp_path):
    prefix = tmp_path / "hub"
    code, output = run(user, "--prefix", str(prefix))
    folder = prefix / "share" / "jupyter" / "kernels" / kernel.NAME
    assert code == 0 and str(folder) in output and (folder / "kernel.json").exists()
    assert not (tmp_path / "data").exists()
    assert run(user, "--prefix", str(prefix), "--remove")[0] == 0 and not folder.exists()


def test_a_prefix_that_cannot_be_written(user, tmp_path):
    (tmp_path / "file").write_text("")
    code, output = run(user, "--prefix", str(tmp_path / "file"))
    assert (
        code == 1 and "cannot write" in output and "without --prefix" in output and "Traceback" not in output
    )


def test_a_users_exceptions_from_a_proxy_stay(tmp_path):
    assert not {"no_proxy", "NO_PROXY"} & set(kernel.variables(tmp_path))
