"""What no room of the code may do, read off its imports (ARCHITECTURE.md draws the rooms). Standard library only."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "course_utils"
ROOMS = ("topics", "models", "reference", "checks", "workshop", "door")
# Small modules without any third-party import, which the door may use before anything is installed.
BEFORE_INSTALLING = {"files", "machine", "surroundings"}
TEACHING = {"notebook side", "topics", "models", "reference", "checks"}


def room(module: str) -> str:
    """Return the room of a module "course_utils.topics.text"; what stands in none is the notebook side."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "notebook side"


def imports(path: Path) -> set:
    """Return the modules that a file imports: {"course_utils.plots", "numpy", ...}.

    Of the door only what is imported when it starts: its functions may import more, once the environment stands.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if path.parent.name == "door" else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if exists(name) else node.module for name in whole}
    return found


def exists(module: str) -> bool:
    base = ROOT.joinpath(*module.split("."))
    return module.startswith("course_utils") and (base.with_suffix(".py").is_file() or base.is_dir())


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
# The table of commands is where everything meets.
MEETING = {"course_utils.__main__"}


def forbidden(origin: str, target: str) -> str | None:
    """Return why `origin` may not import `target`, None if it may."""
    here, there = room(origin), room(target)
    if not target.startswith("course_utils"):
        if here == "door" and target.split(".")[0] not in sys.stdlib_module_names:
            return "the door runs before anything is installed"
        return None
    if here in TEACHING and there in ("workshop", "door"):
        return "what chapters use knows nothing of the tools around them"
    if (
        here == "door"
        and there == "notebook side"
        and target.split(".")[1:]
        and target.split(".")[1] not in BEFORE_INSTALLING
    ):
        return "the door runs before anything is installed"
    if here == "door" and there not in ("door", "notebook side"):
        return "the door runs before anything is installed"
    if here == "reference" and there in ("topics", "models"):
        return "the mathematics stands below everything else"
    if here == "notebook side" and there in ("topics", "checks"):
        return "what every chapter uses does not know single subjects"
    return None


@pytest.mark.parametrize("origin", sorted(set(FILES) - MEETING))
def test_no_module_imports_what_it_must_not(origin):
    found = {target: why for target in imports(FILES[origin]) if (why := forbidden(origin, target))}
    assert found == {}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks" / "source").glob("*.py")), ids=lambda path: path.stem
)
def test_no_chapter_imports_the_tools_around_it(path):
    found = {target for target in imports(path) if room(target) in ("workshop", "door")}
    assert found == set()


def test_no_circle():
    """Every arrow goes one way: taking away modules that import nothing else leaves none."""
    arrows = {
        origin: {target for target in imports(path) if target in FILES and target != origin}
        for origin, path in FILES.items()
    }
    while leaves := [origin for origin, targets in arrows.items() if not targets]:
        for leaf in leaves:
            del arrows[leaf]
        for targets in arrows.values():
            targets.difference_update(leaves)
    assert arrows == {}


@pytest.mark.parametrize(
    "origin, target",
    [
        ("course_utils.plots", "course_utils.workshop.build"),
        ("course_utils.topics.text", "course_utils.door.doctor"),
        ("course_utils.door.lab", "course_utils.plots"),
        ("course_utils.door.lab", "numpy"),
        ("course_utils.reference.losses", "course_utils.topics.text"),
        ("course_utils.results", "course_utils.topics.text"),
    ],
)
def test_planted_faults_are_caught(origin, target):
    assert forbidden(origin, target)
