"""Gathers what is known of why a task waits, in a few round trips, for :mod:`jobbers.core.why`. All of it is bounded."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from jobbers.core.ids import shard_of
from jobbers.core.lanes import Lane
from jobbers.core.limits import BREAKER
from jobbers.core.policy import HIGHEST_PRIORITY
from jobbers.core.roles import read_role
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.core.why_facts import SHOWN, Facts, GateState, Items, LanePlace, Other, WorkerState
from jobbers.errors import NotFound, StoreError
from jobbers.store.breakers import FOR_EVER_MS
from jobbers.store.control import WorkerInfo
from jobbers.store.keys import ShardKeys
from jobbers.store.limits import weight_in_use
from jobbers.store.maps import MAP_TYPE
from jobbers.store.queues import DRAIN
from jobbers.store.record import read_lane
from jobbers.store.runs import RUN_TYPE, StoredNode
from jobbers.store.store import Store

LOOKED_AT = 2_000
"""How far into a lane, from its front and from its end, a task is looked for: its place beyond is a guess."""
MOST_BACK = 1_000
"""How many starts of a rate that are to come back are read."""
FIRST_TIME, LAST_TIME = 10**10, 9 * 10**15
"""Times of the clock lie between these in the permits of a gate: see ``store/lua/_gates.lua``."""
_GATE = re.compile(r"([a-z])([0-9]{1,15})/([^,]+)")
_FIELDS = ("entry", "waits", "need", "gates", "parked", "total", "expanded", "window", "stands_in")


class _Gate(NamedTuple):
    mode: str
    number: int
    name: str

    @property
    def permit(self) -> int:
        return 1 if self.mode in "fb" else self.number


async def gather(
    store: Store, record: TaskRecord, arguments: Mapping[str, Any], queues: Collection[str] | None = None
) -> Facts:
    """What is known of why this task waits. ``arguments`` are its own by parameter, as far as they are known; with
    ``queues`` other tasks, nodes and queues are named only if they are of these. Raises :class:`StoreError`."""
    now = await store.inspect.now_ms()
    if record.status.final or record.status is Status.RUNNING:
        return Facts(record, now)
    if record.type.startswith(RUN_TYPE):
        nodes = await _open_nodes(store, record.id, queues)
        return Facts(record, now, run_paused=record.held, nodes=nodes, is_run=True)
    keys = store.shards[shard_of(record.id, len(store.shards))]
    (own, surroundings), roll, changed, strike = await asyncio.gather(
        _own(store, keys, record),
        store.control.workers(),
        store.roles.all(),
        _strike(store, record, arguments),
    )
    told = {
        it.facts["role"]: read_role(it.facts.get("role_default", "").encode())
        for it in roll
        if it.facts.get("role")
    }
    roles = [
        name for name, role in (told | changed).items() if role is not None and record.queue in role.queues
    ]
    paused, draining, run_held, *depths = surroundings
    waits = _whole(own["waits"])
    gates, lane, parents, items, started = await asyncio.gather(
        _gates(store, keys, record.id, own["gates"] or "", now),
        _lane(store, keys, record, own["entry"], [_whole(depth) for depth in depths]),
        _parents(store, record, queues) if waits and record.status is Status.BLOCKED else _nothing(()),
        _items(store, record, own) if own["total"] and not own["stands_in"] else _nothing(None),
        _started(store, own["stands_in"]) if own["stands_in"] else _nothing(None),
    )
    if queues is not None:
        gates = await _only_theirs(store, gates, queues)
    return Facts(
        record,
        now,
        lane=lane,
        paused=paused == 1,
        draining=isinstance(draining, bytes),
        workers=[_worker(info, record.queue, queues) for info in roll],
        roles=sorted(roles) if queues is None else [],
        gates=gates,
        parked=own["parked"],
        waits_for=waits if record.status is Status.BLOCKED else 0,
        need=_whole(own["need"]) or None,
        parents=parents,
        run_paused=isinstance(run_held, bytes) or record.held,
        items=items if record.status is Status.BLOCKED else None,
        started=started if record.status is Status.BLOCKED else None,
        strike=strike,
    )


async def _nothing(value: Any) -> Any:
    return value


async def _own(store: Store, keys: ShardKeys, record: TaskRecord) -> tuple[dict[str, str | None], list[Any]]:
    """More fields of its record, and what is said of its queue and its run."""
    lanes = [Lane(record.queue, priority) for priority in range(record.priority, HIGHEST_PRIORITY + 1)]
    fields, *rest = await store.gateway.commands(
        [
            ("HMGET", keys.task(record.id), *_FIELDS),
            ("SISMEMBER", keys.paused, record.queue),
            ("HGET", keys.queues, f"{DRAIN}:{record.queue}"),
            ("HGET", keys.task(record.run or "-"), "held"),
            *(("XLEN", keys.lane(lane)) for lane in lanes),
        ]
    )
    words = fields if isinstance(fields, list) else [None] * len(_FIELDS)
    return {name: _text(word) for name, word in zip(_FIELDS, words, strict=True)}, rest


async def _strike(store: Store, record: TaskRecord, arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    try:
        await store.strikes.refresh()
    except StoreError:
        return None
    found = store.strikes.find(record.type, lambda: arguments)
    return None if found is None else (found.why.removeprefix("strike "), found.action)


async def _lane(
    store: Store, keys: ShardKeys, record: TaskRecord, entry: str | None, depths: Sequence[int]
) -> LanePlace | None:
    """Where it lies in its lane: among those that go first, counted from the front or from the end, or else guessed from
    when it came."""
    if record.status is not Status.QUEUED or entry is None:
        return None
    place = keys.lane(Lane(record.queue, record.priority))
    at_the_head = keys.first(Lane(record.queue, record.priority))
    going_first, others, before, behind = await store.gateway.commands(
        [
            ("LPOS", at_the_head, record.id),
            ("LLEN", at_the_head),
            ("XRANGE", place, "-", f"({entry}", "COUNT", LOOKED_AT + 1),
            ("XREVRANGE", place, "+", f"({entry}", "COUNT", LOOKED_AT + 1),
        ]
    )
    before, behind = _list(before), _list(behind)
    depth, higher = depths[0], sum(depths[1:])
    if isinstance(going_first, int):
        return LanePlace(going_first, True, depth, higher)
    others = _whole(others)  # most of their entries are behind
    if len(before) <= LOOKED_AT:
        return LanePlace(len(before) + others, not others, depth, higher)
    if len(behind) <= LOOKED_AT:
        return LanePlace(max(0, depth - 1 - len(behind)), True, depth, higher)
    first, mine, last = (_moment(it) for it in (before[0][0], entry.encode(), behind[0][0]))
    share = (mine - first) / (last - first) if last > first else 0.5
    guess = min(max(int(depth * share), len(before)), depth - len(behind))
    return LanePlace(guess, False, depth, higher)


def _moment(entry: bytes) -> int:
    return _whole(entry.partition(b"-")[0])


async def _gates(store: Store, keys: ShardKeys, task_id: str, text: str, now: int) -> list[GateState]:
    gates = [_Gate(mode, int(number), name) for mode, number, name in _GATE.findall(text)]
    commands: list[tuple[Any, ...]] = []
    for gate in gates:
        base = gate.name.partition("=")[0]
        short = "".join(base.partition("@")[:2])
        permits, line = keys.permits(gate.name), keys.line(gate.name)
        commands += [
            ("HMGET", keys.breakers, base.removeprefix(BREAKER))
            if gate.mode == "b"
            else ("HMGET", keys.limits, base, short),
            ("ZCARD", permits),
            ("ZSCORE", permits, "#"),
            ("ZSCORE", permits, f"{gate.permit} {task_id}"),
            ("ZRANGEBYSCORE", permits, "inf", "inf", "LIMIT", 0, SHOWN),
            ("ZSCORE", keys.tripped, gate.name)
            if gate.mode == "b"
            else ("ZRANGEBYSCORE", permits, FIRST_TIME, now, "LIMIT", 0, MOST_BACK),
            ("ZRANGEBYSCORE", permits, f"({now}", LAST_TIME, "WITHSCORES", "LIMIT", 0, MOST_BACK),
            ("ZCARD", line),
            ("ZRANK", line, task_id),
        ]
    replies = await store.gateway.commands(commands)
    return [_gate(gate, replies[9 * place : 9 * place + 9], now) for place, gate in enumerate(gates)]


def _gate(gate: _Gate, replies: Sequence[Any], now: int) -> GateState:
    said, members, extra, mine, held, past, back, waiting, rank = replies
    used = weight_in_use(members, extra)
    if gate.mode == "b":
        till = _score(past)
        return GateState(
            gate.name,
            1,
            _probes(said),
            used,
            holds=isinstance(mine, bytes),
            held_by=_holders(held),
            waiting=_whole(waiting),
            place=rank + 1 if isinstance(rank, int) else None,
            breaker=True,
            open_ms=None
            if not isinstance(past, bytes)
            else -1
            if till >= FOR_EVER_MS
            else max(0, int(till) - now),
        )
    amount, per_ms, burst = _definition(said) if gate.mode != "f" else (gate.number, 0, 0)
    ahead = _list(back)
    return GateState(
        gate.name,
        gate.permit,
        burst or amount,
        max(0, used - sum(_weight(permit) for permit in _list(past))),
        per_ms=per_ms,
        step=per_ms / amount if burst else 0.0,
        amount=amount,
        turn=gate.mode == "f",
        holds=isinstance(mine, bytes),
        held_by=_holders(held),
        waiting=_whole(waiting),
        place=rank + 1 if isinstance(rank, int) else None,
        back=[(int(_score(when)), _weight(it)) for it, when in zip(ahead[::2], ahead[1::2], strict=True)],
    )


def _holders(held: Any) -> list[str]:
    return [words[1] for permit in _list(held) if len(words := _said(permit).split(" ")) > 1]


def _probes(said: Any) -> int:
    """How many probes a breaker lets through at a time, like ``guard`` of the scripts."""
    words = next((_said(word) for word in _list(said) if word), "").split()
    return max(1, _whole(words[4])) if len(words) > 4 else 1


def _definition(said: Any) -> tuple[int, int, int]:
    """What a gate allows, like ``definition`` of the scripts: one that is not known allows one at a time."""
    text = next((_said(word) for word in _list(said) if word), "")
    words = [int(word) for word in text.split()[:3] if word.isdigit() and len(word) < 16]
    return (max(1, words[0]), words[1], words[2]) if len(words) == 3 else (1, 0, 0)


async def _only_theirs(store: Store, gates: Sequence[GateState], queues: Collection[str]) -> list[GateState]:
    """The same, naming of the tasks that hold permits only those in these queues."""
    ids = [task_id for gate in gates for task_id in gate.held_by]
    lanes = await store.gateway.commands(
        ("HGET", store.shards[_shard(store, task_id)].task(task_id), "lane") for task_id in ids
    )
    seen = {
        task_id
        for task_id, lane in zip(ids, lanes, strict=True)
        if isinstance(lane, bytes) and (found := read_lane(lane)) is not None and found.queue in queues
    }
    return [replace(gate, held_by=[it for it in gate.held_by if it in seen]) for gate in gates]


def _shard(store: Store, task_id: str) -> int:
    try:
        return shard_of(task_id, len(store.shards))
    except KeyError:
        return 0


async def _plan(store: Store, run_id: str) -> Sequence[StoredNode]:
    try:
        return (await store.runs.plan(run_id)).nodes
    except NotFound:
        return ()


async def _parents(store: Store, record: TaskRecord, queues: Collection[str] | None) -> list[Other]:
    """The nodes before it in its run that have not ended."""
    nodes = {node.id: node for node in await _plan(store, record.run or "")} if record.run else {}
    mine = nodes.get(record.id)
    before = [nodes[it] for it in mine.parents if it in nodes] if mine else []
    standings = await store.inspect.standings([node.id for node in before])
    return [
        Other(node.id, node.name, standing.status)
        for node, standing in zip(before, standings, strict=True)
        if standing.status is None or not standing.status.final
        if queues is None or node.queue in queues
    ]


async def _open_nodes(store: Store, run_id: str, queues: Collection[str] | None) -> list[Other]:
    """The nodes of a run that have not ended; ``ready`` are those that wait for no other."""
    nodes = await _plan(store, run_id)
    standings = await store.inspect.standings([node.id for node in nodes])
    open_ = {
        node.id
        for node, standing in zip(nodes, standings, strict=True)
        if standing.status is not None and not standing.status.final
    }
    return [
        Other(node.id, node.name, standing.status, ready=not open_.intersection(node.parents))
        for node, standing in zip(nodes, standings, strict=True)
        if node.id in open_ and (queues is None or node.queue in queues)
    ]


async def _items(store: Store, record: TaskRecord, own: Mapping[str, str | None]) -> Items | None:
    if not record.type.startswith(MAP_TYPE):
        return None
    (progress,) = await store.maps.progress([record.id])
    begun, window = _whole(own["expanded"]), _whole(own["window"])
    return Items(progress.total or 0, begun, progress.done, progress.open, window)


async def _started(store: Store, run_id: str | None) -> Other:
    (standing,) = await store.inspect.standings([run_id or ""])
    return Other(run_id or "", "", standing.status)


def _worker(info: WorkerInfo, queue: str, queues: Collection[str] | None) -> WorkerState:
    facts = info.facts
    served = [
        name for name in facts.get("queues", "").split(",") if name and (queues is None or name in queues)
    ]
    slots = _whole(facts.get("concurrency"))
    free = slots - _whole(facts.get("running"))
    try:
        places = {
            name: (total, left)
            for names, total, left in json.loads(facts.get("places", ""))
            for name in names or [""]
        }
        slots, free = map(int, places.get(queue) or places[""])
    except (ValueError, TypeError, KeyError):  # of an older release, or written by somebody else
        pass
    return WorkerState(
        name=facts.get("name", info.id),
        queues=served,
        role=facts.get("role", ""),
        slots=slots,
        free=max(0, free),
        silent=info.silent_seconds,
        stopping=facts.get("stopping") == "1",
        paused=facts.get("paused") == "1",
    )


def _list(reply: Any) -> list[Any]:
    return reply if isinstance(reply, list) else []


def _said(word: bytes) -> str:
    return word.decode(errors="replace")


def _text(reply: Any) -> str | None:
    return _said(reply) if isinstance(reply, bytes) else None


def _weight(permit: bytes) -> int:
    return _whole(permit.partition(b" ")[0])


def _score(reply: Any) -> float:
    try:
        return float(reply)
    except (TypeError, ValueError):
        return 0.0


def _whole(reply: Any) -> int:
    """A number that the server tells, as a number or as text; garbage counts as 0."""
    if isinstance(reply, int):
        return reply
    text = _said(reply) if isinstance(reply, bytes) else reply
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 17 else 0
