"""What every reader of a graph's text shares: sizes, shapes, the order in which nodes can be built, and errors that name a
place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from importlib import import_module
from typing import Any

from jobbers.core.payload import MAX_DEPTH
from jobbers.dag.nodes import TaskLike
from jobbers.errors import ConfigError, InvalidArgument, InvalidInput, UnknownTaskType

FindTask = Callable[[str], TaskLike]
MAX_TEXT = 1 << 20
"""Most bytes of a text."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$-]{1,60}")
_CALLED = {
    str: "a string", list: "a list", dict: "an object", int: "a whole number", bool: "true or false",
    float: "a fraction", type(None): "null",
}  # fmt: skip


def parsed(text: str) -> Any:
    """The data of a text: of JSON if it begins with ``{``, else of YAML.

    Raises :class:`InvalidInput` for what is neither, naming the line, says a key twice, uses a YAML alias, or is above
    1 MiB; :class:`ConfigError` for YAML where PyYAML is missing.
    """
    checked_size(text)
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_once)
        return _from_yaml(text, pyyaml())
    except json.JSONDecodeError as error:
        raise refused(f"line {error.lineno}, column {error.colno}", f"not JSON: {error.msg}") from None
    except InvalidInput:
        raise
    except RecursionError:
        raise refused("", "it is nested too deeply: flatten it") from None
    except ValueError:
        raise refused("", "it holds a number or a date that cannot be read: write it as a string") from None


def pyyaml() -> Any:
    """PyYAML. Raises :class:`ConfigError` where it is missing."""
    try:
        return import_module("yaml")
    except ImportError:
        raise ConfigError(
            "YAML needs PyYAML, which is not installed: pip install 'jobbers[yaml]' (a text that begins with { is JSON)"
        ) from None


def _from_yaml(text: str, yaml: Any) -> Any:
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        _check_yaml(root, yaml)
        return None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "a character that is not allowed"
        raise refused(
            f"line {mark.line + 1}" if mark else "", f"not YAML that is read here: {what}"
        ) from None


def _check_yaml(root: Any, yaml: Any) -> None:
    """Refuse aliases, by which a short text may become endless, and keys that stand twice in one object."""
    seen: set[int] = set()
    left = [] if root is None else [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            place = f"line {node.start_mark.line + 1}"
            raise refused(place, "what stands here is used again by an alias (*): write it out")
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[tuple[str, str]] = set()
            for key, value in node.value:
                left += [key, value]
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if (key.tag, key.value) in keys:
                    place = f"line {key.start_mark.line + 1}"
                    raise refused(
                        place, f"{short(key.value)} stands twice in one object: take one out, or rename it"
                    )
                keys.add((key.tag, key.value))
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def checked_size(text: str) -> str:
    """The text. Raises :class:`InvalidInput` for one above 1 MiB."""
    size = len(text) if len(text) > MAX_TEXT else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT:
        raise InvalidInput(
            f"the text has {size:,} bytes, and {MAX_TEXT:,} is the most: pass what is big as a parameter"
        )
    return text


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refused("", f"{short(name)} stands twice in one object: take one out, or rename it")
        found[name] = value
    return found


def in_order(waits: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Names, each behind those that it waits for, and else as they come. ``waits`` says of each for whom it waits, and
    where that is written. Raises :class:`InvalidInput` for a cycle."""
    numbers = {name: number for number, name in enumerate(waits)}
    names = list(waits)
    sorter = TopologicalSorter(waits)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        raise refused(
            waits[cycle[1]][cycle[0]],
            f"a cycle: {' → '.join(cycle)}, each waiting for the one before: take one of these references out",
        ) from None
    ready: list[int] = []
    order = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, numbers[name])
        order.append(names[heappop(ready)])
        sorter.done(order[-1])
    return order


@contextmanager
def placed(place: str, paths: Mapping[str, str] | None = None) -> Iterator[None]:
    """Name the place in what is refused meanwhile; ``paths`` are those of single arguments."""
    try:
        yield
    except InvalidArgument as error:
        where = (paths or {}).get(error.parameter or "", place)
        raise InvalidArgument(f"{where}: {error}", error.parameter) from None
    except InvalidInput as error:
        raise refused(place, str(error)) from None


def refused(place: str, rule: str) -> InvalidInput:
    """The error of one place."""
    return InvalidInput(f"{place or 'the text'}: {rule}")


def short(name: str) -> str:
    """A name of the text, for a message."""
    return repr(name if len(name) <= 60 else name[:57] + "...")


def joined(place: str, key: str) -> str:
    """The place of a key in an object."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{place}[{short(key)}]"
    return f"{place}.{key}" if place else key


def numbered(place: str, items: Sequence[Any]) -> list[tuple[str, Any]]:
    """Items, each behind its place."""
    return [(f"{place}[{number}]", item) for number, item in enumerate(items)]


def listed(names: Iterable[str]) -> str:
    """Some names, for a message."""
    found = list(names)
    return ", ".join([*found[:10], *(["…"] if len(found) > 10 else [])]) or "none"


def checked_object(
    raw: Any, place: str, known: Mapping[str, type], required: Sequence[str] = ()
) -> dict[str, Any]:
    """An object of fields. Raises :class:`InvalidInput` for one that is unknown, missing or of another type."""
    fields: dict[str, Any] = typed(raw, dict, place)
    check_keys(fields, place)
    for name, value in fields.items():
        if name not in known:
            raise refused(joined(place, name), f"there is no such field; there are {', '.join(known)}")
        typed(value, known[name], joined(place, name))
    for name in required:
        if name not in fields:
            raise refused(place, f"it has no {name!r}: add one, {_CALLED[known[name]]}")
    return fields


def typed(value: Any, wanted: type, place: str) -> Any:
    """The value. Raises :class:`InvalidInput` if it is of another type."""
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        found = _CALLED.get(type(value), f"a {type(value).__name__}")
        raise refused(place, f"{_CALLED[wanted]} belongs here, and not {found}")
    return value


def check_keys(found: Mapping[Any, Any], place: str) -> None:
    """Raises :class:`InvalidInput` for a key that is no string."""
    for key in found:
        if not isinstance(key, str):
            kind = _CALLED.get(type(key), f"a {type(key).__name__}")
            raise refused(place, f"a key is {kind}, and keys are strings: put it in quotes")


def found_task(name: str, place: str, find_task: FindTask) -> TaskLike:
    """The task type of a name. Raises :class:`InvalidInput` naming the place."""
    try:
        return find_task(name)
    except (LookupError, UnknownTaskType):
        raise refused(
            place, f"there is no task type {short(name)}: register it, or correct the name"
        ) from None


def check_depth(depth: int, place: str) -> None:
    """Raises :class:`InvalidInput` for a value nested too deeply."""
    if depth > MAX_DEPTH:
        raise refused(place[:200], f"nested deeper than {MAX_DEPTH} levels (or it holds itself): flatten it")


def scalar(value: Any, place: str) -> Any:
    """The plain JSON value. Raises :class:`InvalidInput` for another one."""
    match value:
        case None | bool():
            return value
        case str() if _whole(value):
            return str.__str__(value)
        case int() if -(1 << 63) <= value < 1 << 64:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
    raise refused(
        place,
        f"a text cannot carry this {type(value).__name__} (it has strings, finite numbers up to 64 bits, booleans, null, "
        "lists and objects): write it as a string, or make it a parameter",
    )


def _whole(text: str) -> bool:
    """Whether UTF-8 can carry a text: it cannot carry half of a pair of surrogates."""
    return text.isascii() or text.encode(errors="ignore").decode() == text
