"""`python3 -m course_utils build`: chapter sources -> executed notebooks in both languages.

Only chapters whose stamp changed are executed; text edits reuse the stored outputs. A chapter is written as soon as it
has run, so an interrupted build goes on where it was. `--check` executes and writes nothing and says whether the
notebooks are what the sources give.
"""

import argparse
import getpass
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat

from course_utils import files
from course_utils.language import LANGUAGES, is_torn
from course_utils.workshop import assemble, bands, numbers, source
from course_utils.workshop import lint as rules
from course_utils.workshop.chapters import FAILED, INTERRUPTED, PASSED, ROOT, Chapter, choose, relative
from course_utils.workshop.command import act, add_jobs
from course_utils.workshop.source import Source
from course_utils.workshop.stamp import stamp

CELL_SECONDS = 900.0
MOST_SECONDS = float(os.environ.get("COURSE_MOST_SECONDS", 240))  # a slower machine may raise it
MOST_MEMORY_GB = 1.2


class BuildError(Exception):
    """A chapter cannot be built; the message says which cell and why."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils build", description="由源文件生成双语笔记本 · sources -> notebooks"
    )
    parser.add_argument("chapters", nargs="*", help="02 02a … (all when none is named)")
    parser.add_argument(
        "--check", action="store_true", help="execute and write nothing; fail when out of date"
    )
    parser.add_argument("--lint", action="store_true", help="only check the sources' rules")
    parser.add_argument(
        "--style", action="store_true", help="report words to replace, by chapter and language"
    )
    parser.add_argument(
        "--accept", action="store_true", help="stamp the named chapters' reviewed translations"
    )
    parser.add_argument("--force", action="store_true", help="execute even when nothing changed")
    add_jobs(parser)
    parser.add_argument(
        "--solved", metavar="DIR", help="write unexecuted notebooks with the solutions filled in"
    )
    parser.add_argument("--nbgrader", metavar="DIR", help="write nbgrader assignments (source notebooks)")
    return act(parser, arguments, _build)


def _build(options: argparse.Namespace) -> int:
    chosen = [chapter for chapter in choose(options.chapters) if chapter.source.exists()]
    if options.accept:
        for chapter in chosen if options.chapters else []:
            count = source.accept_translations(source.read(chapter))
            print(f"{chapter.number}: {count} translations stamped")
        if not options.chapters:
            return _finish(["--accept needs the chapters whose translations you reviewed"])
    sources = [source.read(chapter) for chapter in chosen]
    if options.style:
        print("\n".join(rules.style_report(sources)))
        return PASSED
    problems = [complaint for read in sources for complaint in rules.lint(read)]
    if options.lint:
        problems += [complaint for read in sources for complaint in lint_bands(read)]
    elif not options.check:
        # The seeds and the full run come after the build; it says in the end that they are missing.
        problems = [complaint for complaint in problems if complaint not in rules.awaited(sources)]
    if problems or options.lint:
        return _finish(problems)
    if options.solved or options.nbgrader:
        for read in sources:
            write_variants(read, options)
        return PASSED
    if options.check:
        problems += [complaint for read in sources for complaint in check(read)]
        for note in [*old_results(sources), *not_judged(sources)]:
            print(f"· {note}")
    else:
        built, interrupted = build(sources, force=options.force, parallel=options.jobs)
        problems += built
        if interrupted:
            print("继续 · to continue: the same command; what was built is kept", file=sys.stderr)
            return INTERRUPTED
        for note in not_judged(sources):
            print(f"· {note}")
    from course_utils.workshop import readme

    return _finish(problems + readme.update(chosen[0].notebooks.parent, check=options.check))


def build(sources: list[Source], *, force: bool = False, parallel: int = 1) -> tuple[list[str], bool]:
    """Write both notebooks of each chapter, executing the English one only when its stamp changed.

    Returns:
        (problems, whether somebody interrupted).
    """
    from course_utils.workshop import jobs

    problems: list[str] = []
    # A chapter that reads other chapters' stored runs comes after them.
    first = [read for read in sources if not any("laptop" in pattern for pattern in read.reads)]
    for group in (first, [read for read in sources if read not in first]):
        waiting: dict = {}
        for read in group:
            previous = _read(read.chapter.notebook("en"))
            if force or execution_needed(read, previous):
                waiting[_job(read)] = read
            else:
                bands.judge_again(read.chapter, write=True)
                _write(read, stored_notebooks(read.chapter))
                problems.extend(f"{read.chapter.stem}: {what}" for what in bands.outside(read.chapter))

        def finished(job, waiting=waiting):
            if job.status in ("passed", "failed"):
                try:
                    _take(job, waiting[job])
                except BuildError as error:
                    problems.append(f"{job.chapter.stem}: {error}")

        if jobs.run(list(waiting), parallel, finished):
            return problems, True
    return problems + [problem for read in sources for problem in _write_again(read)], False


def _write_again(read: Source) -> list[str]:
    """Write a chapter that shows numbers of others once more, as these may have run after it; return what is missing."""
    previous = _read(read.chapter.notebook("en"))
    if execution_needed(read, previous):
        return []  # it failed, and somebody has been told
    if any(numbers.other_chapters(cell.text, read.chapter) for cell in read.cells if cell.language):
        _write(read, stored_notebooks(read.chapter))
    return unfilled(read)


def unfilled(read: Source) -> list[str]:
    """Return the numbers in a chapter's prose that no stored run has."""
    return [
        f"{read.chapter.source.name}:{cell.line}: {{{{{inner}}}}}: {why}"
        for cell in read.cells
        if cell.language
        for inner, why in numbers.problems(cell.text, read.chapter)
    ]


def check(read: Source) -> list[str]:
    """Return what is out of date in a chapter's notebooks, without executing."""
    chapter = read.chapter
    previous = _read(chapter.notebook("en"))
    again = f"run: python3 -m course_utils build {chapter.number}"
    if previous is None:
        return [f"{chapter.stem}: never built; {again}"]
    for language, stored in stored_notebooks(chapter).items():
        if stored is not None and edited(stored):
            return [f"{language}/{chapter.stem}: the stored outputs were edited by hand; {again} --force"]
    if execution_needed(read, previous):
        return [f"{chapter.stem}: what it runs or reads changed since it was executed; {again}"]
    problems = [f"{chapter.stem}: {what}" for what in bands.outside(chapter)]
    problems += [*lint_bands(read), *unfilled(read)]
    if bands.judge_again(chapter, write=False):
        problems.append(f"{chapter.results().name}: judged by other bands than today's; {again}")
    for language, built in finished_notebooks(read, stored_notebooks(chapter)).items():
        path = chapter.notebook(language)
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if stored != nbformat.writes(built, indent=1) + "\n":
            problems.append(f"{language}/{path.name}: not what its source gives; {again}")
    return problems


def old_results(sources: Iterable[Source]) -> list[str]:
    """Return which stored seeds and full runs belong to an earlier version of their chapter's code."""
    old = []
    for read in sources:
        for kind in ("seeds", "full"):
            path = read.chapter.results(kind)
            if path.exists() and files.read_json(path).get("stamp") != stamp_now(read):
                old.append(f"{path.name}: of an earlier version of its chapter, or of unknown origin")
    return old


def not_judged(sources: Iterable[Source]) -> list[str]:
    """Return which chapters record numbers that have no entry among their bands."""
    named = ((read.chapter.number, bands.not_judged(read.chapter)) for read in sources)
    return [f"{number}: 未判定 · not judged: {', '.join(names)}" for number, names in named if names]


def lint_bands(read: Source) -> list[str]:
    """Return complaints about a chapter's bands: apart from the other rules, since a chapter is built before it has any."""
    return bands.lint(read, carried_over=read.chapter.number in rules.CARRIED_OVER)


def execution_needed(read: Source, previous) -> bool:
    """Say whether the stored notebooks' outputs do not belong to this code (or were edited).

    Each notebook keeps its own side of the outputs, so the Chinese one must be whole, too.
    """
    chinese = _read(read.chapter.notebook("zh"))
    if previous is None or chinese is None or not read.chapter.results().exists():
        return True
    if edited(previous) or edited(chinese):
        return True
    now = stamp_now(read)
    return any(stored.metadata.get("course", {}).get("stamp") != now for stored in (previous, chinese))


def edited(stored) -> bool:
    """Whether a stored notebook's outputs are not those that the build wrote."""
    return stored.metadata.get("course", {}).get("outputs") != outputs_hash(stored)


def stored_notebooks(chapter: Chapter) -> dict:
    """Return language -> notebook as it is stored."""
    return {language: _read(chapter.notebook(language)) for language in LANGUAGES}


def stamp_now(read: Source) -> str:
    """Return the stamp of what a chapter runs now."""
    cells = assemble.code_cells(assemble.notebook(read, "en"))
    return stamp([cell.source for cell in cells], read.results_read())


def finished_notebooks(read: Source, origins: dict) -> dict:
    """Return language -> complete notebook, with the outputs of its origin and of the committed files.

    Args:
        read: the chapter's source.
        origins: language -> executed notebook; twice the same after an execution, whose texts carry both languages.
    """
    complete, recorded = {}, files.read_json(read.chapter.results()).get("numbers", {})
    for language in LANGUAGES:
        built = assemble.notebook(read, language)
        assemble.copy_outputs(origins[language], built, language)
        _refuse_torn_words(built)
        for cell in assemble.code_cells(built):
            if read.chapter.bands.exists():
                _judge_outputs(cell, recorded, language)
            generated = _generated_output(read.chapter, cell, language)
            if generated is not None:
                cell.outputs = [generated]
        try:
            assemble.show_hero(built, read.chapter, language)
        except ValueError as error:
            raise BuildError(str(error)) from error
        built.metadata.course["stamp"] = stamp_now(read)
        built.metadata.course["outputs"] = outputs_hash(built)
        nbformat.validate(built)
        complete[language] = built
    return complete


def _refuse_torn_words(built) -> None:
    for count, cell in enumerate(assemble.code_cells(built), start=1):
        if is_torn(json.dumps(cell.outputs, ensure_ascii=False)):
            raise BuildError(
                f"cell {count}: its output cuts or changes what language.words returned; make the whole text first, "
                "then call words"
            )


def _judge_outputs(cell, recorded: dict, language: str) -> None:
    """Let the printed lines of recorded numbers name the bands that are stored now."""
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = bands.rewritten(output.text, recorded, language)


def outputs_hash(built) -> str:
    """Return a hash of everything that executing a notebook put into it."""
    content = [[cell.id, cell.execution_count, cell.outputs] for cell in assemble.code_cells(built)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:16]


# -------------------------------------------------------------------------------------------------- executing


def _job(read: Source):
    """Return the job that executes a chapter in the laptop profile, strictly."""
    from course_utils.workshop import jobs

    chapter = read.chapter
    folder = chapter.notebooks.parent / "report" / "build" / chapter.number
    unexecuted = folder / "source" / f"{chapter.stem}.ipynb"
    files.write(unexecuted, nbformat.writes(assemble.notebook(read, "en")))
    chapter.notebook("en").parent.mkdir(parents=True, exist_ok=True)  # the kernel's working directory
    return jobs.Job(
        label=chapter.number,
        chapter=chapter,
        profile="laptop",
        language="en",
        parameters={},
        strict=True,
        timeout=CELL_SECONDS,
        source=unexecuted,
        notebook=folder / f"{chapter.stem}.ipynb",
        results=folder / f"laptop-{chapter.number}.json",
        work=folder / "work",
        log=folder / "log.txt",
        both_languages=True,
    )


def _take(job, read: Source) -> None:
    """Take a job's notebook and numbers into the course, or say why not."""
    if job.status == "failed":
        failure = job.failure
        trace = failure["traceback"] or f"{failure['error']}: {failure['message']}"
        first_line = failure["line"][:60]
        raise BuildError(
            f"cell {failure['number']} failed ({first_line})\n{trace.strip()[-1500:]}\nlog: {relative(job.log)}"
        )
    executed = nbformat.read(job.notebook, as_version=4)
    _give_clean_outputs(executed)
    stored = files.read_json(job.results)
    _check_cost(stored["cost"])
    files.write_json(read.chapter.results(), stored, sort_keys=True)
    _write(read, dict.fromkeys(LANGUAGES, executed))


def _write(read: Source, origins: dict) -> None:
    for language, built in finished_notebooks(read, origins).items():
        path = read.chapter.notebook(language)
        text = nbformat.writes(built, indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            files.write(path, text)
            print(f"{language}/{path.name}: written", flush=True)


def _give_clean_outputs(built) -> None:
    """Number the cells, drop what belongs to one run, and refuse outputs that no reader should see."""
    for count, cell in enumerate(assemble.code_cells(built), start=1):
        cell.execution_count = count
        kept: list = []
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


def _private_text(text: str) -> str | None:
    """Return a path of this machine or its user's name, if the text holds one."""
    text = re.sub(r'"image/png": "[^"]*"|data:image/png;base64,[A-Za-z0-9+/=]*', "", text)
    for secret in (str(ROOT), str(Path.home()), tempfile.gettempdir() + os.sep):
        if len(secret) > 4 and secret in text:
            return secret
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return None
    return user if len(user) > 4 and re.search(rf"\b{re.escape(user)}\b", text) else None


def _check_cost(cost: dict) -> None:
    if cost["peak_memory_gb"] > MOST_MEMORY_GB:
        raise BuildError(f"peak memory {cost['peak_memory_gb']} GB; a chapter has {MOST_MEMORY_GB} GB")
    if cost["seconds"] > MOST_SECONDS:
        raise BuildError(
            f"took {cost['seconds']:.0f} s; a chapter has {MOST_SECONDS:.0f} s "
            "(COURSE_MOST_SECONDS raises this on a slower machine)"
        )


def _generated_output(chapter: Chapter, cell, language: str):
    """Return the output of a cell that the build makes from committed files, None for all other cells."""
    from course_utils import exercises, results

    tags = cell.metadata.get("tags", [])
    if "cost" in tags:
        stored = files.read_json(chapter.results())
        return nbformat.v4.new_output(
            "stream", name="stdout", text=results.cost_line(stored, language) + "\n"
        )
    if "quiz" in tags:
        return nbformat.v4.new_output("display_data", data=exercises.quiz_data(chapter.number, language))
    return None


# --------------------------------------------------------------------------------------------------- variants


def write_variants(read: Source, options: argparse.Namespace) -> None:
    """Write a chapter with its solutions filled in, or as an nbgrader assignment."""
    for folder, variant in ((options.solved, solved_notebook), (options.nbgrader, nbgrader_notebook)):
        if folder:
            for language in LANGUAGES:
                path = Path(folder) / language / f"{read.chapter.stem}.ipynb"
                files.write(path, nbformat.writes(variant(read, language)))
                print(path)


def solved_notebook(read: Source, language: str):
    return assemble.notebook(read, language, solved=True)


def nbgrader_notebook(read: Source, language: str):
    """Return an nbgrader source notebook: solutions to be cleared by nbgrader, checks worth one point each."""
    built = assemble.notebook(read, language, solved=True)
    built.cells = [cell for cell in built.cells if "solution" not in cell.metadata.get("tags", [])]
    originals = {assemble.solved_cell(cell.text): cell.text for cell in read.cells if "exercise" in cell.tags}
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


def _read(path: Path):
    return nbformat.read(path, as_version=4) if path.exists() else None


def _finish(problems: list[str]) -> int:
    for problem in problems:
        print(f"✗ {problem}", file=sys.stderr)
    if not problems:
        print("✓ 一切就绪 · all is well")
    return FAILED if problems else PASSED
