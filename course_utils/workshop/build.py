"""`python3 -m course_utils build`: chapter sources -> executed notebooks in both languages.

Only chapters whose code changed are executed; text edits reuse the stored outputs. `--check` executes and
writes nothing and says whether the notebooks are what the sources give.
"""

import argparse
import getpass
import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat

from course_utils import exercises, results
from course_utils.workshop import assemble, readme, source
from course_utils.workshop.lint import lint
from course_utils.workshop.stamp import stamp

CELL_SECONDS = 900
MOST_SECONDS = float(os.environ.get("COURSE_MOST_SECONDS", 240))  # a slower machine may raise it
MOST_MEMORY_GB = 1.2


class BuildError(Exception):
    """A chapter cannot be built; the message says which cell and why."""


def main(argv: list) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils build", description="由源文件生成双语 notebook · sources -> notebooks"
    )
    parser.add_argument("chapters", nargs="*", help="02 02a … (all when none is named)")
    parser.add_argument(
        "--check", action="store_true", help="execute and write nothing; fail when out of date"
    )
    parser.add_argument("--lint", action="store_true", help="only check the sources' rules")
    parser.add_argument(
        "--accept", action="store_true", help="stamp the named chapters' reviewed translations"
    )
    parser.add_argument("--force", action="store_true", help="execute even when nothing changed")
    parser.add_argument(
        "--solved", metavar="DIR", help="write unexecuted notebooks with the solutions filled in"
    )
    parser.add_argument("--nbgrader", metavar="DIR", help="write nbgrader assignments (source notebooks)")
    options = parser.parse_args(argv)
    if options.accept and not options.chapters:
        parser.error("--accept needs the chapters whose translations you reviewed")
    chapters = source.select(options.chapters)
    if options.accept:
        for chapter in chapters:
            print(f"{chapter.number}: {source.accept_translations(chapter)} translations stamped")
        chapters = source.select(options.chapters)
    problems = [complaint for chapter in chapters for complaint in lint(chapter)]
    if problems or options.lint:
        return _finish(problems)
    if options.solved or options.nbgrader:
        for chapter in chapters:
            write_variants(chapter, options)
        return 0
    for chapter in chapters:
        try:
            if options.check:
                problems += check(chapter)
            else:
                build(chapter, force=options.force)
        except BuildError as error:
            problems.append(f"{chapter.stem}: {error}")
    problems += readme.update(source.NOTEBOOKS.parent, check=options.check)
    return _finish(problems)


def build(chapter, *, force: bool = False) -> None:
    """Write both notebooks of a chapter, executing the English one only when its code changed."""
    english = assemble.notebook(chapter, "en")
    previous = _read(chapter.notebook("en"))
    if force or execution_needed(chapter, english, previous):
        execute(chapter, english)
        _give_clean_outputs(english)
        origin = english
    else:
        origin = previous
    for language, built in finished(chapter, origin).items():
        path = chapter.notebook(language)
        text = nbformat.writes(built, indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{language}/{path.name}: written")
        else:
            print(f"{language}/{path.name}: up to date")


def check(chapter) -> list:
    """Return what is out of date in a chapter's notebooks, without executing."""
    english = assemble.notebook(chapter, "en")
    previous = _read(chapter.notebook("en"))
    again = f"run: python3 -m course_utils build {chapter.number}"
    if previous is None:
        return [f"{chapter.stem}: never built; {again}"]
    if previous.metadata.course.get("outputs") != outputs_hash(previous):
        return [f"{chapter.stem}: the stored outputs were edited by hand; {again} --force"]
    if execution_needed(chapter, english, previous):
        return [f"{chapter.stem}: its code changed since it was executed; {again}"]
    problems = []
    for language, built in finished(chapter, previous).items():
        path = chapter.notebook(language)
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if stored != nbformat.writes(built, indent=1) + "\n":
            problems.append(f"{language}/{path.name}: not what its source gives; {again}")
    return problems


def execution_needed(chapter, english, previous) -> bool:
    """Say whether the stored English notebook's outputs do not belong to this code (or were edited)."""
    if previous is None or not chapter.results().exists():
        return True
    stored = previous.metadata.get("course", {})
    return stored.get("stamp") != _stamp(chapter, english) or stored.get("outputs") != outputs_hash(previous)


def _stamp(chapter, english) -> str:
    return stamp([cell.source for cell in assemble.code_cells(english)], chapter.results_read())


def finished(chapter, origin) -> dict:
    """Return language -> complete notebook, with the outputs of `origin` and of the committed files."""
    complete = {}
    for language in ("en", "zh"):
        built = assemble.notebook(chapter, language)
        assemble.copy_outputs(origin, built, language)
        for cell in assemble.code_cells(built):
            generated = _generated_output(chapter, cell, language)
            if generated is not None:
                cell.outputs = [generated]
        built.metadata.course["stamp"] = _stamp(chapter, built)
        built.metadata.course["outputs"] = outputs_hash(built)
        nbformat.validate(built)
        complete[language] = built
    return complete


def outputs_hash(built) -> str:
    """Return a hash of everything that executing a notebook put into it."""
    content = [[cell.id, cell.execution_count, cell.outputs] for cell in assemble.code_cells(built)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def execute(chapter, built) -> None:
    """Execute a notebook in the laptop profile, strictly, and store its numbers and cost."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    code = assemble.code_cells(built)

    def tell(cell, cell_index, **_):
        if cell.cell_type == "code":
            first_line = cell.source.split("\n")[0][:60]
            print(f"{chapter.number} [{code.index(cell) + 1}/{len(code)}] {first_line}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        numbers = Path(folder) / f"laptop-{chapter.number}.json"
        environment = {
            "COURSE_PROFILE": "laptop",
            "COURSE_STRICT": "1",
            "COURSE_LANGUAGE": "en",
            "COURSE_RESULTS": str(numbers),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join([str(source.ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        notebook_folder = chapter.notebook("en").parent
        notebook_folder.mkdir(parents=True, exist_ok=True)
        client = NotebookClient(
            built,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(notebook_folder)}},
            on_cell_execute=tell,
            record_timing=False,
        )
        try:
            client.execute(env={**os.environ, **environment})
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise BuildError(_failure(code, error)) from None
        stored = json.loads(numbers.read_text(encoding="utf-8"))
    _check_cost(stored["cost"])
    results.write(chapter.results(), stored)


def write_variants(chapter, options) -> None:
    """Write a chapter with its solutions filled in, or as an nbgrader assignment."""
    for folder, variant in ((options.solved, solved_notebook), (options.nbgrader, nbgrader_notebook)):
        if folder:
            for language in ("en", "zh"):
                path = Path(folder) / language / f"{chapter.stem}.ipynb"
                path.parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(variant(chapter, language), path)
                print(path)


def solved_notebook(chapter, language):
    return assemble.notebook(chapter, language, solved=True)


def nbgrader_notebook(chapter, language):
    """Return an nbgrader source notebook: solutions to be cleared by nbgrader, checks worth one point each."""
    built = assemble.notebook(chapter, language, solved=True)
    built.cells = [cell for cell in built.cells if "solution" not in cell.metadata.get("tags", [])]
    originals = {
        assemble.solved_cell(cell.text): cell.text for cell in chapter.cells if "exercise" in cell.tags
    }
    for cell in assemble.code_cells(built):
        tags = cell.metadata.get("tags", [])
        graded = {"schema_version": 3, "grade_id": f"cell-{cell.id}", "locked": "exercise" not in tags}
        if "exercise" in tags:
            cell.source = originals[cell.source]
            cell.metadata["nbgrader"] = {**graded, "grade": False, "solution": True, "task": False}
        elif "check" in tags:
            cell.source = cell.source.replace("exercises.check(", "exercises.grade(")
            cell.metadata["nbgrader"] = {
                **graded,
                "grade": True,
                "solution": False,
                "task": False,
                "points": 1,
            }
    return built


def _generated_output(chapter, cell, language):
    tags = cell.metadata.get("tags", [])
    if "cost" in tags:
        path = chapter.results()
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return nbformat.v4.new_output("stream", name="stdout", text=results.cost_line(stored) + "\n")
    if "quiz" in tags:
        return nbformat.v4.new_output("display_data", data=exercises.quiz_data(chapter.number, language))
    return None


def _give_clean_outputs(built) -> None:
    """Number the cells, drop what belongs to one run, and refuse outputs that no reader should see."""
    for count, cell in enumerate(assemble.code_cells(built), start=1):
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        kept = []
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                raise BuildError(f"cell {count} writes to stderr: {output.text.strip()[:300]!r}")
            if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
                kept[-1].text += output.text  # where the kernel cut a text depends on the moment
                continue
            if "data" in output:
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
            if "execution_count" in output:
                output.execution_count = count
            kept.append(output)
        cell.outputs = kept
        private = _private_text(json.dumps(kept, ensure_ascii=False))
        if private:
            raise BuildError(f"cell {count}: its output tells {private!r} of this machine")
    built.metadata.pop("widgets", None)


def _private_text(text: str) -> str | None:
    """Return a path of this machine or its user's name, if the text holds one."""
    text = re.sub(r'"image/png": "[^"]*"', "", text)
    for secret in (str(source.ROOT), str(Path.home()), tempfile.gettempdir() + os.sep):
        if len(secret) > 4 and secret in text:
            return secret
    user = getpass.getuser()
    return user if len(user) > 4 and re.search(rf"\b{re.escape(user)}\b", text) else None


def _check_cost(cost: dict) -> None:
    if cost["peak_memory_gb"] > MOST_MEMORY_GB:
        raise BuildError(f"peak memory {cost['peak_memory_gb']} GB; a chapter has {MOST_MEMORY_GB} GB")
    if cost["seconds"] > MOST_SECONDS:
        raise BuildError(
            f"took {cost['seconds']:.0f} s; a chapter has {MOST_SECONDS:.0f} s "
            "(COURSE_MOST_SECONDS raises this on a slower machine)"
        )


def _failure(code, error) -> str:
    number, cell = next(
        (
            (n, cell)
            for n, cell in reversed(list(enumerate(code, start=1)))
            if cell.get("outputs") or cell.execution_count
        ),
        (1, code[0]),
    )
    for n, candidate in enumerate(code, start=1):
        if any(output.output_type == "error" for output in candidate.get("outputs", [])):
            number, cell = n, candidate
    message = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return f"cell {number} failed ({cell.source.splitlines()[0][:60]})\n{message[-1500:]}"


def _read(path: Path):
    return nbformat.read(path, as_version=4) if path.exists() else None


def _finish(problems: list) -> int:
    for problem in problems:
        print(f"✗ {problem}", file=sys.stderr)
    if not problems:
        print("✓ 一切就绪 · all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
