"""The four faults, and what is counted of each.

Every scenario has eight tasks of six seconds, a worker that has or is given all of them (the victim), and another that is
started before the fault, so that it neither competes for the tasks nor is helped by starting after it.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.child import ChildError
from benchmarks.trust.proxy import Fate, Rule
from benchmarks.trust.rig import TASKS, Process, Rig

SECONDS = 6.0
BLIP = 1.0
"""Seconds for which every completing call is broken."""
STEADY = 1.0
"""Seconds without a start after which the other worker has taken all that it can."""


async def _running(rig: Rig, *, proxied: bool = False) -> tuple[Process, Process]:
    """A worker that runs all tasks, and another that has nothing to do yet."""
    victim = await rig.worker(proxied=proxied)
    await rig.submit(SECONDS)
    if not await rig.until(lambda: len(rig.tasks("start")) == TASKS, 15):
        raise ChildError(f"only {len(rig.tasks('start'))} tasks were started")
    other = await rig.worker()
    if rig.effects("end"):
        raise ChildError("tasks ended before the other worker was there: the machine is too slow")
    return victim, other


def _report(rig: Rig, taken: list[float], expected: int) -> dict[str, Any]:
    """What all scenarios count; ``taken`` are the seconds to recovery of those of ``expected`` tasks that recovered."""
    ends = Counter(effect["task"] for effect in rig.effects("end"))
    last = [seen[-1][1] if seen else None for seen in rig.outcomes]
    return {
        "tasks": TASKS,
        "lost": sum(outcome is None for outcome in last),
        "failed": sum(outcome is not None and outcome.startswith("error") for outcome in last),
        "ran_to_the_end_twice": sum(count > 1 for count in ends.values()),
        "starts": len(rig.effects("start")),
        "results_replaced": sum(len(seen) > 1 for seen in rig.outcomes),
        "at_risk": expected,
        "recovered": len(taken),
        "recovery_median": round(statistics.median(taken), 1) if taken else None,
        "recovery_max": round(max(taken), 1) if taken else None,
        "errors": sorted(
            {outcome[:100] for seen in rig.outcomes for _, outcome in seen if outcome.startswith("error")}
        ),
    }


def _restarts(rig: Rig, since: float, tasks: set[int]) -> list[float]:
    """Seconds to the first start after a moment, of the tasks that had one."""
    first: dict[int, float] = {}
    for effect in rig.effects("start", after=since):
        first.setdefault(effect["task"], effect["at"] - since)
    return [seconds for task, seconds in first.items() if task in tasks]


async def killed(rig: Rig) -> dict[str, Any]:
    """S01: SIGKILL in the middle of all tasks. Recovery: until a task starts again."""
    victim, _ = await _running(rig)
    since = victim.signal(signal.SIGKILL)
    rig.pulse()
    await rig.quiet()
    everything = set(range(TASKS))
    return _report(rig, _restarts(rig, since, everything), TASKS)


async def killed_claiming(rig: Rig) -> dict[str, Any]:
    """S02: SIGKILL while replies that hand out tasks are on their way. Recovery: from the first such reply until a task in
    flight starts. What was not handed out, the other worker may take before the kill."""
    rule = rig.proxy.rule = Rule(Fate.HELD, rig.facts["claims"], 3600)
    victim = await rig.worker(proxied=True)
    await rig.submit(SECONDS)
    if not await rig.until(rule.hit.is_set, 15):
        raise ChildError("no reply that hands out tasks was seen")
    await rig.worker()
    await rig.until(lambda: bool(rig.effects("start")), 4 * STEADY)
    await rig.until(lambda: not rig.effects("start", after=time.monotonic() - STEADY), rig.patience)
    if rig.effects("start", by=victim):
        raise ChildError("a reply that hands out tasks was not recognised")
    flying = set(range(TASKS)) - rig.tasks("start")
    victim.signal(signal.SIGKILL)
    rig.pulse()
    await rig.quiet()
    taken = _restarts(rig, rule.first, flying)
    return _report(rig, taken, len(flying)) | {"held_replies": rule.hits}


async def woken_late(rig: Rig) -> dict[str, Any]:
    """S05a: SIGSTOP until another worker has completed all tasks, then SIGCONT."""
    victim, other = await _running(rig)
    since = victim.signal(signal.SIGSTOP)
    rig.pulse()
    await rig.until(lambda: all(rig.outcomes), rig.patience)
    await asyncio.sleep(1.0)
    before = [seen[-1][1] if seen else None for seen in rig.outcomes]
    victim.signal(signal.SIGCONT)
    await rig.quiet()
    replaced = sum(
        old is not None and seen[-1][1] != old for old, seen in zip(before, rig.outcomes, strict=True)
    )
    completed = sum(old is not None for old in before)
    facts = _report(rig, _restarts(rig, since, rig.tasks("start", by=other)), TASKS)
    return facts | {"zombies_accepted": replaced, "zombies": completed}


async def woken_early(rig: Rig) -> dict[str, Any]:
    """S05b: SIGSTOP until another worker runs the tasks, then SIGCONT: who may complete them?"""
    victim, other = await _running(rig)
    since = victim.signal(signal.SIGSTOP)
    rig.pulse()
    await rig.until(lambda: bool(rig.effects("start", by=other)), rig.patience)
    await asyncio.sleep(1.5)
    taken_over = rig.tasks("start", by=other)
    victim.signal(signal.SIGCONT)
    await rig.quiet()
    by_other = f"/{other.pid}/"
    accepted = sum(any(by_other not in outcome for _, outcome in rig.outcomes[task]) for task in taken_over)
    facts = _report(rig, _restarts(rig, since, taken_over), len(taken_over))
    return facts | {"zombies_accepted": accepted, "zombies": len(taken_over)}


async def _broken(rig: Rig, fate: Fate) -> dict[str, Any]:
    victim, _ = await _running(rig, proxied=True)
    rule = rig.proxy.rule = Rule(fate, rig.facts["finishes"], BLIP)
    if not await rig.until(rule.hit.is_set, SECONDS + 10):
        raise ChildError("no completing call was seen")
    rig.pulse()
    await rig.quiet()
    times = [max(0.0, seen[0][0] - rule.first) for seen in rig.outcomes if seen]
    facts = _report(rig, times, TASKS)
    return facts | {"broken_calls": rule.hits, "worker_ended": victim.ended}


async def broken_before(rig: Rig) -> dict[str, Any]:
    """S10a: for a second every completing call loses its connection before it was applied. Recovery: until a result."""
    return await _broken(rig, Fate.BROKEN_BEFORE)


async def broken_after(rig: Rig) -> dict[str, Any]:
    """S10b: the same after it was applied."""
    return await _broken(rig, Fate.BROKEN_AFTER)


SCENARIOS: dict[str, Callable[[Rig], Awaitable[dict[str, Any]]]] = {
    "S01": killed,
    "S05a": woken_late,
    "S05b": woken_early,
    "S10a": broken_before,
    "S10b": broken_after,
    "S02": killed_claiming,
}


async def attempt(name: str, make: Callable[[], Rig], attempts: int = 2) -> dict[str, Any]:
    """Run a scenario; when the rig (not the system) fails, once more, then report why."""
    why = ""
    for _ in range(attempts):
        begun = time.monotonic()
        try:
            async with make() as rig:
                return await SCENARIOS[name](rig) | {"seconds": round(time.monotonic() - begun)}
        except ChildError as error:
            why = str(error)
    return {"error": why}
