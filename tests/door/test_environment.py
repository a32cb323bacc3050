"""The environment: made once, repaired after a kill, locked, never at the cost of what is not ours; entered clean."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course_utils.door import SetupError, environment

POSIX = os.name != "nt"
# Read by every Python that has its folder on PYTHONPATH: a disk without symbolic links.
NO_LINKS = """
import os

def symlink(*_, **__):
    raise PermissionError(1, "Operation not permitted")

os.symlink = symlink
"""


def test_first_call_sets_up_and_runs_inside(finished):
    assert "making an empty environment" in finished.output
    assert "ready after" in finished.output
    assert f"RAN run ['0'] 1.0 {finished.venv}" in finished.output
    assert not (finished.venv / "course-temporary").exists()


def test_second_call_does_nothing_but_run(finished):
    path = finished.venv / environment.MARKER
    before = finished.marker(), path.stat().st_mtime_ns
    code, output = finished.run("seeds", "0")
    assert code == 0
    assert output.splitlines() == [f"RAN seeds ['0'] 1.0 {finished.venv}"]
    assert before == (finished.marker(), path.stat().st_mtime_ns)


def test_who_wants_no_compiled_files_beside_the_sources_gets_them_kept_elsewhere(updated):
    code, output = updated.run("run", "0", PYTHONDONTWRITEBYTECODE="1")
    assert code == 0, output
    assert list((updated.venv / "compiled").rglob("tinything.*.pyc"))
    beside = [path for path in updated.root.rglob("__pycache__") if updated.venv not in path.parents]
    assert not beside
    mine = updated.slow / "mine"
    updated.run("run", "0", PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=str(mine))
    assert list(mine.rglob("tinything.*.pyc")), "a folder of the user's own is left as it is"


@pytest.mark.parametrize("wanted", [1, 7])
def test_exit_code_is_passed_on(finished, wanted):
    assert finished.run("run", str(wanted))[0] == wanted


def test_course_utils_imports_from_anywhere_in_the_environment(finished, tmp_path):
    python = environment.venv_python(finished.venv)
    output = subprocess.check_output(
        [python, "-c", "import course_utils; print(ascii(course_utils.__file__))"],
        cwd=tmp_path,
        env=finished.environment(),
        encoding="utf-8",
    )
    assert Path(ast.literal_eval(output.strip())) == finished.root / "course_utils" / "__init__.py"


def test_killed_in_the_middle_is_repaired(updated):
    """The set-up is killed while pip works; what pip left looks installed but is not whole."""
    process = updated.start("run", **updated.slow_pip(seconds=4))
    updated.wait_for_pip()
    # SIGKILL: no clean-up of ours can run.
    process.kill()
    process.wait()
    assert not (updated.venv / environment.MARKER).exists()
    # A package whose metadata is there and whose module is not: `pip install` would call it satisfied.
    shutil.rmtree(updated.packages() / "tinything-1.0.dist-info")
    (updated.packages() / "tinything.py").unlink()
    info = updated.packages() / "tinything-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinything\nVersion: 2.0\n", encoding="utf-8")
    code, output = updated.run("run", "0")
    assert code == 0, output
    assert "RAN run ['0'] 2.0" in output
    assert "making it again" in output
    # The orphaned pip still held the lock.
    if POSIX:
        assert "waiting for it" in output


def test_two_at_once_install_once(course):
    first, second = course.start("run", "0"), course.start("run", "0")
    outputs = [process.communicate(timeout=240)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert all("RAN run ['0'] 1.0" in output for output in outputs)
    assert sum("making an empty environment" in output for output in outputs) == 1
    assert sum("waiting for it" in output for output in outputs) == 1


def test_an_update_without_a_network_spoils_nothing(updated):
    offline = {
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    marker = updated.marker()
    code, output = updated.run("run", **offline)
    assert code == 1 and "Traceback" not in output
    for words in ("packages cannot be downloaded", "无法下载", "index-url", "PIP_FIND_LINKS"):
        assert words in output
    assert updated.marker() == marker
    code, output = updated.run("run", "0")
    assert code == 0 and "RAN run ['0'] 2.0" in output
    assert "bringing the existing environment up to date" in output

    # `test` adds the test tools to the same environment; here, those do not include pytest.
    code, output = updated.run("test")
    assert "installing the test tools" in output and "No module named 'pytest'" in output
    assert set(updated.marker()) == {"main", "tests"}


def test_a_folder_that_is_not_ours_is_never_deleted(course):
    precious = course.venv / "thesis.txt"
    course.venv.mkdir()
    precious.write_text("three years", encoding="utf-8")
    code, output = course.run("run")
    assert code == 1 and "left alone" in output
    assert precious.read_text(encoding="utf-8") == "three years"


def test_current_environment_installs_nothing(course):
    (course.slow / "tinything.py").write_text("VERSION = 'mine'", encoding="utf-8")
    (course.slow / "sitecustomize.py").unlink()
    code, output = course.run("run", "5", COURSE_ENVIRONMENT="current", PYTHONPATH=str(course.slow))
    assert code == 5 and f"RAN run ['5'] mine {sys.prefix}" in output
    assert not course.venv.exists()


@pytest.mark.skipif(not POSIX, reason="Windows delivers Ctrl-C to a whole console")
def test_interrupting_the_set_up_ends_pip_too(updated):
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "run"],
        cwd=updated.root,
        env=updated.environment(**updated.slow_pip(seconds=60)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        # Tests started in the background inherit an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    updated.wait_for_pip()
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 130 and "interrupted" in output
    assert not (updated.venv / environment.MARKER).exists()


# ------------------------------------------------------------------------------------- places that cannot take it


def test_no_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "venv"))
    gigabyte_free = shutil._ntuple_diskusage(10**11, 10**11, 10**9)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: gigabyte_free)
    # If the check were missing, this test must fail at once and not install the real requirements.
    monkeypatch.setattr(environment, "_make_venv", lambda *_: pytest.fail("went on without room"))
    with pytest.raises(SetupError, match="4.5 GB needed, 1.0 GB free"):
        environment.set_up()
    assert not (tmp_path / "venv").exists()


def test_no_venv_module(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "venv"))
    # What Debian does without python3-venv.
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SetupError, match=r"lacks the module ensurepip.*apt install python3\.\d+-venv"):
        environment.set_up()


def test_folder_that_cannot_be_written(monkeypatch, tmp_path):
    # A file where a folder is needed: refuses root too, unlike a mode.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_VENV", str(tmp_path / "file" / "venv"))
    with pytest.raises(SetupError, match="cannot write .* COURSE_VENV"):
        environment.set_up()


def test_a_name_that_is_too_long(course):
    code, output = course.run("run", COURSE_VENV=str(course.root / ("v" * 300)))
    assert code == 1 and "cannot write" in output and "COURSE_VENV" in output and "Traceback" not in output


@pytest.mark.skipif(not POSIX, reason="Windows separates paths by a character that no path contains")
def test_a_colon_in_the_path(course):
    code, output = course.run("run", COURSE_VENV=str(course.root / "a:b"))
    assert code == 1 and "the path has a ':'" in output and "export COURSE_VENV=" in output
    assert not (course.root / "a:b").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there venv insists on a symbolic link")
def test_a_disk_without_symbolic_links(course):
    (course.slow / "sitecustomize.py").write_text(NO_LINKS, encoding="utf-8")
    code, output = course.run("run", PYTHONPATH=str(course.slow))
    assert code == 1, output
    assert (
        "has no symbolic links" in output and "不支持符号链接" in output and "export COURSE_VENV=" in output
    )
    # What it advises helps.
    code, output = course.run("run", "0", COURSE_VENV=str(course.root / "elsewhere"))
    assert code == 0 and f"RAN run ['0'] 1.0 {course.root / 'elsewhere'}" in output


def test_a_disk_that_runs_no_programs(course, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,size=5g", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk, and not in every container")
    try:
        code, output = course.run("run", COURSE_VENV=str(disk / "venv"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert code == 1
    assert "does not run programs (noexec)" in output and "export COURSE_VENV=" in output


# ---------------------------------------------------------------------------- a user's shell does not get in


def test_another_numpy_on_the_module_path_stays_out(finished, tmp_path):
    """What a module system or ROS does: PYTHONPATH brings packages of another Python."""
    (tmp_path / "numpy.py").write_text("raise ImportError('the wrong NumPy')", encoding="utf-8")
    ours = finished.packages() / "numpy.py"
    ours.write_text("VERSION = 'ours'", encoding="utf-8")
    finished.command("seeds", package="numpy")
    try:
        code, output = finished.run("seeds", "0", PYTHONPATH=str(tmp_path), PYTHONHOME=sys.base_prefix)
    finally:
        ours.unlink()
        finished.command("seeds")
    assert code == 0 and "RAN seeds ['0'] ours" in output, output


def test_another_numpy_stays_out_of_pythons_that_are_used_as_they_are(tmp_path):
    """`test` of this very course, with a broken NumPy in front, in this very environment."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "numpy.py").write_text("raise ImportError('the wrong NumPy')", encoding="utf-8")
    test = tmp_path / "test_numpy.py"
    test.write_text("import numpy\n\ndef test_it():\n    assert numpy.zeros(2).size == 2\n", encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path / "module"), "COURSE_ENVIRONMENT": "current"}
    command = [
        sys.executable,
        "-m",
        "course_utils",
        "test",
        "-p",
        "no:cacheprovider",
        "-q",
        "-n",
        "0",
        str(test),
    ]
    finished = subprocess.run(
        command, cwd=environment.ROOT, env=variables, capture_output=True, encoding="utf-8", check=False
    )
    assert finished.returncode == 0 and "1 passed" in finished.stdout, finished.stdout + finished.stderr


def test_loopback_is_exempted_from_a_proxy(finished):
    path = finished.root / "course_utils" / "workshop" / "seeds.py"
    path.write_text(
        "import urllib.request\n\ndef main(arguments):\n"
        "    for host in arguments:\n        print(host, bool(urllib.request.proxy_bypass(host)))\n    return 0\n",
        encoding="utf-8",
    )
    proxy = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "intranet"}
    try:
        code, output = finished.run("seeds", "localhost", "127.0.0.1", "intranet", "example.org", **proxy)
    finally:
        finished.command("seeds")
    assert code == 0
    assert output.split() == "localhost True 127.0.0.1 True intranet True example.org False".split()


def test_variables_that_change_numbers_stay_out(finished):
    path = finished.root / "course_utils" / "workshop" / "seeds.py"
    path.write_text(
        "import os\n\ndef main(arguments):\n    print(*(os.environ.get(name) for name in arguments))\n    return 0\n",
        encoding="utf-8",
    )
    names = ("KERAS_BACKEND", "KERAS_MAX_EPOCHS", "TF_ENABLE_ONEDNN_OPTS", "MPLBACKEND", environment.ENTERED)
    given = {
        "KERAS_BACKEND": "jax",
        "KERAS_MAX_EPOCHS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "MPLBACKEND": "pdf",
    }
    try:
        code, output = finished.run("seeds", *names, **given)
    finally:
        finished.command("seeds")
    assert code == 0 and output.split() == ["tensorflow", "None", "None", "None", "None"]


def test_a_user_without_a_name(finished, ordinary_user):
    """In a container's image, the user's number often stands in no list of users."""
    words, python = ordinary_user
    # Not tmp_path: its parents are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        course = type(finished)(Path(folder))
        for path in [Path(folder), *Path(folder).rglob("*")]:
            os.chown(path, 12345, 12345)
        code, output = course.run("run", "3", python=python, before=words, HOME=folder)
        assert code == 3 and f"RAN run ['3'] 1.0 {course.venv}" in output, output
