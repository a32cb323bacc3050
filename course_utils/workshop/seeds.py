"""`python3 -m course_utils seeds`: execute a chapter once per seed; store how far its numbers spread, and their bands."""

import argparse
import shutil
import sys

from course_utils import files
from course_utils.language import LANGUAGES
from course_utils.profiles import PROFILES
from course_utils.workshop import bands, jobs, source
from course_utils.workshop.chapters import (
    FAILED,
    INTERRUPTED,
    PASSED,
    Chapter,
    check_choice,
    choose,
    relative,
)
from course_utils.workshop.command import act, add_execution_options
from course_utils.workshop.run import built, check_parameters, stamp_of


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils seeds",
        description="每个种子执行一次，保存波动范围和区间 · execute a chapter once per seed; store how far its numbers "
        "spread, and their bands (--profile laptop,smoke: both)",
    )
    parser.add_argument("chapter", help="like 02, 2, 02a or 02_name")
    add_execution_options(parser)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2"
    )
    return act(parser, arguments, _seeds)


def _seeds(options: argparse.Namespace) -> int:
    profiles = list(dict.fromkeys(options.profile.split(",")))
    for profile in profiles:
        check_choice("profile", profile, PROFILES)
    check_choice("language", options.language, LANGUAGES)
    chosen = built(choose([options.chapter]), options.language)
    seeds = list(dict.fromkeys(options.seeds))
    check_parameters(chosen, options.language, {"SEED": 0})
    for profile in profiles:
        code = _of_profile(chosen[0], profile, seeds, options)
        if code != PASSED:
            return code
    return PASSED


def _of_profile(chapter: Chapter, profile: str, seeds: list[int], options: argparse.Namespace) -> int:
    output, stem = options.output.resolve(), f"{profile}-{chapter.number}"
    waiting = []
    for seed in seeds:
        folder = output / "seeds" / stem / f"seed-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        waiting.append(
            jobs.Job(
                label=f"{chapter.number} seed {seed}",
                chapter=chapter,
                profile=profile,
                language=options.language,
                parameters={"SEED": seed},
                strict=False,  # bands are what we are looking for
                timeout=options.timeout,
                source=chapter.notebook(options.language),
                notebook=folder / f"{chapter.stem}.ipynb",
                results=folder / f"{stem}.json",
                work=folder / "work",
                log=folder / "log.txt",
            )
        )
    interrupted = jobs.run(waiting, options.jobs)
    print()
    for job in waiting:
        if job.status == "failed":
            print(job.failure_text())
    if interrupted or any(job.status != "passed" for job in waiting):
        print("没有写入结果 · nothing was stored: every seed must pass", file=sys.stderr)
        return INTERRUPTED if interrupted else FAILED
    try:
        numbers = collect([files.read_json(job.results).get("numbers", {}) for job in waiting], seeds)
    except ValueError as error:
        print(f"{chapter.stem}: {error}", file=sys.stderr)
        return FAILED
    print(table(numbers, seeds))
    # Chapters show their laptop run inside the stored spread; the other profiles only need bands.
    stored = profile == "laptop"
    target = chapter.results("seeds") if stored else output / f"seeds-{stem}.json"
    content = {
        "chapter": chapter.number,
        "profile": profile,
        "seeds": seeds,
        "numbers": numbers,
        "stamp": stamp_of(chapter.notebook(options.language)),
    }
    files.write_json(target, content)
    print(f"已写入 · stored: {relative(target)}")
    _store_bands(chapter, profile, numbers)
    return PASSED


def _store_bands(chapter: Chapter, profile: str, numbers: dict) -> None:
    """Write the bands beside the results, unless the chapter's code still states them."""
    if chapter.source.exists() and bands.recorded(source.read(chapter)).with_band:
        print(
            f"{chapter.source.name} 的代码里仍有 band=，区间文件未写 · still has band= in its code: no bands were written"
        )
        return
    files.write(chapter.bands, bands.as_text(bands.merged(files.read_json(chapter.bands), profile, numbers)))
    print(f"已写入 · stored: {relative(chapter.bands)}")


def collect(runs: list[dict], seeds: list[int]) -> dict:
    """Return {name: values, mean, lowest, highest, unit, suggested_band} from the numbers of each seed's run."""
    names = list(dict.fromkeys(name for run in runs for name in run))
    if not names:
        raise ValueError("no number was recorded: does the chapter call results.record?")
    collected = {}
    for name in names:
        values = [run.get(name, {}).get("value") for run in runs]
        without = [seed for seed, value in zip(seeds, values, strict=True) if value is None]
        if without:
            raise ValueError(f"{name} has no finite value with seed {', '.join(map(str, without))}")
        last = runs[-1][name]
        collected[name] = {
            "values": values,
            "mean": round(sum(values) / len(values), 10),
            "lowest": min(values),
            "highest": max(values),
            "unit": last.get("unit", ""),
            "suggested_band": bands.suggested(values, last.get("digits", 4)),
        }
    return collected


def table(numbers: dict, seeds: list[int]) -> str:
    """Return a table of every number: its value with each seed, and the suggested band."""
    rows = [["number", *(f"seed {seed}" for seed in seeds), "suggested band"]]
    for name, number in numbers.items():
        low, high = number["suggested_band"]
        rows.append([name, *(f"{value:.6g}" for value in number["values"]), f"({low:.6g}, {high:.6g})"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
