"""The bands of a chapter's numbers, in `notebooks/bands/NN.json`: made from seeds, checked, and applied to what is stored.

    {"laptop": {"cnn.test_accuracy": [0.981, 0.989], "cnn.seconds": null},
     "smoke": {…},
     "why": {"cnn.seconds": "a time: it depends on the machine"}}

`seeds` writes them by one rule, `suggested`. An entry with a `why` is a person's and is kept; `null` is a number that is
deliberately not judged. A band is no part of what a chapter runs: changing one executes nothing, the build judges the
stored numbers again.
"""

import ast
import json
import math
import re
from dataclasses import dataclass, field

from course_utils import files, results
from course_utils.profiles import PROFILES
from course_utils.workshop.chapters import Chapter
from course_utils.workshop.source import Source

NEEDED = ("laptop", "smoke")  # the profiles that the gates run
WIDEST = 10  # times the spread of the stored seeds
OF_THE_MACHINE = ("s", "ms", "min", "MB", "GB", "FLOP/s", "GFLOP/s", "TFLOP/s")
WHY_NOT_JUDGED = "it depends on the machine"


# ----------------------------------------------------------------------------------------------- the one rule


def suggested(values: list[float], digits: int = 4) -> list[float]:
    r"""Return the band [lowest, highest] of a number, from its values with at least three seeds.

    $[\min x - m, \; \max x + m]$ with the margin $m = 2 (\max x - \min x)$, rounded outwards to the digits that are
    printed. Where all seeds agree, m is one unit of the last printed digit: another machine adds up in another order.
    Whole numbers (digits = 0) that agree stay exact.

    Args:
        values: one per seed, finite.
        digits: digits after the point when the number is printed.
    """
    lowest, highest = min(values), max(values)
    unit = 10.0**-digits
    margin = max(2 * (highest - lowest), unit if digits else 0.0)
    # Rounded to ten digits first: 0.94 + 0.08 is 1.02, not the next double above it.
    low = math.floor(round((lowest - margin) / unit, 6)) * unit
    high = math.ceil(round((highest + margin) / unit, 6)) * unit
    return [round(low, digits), round(high, digits)]


def merged(before: dict, profile: str, numbers: dict) -> dict:
    """Return the content of a bands file after new seeds of one profile.

    Args:
        before: the content so far, {} if there was none.
        profile: which one the seeds ran.
        numbers: name -> {"suggested_band", "unit"}, as `seeds.collect` returns.
    """
    why = dict(before.get("why", {}))
    kept = {name: band for name, band in before.get(profile, {}).items() if name in why}
    entries: dict = {}
    for name, number in numbers.items():
        if number.get("unit") in OF_THE_MACHINE:
            entries[name] = None
            why.setdefault(name, WHY_NOT_JUDGED)
        else:
            entries[name] = number["suggested_band"]
    content = {**before, profile: dict(sorted({**entries, **kept}.items()))}
    ordered = {key: content[key] for key in PROFILES if key in content}
    return {**ordered, "why": dict(sorted(why.items()))}


def as_text(content: dict) -> str:
    """Return a bands file's text: JSON with one number a line, which a person can read, edit and compare."""
    parts = []
    for key, entries in content.items():
        lines = [
            f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in entries.items()
        ]
        body = ",\n".join(lines)
        parts.append(f" {json.dumps(key)}: {{\n{body}\n }}" if lines else f" {json.dumps(key)}: {{}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


# --------------------------------------------------------------------------------------- judging what is stored


def judge_again(chapter: Chapter, *, write: bool) -> bool:
    """Judge the stored laptop numbers by the bands of today; say whether the stored judgement was another one.

    Args:
        chapter: one without a bands file keeps what its code said.
        write: store the new judgement, too.
    """
    stored, path = files.read_json(chapter.results()), chapter.results()
    if not stored or not chapter.bands.exists():
        return False
    entries = _bands(chapter)
    numbers = {
        name: {**number, **results.judged(_value(number), entries.get(name))}
        for name, number in stored["numbers"].items()
    }
    changed = numbers != stored["numbers"]
    if changed and write:
        files.write_json(path, {**stored, "numbers": numbers}, sort_keys=True)
    return changed


def outside(chapter: Chapter) -> list[str]:
    """Return the stored laptop numbers that lie outside their bands of today, each as a sentence."""
    entries = _bands(chapter)
    found = []
    for name, number in files.read_json(chapter.results()).get("numbers", {}).items():
        verdict = results.judged(_value(number), entries.get(name))
        if verdict["in_band"] is False:
            low, high = verdict["band"]
            found.append(f"{name} = {number['value']} is outside its band [{low:g}, {high:g}]")
    return found


def not_judged(chapter: Chapter) -> list[str]:
    """Return the stored laptop numbers of a chapter with a bands file that have no entry there."""
    if not chapter.bands.exists():
        return []
    entries = files.read_json(chapter.bands).get("laptop", {})
    return [name for name in files.read_json(chapter.results()).get("numbers", {}) if name not in entries]


def floating(chapter: Chapter) -> list[str]:
    """Return the numbers whose value with seed 0 differs from the stored laptop run's, beyond what is printed.

    Both come from the same code and seed. Numbers that are not judged, times for instance, may differ.
    """
    seeds = files.read_json(chapter.results("seeds"))
    stored = files.read_json(chapter.results()).get("numbers", {})
    if 0 not in seeds.get("seeds", []):
        return ["seeds: seed 0 is not among the stored ones"]
    position, found = seeds["seeds"].index(0), []
    for name, number in seeds["numbers"].items():
        value = _value(stored.get(name, {}))
        if stored.get(name, {}).get("in_band") is None and name in stored:
            continue
        first = number["values"][position]
        if not abs(first - value) <= 10.0 ** -stored.get(name, {}).get("digits", 4):
            found.append(f"{name}: {first} with seed 0, {value} in the laptop run")
    return found


def rewritten(text: str, numbers: dict, language: str) -> str:
    """Return printed text whose lines of recorded numbers say what the stored results say now."""
    lines = text.split("\n")
    for position, line in enumerate(lines):
        name = line.split(" = ")[0]
        if name not in numbers:
            continue
        printed = results.line(name, {**numbers[name], "band": None}, language)
        if line == printed or line.startswith(f"{printed}    "):
            lines[position] = results.line(name, numbers[name], language)
    return "\n".join(lines)


def _bands(chapter: Chapter) -> dict:
    """Return the laptop bands of a chapter that can be used; of the others the linter complains."""
    entries = files.read_json(chapter.bands).get("laptop", {})
    return {name: band for name, band in entries.items() if _is_band(band)}


def _is_band(band) -> bool:
    return (
        isinstance(band, list)
        and len(band) == 2
        and all(isinstance(end, int | float) for end in band)
        and band[0] <= band[1]
    )


def _value(number: dict) -> float:
    value = number.get("value")
    return math.nan if value is None else value


# --------------------------------------------------------------------------------------------------- the linter


@dataclass
class Recorded:
    """What a chapter's code records, as far as it can be read without running it."""

    names: dict = field(default_factory=dict)  # name -> line of its cell
    patterns: list = field(default_factory=list)  # of computed names: f"noise.{name}_loss" -> noise\..*_loss
    with_band: list = field(default_factory=list)  # lines of cells that give a band

    def covers(self, name: str) -> bool:
        return name in self.names or any(re.fullmatch(pattern, name) for pattern in self.patterns)


def recorded(read: Source) -> Recorded:
    """Return what the code cells of a chapter record."""
    found = Recorded()
    for cell in read.cells:
        for call in _records(cell.text) if cell.kind == "code" else []:
            if len(call.args) > 2 or any(keyword.arg == "band" for keyword in call.keywords):
                found.with_band.append(cell.line)
            name = call.args[0] if call.args else None
            if isinstance(name, ast.Constant):
                found.names[str(name.value)] = cell.line
            else:
                found.patterns.append(_pattern(name))
    return found


def lint(read: Source, *, carried_over: bool) -> list[str]:
    """Return complaints about a chapter's bands, "file:line: …" as the linter's.

    Args:
        read: the chapter's source.
        carried_over: whether it is a chapter of the second edition, whose bands stand beside its results.
    """
    chapter, said = read.chapter, recorded(read)
    exists = chapter.bands.exists()
    found = [
        (chapter.source.name, line, f"band= in the code, and a band in {chapter.bands.name}: leave out band=")
        for line in sorted(set(said.with_band))
        if exists
    ]
    if carried_over and not exists:
        found.append(
            (chapter.source.name, 1, f"no bands: run python3 -m course_utils seeds {chapter.number}")
        )
    if carried_over and exists:
        found += [(f"bands/{chapter.bands.name}", 1, message) for message in _faults(chapter, said)]
    return [f"{name}:{line}: {message}" for name, line, message in found]


def _faults(chapter: Chapter, said: Recorded) -> list[str]:
    content = files.read_json(chapter.bands)
    if not content or set(content) - {*PROFILES, "why"}:
        return [
            f"{{profile: {{name: band}}, why: {{name: text}}}} was expected; found the keys {list(content)}"
        ]
    stored = files.read_json(chapter.results()).get("numbers", {})
    seeds = files.read_json(chapter.results("seeds")).get("numbers", {})
    known = {*said.names, *(name for name in stored if said.covers(name))}
    found = []
    for profile in NEEDED:
        missing = sorted(known - set(content.get(profile, {})))
        found += [f"{profile}: {name} has no entry; run seeds, or write null and why" for name in missing]
    for profile in PROFILES:
        for name, band in content.get(profile, {}).items():
            why = content.get("why", {}).get(name)
            unrun = profile == "laptop" and stored and name not in {*stored, *said.names}
            if not said.covers(name) or unrun:
                found.append(f"{profile}: nobody records {name}")
            elif band is None:
                found += [] if why else [f"{profile}: {name} is null: say why it is not judged"]
            else:
                complaint = _fault(band, why, stored.get(name, {}), seeds.get(name), profile)
                found += [f"{profile}: {name} {complaint}"] if complaint else []
    return found


def _fault(band, why: str | None, number: dict, seeds: dict | None, profile: str) -> str | None:
    """Return what is wrong with one band, None if nothing is.

    A person's reason may widen a band; no reason makes one useful that nothing can leave.
    """
    if not _is_band(band):
        return f"is {band!r}: [lowest, highest] was expected"
    low, high = band
    if low <= 0 and math.isinf(high):
        return f"has the band [{low:g}, {high:g}], which nothing can leave"
    if low <= 0 and high >= 1 and _is_share(number, seeds):
        return f"is a share, and its band [{low:g}, {high:g}] covers all of 0 to 1 (more seeds? if it is no share, give it a unit)"
    if profile == "laptop" and seeds and not why:
        # Rounding outwards, and agreeing seeds, add up to two units of the last digit on either side.
        room = WIDEST * (seeds["highest"] - seeds["lowest"]) + 4 * 10.0 ** -number.get("digits", 4)
        if high - low > room * (1 + 1e-9):
            return f"has a band more than {WIDEST} times as wide as its seeds lie apart: take the suggested one, or say why"
    return None


def _is_share(number: dict, seeds: dict | None) -> bool:
    """Whether a number is without a unit and every stored value lies in [0, 1]."""
    values = [value for value in (number.get("value"), *(seeds or {}).get("values", [])) if value is not None]
    return bool(values) and number.get("unit", "") == "" and all(0 <= value <= 1 for value in values)


def _records(text: str) -> list[ast.Call]:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # another rule says so
        return []
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "record"
        and getattr(node.func.value, "id", "") == "results"
    ]


def _pattern(name) -> str:
    if not isinstance(name, ast.JoinedStr):
        return ".*"
    parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in name.values]
    return "".join(parts)
