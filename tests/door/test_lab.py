"""The learner's copies: made once, brought up to date when untouched, never overwritten; settings of their own."""

import json
import os
import sys
from pathlib import Path

import pytest

from course_utils.door import bootstrap, doctor, lab


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
        lab_write(path, content)

    lab_write = lab._write
    monkeypatch.setattr(lab, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy(course)
    monkeypatch.setattr(lab, "_write", lab_write)
    assert len(copy(course)["new"]) == 3
    write(course / "notebooks" / "en" / "02_convolution.ipynb", "version 2")
    assert copy(course)["updated"] == ["en/02_convolution.ipynb"]


def files(folder):
    return {path.relative_to(folder).as_posix(): read(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("language", lab.LANGUAGES)
def test_settings_are_the_courses_not_the_users(course, monkeypatch, language):
    home = course / "home"
    write(home / ".jupyter" / "lab" / "user-settings" / "theme.jupyterlab-settings", '{"theme": "mine"}')
    for name in ("HOME", "USERPROFILE", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    before = files(home)
    environment = lab.jupyter_environment(language, course / "my-course")
    assert files(home) == before
    settings = Path(environment["JUPYTERLAB_SETTINGS_DIR"])
    assert course / "my-course" in settings.parents
    assert course / "my-course" in Path(environment["JUPYTERLAB_WORKSPACES_DIR"]).parents
    written = files(settings)
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
        bootstrap, "replace_process", lambda command, environment: calls.append((command, environment))
    )
    return calls


@pytest.mark.parametrize("language", lab.LANGUAGES)
def test_command(course, started, language):
    lab.main(["--language", language, "--no-browser", "--port", "8899", "--IdentityProvider.token=abc"])
    ((command, environment),) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={course / 'my-course'}" in command
    assert f"--LabApp.default_url=/lab/tree/{language}/02_convolution.ipynb" in command
    assert {"--no-browser", "--port=8899", "--IdentityProvider.token=abc"} <= set(command)
    assert environment["COURSE_LANGUAGE"] == language


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


def test_requirements_are_all_pinned_and_read_by_doctor():
    text = (bootstrap.ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wanted = doctor.parse_requirements(text)
    assert len(wanted) == len(lines)
    assert all("  # " in line for line in lines), "every direct dependency says why it is there"
    pins = doctor.parse_requirements((bootstrap.ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = {name.lower(): version for name, version in pins.items()}
    assert {name: pins.get(name.lower()) for name in wanted} == wanted


def test_doctor_names_a_missing_package(monkeypatch, tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "numpy==0.1  # a reason\nno_such_package==1.0\n", encoding="utf-8"
    )
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    findings = doctor.Findings()
    assert doctor.check_packages(findings) is False
    (missing,) = findings.bad()
    assert "no_such_package" in missing["text"] and "pip install" in missing["remedy"]
    assert any(row["state"] == doctor.NOTE and "numpy" in row["text"] for row in findings.rows)


def test_doctor_exit_code_follows_damaged_data(monkeypatch, capsys):
    datasets = pytest.importorskip("course_utils.datasets")
    monkeypatch.setattr(doctor, "check_packages", lambda findings: True)
    monkeypatch.setattr(doctor, "check_tensorflow", lambda findings: 0)
    monkeypatch.setattr(doctor, "memory_gigabytes", lambda: (8.0, 6.0))
    monkeypatch.setattr(datasets, "verify", lambda: [])
    assert doctor.main([]) == 0
    monkeypatch.setattr(datasets, "verify", lambda: ["mnist.npz is damaged"])
    assert doctor.main([]) == 1
    output = capsys.readouterr().out
    assert "✗ 数据 · data: mnist.npz is damaged" in output and "git checkout" in output
    monkeypatch.setattr(datasets, "verify", lambda: [])
    monkeypatch.setattr(doctor, "memory_gigabytes", lambda: (1.0, 0.5))
    assert doctor.main([]) == 1
