"""Rules that a chapter's source must keep, each a function from a chapter's source to its complaints."""

import ast
import re

from course_utils.workshop import assemble
from course_utils.workshop.source import Source, translation_hash

CARRIED_OVER: list = []  # numbers of the chapters that the rules of the second edition hold for
MOST_CELLS = 60
MOST_LINES = 25
DEPENDS_ON_RUN = re.compile(r"\b(record|describe|spread|cost|progress|hardware)\(")
HASTY_WORDS = re.compile(r"\b(easily|just|simply|obviously|trivially)\b", re.IGNORECASE)
CHINESE = r"[\u4e00-\u9fff]"
RUN_NUMBER = re.compile(
    r"\d+(?:\.\d+)?\s?%|\b\d+(?:\.\d+)?\s?(?:s|ms|seconds?|minutes?|GB|MB)\b|\d+(?:\.\d+)?\s?(?:秒|分钟)"
)
CITED = re.compile(r"\]\(http|arXiv|doi\.org|\b(?:19|20)\d\d\b")


def lint(source: Source) -> list:
    """Return complaints "file:line: what is wrong and what to do", empty when all is well."""
    found = []
    for rule in RULES:
        found += [f"{source.chapter.source.name}:{line}: {message}" for line, message in rule(source)]
    return found


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
            rf"{CHINESE}[,;:?!]|{CHINESE}[A-Za-z0-9]|[A-Za-z0-9]{CHINESE}|[０-９]", prose
        ):
            context = prose[max(0, match.start() - 6) : match.end() + 6].replace("\n", " ")
            yield (
                cell.line,
                (
                    f"…{context}…: full-width punctuation after Chinese, half-width digits, "
                    "a space between Chinese and Latin"
                ),
            )
        for match in re.finditer(rf"{CHINESE}\*?\*?\n *\*?\*?{CHINESE}", cell.text):
            context = cell.text[max(0, match.start() - 6) : match.end() + 6].replace("\n", "⏎")
            yield cell.line, f"…{context}…: a browser shows a blank there; break the line after punctuation"


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
            match = RUN_NUMBER.search(_prose(line))
            if match and not CITED.search(line):
                yield (
                    cell.line,
                    (
                        f"{match.group(0).strip()!r}: a number that a run produces is printed by a cell; "
                        "a published one carries its source on the same line"
                    ),
                )


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
        if len(cell.text.splitlines()) > MOST_LINES:
            yield cell.line, f"{len(cell.text.splitlines())} lines; a cell has at most {MOST_LINES}"


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
    count = sum(cell.language != "zh" for cell in source.cells)
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
    code_is_plain_python,
    outputs_that_vary_are_tagged,
    figures_are_shown_with_alt_text,
    first_cells_are_the_same,
    chapter_is_short_enough,
    exercises_are_whole,
    stored_results_are_declared,
]


def _prose(text: str) -> str:
    """Return text without code, formulas, links' addresses and HTML tags, where other rules hold."""
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.S)
    text = re.sub(r"`[^`]*`|\$[^$\n]*\$", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"<[^>]*>", " ", text)


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
