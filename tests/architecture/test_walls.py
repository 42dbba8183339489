"""Walls that import contracts cannot express: who may know the time, read the environment or spell a key.

Each rule is a function from source text to findings, so that the last tests can show that it finds something.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import jobbers

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jobbers"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((PACKAGE / "store" / "lua").glob("*.lua"))

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

CLOCKS = {"asyncio.get_event_loop", "datetime.date.today"} | {
    f"datetime.datetime.{method}" for method in ("now", "today", "utcnow")
}
CLOCK_AND_CHANCE_MODULES = {"random", "secrets", "time"}
HARMLESS = {"random.Random"}
CHANCE = {"os.getrandom", "os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "pydantic_settings"}
ENVIRONMENT_READERS = {"jobbers/settings.py", "jobbers/store/binaries.py"}

KEY_SPELLER = PACKAGE / "store" / "keys.py"


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def names_used(source: str) -> Iterator[tuple[int, str]]:
    """Every dotted name that a module reaches, resolved through its imports: ``now()`` is ``datetime.datetime.now``."""
    tree = ast.parse(source)
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                origins[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base: ast.expr = node
            parts: list[str] = []
            while isinstance(base, ast.Attribute):
                parts.append(base.attr)
                base = base.value
            if isinstance(base, ast.Name) and base.id in origins:
                yield node.lineno, ".".join([origins[base.id], *reversed(parts)])


def clock_or_chance(source: str) -> list[str]:
    found = []
    for line, name in names_used(source):
        module = name.partition(".")[0]
        imported_whole = name == module == "random"  # to name the type of an argument
        if name in CLOCKS | CHANCE or (
            module in CLOCK_AND_CHANCE_MODULES and name not in HARMLESS and not imported_whole
        ):
            found.append(f"{line}: {name}")
    return found + [
        f"{node.lineno}: a generator without a seed"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"Random", "random.Random"}
        and not node.args
    ]


def environment(source: str) -> list[str]:
    reached = [
        f"{line}: {name}"
        for line, name in names_used(source)
        if any(name == reader or name.startswith(f"{reader}.") for reader in ENVIRONMENT)
    ]
    return reached + [
        f"{node.lineno}: envvar= (how typer reads it)"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.keyword) and node.arg == "envvar"
    ]


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Every string of a module, without its docstrings; of an f-string, its fixed parts."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def lua_texts(source: str) -> Iterator[tuple[int, str]]:
    """Every string of a script, without its comments."""
    for number, line in enumerate(source.splitlines(), 1):
        for text in re.findall(r"'[^']*'|\"[^\"]*\"", line.partition("--")[0]):
            yield number, text[1:-1]


KEY_PARTS = {text for _, text in texts(KEY_SPELLER.read_text("utf-8")) if re.fullmatch(r":[a-z]+:?", text)}
"""What distinguishes keys: ``:task:``, ``:due`` and so on, taken from the module that may say them."""


def keys_spelled(found: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"{line}: {text!r}"
        for line, text in found
        if any(part in text if part.endswith(":") else text.endswith(part) for part in KEY_PARTS)
    ]


def header_of(source: str) -> str:
    """The comment that a script begins with."""
    lines = []
    for line in source.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return "\n".join(lines)


def long_functions(source: str) -> list[str]:
    """Functions that do more than one job. Docstrings do not count."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node) is not None and len(node.body) > 1
            first = node.body[1].lineno - 1 if has_docstring else node.lineno
            length = (node.end_lineno or node.lineno) - first
            if length > MOST_LINES_OF_A_FUNCTION:
                found.append(f"{node.lineno}: {node.name} has {length} lines")
    return found


def violations(rule: Callable[[str], list[str]], paths: list[Path]) -> list[str]:
    return [f"{relative(path)}:{finding}" for path in paths for finding in rule(path.read_text("utf-8"))]


def test_the_core_has_no_clock_and_no_chance_of_its_own() -> None:
    core = [path for path in MODULES if path.is_relative_to(PACKAGE / "core")]
    assert core
    assert violations(clock_or_chance, core) == []


def test_the_environment_has_two_readers() -> None:
    others = [path for path in MODULES if relative(path) not in ENVIRONMENT_READERS]
    assert violations(environment, others) == []


def test_no_module_is_too_long() -> None:
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    assert violations(long_functions, MODULES) == []


def test_keys_are_spelled_in_one_module() -> None:
    others = [path for path in MODULES if path != KEY_SPELLER]
    assert violations(lambda source: keys_spelled(texts(source)), others) == []
    assert violations(lambda source: keys_spelled(lua_texts(source)), SCRIPTS) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_begins_with_its_contract(script: Path) -> None:
    header = header_of(script.read_text("utf-8"))
    assert header, "a script begins with a comment that says what it does"
    if not script.name.startswith("_"):  # a helper has no caller outside
        missing = [word for word in ("KEYS", "ARGV", "REPLY") if not re.search(rf"\b{word}\b", header)]
        assert missing == []


def test_the_public_surface_is_explicit() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and ast.unparse(node).startswith(("__all__ =", "__all__: "))
    ]
    assert len(listed) == 1, "jobbers/__init__.py says __all__ once, as a plain list"
    (names,) = listed
    assert len(set(names)) == len(names)
    (surface,) = [node for node in tree.body if ast.unparse(node).startswith("if TYPE_CHECKING:")]
    assert isinstance(surface, ast.If)
    assert not surface.orelse
    imported = {
        alias.asname or alias.name: node.module
        for node in surface.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sum(len(node.names) for node in surface.body if isinstance(node, ast.ImportFrom)) == len(imported)
    (homes,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if ast.unparse(node).startswith("_HOMES = ") and isinstance(node, ast.Assign)
    ]
    assert homes == imported, "_HOMES says the same as the imports"
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert set(names) - set(imported) - assigned == set(), "listed but not there"
    assert {name for name in imported if not name.startswith("_")} - set(names) == set(), (
        "there but not listed"
    )
    logic = [
        node
        for node in tree.body
        if not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        and node is not surface
    ]
    (lookup,) = [ast.unparse(node) for node in logic]
    assert lookup.startswith("if not TYPE_CHECKING:\n\n    def __getattr__(name):"), (
        "no logic but the import at first use"
    )
    for name in names:
        assert getattr(jobbers, name) is not None


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic as now",
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import date\ndate.today()",
        "import random\nrandom.random()",
        "from random import choice",
        "import random\nrandom.Random()",
        "import os\nos.urandom(8)",
        "from uuid import uuid4",
    ],
)
def test_the_rule_about_clock_and_chance_bites(source: str) -> None:
    assert clock_or_chance(source)


@pytest.mark.parametrize(
    "source",
    [
        "import random\ndef f(chance: random.Random) -> float: return chance.random()",
        "from datetime import datetime, time\ndef f(now: datetime) -> time: return now.time()",
        "from uuid import UUID",
    ],
)
def test_the_rule_about_clock_and_chance_lets_values_pass(source: str) -> None:
    assert clock_or_chance(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['X']",
        "import os\nos.environ.get('X')",
        "from os import getenv",
        "import os as system\nsystem.getenv('X')",
        "from pydantic_settings import BaseSettings",
        "import typer\ntyper.Option(envvar='X')",
    ],
)
def test_the_rule_about_the_environment_bites(source: str) -> None:
    assert environment(source)


def test_the_rule_about_keys_bites() -> None:
    assert {":task:", ":due"} <= KEY_PARTS
    assert keys_spelled(texts("key = f'{prefix}:task:{id}'"))
    assert keys_spelled(texts("key = prefix + ':due'"))
    assert keys_spelled(texts("def f():\n    'Reads K:task:<id>.'")) == []
    assert keys_spelled(lua_texts("redis.call('GET', P .. ':task:' .. id)"))
    assert keys_spelled(lua_texts('redis.call("GET", P .. ":due")'))
    assert keys_spelled(lua_texts("redis.call('GET', P .. K.task .. id) -- ':task:'")) == []


def test_the_rule_about_long_functions_bites() -> None:
    body = "    x = 1\n" * MOST_LINES_OF_A_FUNCTION
    assert long_functions(f"def f():\n{body}") == []
    assert long_functions(f"def f():\n    '''Text.'''\n{body}") == []
    assert long_functions(f"def f():\n{body}    x = 2\n")
