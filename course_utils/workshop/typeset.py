"""Chinese as a page shows it: no blank where a source line ends, none beside full-width quotation marks.

Markdown shows the end of a source line as a blank. Between Chinese characters that blank is wrong, so the lines of a
paragraph are joined there. A line end beside a Latin letter, a formula or code stays: a blank belongs there. Tables,
headings, HTML, code and formulas on lines of their own are left alone.
"""

import re

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WIDE = r"\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65“”‘’…—"  # full-width punctuation
_APART = re.compile(r"(```.*?```|~~~.*?~~~|\$\$.*?\$\$|`[^`\n]*`|\$[^$\n]+\$)", re.S)
_BLOCK = re.compile(r"\s*(?:$|[#|<>]|[-+*]\s|\d+[.)]\s|(?:[-*_]\s*){3,}$|`{3}|~{3}|\$\$)")
_LIST_ITEM = re.compile(r"\s*(?:[-+*]|\d+[.)])\s")
_NO_TEXT = re.compile(r"\s*(?:$|[#|<>]|(?:[-*_]\s*){3,}$|`{3}|~{3}|\$\$)")


def chinese(text: str) -> str:
    """Return a Chinese text cell as its notebook shows it."""
    return _without_blanks_beside_quotes(_joined(text))


def _joined(text: str) -> str:
    lines: list[str] = []
    fence = None  # what ends the code or formula that we are in
    for line in text.split("\n"):
        mark = next((mark for mark in ("```", "~~~", "$$") if line.strip().startswith(mark)), None)
        if fence:
            lines.append(line)
            if fence in line:
                fence = None
            continue
        if mark and not (mark == "$$" and line.strip().count("$$") > 1):
            fence = mark
        if lines and _continues(lines[-1], line):
            lines[-1] += line.lstrip()
        else:
            lines.append(line)
    return "\n".join(lines)


def _continues(before: str, line: str) -> bool:
    """Say whether a line goes on with the sentence of the line before it without a blank in between."""
    if _NO_TEXT.match(before) or _BLOCK.match(line) or before.endswith(("  ", "\\")):
        return False
    if re.match(r" {4}|\t", before) and not _LIST_ITEM.match(before):
        return False  # code by indentation
    last, closing = _end(before)
    first, opening = _start(line.lstrip())
    # Beside bold that ends in punctuation, CommonMark needs the blank: **好。**然后 would show its asterisks.
    if (closing and _is(_WIDE, last)) or (opening and _is(_WIDE, first)):
        return False
    if _is(_WIDE, last) or _is(_WIDE, first):
        return True
    return _is(_HAN, last) and _is(_HAN, first)


def _end(line: str) -> tuple[str, str]:
    """Return the last letter that a reader sees in a line, and the asterisks after it."""
    bare = line.rstrip("*")
    marks = line[len(bare) :]
    link = re.fullmatch(r".*(.)\]\([^()]*\)", bare)
    return (link[1] if link else bare[-1:]), marks


def _start(line: str) -> tuple[str, str]:
    """Return the first letter that a reader sees in a line, and the asterisks before it."""
    bare = line.lstrip("*")
    return bare.lstrip("[")[:1], line[: len(line) - len(bare)]


def _is(kind: str, letter: str) -> bool:
    return bool(re.fullmatch(f"[{kind}]", letter))


def _without_blanks_beside_quotes(text: str) -> str:
    """Take the blanks away outside “ and ”, unless the words on both sides of the mark are Latin."""
    pieces = _APART.split(text)
    for position in range(0, len(pieces), 2):
        piece = re.sub(rf"(?<=[{_HAN}{_WIDE}]) +(?=[“‘])", "", pieces[position])
        piece = re.sub(rf"(?<=[”’]) +(?=[{_HAN}{_WIDE}])", "", piece)
        piece = re.sub(rf"(?<=\w) +(?=[“‘][{_HAN}])", "", piece)
        pieces[position] = re.sub(rf"(?<=[{_HAN}{_WIDE}][”’]) +(?=\w)", "", piece)
    return "".join(pieces)
