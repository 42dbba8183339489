"""The scripts: read from ``lua/``, with key names and the transition table rendered in.

Each script is called by the SHA-1 of its text, so that two releases can work side by side on one server.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeVar

from jobbers.core.status import TRANSITIONS, Event
from jobbers.store.keys import COMPACT_LIMIT, GLOBAL_KEYS, GROUP, SHARD_KEYS

NAMES = (
    "submit", "claim", "succeed", "fail", "retry", "snooze", "release", "renew", "beat", "cancel",
    "requeue", "promote", "reclaim", "watch", "repair", "drop", "essential", "launch", "revive",
    "skip", "expand", "suspend", "follow", "hold", "fire", "schedule", "submit_gated", "limit", "permits",
    "meter", "make_room", "purge", "collapse", "breaker", "once", "prepare",
)  # fmt: skip


GROWING = frozenset(
    {
        "submit",
        "submit_gated",
        "requeue",
        "launch",
        "prepare",
        "revive",
        "expand",
        "fire",
        "schedule",
        "collapse",
    }
)
"""What a server at its memory limit refuses, whole; all other scripts must go on then, so that it can be drained."""

LIBRARY = ("_lib.lua", "_breakers.lua", "_gates.lua", "_launch.lua", "_ends.lua", "_steps.lua")
"""The helpers, in the order in which they are put before a script."""

STEP = 3000
"""What one script may do to others when tasks of runs end: to end a task counts 8, which takes about 60 us of the server,
so that it is kept from others for some 25 ms. The rest follows step by step."""
SHORT_STEP = 10
"""The same under the testing kit's clock and in the simulation, where even small runs take several steps, as else only
those of many nodes do."""

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class Script:
    """One script: its name, its whole text as the server gets it, and the SHA-1 that calls it."""

    name: str
    text: str
    sha: bytes


@functools.cache
def load(name: str, *, manual_clock: bool = False, flags: bool = False, short_steps: bool = False) -> Script:
    """Render one script; with ``manual_clock`` as the testing kit wants it, whose clock can be moved forward.

    That takes short steps, as the simulation does with ``short_steps``. ``flags`` declares what the script may do, which
    servers know from Redis 7 on: without flags, a script that hits the memory limit has done half of its work.
    """
    folder = files("jobbers.store") / "lua"
    parts = ("_manual_clock.lua", f"{name}.lua") if manual_clock else (f"{name}.lua",)
    body = "\n".join((folder / part).read_text() for part in parts)
    library = "\n".join((folder / part).read_text() for part in LIBRARY)
    body = f"{_helpers(library, body)}\n\n{body}"
    text = f"{_prelude(body, SHORT_STEP if manual_clock or short_steps else STEP)}\n\n{body}"
    if flags:
        text = f"#!lua{'' if name in GROWING else ' flags=allow-oom'}\n{text}"
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode())


@functools.cache
def names_by_sha() -> dict[bytes, str]:
    """The names of scripts by what calls them, with flags or without."""
    return {load(name, flags=flags).sha: name for name in NAMES for flags in (False, True)}


def _helpers(library: str, body: str) -> str:
    """The helpers that a script uses, directly or through others, in their order.

    A script makes its helpers and tables anew at every call, so what it does not use costs every caller time. A helper
    is a paragraph of the library.
    """
    helpers = re.split(r"\n\n(?=(?:--.*\n)*(?:local |function ))", library)[1:]
    names = [
        re.findall(r"^(?:local )?(?:function )?(\w+) ?[=(,]", helper, re.MULTILINE) for helper in helpers
    ]
    kept: set[int] = set()
    fresh = [body]
    while fresh:  # a helper may use one that stands behind it
        used = set(re.findall(r"\w+", re.sub("--.*", "", "\n".join(fresh))))
        found = {number for number, of in enumerate(names) if used.intersection(of)} - kept
        fresh = [helpers[number] for number in found]
        kept |= found
    return "\n\n".join(helpers[number] for number in sorted(kept))


def _prelude(body: str, step: int) -> str:
    """The constants that a script uses, one line each."""
    names = SHARD_KEYS | GLOBAL_KEYS
    keys = [f"{name} = '{names[name]}'" for name in _used(body, r"\bK\.(\w+)", names)]
    sources = [
        f"{event} = {{{', '.join(f'{status} = true' for status in sorted(TRANSITIONS[event].sources))}}}"
        for event in _used(body, r"\bFROM\.(\w+)", Event)
    ]
    targets = [f"{event} = '{TRANSITIONS[event].target}'" for event in Event]
    constants = {
        "G": "string.match(P, '^({.*):%d+}$') .. '}'",
        "GROUP": f"'{GROUP}'",
        "COMPACT": str(COMPACT_LIMIT),
        "STEP": str(step),
        "K": f"{{{', '.join(keys)}}}",
        "FROM": f"{{{', '.join(sources)}}}",
        "TO": f"{{{', '.join(targets)}}}",
    }
    lines = [
        f"local {name} = {value}" for name, value in constants.items() if re.search(rf"\b{name}\b", body)
    ]
    return "\n".join(["local P = KEYS[1]", *lines])


def _used(body: str, pattern: str, known: Iterable[Name]) -> list[Name]:
    names = set(re.findall(pattern, body))
    found = [name for name in known if name in names]
    if len(found) != len(names):
        raise LookupError(f"a script names {sorted(names - set(found))}, which nothing defines")
    return found
