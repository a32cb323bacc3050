"""Turning a chapter's cells into a notebook of one language, without executing anything."""

import copy
import hashlib
import html
import re
from pathlib import Path

import nbformat

from course_utils import pictures
from course_utils.language import side
from course_utils.workshop import numbers, typeset
from course_utils.workshop.source import Source

SETUP = (Path(__file__).parent / "setup_cell.py").read_text(encoding="utf-8")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
YOUR_ANSWER = "# ✎"  # without words: a cell's code is the same in both languages
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
COLLAPSED = {"setup", "parameters", "plot"}  # tags of cells that a reader opens only on purpose
MOST_HERO_BYTES = 200_000
_FOLDED = {
    "hint": {"en": "Hint", "zh": "提示"},
    "solution": {"en": "One solution", "zh": "参考答案"},
}


def notebook(source: Source, language: str, *, solved: bool = False):
    """Return the notebook of one language, unexecuted. Numbers that no run has stored yet stay placeholders.

    Args:
        source: the chapter's source, read.
        language: "en" or "zh".
        solved: keep the solutions in the exercise cells (for tests) instead of the learner's empty ones.
    """
    built = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": KERNEL,
            "language_info": LANGUAGE_INFO,
            "course": {"chapter": source.chapter.number, "language": language},
        }
    )
    seen: dict = {}
    waiting_solution = None
    for position, cell in enumerate(source.cells):
        if cell.language not in (None, language):
            continue
        if waiting_solution and not {"check", "hint"} & set(cell.tags):
            built.cells.append(_solution_cell(source.chapter, waiting_solution, language, seen))
            waiting_solution = None
        text = cell.text
        if "exercise" in cell.tags:
            if solved:
                text = solved_cell(text)
            else:
                waiting_solution = solved_cell(text)
                text = learners_cell(text)
        if cell.kind == "markdown":
            text = numbers.fill(text, source.chapter, language)
        if cell.language == "zh":
            text = typeset.chinese(text)
        if "hint" in cell.tags:
            text = _folded("hint", language, text)
        # A Chinese cell takes its English twin's id, so that the two notebooks line up.
        identity = source.cells[position - 1].text if cell.language == "zh" else cell.text
        built.cells.append(_cell(source.chapter, cell.kind, text, identity, cell.tags, seen))
    if waiting_solution:
        built.cells.append(_solution_cell(source.chapter, waiting_solution, language, seen))
    return built


def learners_cell(text: str) -> str:
    """Return an exercise cell with its solution replaced by a line to fill in."""
    before, solution, after = _parts(text)
    first = next(line for line in solution if line.strip())
    indent = first[: len(first) - len(first.lstrip())]
    if indent:
        blank = [f"{indent}return ...  {YOUR_ANSWER}"]
    else:
        names = [match.group(1) for line in solution if (match := re.match(r"(\w+)\s*=[^=]", line))]
        if not names:
            raise ValueError(f"a solution outside a function must assign a name; found {first!r}")
        blank = [f"{name} = ...  {YOUR_ANSWER}" for name in dict.fromkeys(names)]
    return "\n".join([*before, *blank, *after])


def solved_cell(text: str) -> str:
    """Return an exercise cell with its solution, without the markers."""
    before, solution, after = _parts(text)
    return "\n".join([*before, *solution, *after])


def code_cells(built) -> list:
    return [cell for cell in built.cells if cell.cell_type == "code"]


def copy_outputs(origin, target, language: str) -> None:
    """Copy outputs from one executed notebook to another, cell by cell, keeping what belongs to `language`.

    Args:
        origin: a build's, whose texts may carry both languages, or an earlier notebook of this language.
        target: gets the outputs.
        language: "en" or "zh".
    """
    for executed, cell in zip(code_cells(origin), code_cells(target), strict=True):
        cell.execution_count = executed.execution_count
        cell.outputs = [localise(output, language) for output in copy.deepcopy(executed.outputs)]
        alt = next((alt_of(output) for output in cell.outputs if alt_of(output)), None)
        if alt:
            cell.metadata["mystnb"] = {"image": {"alt": alt}}


def show_hero(built, chapter, language: str) -> None:
    """Show the figure of the cell tagged hero under the title, too, if its notebook has been executed.

    The picture stands in the text as data: MyST-NB knows no attachments, and a file beside the notebook would be lost
    when a learner copies it. It holds the very bytes of the output below: to make them fewer would give other bytes
    with every version of the library that does it, and `build --check` compares them.

    Raises:
        ValueError: the picture is larger than a first screen may be.
    """
    cell = next((cell for cell in built.cells if "hero" in cell.metadata.get("tags", [])), None)
    figure = next((output for output in cell.outputs if alt_of(output)), None) if cell else None
    if figure is None:
        return
    picture, alt = figure["data"]["image/png"].strip(), alt_of(figure) or ""
    if len(picture) > MOST_HERO_BYTES:
        raise ValueError(f"the hero has {len(picture) // 1000} kB; it has at most {MOST_HERO_BYTES // 1000}")
    width = figure["metadata"]["image/png"]["width"]
    text = f'<img alt="{html.escape(alt)}" width="{width}" src="data:image/png;base64,{picture}">'
    if language == "zh":
        text += f"\n\n{alt}"  # the words in the figure are English
    built.cells.insert(1, _cell(chapter, "markdown", text, "the hero's picture", ["hero-picture"], {}))


def alt_of(output) -> str | None:
    return output.get("metadata", {}).get("image/png", {}).get("alt")


def localise(output, language: str):
    """Keep one language's side of an output: of its texts, of its picture and of the picture's alt text, HTML too."""
    output = nbformat.from_dict(_one_side(output, language))
    picture = output.get("metadata", {}).get("image/png", {})
    if "alt_zh" not in picture:
        return output
    drawn_zh, caption = picture.pop("png_zh", None), ""
    if language == "zh":
        output.data["image/png"] = drawn_zh or output.data["image/png"]
        caption = picture["alt"] = picture["alt_zh"]
        output.data["text/plain"] = f"[{picture['alt_zh']}]"
    png, width, height = output.data["image/png"], picture["width"], picture["height"]
    output.data["text/html"] = pictures.as_html(png, picture["alt"], width, height, caption)
    return output


def _one_side(content, language: str):
    """Return nested lists and dictionaries with one side of every text in them."""
    if isinstance(content, dict):
        return {key: _one_side(value, language) for key, value in content.items()}
    if isinstance(content, list):
        return [_one_side(value, language) for value in content]
    return side(content, language) if isinstance(content, str) else content


def _parts(text: str):
    lines = text.split("\n")
    begin = next(number for number, line in enumerate(lines) if line.strip() == BEGIN)
    end = next(number for number, line in enumerate(lines) if line.strip() == END)
    return lines[:begin], lines[begin + 1 : end], lines[end + 1 :]


def _folded(kind: str, language: str, text: str) -> str:
    return f"<details><summary>{_FOLDED[kind][language]}</summary>\n\n{text}\n\n</details>"


def _solution_cell(chapter, solution, language, seen):
    text = _folded("solution", language, f"```python\n{solution}\n```")
    return _cell(chapter, "markdown", text, solution, ["solution"], seen)


def _cell(chapter, kind, text, identity, tags, seen):
    occurrence = seen[(kind, identity)] = seen.get((kind, identity), 0) + 1
    digest = hashlib.sha256(f"{chapter.number}\n{kind}\n{identity}\n{occurrence}".encode()).hexdigest()[:8]
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    cell = make(text, id=digest)
    if tags:
        cell.metadata["tags"] = list(tags)
    if COLLAPSED & set(tags):
        _collapse(cell)
    return cell


def _collapse(cell) -> None:
    """Show a cell's output and fold its code away, wherever a notebook file can ask for that.

    JupyterLab reads `jupyter.source_hidden`, Colab `cellView` (not run here), MyST-NB the tag `hide-input`. VS Code
    keeps what is folded in its own workspace and reads nothing from the file (microsoft/vscode#158716).
    """
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"
    cell.metadata["tags"].append("hide-input")
