"""Counts what Python source files define: the demo's work as plain functions, which know nothing of tasks."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STDLIB = Path(sysconfig.get_paths()["stdlib"])


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many lines it has."""

    name: str
    file: str
    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class FileIndex:
    """What one file defines; nothing but the ``problem`` if it cannot be read or parsed."""

    file: str
    lines: int = 0
    functions: int = 0
    async_functions: int = 0
    classes: int = 0
    imports: int = 0
    longest: Function | None = None
    problem: str | None = None


@dataclass(slots=True)
class Totals:
    """What many files define. Equal whatever the order in which the files were added."""

    files: int = 0
    skipped: int = 0
    lines: int = 0
    functions: int = 0
    async_functions: int = 0
    classes: int = 0
    imports: int = 0
    longest: Function | None = None

    def add(self, file: FileIndex) -> None:
        """Count one more file."""
        self.files += 1
        self.skipped += file.problem is not None
        self.lines += file.lines
        self.functions += file.functions
        self.async_functions += file.async_functions
        self.classes += file.classes
        self.imports += file.imports
        self.longest = _longest([self.longest, file.longest])


def stdlib_files(limit: int | None = None) -> list[str]:
    """The source files of the running Python's standard library, relative to it; an even sample of them if limited."""
    found: list[str] = []
    for folder, below, names in os.walk(STDLIB):
        below[:] = [name for name in below if name != "site-packages"]
        found += [Path(folder, name).relative_to(STDLIB).as_posix() for name in names if name.endswith(".py")]
    found.sort()
    if limit is None or limit >= len(found):
        return found
    return [found[number * len(found) // limit] for number in range(limit)]


def index_file(file: str) -> FileIndex:
    """Index one file of the standard library. Some are there to test parsers and cannot be parsed."""
    try:
        source = (STDLIB / file).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files have escapes that newer Pythons warn of
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        return FileIndex(file, problem=type(error).__name__)
    nodes = list(ast.walk(tree))
    count = Counter(map(type, nodes))
    return FileIndex(
        file,
        lines=len(source.splitlines()),
        functions=count[ast.FunctionDef],
        async_functions=count[ast.AsyncFunctionDef],
        classes=count[ast.ClassDef],
        imports=count[ast.Import] + count[ast.ImportFrom],
        longest=_longest(
            Function(node.name, file, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
    )


def plain_index(files: Iterable[str]) -> Totals:
    """The same totals without any tasks: one file after the other, in this process."""
    totals = Totals()
    for file in files:
        totals.add(index_file(file))
    return totals


def _longest(functions: Iterable[Function | None]) -> Function | None:
    """The longest one; of several, the first by file and line, so that the order of the files does not matter."""
    return min(
        (function for function in functions if function is not None),
        key=lambda function: (-function.lines, function.file, function.line),
        default=None,
    )
