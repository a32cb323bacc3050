"""Rules that a chapter's source must keep, each a function from a chapter's source to its complaints."""

import ast
import itertools
import re
import unicodedata

from course_utils import files
from course_utils.workshop import assemble, numbers, style
from course_utils.workshop.source import Source, translation_hash

# Numbers of the chapters that the second edition's rules hold for, too.
CARRIED_OVER: tuple[str, ...] = ("01", "01a", "02")
MOST_CELLS = 60
PASSED_BY = {
    "setup",
    "parameters",
    "cost",
    "hint",
}  # not counted: the same everywhere, or folded under an exercise
MOST_LINES = 25
MOST_LINES_OPEN, MOST_COLUMNS_OPEN = 15, 88  # what a reader takes in without scrolling
MOST_LINES_PLOT = 40
FEWEST_PREDICTIONS = 2
LINES_OF_SUMMARY = 5
DEPENDS_ON_RUN = re.compile(r"\b(record|describe|spread|cost|progress|hardware)\(")
HASTY_WORDS = re.compile(r"\b(easily|just|simply|obviously|trivially)\b", re.IGNORECASE)
CHINESE = r"[\u4e00-\u9fff]"
RUN_NUMBER = re.compile(
    r"\d+(?:\.\d+)?\s?%|\b\d+(?:\.\d+)?\s?(?:s|ms|seconds?|minutes?|GB|MB)\b|\d+(?:\.\d+)?\s?(?:秒|分钟)"
)
ITALICS = re.compile(
    r"(?<![*\\])\*(?![*\s])[^*\n]+(?<![\s\\])\*(?!\*)|(?<![\w_])_(?![_\s])[^_\n]+(?<!\s)_(?![\w_])"
)
CITED = re.compile(r"\]\(http|arXiv|doi\.org|\b(?:19|20)\d\d\b")


def lint(source: Source) -> list:
    """Return complaints "file:line: what is wrong and what to do", empty when all is well."""
    found = []
    for rule in [*RULES, *(RULES_CARRIED_OVER if carried_over(source) else [])]:
        found += [f"{source.chapter.source.name}:{line}: {message}" for line, message in rule(source)]
    return found


def awaited(sources: list[Source]) -> list[str]:
    """Return those complaints that only a full run or the seeds can mend: the chapter's code records such a number."""
    return [
        f"{source.chapter.source.name}:{line}: {{{{{inner}}}}}: {why}"
        for source in sources
        for line, inner, why in _missing_numbers(source)
        if _will_be_recorded(inner, source, ("full", "seeds"))
    ]


def style_report(sources: list[Source]) -> list[str]:
    """Return, by chapter and language, how much of the prose is still in words that a teacher would not use."""
    return style.report(sources, _prose)


def carried_over(source: Source) -> bool:
    """Say whether the chapter is written for the second edition, whose rules are stricter."""
    return source.chapter.number in CARRIED_OVER


def languages_stand_in_pairs(source):
    cells = source.cells
    for position, cell in enumerate(cells):
        following = cells[position + 1] if position + 1 < len(cells) else None
        preceding = cells[position - 1] if position else None
        if cell.kind != "markdown":
            if cell.language:
                yield cell.line, "a code cell is shared and has no lang"
        elif cell.language == "en":
            if following is None or following.language != "zh":
                yield cell.line, "this English text is not followed by its Chinese"
            elif following.tags != cell.tags:
                yield following.line, f"tags differ from the English cell's {cell.tags}"
        elif cell.language == "zh":
            if preceding is None or preceding.language != "en":
                yield cell.line, "this Chinese text does not follow its English"
            elif cell.of != translation_hash(preceding.text):
                yield (
                    cell.line,
                    (
                        f'stale translation: of="{cell.of}" but the English is "{translation_hash(preceding.text)}"; '
                        f"review the Chinese, then run build --accept {source.chapter.number}"
                    ),
                )
        else:
            yield cell.line, 'a text cell needs lang="en" or lang="zh"'


def chinese_is_typeset(source):
    for cell in source.cells:
        if cell.language != "zh":
            continue
        if not re.search(CHINESE, cell.text):
            yield cell.line, "the Chinese text holds no Chinese character"
        prose = _prose(cell.text)
        for match in re.finditer(
            rf"{CHINESE}[,;:?!]|{CHINESE}[A-Za-z0-9]|[A-Za-z0-9]{CHINESE}|[０-９]|{CHINESE}{{{{|}}}}{CHINESE}",
            prose,
        ):
            context = prose[max(0, match.start() - 6) : match.end() + 6].replace("\n", " ")
            yield (
                cell.line,
                (
                    f"…{context}…: full-width punctuation after Chinese, half-width digits, "
                    "a space between Chinese and Latin"
                ),
            )


def english_is_patient(source):
    for cell in source.cells:
        if cell.language == "en":
            for match in HASTY_WORDS.finditer(_prose(cell.text)):
                yield cell.line, f"{match.group(0)!r} makes a reader who is stuck feel slow; leave it out"


def prose_states_no_run_number(source):
    for cell in source.cells:
        if cell.kind != "markdown":
            continue
        for line in cell.text.splitlines():
            match = RUN_NUMBER.search(numbers.PLACEHOLDER.sub(" ", _prose(line)))
            if match and not CITED.search(line):
                yield (
                    cell.line,
                    (
                        f"{match.group(0).strip()!r}: a number that a run produces is printed by a cell or stands as "
                        "{{name:.1%}}; a published one carries its source on the same line"
                    ),
                )


def numbers_in_prose_are_stored(source):
    """A number of the chapter's own laptop run may be missing as long as its code records it: a build will store it."""
    for line, inner, why in _missing_numbers(source):
        if not _will_be_recorded(inner, source, ("laptop",)):
            yield line, f"{{{{{inner}}}}}: {why}"


def numbers_in_prose_are_placeholders(source):
    """Decimals that happen to be a number of the stored run were written by hand."""
    measured = _as_written(source.chapter)
    for cell in source.cells:
        if cell.kind != "markdown":
            continue
        for line in cell.text.splitlines():
            prose = numbers.PLACEHOLDER.sub(" ", _prose(line))
            for match in re.finditer(r"(?<![\d.])\d*\.\d{2,}(?![\d.])", "" if CITED.search(line) else prose):
                name = measured.get(match.group(0))
                if name:
                    digits = len(match.group(0).split(".")[1])
                    yield cell.line, f"{match.group(0)}: write {{{{{name}:.{digits}f}}}}, and it stays true"


def code_is_plain_python(source):
    for cell in source.cells:
        if cell.kind != "code":
            continue
        for line in cell.text.splitlines():
            if re.match(r"\s*[%!]", line):
                yield cell.line, f"no notebook magic or shell line: {line.strip()}"
        try:
            ast.parse(cell.text)
        except SyntaxError as error:
            if not re.search(r"^\s*[%!]", cell.text, re.M):
                yield cell.line, f"not Python: {error.msg} (line {error.lineno} of the cell)"
        if len(cell.text.splitlines()) > MOST_LINES and not carried_over(source):
            yield cell.line, f"{len(cell.text.splitlines())} lines; a cell has at most {MOST_LINES}"


def cells_are_short(source):
    for cell in source.cells:
        if cell.kind != "code" or "setup" in cell.tags:
            continue
        lines = _as_seen(cell).splitlines()
        most = MOST_LINES_PLOT if "plot" in cell.tags else MOST_LINES_OPEN
        if len(lines) > most:
            yield (
                cell.line,
                f"{len(lines)} lines; a cell has at most {MOST_LINES_OPEN}, a plot cell {MOST_LINES_PLOT}",
            )
        if assemble.COLLAPSED & set(cell.tags):
            continue
        for line in lines:
            if _columns(line) > MOST_COLUMNS_OPEN:
                yield (
                    cell.line,
                    f"{_columns(line)} columns; an open cell has at most {MOST_COLUMNS_OPEN}: {line.strip()[:40]}…",
                )


def chinese_has_no_italics(source):
    for cell in source.cells:
        if cell.language == "zh":
            for match in ITALICS.finditer(_prose(cell.text)):
                if re.search(CHINESE, match.group(0)):
                    yield cell.line, f"{match.group(0)}: no italics on Chinese; write ** or nothing"


def words_are_a_teachers(source):
    for line, _, word, instead in style.hits(source, _prose):
        yield line, f"{word!r}: rather {instead!r} (workshop/style_words.toml)"


def one_figure_is_the_hero(source):
    heroes = [cell for cell in source.cells if "hero" in cell.tags]
    if len(heroes) != 1:
        yield (
            heroes[1].line if heroes else 1,
            f"one figure's cell is tagged hero, to be shown under the title; found {len(heroes)}",
        )
    for cell in heroes:
        if len(_figures(cell)) != 1:
            yield cell.line, "the hero's cell shows one figure, with plots.show"


def predictions_are_answered(source):
    cells = [cell for cell in source.cells if cell.language != "zh"]
    asked = [position for position, cell in enumerate(cells) if "predict" in cell.tags]
    if len(asked) < FEWEST_PREDICTIONS:
        yield 1, f"{len(asked)} text cells are tagged predict; a chapter has at least {FEWEST_PREDICTIONS}"
    for position, end in itertools.pairwise([*asked, len(cells)]):
        following = cells[position + 1 : end + 1]  # the cell that asks next may begin with this answer
        shown = next((at for at, cell in enumerate(following) if _shows_something(cell)), len(following))
        if not any("answer" in cell.tags for cell in following[shown:]):
            yield (
                cells[position].line,
                "after this prediction come a cell that shows what happens and a text cell tagged answer, before the next one",
            )
    for cell in cells:
        if {"predict", "answer", "summary"} & set(cell.tags) and cell.kind != "markdown":
            yield cell.line, "predict, answer and summary are tags of text cells"


def summary_says_what_was_measured(source):
    cells = [cell for cell in source.cells if cell.language != "zh"]
    found = [position for position, cell in enumerate(cells) if "summary" in cell.tags]
    if len(found) != 1:
        yield 1, f'one text cell "What you measured" is tagged summary; found {len(found)}'
        return
    cell = cells[found[0]]
    lines = [line for line in cell.text.splitlines() if re.match(r"\s*(?:[-*+]|\d+\.)\s", line)]
    if len(lines) != LINES_OF_SUMMARY:
        yield cell.line, f"the summary has {len(lines)} lines of a list; it has {LINES_OF_SUMMARY}"
    if not numbers.placeholders(cell.text):
        yield cell.line, "the summary holds no number; write one as {{name:.1%}}"
    later = [after for after in cells[found[0] :] if {"predict", "answer", "hero"} & set(after.tags)]
    if found[0] < len(cells) / 2 or later:
        yield cell.line, "the summary comes near the end, when everything has been measured"


def outputs_that_vary_are_tagged(source):
    for cell in source.cells:
        if (
            cell.kind == "code"
            and DEPENDS_ON_RUN.search(cell.text)
            and "nbval-ignore-output" not in cell.tags
        ):
            yield cell.line, "its output depends on profile, seed or machine: tag it nbval-ignore-output"


def figures_are_shown_with_alt_text(source):
    for cell in source.cells:
        if cell.kind != "code" or "setup" in cell.tags:
            continue
        if re.search(r"plt\.show\(", cell.text):
            yield cell.line, "show a figure with plots.show(figure, alt=…, alt_zh=…)"
        for call in _calls(cell.text, "show"):
            given = {keyword.arg for keyword in call.keywords}
            if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "plots":
                missing = {"alt", "alt_zh"} - given
                if missing:
                    yield cell.line, f"plots.show without {' and '.join(sorted(missing))}"


def first_cells_are_the_same(source):
    code = [cell for cell in source.cells if cell.kind == "code"]
    parameters = [cell for cell in code if "parameters" in cell.tags]
    setup = [cell for cell in code if "setup" in cell.tags]
    if len(setup) != 1 or setup[0].text.strip() != assemble.SETUP.strip():
        yield (
            (setup[0].line if setup else 1),
            "one cell tagged setup with the text of workshop/setup_cell.py",
        )
    if len(parameters) != 1:
        yield 1, f"exactly one cell tagged parameters is needed; found {len(parameters)}"
        return
    names = [line.split("=")[0].strip() for line in parameters[0].text.splitlines() if line.strip()]
    if names[:2] != ["PROFILE", "SEED"]:
        yield parameters[0].line, f"parameters begin with PROFILE = None and SEED = 0; found {names}"
    following = code[code.index(parameters[0]) + 1] if parameters[0] is not code[-1] else None
    if following is None or not following.text.startswith("profiles.use(PROFILE, SEED)"):
        yield parameters[0].line, "the next code cell must call profiles.use(PROFILE, SEED)"


def chapter_is_short_enough(source):
    count = sum(cell.language != "zh" and not PASSED_BY & set(cell.tags) for cell in source.cells)
    if count > MOST_CELLS:
        yield 1, f"{count} cells; a chapter has at most {MOST_CELLS}: split it"


def exercises_are_whole(source):
    for position, cell in enumerate(source.cells):
        if "exercise" not in cell.tags:
            continue
        begins, ends = cell.text.count(assemble.BEGIN), cell.text.count(assemble.END)
        if begins != 1 or ends != 1:
            yield (
                cell.line,
                f"one {assemble.BEGIN} and one {assemble.END} were expected; found {begins} and {ends}",
            )
            continue
        following = source.cells[position + 1] if position + 1 < len(source.cells) else None
        if following is None or "check" not in following.tags or "exercises.check(" not in following.text:
            yield cell.line, "the next cell must be tagged check and call exercises.check"
        hint = source.cells[position + 2] if position + 2 < len(source.cells) else None
        if hint is None or "hint" not in hint.tags:
            yield cell.line, "a text cell tagged hint must follow the check"


def stored_results_are_declared(source):
    for cell in source.cells:
        if cell.kind != "code":
            continue
        for name, kind in (("read", ""), ("spread", "seeds-")):
            for call in _calls(cell.text, name):
                if getattr(getattr(call.func, "value", None), "id", "") != "results":
                    continue
                first = call.args[0]
                stem = f"{kind}{first.value!s}" if isinstance(first, ast.Constant) else None
                if stem not in source.reads if stem else not source.reads:
                    yield (
                        cell.line,
                        f'reads the stored results {stem or "of a computed name"}: declare reads=["{stem or "…"}"] '
                        "in the first cell's line, so that the chapter is executed again when they change",
                    )


RULES = [
    languages_stand_in_pairs,
    chinese_is_typeset,
    english_is_patient,
    prose_states_no_run_number,
    numbers_in_prose_are_stored,
    code_is_plain_python,
    outputs_that_vary_are_tagged,
    figures_are_shown_with_alt_text,
    first_cells_are_the_same,
    chapter_is_short_enough,
    exercises_are_whole,
    stored_results_are_declared,
]
RULES_CARRIED_OVER = [
    chinese_has_no_italics,
    words_are_a_teachers,
    cells_are_short,
    numbers_in_prose_are_placeholders,
    one_figure_is_the_hero,
    predictions_are_answered,
    summary_says_what_was_measured,
]


def _prose(text: str) -> str:
    """Return text without code, formulas, links' addresses and HTML tags, where other rules hold."""
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.S)
    text = re.sub(r"`[^`]*`|\$[^$\n]*\$", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"<[^>]*>", " ", text)


def _missing_numbers(source: Source):
    """Yield (line, placeholder, why it cannot be filled)."""
    for cell in source.cells:
        for inner, why in numbers.problems(cell.text, source.chapter) if cell.kind == "markdown" else []:
            yield cell.line, inner, why


def _will_be_recorded(inner: str, source: Source, kinds: tuple) -> bool:
    """Say whether a placeholder is well written and the chapter's own code records its number."""
    kind, name = numbers.own(inner, source.chapter)
    return kind in kinds and _is_recorded(name, source)


def _is_recorded(name: str, source: Source) -> bool:
    """Say whether the chapter's code records a number of this name, perhaps by an f-string."""
    for cell in source.cells:
        for call in _calls(cell.text, "record") if cell.kind == "code" else []:
            first = call.args[0] if call.args else None
            parts = first.values if isinstance(first, ast.JoinedStr) else [first]
            pattern = "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[a-z0-9_.]+"
                for part in parts
            )
            if re.fullmatch(pattern, name):
                return True
    return False


def _as_written(chapter) -> dict:
    """Return {decimals: name} of the numbers of the stored laptop run, with two to four digits."""
    stored = files.read_json(chapter.results()).get("numbers", {})
    found: dict = {}
    for name, entry in stored.items():
        for digits in (2, 3, 4):
            text = "" if entry["value"] is None else f"{abs(entry['value']):.{digits}f}"
            if len(text.replace(".", "").lstrip("0")) >= 3:  # 0.50 may be many things, 0.973 hardly
                found.setdefault(text, name)
    return found


def _as_seen(cell) -> str:
    """Return a code cell as a learner meets it: an exercise without its solution."""
    whole = cell.text.count(assemble.BEGIN) == cell.text.count(assemble.END) == 1
    if "exercise" in cell.tags and whole:
        return assemble.learners_cell(cell.text)
    return cell.text


def _columns(line: str) -> int:
    """Return how many columns a line takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def _figures(cell) -> list:
    """Return the calls of plots.show in a cell."""
    shown = _calls(cell.text, "show") if cell.kind == "code" else []
    return [call for call in shown if getattr(getattr(call.func, "value", None), "id", "") == "plots"]


def _shows_something(cell) -> bool:
    """Say whether a code cell has an output, as far as its text tells: it calls something, or ends with a value."""
    if cell.kind != "code":
        return False
    try:
        body = ast.parse(cell.text).body
    except SyntaxError:
        return False
    calls = any(
        _calls(cell.text, name) for name in ("print", "show", "record", "display", "picture", "equal")
    )
    return calls or bool(body) and isinstance(body[-1], ast.Expr)


def _calls(text: str, name: str) -> list:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name
    ]
