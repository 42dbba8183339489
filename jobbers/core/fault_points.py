"""Named points on a task's way through a worker at which things can be made to go wrong, to try what comes of it.

``after_claim_reply=kill`` ends the worker when a claim has been answered, ``before_finish=sleep:2.5@3`` blocks it for 2.5
seconds when it is about to send its third completion.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from jobbers.errors import ConfigError

POINTS = {
    "before_claim": "a claim is about to be sent",
    "after_claim_reply": "a claim has been answered, and nothing of it has started",
    "after_effect": "a function has returned, and its completion is not written down",
    "before_finish": "completions are about to be sent",
    "after_finish_applied": "completions have been accepted",
    "before_renew": "leases are about to be renewed",
    "after_renew": "leases have been renewed",
    "after_reclaim": "tasks of dead workers have been taken back",
    "after_promote": "due tasks have been moved to their lanes",
}
ACTIONS = ("kill", "stop", "raise", "sleep")
_RULE = re.compile(
    r"(?P<point>\w+)=(?P<action>[a-z]+)(:(?P<seconds>[0-9]{1,6}(\.[0-9]{1,6})?))?(@(?P<nth>[1-9][0-9]{0,8}))?"
)


class Fault(NamedTuple):
    """What goes wrong when a point is reached for the ``nth`` time: the process is killed or stopped by a signal, an
    error is raised, or the thread sleeps for ``seconds``."""

    action: str
    seconds: float = 0.0
    nth: int = 1


def parse_fault_points(text: str) -> dict[str, Fault]:
    """``point=action[:seconds][@nth]``, separated by commas. Raises :class:`ConfigError`."""
    faults: dict[str, Fault] = {}
    for rule in filter(None, map(str.strip, text.split(","))):
        match = _RULE.fullmatch(rule)
        if match is None or match["point"] not in POINTS or match["action"] not in ACTIONS:
            raise ConfigError(
                f"fault point {rule[:80]!r} is not POINT=ACTION[:SECONDS][@NTH]; points are {', '.join(POINTS)}; "
                f"actions are {', '.join(ACTIONS)}"
            )
        faults[match["point"]] = Fault(match["action"], float(match["seconds"] or 0), int(match["nth"] or 1))
    return faults
