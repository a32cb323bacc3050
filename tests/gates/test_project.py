"""The project's own files: workflows, forms, what git and editors are told, the version. No TensorFlow is needed."""

import configparser
import datetime
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import course_utils
from course_utils import __main__ as entry
from course_utils.workshop import readme

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
YAML = [*GITHUB.rglob("*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]
COMMAND = re.compile(r"python3? -m course_utils ([\w-]+)")


def read(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return [name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("path", YAML, ids=name_of)
def test_files_in_yaml_can_be_read(path):
    assert isinstance(read(path), dict)


@pytest.mark.parametrize("path", sorted((ROOT / "course_utils" / "quizzes").glob("*.json")), ids=name_of)
def test_quizzes_can_be_read(path):
    assert isinstance(json.loads(path.read_text(encoding="utf-8")), list)


# --- workflows ------------------------------------------------------------------------------------------------


def test_only_commands_that_exist_are_called():
    called = {
        (name_of(path), command)
        for path in [*YAML, GITHUB / "PULL_REQUEST_TEMPLATE.md"]
        for command in COMMAND.findall(path.read_text(encoding="utf-8"))
    }
    assert {command for _, command in called} >= {"build", "doctor", "run", "test"}
    assert [one for one in called if one[1] not in entry.COMMANDS] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_change_nothing_and_end(path):
    workflow = read(path)
    assert workflow["name"] == path.stem
    # YAML reads the word `on` as true.
    assert workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert used and [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", one)] == []


def test_workflows_use_the_same_version_of_an_action():
    used = {one for path in WORKFLOWS for one in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({one.partition("@")[0] for one in used}) >= 3


def test_the_style_job_installs_pinned_packages_and_no_tensorflow():
    steps = read(GITHUB / "workflows" / "style.yml")["jobs"]["style"]["steps"]
    (install,) = [step["run"] for step in steps if "pip install" in step.get("run", "")]
    assert "--constraint constraints.txt" in install
    packages = install.split("constraints.txt")[1].split()
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert packages and [one for one in packages if not re.search(rf"^{one}==", pins, re.MULTILINE)] == []
    assert not {"tensorflow", "keras", "nbval"} & set(packages)


def test_the_style_job_checks_files_that_exist():
    text = (GITHUB / "workflows" / "style.yml").read_text(encoding="utf-8")
    named = re.findall(r"tests/\S+\.py", text)
    assert f"tests/gates/{Path(__file__).name}" in named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_actions_are_kept_up_to_date():
    (update,) = read(GITHUB / "dependabot.yml")["updates"]
    assert (update["package-ecosystem"], update["directory"]) == ("github-actions", "/")
    assert update["schedule"]["interval"] in ("weekly", "monthly")


def test_the_hooks_are_what_the_style_job_runs():
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = repository["hooks"]
    steps = read(GITHUB / "workflows" / "style.yml")["jobs"]["style"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    asked = ["ruff check", "ruff format", "-m course_utils build --lint"]
    assert [
        hook["entry"] for hook, words in zip(hooks, asked, strict=True) if words not in hook["entry"]
    ] == []
    assert [words for words in asked if not any(words in run for run in runs)] == []
    requirements = (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8")
    (pin,) = re.findall(r"^ruff==\S+", requirements, re.MULTILINE)
    assert [hook.get("additional_dependencies") for hook in hooks] == [[pin], [pin], None]


# --- forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_issue_forms_have_what_github_asks_for(path):
    form = read(path)
    assert set(form) <= {"name", "description", "title", "labels", "assignees", "body"}
    assert isinstance(form["name"], str) and isinstance(form["description"], str)
    labels, identifiers = [], []
    for item in form["body"]:
        assert set(item) <= {"type", "id", "attributes", "validations"}
        assert item["type"] in ("checkboxes", "dropdown", "input", "textarea"), item
        assert set(item.get("validations", {})) <= {"required"}
        assert ("options" in item["attributes"]) == (item["type"] in ("checkboxes", "dropdown"))
        labels.append(item["attributes"]["label"])
        identifiers.append(item["id"])
    assert len(set(labels)) == len(labels) > 0
    assert len(set(identifiers)) == len(identifiers)
    assert all(re.fullmatch(r"[\w-]+", identifier) for identifier in identifiers)
    # Said in both languages.
    for text in [form["name"], form["description"], *labels]:
        assert re.search(r"[A-Za-z]{2}.* · .*[\u4e00-\u9fff]{2}", text), text


def test_a_pull_request_follows_the_steps_of_the_guide():
    def commands(path: Path) -> set[str]:
        return set(re.findall(r"`(python3 -m course_utils [^`]+)`", path.read_text(encoding="utf-8")))

    asked = commands(GITHUB / "PULL_REQUEST_TEMPLATE.md")
    assert len(asked) == 3
    assert asked <= commands(ROOT / "CONTRIBUTING.md")


# --- the front page -------------------------------------------------------------------------------------------

PAGES = tuple(readme.LANGUAGE)
FRONT_PAGE = tomllib.loads((ROOT / "notebooks" / "front_page.toml").read_text(encoding="utf-8"))


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_what_is_generated_in_the_front_pages_is_what_the_notebooks_say():
    assert readme.update(ROOT, check=True) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_front_page_shows_the_commands_that_there_are(name):
    text = page(name)
    called = set(COMMAND.findall(text))
    assert {"lab", "run", "test", "doctor", "kernel"} <= called <= set(entry.COMMANDS)
    # What .ci/run does.
    assert re.search(r"^python3 -m course_utils test(?: +#.*)?$", text, re.MULTILINE)
    assert 'exec python3 -m course_utils test "$@"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_front_page_lead_somewhere(name):
    text = page(name)
    targets = set(re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", text))
    places = {one or other for one, other in targets}
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {place for place in places if place.startswith("#")} <= anchors
    files = {place for place in places if not place.startswith(("#", "http"))}
    assert len(files) > 20 and [place for place in files if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_paragraph_of_a_front_page_begins_with_a_comment(name):
    # Markdown would take the whole line for HTML.
    assert re.findall(r"^ {0,3}<!--\{\{.*", page(name), re.MULTILINE) == []


def test_both_front_pages_say_the_same_sizes():
    said = [set(re.findall(r"course:(\w+_gb)", page(name))) for name in PAGES]
    assert (
        said[0]
        == said[1]
        == {
            "disk_gb",
            "download_gb",
            "installed_gb",
            "memory_gb",
            "cuda_download_gb",
            "cuda_disk_gb",
        }
    )
    # No size of the set-up is typed: only the chapters' limit and the table of what was run where have others.
    for name in PAGES:
        generated = re.sub(r"<!--\{\{[^\n]*?<!---->", "", page(name).split("<!-- results:begin -->")[0])
        typed = re.findall(r"^(?!\|).*\d GB.*$", generated, re.MULTILINE)
        assert typed == []


def test_the_front_page_speaks_both_languages():
    def texts(words):
        if isinstance(words, dict) and "en" in words:
            yield words
        elif isinstance(words, dict):
            for value in words.values():
                yield from texts(value)
        elif isinstance(words, list):
            for value in words:
                yield from texts(value)

    both = list(texts(FRONT_PAGE))
    assert len(both) > 80
    for words in both:
        assert words["en"] and words["zh"] and re.search(r"[\u4e00-\u9fff]|^[A-Za-z]+：", words["zh"]), words
        assert words["en"].count("{") == words["zh"].count("{"), words
        numbers = [sorted(re.findall(r"\{\{.*?\}\}", words[language])) for language in ("en", "zh")]
        assert numbers[0] == numbers[1], words


# --- the version ----------------------------------------------------------------------------------------------


def test_the_version_stands_in_one_place_and_is_repeated_rightly():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", changelog, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    released = [tuple(map(int, version.split("."))) for version, _ in headings[1:]]
    assert released == sorted(set(released), reverse=True)
    newest, day = headings[1]
    citation = read(ROOT / "CITATION.cff")
    assert course_utils.__version__ == newest == citation["version"]
    assert datetime.date.fromisoformat(day) == citation["date-released"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "course_utils.__version__"}


# --- git and editors ------------------------------------------------------------------------------------------


def attributes(names: list[str], attribute: str) -> dict[str, str]:
    """Return what git says of an attribute for each file: "set", "unset", "unspecified" or its value."""
    said = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", attribute],
        cwd=ROOT,
        input="\0".join(names),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    fields = said.stdout.split("\0")
    return dict(zip(fields[0::3], fields[2::3], strict=False))


def test_git_knows_what_is_generated():
    names = [*tracked(), "notebooks/bands/02.json"]
    generated = attributes(names, "linguist-generated")
    rooms = ("notebooks/en/", "notebooks/zh/", "notebooks/results/", "notebooks/bands/")
    assert {name for name in names if generated[name] == "set"} == {
        name for name in names if name.startswith(rooms)
    }
    notebooks = [name for name in names if name.startswith("notebooks/")]
    shown = attributes(notebooks, "diff")
    assert {name for name in notebooks if shown[name] == "unset"} == {
        name for name in notebooks if name.endswith(".ipynb")
    }


def test_git_keeps_every_byte():
    names = tracked()
    text, ends = attributes(names, "text"), attributes(names, "eol")
    data = [name for name in names if name.startswith("course_utils/data/")]
    assert data and {text[name] for name in data} == {"unset"}
    assert {ends[name] for name in names} == {"lf"}


def test_editors_are_told_what_the_formatter_does():
    settings = configparser.ConfigParser()
    settings.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    everywhere = settings["*"]
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert everywhere["max_line_length"] == str(ruff["line-length"])
    assert (everywhere["charset"], everywhere["end_of_line"]) == ("utf-8", "lf")
    assert (everywhere["indent_style"], everywhere["indent_size"]) == ("space", "4")
    assert everywhere["insert_final_newline"] == "true"
