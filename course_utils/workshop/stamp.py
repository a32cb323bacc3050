"""A stamp of what a chapter runs: equal stamps, equal outputs; unequal ones call for a new execution.

The stamp goes by content, not by place. It is a hash of

- the chapter's code cells and, through their imports, every course_utils file that they reach, as Python's parser
  sees them: comments, docstrings, layout and the order of imports do not count;
- an import from course_utils stands for the name that it binds and the stamp of the file that it finds, so that a
  module can move or be renamed for nothing;
- the checksums of the data that this code names, the pins of the libraries that decide about numbers, and the stored
  results that the chapter declares to read (`reads=[…]` in its first cell's metadata), without what bands say of them.
"""

import ast
import fnmatch
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from course_utils.workshop.chapters import ROOT

PACKAGE = "course_utils"
DECIDING = ("tensorflow", "keras", "numpy")  # libraries whose versions change numbers
_DATA = Path(PACKAGE) / "data" / "SHA256SUMS"
_POSITIONS = {
    "lineno",
    "col_offset",
    "end_lineno",
    "end_col_offset",
    "ctx",
    "kind",
    "type_comment",
    "type_ignores",
}


def stamp(cells: list, results_read: Iterable[Path] = (), root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits for everything that decides about a chapter's outputs.

    Args:
        cells: the texts of its code cells, in order.
        results_read: paths of the stored results that it reads.
        root: the repository.
    """
    content = [
        *(_Code(text, root).digest(()) for text in cells),
        *sorted(_Code("\n".join(cells), root).data()),
        *_pins(root),
        *(f"{path.name} {_hash(_measured(path))}" for path in results_read),
    ]
    return _hash("\0".join(content))


def modules(texts: list, root: Path = ROOT) -> set:
    """Return the course_utils files that code imports, directly or through each other."""
    found, waiting = set(), [_Code(text, root) for text in texts]
    while waiting:
        for _, path, _ in waiting.pop().imports:
            if path is not None and path not in found:
                found.add(path)
                waiting.append(_file(path, root))
    return found


class _Code:
    """Parsed code: its meaning without imports from the course, and those imports apart."""

    def __init__(self, text: str, root: Path):
        self.tree, self.root = ast.parse(text), root
        self.imports: list = []  # (name that is bound, file that it comes from or is, name within the file or "")
        self.meaning = self._meaning(self.tree)

    def digest(self, above: tuple) -> str:
        """Return the hash of this code with all that it imports; `above` are the files on the way here."""
        bound = []
        for name, path, inner in self.imports:
            if path is None or path in above:  # not there, or a circle
                bound.append(f"{name}={inner}")
            else:
                bound.append(f"{name}={inner} {_file(path, self.root).digest((*above, path))}")
        return _hash("\0".join([self.meaning, *sorted(bound)]))

    def data(self) -> set:
        """Return the checksum lines of the data files that this code reaches by name."""
        lines = (self.root / _DATA).read_text(encoding="utf-8").splitlines()
        checksums = {line.split()[1]: line for line in lines}
        found, seen, waiting = set(), set(), [self]
        while waiting:
            code = waiting.pop()
            found |= _named(code.tree, checksums)
            for name, path, inner in code.imports:
                if path is None:
                    continue
                # Of the module that loads all data sets, only the loaders that are used count.
                if path.name == "datasets.py":
                    used = {inner} if inner else _attributes(code.tree, name)
                    loaders = _reached(_file(path, self.root).tree, used)
                    found |= set().union(*(_named(loader, checksums) for loader in loaders))
                elif path not in seen:
                    seen.add(path)
                    waiting.append(_file(path, self.root))
        return found

    def _meaning(self, node) -> str:
        """Return the syntax tree as text; unlike `ast.unparse`, the same one in every Python."""
        if isinstance(node, list):
            return f"[{','.join(text for text in map(self._meaning, node) if text)}]"
        if not isinstance(node, ast.AST):
            return f"{type(node).__name__}:{node!r}"
        if isinstance(node, ast.ImportFrom) and self._is_ours(node.module) and not node.level:
            self.imports += [
                (alias.asname or alias.name, *self._find(str(node.module), alias.name))
                for alias in node.names
            ]
            return ""
        if isinstance(node, ast.Import) and any(self._is_ours(alias.name) for alias in node.names):
            raise ValueError(f"write `from {PACKAGE} import …` instead of `import {node.names[0].name}`")
        fields = dict(ast.iter_fields(node))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                fields["body"] = fields["body"][1:]
        if isinstance(node, ast.JoinedStr):
            fields["values"] = _merged(fields["values"])
        # Fields that only newer Pythons have are empty for code that runs on all of them.
        inside = [
            f"{name}={self._meaning(value)}"
            for name, value in sorted(fields.items())
            if name not in _POSITIONS and value is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(inside)})"

    @staticmethod
    def _is_ours(module) -> bool:
        return bool(module) and module.split(".")[0] == PACKAGE

    def _find(self, module: str, name: str):
        """Return (file, "") for a module that is imported whole, (its module's file, name) for a part of one."""
        whole = _files(f"{module}.{name}", self.root)
        if whole:
            return whole[0], ""
        part = _files(module, self.root)
        return (part[0], name) if part else (None, name)


@functools.cache
def _parsed(path: Path, changed: tuple, root: Path) -> _Code:
    return _Code(path.read_text(encoding="utf-8"), root)


def _file(path: Path, root: Path) -> _Code:
    state = path.stat()
    return _parsed(path, (state.st_mtime_ns, state.st_size), root)


def _files(name: str, root: Path) -> list:
    base = root.joinpath(*name.split("."))
    return [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]


def _merged(values: list) -> list:
    """Join neighbouring constant parts of an f-string, which Pythons cut differently."""
    kept: list = []
    for value in values:
        if isinstance(value, ast.Constant) and kept and isinstance(kept[-1], ast.Constant):
            kept[-1] = ast.Constant(str(kept[-1].value) + str(value.value))
        else:
            kept.append(value)
    return [value for value in kept if not (isinstance(value, ast.Constant) and value.value == "")]


def _named(tree, checksums: dict) -> set:
    """Return the lines of the files that code names, also by an f-string such as f"reviews_{language}.jsonl.xz"."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in checksums:
            found.add(checksums[node.value])
        elif isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[-1], ast.Constant):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values]
            found |= {checksums[name] for name in fnmatch.filter(checksums, "".join(parts)) if len(parts) > 1}
    return found


def _attributes(tree, name: str) -> set:
    """Return the attributes of `name` that code uses: {"mnist"} for datasets.mnist()."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def _reached(tree, names: set) -> list:
    """Return the top-level definitions that the named ones are and use."""
    definitions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found[name] = definitions[name]
            waiting += [node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)]
    return list(found.values())


def _measured(path: Path) -> str:
    """Return a stored results file as text without its stamp and judgements: a new band is no new measurement."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.pop("stamp", None)
    for number in content.get("numbers", {}).values():
        for key in ("band", "in_band", "suggested_band"):
            number.pop(key, None)
    return json.dumps(content, sort_keys=True)


def _pins(root: Path) -> list:
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("#")[0].split(";")[0].strip() for line in lines]
    return sorted(pin for pin in pins if pin.split("==")[0].lower() in DECIDING)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
