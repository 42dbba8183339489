"""Why a task does not run: out of what is known of it and of what is around it, the reasons, the first of them first.

Pure: :mod:`jobbers.store.why` gathers the facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from jobbers.core.status import Status
from jobbers.core.why_facts import (
    SHOWN,
    Facts,
    GateState,
    Items,
    LanePlace,
    Other,
    Reason,
    Why,
    WorkerState,
)
from jobbers.core.why_gates import gate_reason
from jobbers.core.why_words import at, count, listed, span

_RETRY = re.compile(r"attempt [0-9]+ of [0-9]+ failed")


def explain(facts: Facts) -> Why:
    """Why the task does not run."""
    record = facts.record
    reasons = list(_reasons(facts))
    waits = record.status is not Status.RUNNING and not record.status.final
    return Why(record.id, record.type, record.status, waits, reasons[0], tuple(reasons[1:]))


def of_run(run: Why, nodes: Sequence[Why]) -> Why:
    """A run, with the primary reasons of its nodes that could run next."""
    found = [replace(why.primary, task=why.id) for why in nodes if why.waits]
    return replace(run, others=(*run.others, *found))


def _reasons(facts: Facts) -> Iterator[Reason]:
    status = facts.record.status
    if status.final:
        yield _ended(facts)
        return
    if status is Status.RUNNING:
        yield _running(facts)
        return
    if facts.is_run:
        if facts.run_paused:
            yield _run_paused(facts)
        yield _nodes(facts)
        return
    parked = next((gate for gate in facts.gates if gate.name == facts.parked), None)
    if status is Status.SCHEDULED:
        yield _due(facts)
    elif status is Status.BLOCKED:
        yield from _blocked(facts, parked)
    yield from _in_the_way(facts)
    if status is Status.QUEUED and facts.lane is not None:
        yield _lane(facts, facts.lane)
    for gate in facts.gates:
        if gate is not parked and gate.full:
            yield gate_reason(gate, facts.now)
    if facts.draining:
        yield Reason(
            "draining",
            f"queue {facts.record.queue} is drained: it takes nothing new, but what is in it, and so this, is done",
            {"queue": facts.record.queue},
        )


def _blocked(facts: Facts, parked: GateState | None) -> Iterator[Reason]:
    if facts.waits_for:
        yield _parents(facts)
    elif facts.started is not None and not facts.record.held:
        yield _started(facts.started)
    elif facts.items is not None and not facts.record.held:
        yield _items(facts.items)
    elif parked is not None:
        yield gate_reason(parked, facts.now)
    elif not facts.run_paused:
        yield Reason("moving", "nothing holds it up that is known here: it was on its way a moment ago")
    if facts.run_paused:
        yield _run_paused(facts)


def _in_the_way(facts: Facts) -> Iterator[Reason]:
    """What keeps any task of its queue from starting."""
    queue = facts.record.queue
    if facts.strike is not None:
        strike, action = facts.strike
        does = "puts it back until it is lifted" if action == "hold" else "cancels it when a worker takes it"
        yield Reason(
            "strike", f"strike {strike} is on such tasks: it {does}", {"strike": strike, "action": action}
        )
    if facts.paused:
        yield Reason(
            "paused", f"queue {queue} is paused: it gives nothing out until it is resumed", {"queue": queue}
        )
    serving = _serving(facts)
    if not serving:
        yield _no_worker(facts)
    elif all(worker.free <= 0 for worker in serving):
        slots = sum(worker.slots for worker in serving)
        whose = (
            f"the {len(serving)} workers that serve"
            if len(serving) > 1
            else f"worker {serving[0].name}, which serves"
        )
        yield Reason(
            "busy",
            f"all {slots:,} slots of {whose} queue {queue}{',' if len(serving) == 1 else ''} are busy",
            {"queue": queue, "workers": len(serving), "slots": slots},
        )


def _serving(facts: Facts) -> list[WorkerState]:
    return [
        worker
        for worker in facts.workers
        if worker.alive and not worker.paused and facts.record.queue in worker.queues
    ]


def _ended(facts: Facts) -> Reason:
    record = facts.record
    when = "" if record.finished is None else f" at {at(record.finished)}"
    why = "" if not record.reason else f": {record.reason}"
    return Reason(
        "ended",
        f"it waits for nothing: it has ended as {record.status}{when}{why}",
        {"reason": record.reason},
    )


def _running(facts: Facts) -> Reason:
    record = facts.record
    since = (
        "" if record.started is None else f" for {span(facts.now - int(record.started.timestamp() * 1000))}"
    )
    health = "" if record.liveness in (None, "running") else f", and is {record.liveness}"
    return Reason(
        "running",
        f"it waits for nothing: it runs{since} on worker {record.worker or '?'}, attempt {record.attempt}{health}",
        {"worker": record.worker, "attempt": record.attempt, "liveness": record.liveness},
    )


def _due(facts: Facts) -> Reason:
    record = facts.record
    due = None if record.due is None else int(record.due.timestamp() * 1000)
    left = 0 if due is None else due - facts.now
    known: dict[str, Any] = {"due": record.due, "seconds": max(0.0, left / 1000)}
    if left <= 0:
        what = "it is due now"
        then = ": a worker moves it into its lane in a moment"
        if not any(worker.alive for worker in facts.workers):
            then = ", and no worker is alive that would move it into its lane"
    else:
        what, then = f"it is due in {span(left)}", "" if record.due is None else f", at {at(record.due)}"
    if record.reason and _RETRY.match(record.reason):
        error = record.error
        said = "" if error is None else f" with {_first_line(f'{error.type}: {error.message}')}"
        known |= {"attempt": record.attempt, "error": error and _first_line(f"{error.type}: {error.message}")}
        return Reason("retry", f"{record.reason}{said}; {what} again{then}", known)
    if record.snoozes and record.reason:
        known |= {"snoozes": record.snoozes, "reason": record.reason}
        return Reason("snoozed", f"it was put back ({_first_line(record.reason)}); {what} again{then}", known)
    return Reason("delayed", f"{what}{then}", known)


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0].removesuffix(": ").strip()[:200]


def _lane(facts: Facts, lane: LanePlace) -> Reason:
    record, serving = facts.record, _serving(facts)
    free = sum(max(0, worker.free) for worker in serving)
    before = "nothing" if not lane.ahead else f"{'' if lane.exact else 'about '}{count(lane.ahead, 'task')}"
    is_are = "is" if lane.ahead in (0, 1) else "are"
    higher = f", and {count(lane.higher, 'task')} of a higher priority" if lane.higher else ""
    slots = sum(worker.slots for worker in serving)
    served = f"; {count(len(serving), 'worker')} {'serves' if len(serving) == 1 else 'serve'} it"
    served += f", with {free:,} of {count(slots, 'slot')} free"
    return Reason(
        "in_lane",
        f"it is ready: {before} {is_are} before it in its lane (queue {record.queue}, priority {record.priority})"
        f"{higher}{served if serving else ''}",
        {
            "queue": record.queue,
            "priority": record.priority,
            "ahead": lane.ahead,
            "exact": lane.exact,
            "depth": lane.depth,
            "higher_priority": lane.higher,
            "workers": len(serving),
            "slots": slots,
            "free": free,
        },
    )


def _no_worker(facts: Facts) -> Reason:
    queue = facts.record.queue
    alive = [worker for worker in facts.workers if worker.alive]
    gone = [worker for worker in facts.workers if queue in worker.queues]  # none of them is any use now
    if not alive:
        detail = "no worker is alive at all"
    else:
        serves = sorted({name for worker in alive if not worker.paused for name in worker.queues})
        others = f", and serve{'s' if len(alive) == 1 else ''} {listed(serves, SHOWN)}" if serves else ""
        detail = f"{count(len(alive), 'worker')} {'is' if len(alive) == 1 else 'are'} alive{others}"
    said = [f"no live worker serves queue {queue}: {detail}"]
    if facts.roles:
        one = len(facts.roles) == 1
        said.append(
            f"{'role' if one else 'roles'} {listed(facts.roles, SHOWN)} {'has' if one else 'have'} it, without a worker"
        )
    for worker in gone[:1]:
        how = f"has been silent for {span(int(worker.silent * 1000))}"
        if worker.stopping:
            how = "is stopping"
        elif worker.alive:
            how = "is paused until it is resumed"
        said.append(f"worker {worker.name}, which served it, {how}")
    return Reason(
        "no_worker", "; ".join(said), {"queue": queue, "alive": len(alive), "roles": list(facts.roles)}
    )


def _parents(facts: Facts) -> Reason:
    names = [f"{it.name} ({it.status or 'expired'})" for it in facts.parents]
    which = f": {listed(names, SHOWN)}" if names else ""
    what = count(facts.waits_for, "node")
    if facts.need:
        what = f"{facts.need:,} more to succeed of {what}"
    return Reason(
        "parents",
        f"it waits for {what} before it in its run{which}",
        {
            "run": facts.record.run,
            "waits_for": facts.waits_for,
            "need": facts.need,
            "nodes": [{"name": it.name, "id": it.id, "status": it.status} for it in facts.parents],
        },
    )


def _run_paused(facts: Facts) -> Reason:
    run = facts.record.id if facts.is_run else facts.record.run
    return Reason(
        "run_paused", f"run {run} is paused: nothing more of it starts until it is resumed", {"run": run}
    )


def _nodes(facts: Facts) -> Reason:
    ready = [f"{it.name} ({it.status})" for it in facts.nodes if it.ready]
    behind = len(facts.nodes) - len(ready)
    parts = [listed(ready, SHOWN)] if ready else []
    if behind:
        parts.append(f"{behind:,} that wait{'s' if behind == 1 else ''} for others")
    left = len(facts.nodes)
    verb = "has" if left == 1 else "have"
    text = (
        f"it waits for its nodes: {left:,} {verb} not ended: {' and '.join(parts)}"
        if left
        else "all its nodes have ended: it ends in a moment"
    )
    return Reason(
        "nodes",
        text,
        {
            "open": left,
            "nodes": [{"name": it.name, "id": it.id, "status": it.status} for it in facts.nodes[:100]],
        },
    )


def _items(items: Items) -> Reason:
    rest = max(0, items.total - items.begun)
    more = f", {rest:,} not begun (at most {items.window:,} at a time)" if rest else ""
    return Reason(
        "items",
        f"it waits for its items: {items.done:,} of {items.total:,} are done, {items.open:,} under way{more}",
        {
            "total": items.total,
            "done": items.done,
            "open": items.open,
            "not_begun": rest,
            "window": items.window,
        },
    )


def _started(started: Other) -> Reason:
    return Reason(
        "started",
        f"it waits for run {started.id}, which it has started in its place ({started.status or 'expired'})",
        {"run": started.id, "status": started.status},
    )
