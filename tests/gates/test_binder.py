"""The Binder image: what its Dockerfile will be, rendered without Docker, and the versions it installs."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from course_utils.workshop.chapters import ROOT


def pins(path):
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s#]+)", path.read_text(encoding="utf-8"), re.M)
    return {name.lower(): version for name, version in found}


def names(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return {re.split(r"[=<>\s#]", line)[0].lower() for line in lines if line and line[0] not in "#-"}


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker does not run on Windows")
def test_dockerfile_uses_our_python_requirements_and_scripts(tmp_path):
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    finished = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    dockerfile = finished.stdout + finished.stderr
    assert finished.returncode == 0, dockerfile[-2000:]
    assert re.search(r'pip install --no-cache-dir -r "binder/requirements.txt"', dockerfile)
    assert "RUN ./binder/postBuild" in dockerfile and "/binder/start" in dockerfile
    assert "conda environment for python=3.12" in dockerfile


def test_binder_installs_what_the_course_needs_in_the_same_versions():
    course, binder = names(ROOT / "requirements.txt"), names(ROOT / "binder" / "requirements.txt")
    assert binder - {"tensorflow-cpu"} <= course
    # Binder's image has JupyterLab.
    assert course - binder == {"tensorflow", "jupyterlab"}
    cpu = pins(ROOT / "binder" / "requirements.txt")["tensorflow-cpu"]
    assert cpu == pins(ROOT / "requirements.txt")["tensorflow"]
    assert "-c ../constraints.txt" in (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows files have no executable bit")
def test_scripts_can_be_executed():
    for name in ("postBuild", "start"):
        assert os.access(ROOT / "binder" / name, os.X_OK)
