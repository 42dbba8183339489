"""Why a limit, a rate, a turn or a breaker holds a task up."""

from __future__ import annotations

from typing import Any

from jobbers.core.why_facts import SHOWN, GateState, Reason
from jobbers.core.why_words import count, listed, ordinal, span


def gate_reason(gate: GateState, now: int) -> Reason:
    """What a limit, a rate, a turn or a breaker says to a task that has to pass it."""
    known: dict[str, Any] = {
        "limit": gate.limit,
        "key": gate.key,
        "allows": gate.amount or gate.most,
        "used": gate.used,
        "needs": gate.weight,
        "held_by": list(gate.held_by),
        "waiting": gate.waiting,
        "place": gate.place,
    }
    of = "" if gate.key is None else f" for {gate.key}"
    line = "" if gate.place is None else f"; it is {ordinal(gate.place)} of {gate.waiting:,} in line"
    if gate.place is None:
        line = (
            f"; {count(gate.waiting, 'task')} stand{'s' if gate.waiting == 1 else ''} in line"
            if gate.waiting
            else ""
        )
    if gate.breaker:
        return Reason(
            "breaker", f"breaker {gate.limit}{of} {_state(gate)}{line}", known | {"open_ms": gate.open_ms}
        )
    if gate.turn:
        ahead = f"{gate.most:,} of its tasks may lie in the lane at a time, and {'does' if gate.most == 1 else 'do'}"
        return Reason("turn", f"it waits for the turn of its key{of} ({gate.limit}): {ahead}{line}", known)
    needs = f", it needs {gate.weight:,}" if gate.weight > 1 else ""
    if gate.per_ms:
        when, sure = earliest(gate, now)
        known |= {
            "per": gate.per_ms / 1000,
            "next": when,
            "seconds": max(0.0, (when - now) / 1000),
            "exact": sure,
        }
        soon = f"it can start in {'' if sure else 'about '}{span(when - now)}, and not before"
        allows = f"{gate.amount:,} in {span(gate.per_ms)}" + (f", {gate.most:,} at once" if gate.step else "")
        return Reason(
            "rate", f"rate {gate.limit}{of} is used up: it allows {allows}{needs}{line}; {soon}", known
        )
    held = f", by {listed(gate.held_by, SHOWN, gate.used if gate.weight == 1 else 0)}" if gate.held_by else ""
    state = "is full" if gate.full else "has room again, and it goes on in a moment"
    return Reason(
        "limit",
        f"limit {gate.limit}{of} {state}: {gate.used:,} of {gate.most:,} taken{held}{needs}{line}",
        known,
    )


def _state(gate: GateState) -> str:
    if gate.open_ms is None:
        return "has closed, and it goes on in a moment"
    if gate.open_ms < 0:
        return "was opened by hand: nothing starts until it is reset"
    if gate.open_ms:
        return f"is open, since too many attempts failed: some are tried again in {span(gate.open_ms)}"
    return f"is half-open: {gate.used:,} of {count(gate.most, 'probe')} under way, and how they end decides"


def earliest(gate: GateState, now: int) -> tuple[int, bool]:
    """When a rate lets a task start at the earliest, in ms, and whether that is sure: others in line before it are taken
    to weigh as much as it does, and starts that have not happened to come as soon as they can."""
    place = gate.place or gate.waiting + 1
    weight = min(gate.weight, gate.most)
    lacking = place * weight - (gate.most - gate.used)
    last = now
    for when, permits in gate.back:
        if lacking <= 0:
            break
        last = when
        lacking -= permits
    if lacking > 0:
        if gate.step:
            last += int(lacking * gate.step)
        else:
            last += -(-lacking // max(1, gate.most)) * gate.per_ms
    return max(now, last), place == 1 and lacking <= 0
