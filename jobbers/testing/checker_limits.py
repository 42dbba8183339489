"""The rules of the checker about limits and rates."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from jobbers.core.status import Status
from jobbers.testing.finding import Finding, Run
from jobbers.testing.history import Event as Happened

_GATE = re.compile(r"([a-z])(\d+)/([^,]+)")
GRAIN = 0.001
"""The server's clock counts ms."""


def limits_hold(run: Run) -> Iterator[Finding]:
    """At no instant more runs than a limit allows, and no window sees more starts than a rate does, whoever died. An
    execution that only fetches what the run in its place returned is not counted."""
    allowed: dict[str, list[int]] = run.of_kind["begun"][0].get("limits", {}) if run.of_kind["begun"] else {}
    stepped = bool(run.of_kind["clock_stepped"])
    born = {task: moves[0].get("gates", "") for task, moves in run.moves.items() if moves}
    running: dict[str, dict[str, int]] = defaultdict(dict)
    resumed: set[str] = set()
    starts: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for move in sorted((move for moves in run.moves.values() for move in moves), key=_place):
        task = move["task"]
        if move["by"] == "suspend":
            resumed.add(task)
        elif move["by"] in ("requeue", "revive"):
            resumed.discard(task)
        for _, weight, gate in _GATE.findall(born.get(task, "")):
            amount, per, *_ = allowed.get(gate.partition("=")[0], (0, 0))
            if not amount:
                continue
            if move["to"] != Status.RUNNING or task in resumed:
                running[gate].pop(task, None)
            elif per == 0:
                running[gate][task] = int(weight)
                if sum(running[gate].values()) > amount:
                    yield Finding(
                        "limits_hold", task, f"runs as one of {len(running[gate])} at {gate!r}, {amount} may"
                    )
            elif move["by"] == "claim" and not stepped:
                since = move["at"] - per / 1000 + GRAIN
                starts[gate] = [start for start in starts[gate] if start[0] > since] + [
                    (move["at"], int(weight))
                ]
                if sum(cost for _, cost in starts[gate]) > amount:
                    yield Finding(
                        "limits_hold", task, f"started too soon for {gate!r}: {amount} may in {per} ms"
                    )


def _place(move: Happened) -> int:
    return int(move["seq"])
