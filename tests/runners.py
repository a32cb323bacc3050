"""The two programs that execute notebooks in the gates, nbval and `run`, each without a network."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from course_utils import files
from course_utils.workshop import jobs
from course_utils.workshop.chapters import ROOT

OFFLINE = str(ROOT / "tests" / "offline")


@functools.cache
def isolation() -> list:
    """Return the command that takes every network away, compiled code's too, where the system allows it."""
    isolated = ["unshare", "-rn", sys.executable, str(ROOT / "tests" / "offline" / "isolated.py")]
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return []
    allowed = subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode == 0
    return isolated if allowed else []


def nbval(notebook: Path, *arguments: str, results: Path | None = None):
    """Compare a notebook's outputs by nbval, strictly, in the smoke profile; return (exit code, text).

    Args:
        notebook: the executed notebook.
        arguments: further ones of pytest.
        results: where the chapter stores its numbers; nowhere that lasts if None.
    """
    command = [sys.executable, "-m", "pytest", "-p", "nbval.plugin", "--nbval", "-c", os.devnull, "-q"]
    command += ["--rootdir", str(notebook.parent), "--noconftest", "-p", "no:cacheprovider"]
    command += ["--nbval-cell-timeout=300", "--nbval-sanitize-with", str(ROOT / "tests" / "sanitize.cfg")]
    with tempfile.TemporaryDirectory() as work:
        environment = jobs.environment(
            profile="smoke",
            strict=True,
            language="en",
            results=results or Path(work) / "smoke.json",
            work=Path(work),
        )
        environment["PYTHONPATH"] = os.pathsep.join([OFFLINE, environment["PYTHONPATH"]])
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
            "1"  # a second each for plugins that nbval does not need
        )
        finished = subprocess.run(
            [*isolation(), *command, *arguments, str(notebook)],
            env=environment,
            cwd=notebook.parent,
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
    return finished.returncode, finished.stdout + finished.stderr


def run(notebooks: Path, output: Path, *arguments: str, **variables: str):
    """Execute notebooks by the command `run` in the smoke profile; return (exit code, chapter -> status, text).

    Args:
        notebooks: the folder with `en` and `zh`.
        output: where the report goes.
        arguments: further ones of `run`.
        variables: of the environment, besides the user's.
    """
    command = [sys.executable, "-m", "course_utils", "run", "--profile", "smoke", "--output", str(output)]
    finished = subprocess.run(
        [*isolation(), *command, *arguments],
        env={
            **os.environ,
            "COURSE_NOTEBOOKS": str(notebooks),
            "COURSE_ENVIRONMENT": "current",
            "PYTHONPATH": os.pathsep.join([OFFLINE, str(ROOT)]),
            **variables,
        },
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=1800,
        check=False,
    )
    chapters = files.read_json(output / "state.json").get("chapters", {})
    statuses = {entry["chapter"]: entry["status"] for entry in chapters.values()}
    return finished.returncode, statuses, finished.stdout + finished.stderr
