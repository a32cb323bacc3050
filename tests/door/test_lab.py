"""The learner's copies: made once, brought up to date when untouched, never overwritten; settings of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils import files, surroundings
from course_utils.door import environment, lab


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A built course of two chapters in two languages, and an empty place for a learner."""
    for language in lab.LANGUAGES:
        for name in ("02_convolution", "03_recurrent"):
            write(tmp_path / "notebooks" / language / f"{name}.ipynb", f"{language} {name} version 1")
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(tmp_path / "notebooks"))
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def read(path):
    return path.read_bytes().decode("utf-8")


def copy(course):
    return lab.copy_chapters(course / "notebooks", course / "my-course")


def test_copies_both_languages_once(course):
    assert copy(course)["new"] == [
        "en/02_convolution.ipynb",
        "en/03_recurrent.ipynb",
        "zh/02_convolution.ipynb",
        "zh/03_recurrent.ipynb",
    ]
    assert read(course / "my-course" / "zh" / "03_recurrent.ipynb") == "zh 03_recurrent version 1"
    assert copy(course) == {"new": [], "updated": [], "kept": []}


def test_an_edited_copy_is_never_overwritten(course):
    copy(course)
    mine = course / "my-course" / "en" / "02_convolution.ipynb"
    write(mine, "my work")
    assert copy(course) == {
        "new": [],
        "updated": [],
        "kept": [],
    }  # the course has nothing newer: nothing to say
    for version in (2, 3):
        write(course / "notebooks" / "en" / "02_convolution.ipynb", f"version {version}")
        result = copy(course)
        assert result == {"new": [], "updated": [], "kept": ["en/02_convolution.ipynb"]}
        assert read(mine) == "my work"
    (line,) = lab.summary(result, course / "notebooks", course / "my-course")
    assert "en/02_convolution.ipynb" in line and "保留" in line and "kept" in line


def test_an_untouched_copy_gets_the_newer_version(course):
    copy(course)
    for version in (2, 3):
        write(course / "notebooks" / "zh" / "02_convolution.ipynb", f"version {version}")
        assert copy(course) == {"new": [], "updated": ["zh/02_convolution.ipynb"], "kept": []}
        assert read(course / "my-course" / "zh" / "02_convolution.ipynb") == f"version {version}"


def test_a_deleted_copy_and_a_new_chapter_come(course):
    copy(course)
    (course / "my-course" / "en" / "02_convolution.ipynb").unlink()
    write(course / "notebooks" / "en" / "04_attention.ipynb", "new")
    assert copy(course)["new"] == ["en/02_convolution.ipynb", "en/04_attention.ipynb"]


@pytest.mark.parametrize("manifest", [None, "", "[1]", "{half"])
def test_without_a_readable_manifest_everything_counts_as_the_learners(course, manifest):
    copy(course)
    path = course / "my-course" / lab.MANIFEST
    path.unlink() if manifest is None else write(path, manifest)
    write(course / "notebooks" / "en" / "02_convolution.ipynb", "version 2")
    assert copy(course)["kept"] == ["en/02_convolution.ipynb"]
    assert read(course / "my-course" / "en" / "02_convolution.ipynb") == "en 02_convolution version 1"


def test_an_interrupted_copy_is_taken_up_again(course, monkeypatch):
    def interrupted(path, content):
        if path.name == "03_recurrent.ipynb":
            raise KeyboardInterrupt
        write_file(path, content)

    write_file = files.write
    monkeypatch.setattr(files, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy(course)
    monkeypatch.setattr(files, "write", write_file)
    assert len(copy(course)["new"]) == 3
    write(course / "notebooks" / "en" / "02_convolution.ipynb", "version 2")
    assert copy(course)["updated"] == ["en/02_convolution.ipynb"]


def contents(folder):
    return {path.relative_to(folder).as_posix(): read(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("language", lab.LANGUAGES)
def test_settings_are_the_courses_not_the_users(course, monkeypatch, language):
    home = course / "home"
    write(home / ".jupyter" / "lab" / "user-settings" / "theme.jupyterlab-settings", '{"theme": "mine"}')
    for name in ("HOME", "USERPROFILE", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    before = contents(home)
    variables = lab.jupyter_environment(language, course / "my-course")
    assert contents(home) == before
    settings = Path(variables["JUPYTERLAB_SETTINGS_DIR"])
    assert course / "my-course" in settings.parents
    assert course / "my-course" in Path(variables["JUPYTERLAB_WORKSPACES_DIR"]).parents
    written = contents(settings)
    news = json.loads(written["@jupyterlab/apputils-extension/notification.jupyterlab-settings"])
    assert news["fetchNews"] == "false"
    translation = written.get("@jupyterlab/translation-extension/plugin.jupyterlab-settings")
    assert (translation and json.loads(translation)) == ({"locale": "zh_CN"} if language == "zh" else None)


def test_what_a_learner_sets_in_jupyterlab_stays(course):
    settings = Path(lab.jupyter_environment("zh", course / "my-course")["JUPYTERLAB_SETTINGS_DIR"])
    plugin = settings / "@jupyterlab" / "translation-extension" / "plugin.jupyterlab-settings"
    write(plugin, '{"locale": "fr_FR"} // mine')
    lab.jupyter_environment("zh", course / "my-course")
    assert read(plugin) == '{"locale": "fr_FR"} // mine'


@pytest.fixture
def started(monkeypatch):
    """The command that would have become JupyterLab."""
    calls = []
    monkeypatch.setattr(
        environment, "replace_process", lambda command, variables: calls.append((command, variables))
    )
    return calls


@pytest.mark.parametrize("language", lab.LANGUAGES)
def test_command(course, started, language):
    lab.main(["--language", language, "--no-browser", "--port", "8899", "--IdentityProvider.token=abc"])
    ((command, variables),) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={course / 'my-course'}" in command
    assert f"--LabApp.default_url=/lab/tree/{language}/02_convolution.ipynb" in command
    assert {"--no-browser", "--port=8899", "--IdentityProvider.token=abc"} <= set(command)
    assert variables["COURSE_LANGUAGE"] == language


def test_copy_only_starts_nothing(course, started, capsys):
    assert lab.main(["--copy-only", "--language", "en"]) == 0
    assert not started
    assert "copied 4 notebooks" in capsys.readouterr().out


def test_no_chapters_is_said(course, started, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(course / "nothing"))
    assert lab.main(["--language", "en"]) == 1
    assert "no chapters" in capsys.readouterr().err and not started


@pytest.mark.skipif(os.name == "nt", reason="Windows says its language otherwise")
@pytest.mark.parametrize(
    "variables, language",
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
    ],
)
def test_default_language(monkeypatch, variables, language):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert lab.default_language() == language


# ------------------------------------------------------------------------------------ a user's home and shell


def test_jupyterlab_gets_a_clean_shell_and_a_profile_of_its_own(course, started, monkeypatch, tmp_path):
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "numpy.py").write_text("raise ImportError('the wrong NumPy')", encoding="utf-8")
    given = {
        "PYTHONPATH": tmp_path / "module",
        "KERAS_BACKEND": "jax",
        "KERAS_MAX_EPOCHS": 1,
        "IPYTHONDIR": "/mine",
    }
    for name, value in {
        **given,
        "PYTHONHASHSEED": 5,
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "",
    }.items():
        monkeypatch.setenv(name, str(value))
    lab.main(["--language", "en"])
    ((_, variables),) = started
    assert variables["PYTHONPATH"] == str(surroundings.ROOT)
    assert variables["KERAS_BACKEND"] == "tensorflow" and "KERAS_MAX_EPOCHS" not in variables
    assert variables["IPYTHONDIR"] == str(course / "my-course" / ".jupyter" / "ipython")
    assert variables["PYTHONHASHSEED"] == "0"
    assert {"localhost", "127.0.0.1"} <= set(variables["no_proxy"].split(","))


def test_kernels_are_still_found(course):
    variables = lab.jupyter_environment("en", course / "my-course")
    question = "from jupyter_client.kernelspec import KernelSpecManager as M; print(M().get_kernel_spec('python3').resource_dir)"
    found = subprocess.check_output([sys.executable, "-c", question], env=variables, encoding="utf-8")
    assert Path(sys.prefix) in Path(found.strip()).parents, "this environment's own"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no root")
@pytest.mark.parametrize(
    "identity, arguments, warned",
    [
        (0, [], True),
        (0, ["--allow-root"], False),
        (0, ["--ServerApp.allow_root=True"], False),
        (1000, [], False),
    ],
)
def test_root_is_told_both_ways_out(course, started, monkeypatch, capsys, identity, arguments, warned):
    monkeypatch.setattr(os, "geteuid", lambda: identity)
    lab.main(["--language", "en", *arguments])
    output = capsys.readouterr().out
    assert ("lab --allow-root" in output) == warned
    assert ("an ordinary user" in output and "换成普通用户" in output) == warned
    # JupyterLab itself decides: its settings may allow it.
    assert len(started) == 1


@pytest.mark.skipif(os.name == "nt", reason="BROWSER is a command of a shell here")
def test_browsers_get_an_address_that_they_can_open(tmp_path):
    """Snap's Firefox and browsers outside WSL read no file in a hidden folder of the user's home."""
    (tmp_path / "en").mkdir()
    variables = {
        **lab.jupyter_environment("en", tmp_path),
        "HOME": str(tmp_path),
        "BROWSER": "/bin/echo OPENED %s",
    }
    further = ["--allow-root", "--ServerApp.port_retries=50"]
    process = subprocess.Popen(
        lab.jupyter_command("en", tmp_path, port=18899, further=further),
        env=variables,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    opened = next((line for line in process.stdout if line.startswith("OPENED")), "")
    process.terminate()
    process.communicate(timeout=300)
    assert opened.startswith("OPENED http://") and "token=" in opened
