"""Checks everything that a namespace holds against the invariants of the store. For a quiet namespace: what moves while
it is read may look wrong.

Each rule is one generator over the keyspace as it was read, so that tests can show that it finds something.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from jobbers.core.ids import check_id, shard_of
from jobbers.core.lanes import parse_lane
from jobbers.core.names import check_name
from jobbers.core.policy import check_priority
from jobbers.core.status import FINAL, Status
from jobbers.errors import InvalidId, InvalidInput, StoreError
from jobbers.store.keys import FIELDS, GLOBAL_KEYS, SHARD_KEYS, global_prefix, shard_prefix
from jobbers.store.store import Store
from jobbers.testing.keyspace import Held, Keyspace, namespace_of, read_keyspace

TYPES = {
    "task": "hash", "args": "string", "result": "string", "errors": "list", "items": "hash", "open": "set",
    "lane": "stream", "first": "list", "lanes": "set", "due": "zset", "leases": "zset", "dead": "zset", "unique": "string",
    "collapse": "string", "joined": "string",
    "runs": "zset", "expiring": "zset", "paused": "set", "recent": "stream", "stats": "hash", "duty": "string",
    "untold": "zset", "holding": "zset", "clock": "string",
    "limits": "hash", "permits": "zset", "line": "zset", "gates": "set", "refill": "zset", "parked": "hash",
    "schedules": "zset", "schedule": "hash", "meta": "hash", "workers": "zset", "worker": "hash",
    "keys": "hash", "session": "string", "bucket": "string", "once": "hash", "audit": "stream",
    "roles": "hash", "queues": "hash", "routes": "hash", "policies": "hash", "granularity": "string",
    "served": "zset", "logs": "list",
    "strikes": "hash", "breakers": "hash", "tripped": "zset", "outcomes": "string",
    "retries": "string", "retry_slot": "string",
}  # fmt: skip
"""The type of each key of the table in :mod:`jobbers.store.keys`; anything may lie in ``garbage``."""

EXPIRING = (
    "stats", "retries", "retry_slot", "outcomes", "logs", "garbage", "duty", "worker", "session", "bucket", "once",
    "collapse", "joined",
)  # fmt: skip
LASTING = (
    "runs", "expiring", "schedules", "schedule", "limits", "line", "gates", "refill", "parked", "lane", "first", "lanes",
    "due", "leases", "dead", "paused", "recent", "clock", "meta", "workers", "keys", "audit", "roles", "queues",
    "routes", "policies", "granularity", "served",
    "strikes", "breakers", "tripped", "untold", "holding",
)  # fmt: skip
PLACES = {Status.SCHEDULED: "due", Status.RUNNING: "leases", Status.FAILED: "dead"}
UNSTARTED = frozenset({Status.BLOCKED, Status.SCHEDULED, Status.QUEUED})
BELL = "-"
"""Not a task: an entry of this name wakes a worker when a queue is resumed, and goes with the next claim."""
MOST_RECENT = 2_000
"""Most entries of the list of recent tasks: its cap is approximate."""


class Violation(NamedTuple):
    """Something that must not be: the key or task, and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


async def audit_store(store: Store) -> list[Violation]:
    """Everything that is wrong in the store's namespace: by the rules below, and by the store's own repair.

    Reads all of it, so it is for tests and for small namespaces that nobody writes to.
    """
    violations = find_violations(await read_keyspace(store), namespace_of(store), len(store.shards))
    for shard, keys in enumerate(store.shards):
        try:
            findings = await store.upkeep.repair_all(shard, 1, 1, mend=False)
            misplaced = await store.upkeep.misplaced(shard)
            permits = await store.limits.wrong(shard, await store.limits.in_use(shard))
        except StoreError as error:
            violations.append(Violation(keys.prefix, f"cannot be checked by the store itself: {error}"))
        else:
            violations += [
                Violation(f"{keys.prefix} {task}", f"repair finds it {what}") for task, what in findings
            ]
            violations += [Violation(f"{keys.prefix} {gate}", what) for gate, what in permits]
            violations += [
                Violation(keys.prefix, f"{what} ({count} times)") for what, count in misplaced.items()
            ]
    return violations


class Shard:
    """What one shard holds, by the names of the table of keys: ``single["due"]``, ``many["task"][task_id]``."""

    def __init__(self, number: int, count: int, prefix: str) -> None:
        self.number = number
        self.count = count
        self.prefix = prefix
        self.single: dict[str, Held] = {}
        self.many: dict[str, dict[str, Held]] = defaultdict(dict)

    def members(self, name: str) -> Any:
        """What the key ``name`` holds; nothing when there is no such key, or it is of another type."""
        held = self.single.get(name)
        return held.value if held is not None and held.type == TYPES[name] else {}

    def records(self) -> Iterator[tuple[str, Status, dict[str, str], Held]]:
        """Id, status, fields and key of each record whose status can be read."""
        for task_id, held in self.many["task"].items():
            status = _status(held)
            if status is not None:
                yield task_id, status, held.value, held

    def status(self, task_id: str) -> Status | None:
        """The status of a task; ``None`` when there is no readable record of it."""
        held = self.many["task"].get(task_id)
        return None if held is None else _status(held)

    def entries(self) -> Iterator[tuple[str, str, str]]:
        """Lane, entry and task id of everything that lies in a lane."""
        for lane, held in self.many["lane"].items():
            if held.type == "stream":
                for entry, fields in held.value.items():
                    task_id = fields[0][1] if fields else ""
                    if task_id != BELL:
                        yield lane, entry, task_id


def find_violations(keyspace: Keyspace, namespace: str, shards: int) -> list[Violation]:
    """Everything that is wrong in a keyspace that was read with :func:`read_keyspace`."""
    sorted_shards, violations = _sorted_out(keyspace, namespace, shards)
    for shard in sorted_shards:
        for rule in RULES:
            violations += rule(shard)
    return violations


def _sorted_out(keyspace: Keyspace, namespace: str, shards: int) -> tuple[list[Shard], list[Violation]]:
    """The shards, and keys that are not in the table, of a wrong type, or expire when they should not."""
    found = [Shard(number, shards, shard_prefix(namespace, number)) for number in range(shards)]
    violations: list[Violation] = []
    for key, held in keyspace.items():
        home = next((shard for shard in found if key.startswith(shard.prefix)), None)
        prefix = home.prefix if home is not None else global_prefix(namespace)
        name, rest = _named(key.removeprefix(prefix), SHARD_KEYS if home is not None else GLOBAL_KEYS)
        if name not in TYPES and name != "garbage":
            violations.append(Violation(key, "is not in the table of keys"))
            continue
        if held.type != TYPES.get(name, held.type):
            violations.append(Violation(key, f"is a {held.type} and should be a {TYPES[name]}"))
        if name in EXPIRING and held.ttl_ms is None:
            violations.append(Violation(key, "stays for ever"))
        if name in LASTING and held.ttl_ms is not None:
            violations.append(Violation(key, "expires"))
        if home is not None and rest is None:
            home.single[name] = held
        elif home is not None:
            home.many[name][rest or ""] = held
    if global_prefix(namespace) + GLOBAL_KEYS["meta"] not in keyspace:
        violations.append(Violation(global_prefix(namespace), "has no metadata"))
    return found, violations


def _named(key: str, table: Mapping[str, str]) -> tuple[str, str | None]:
    """The name of a key in the table, and what follows it; an empty name if there is none."""
    for name, part in table.items():
        if key == part and not part.endswith(":"):
            return name, None
        if part.endswith(":") and key.startswith(part):
            return name, key.removeprefix(part)
    return "", None


def _status(held: Held) -> Status | None:
    try:
        return Status(held.value["status"]) if held.type == "hash" else None
    except (KeyError, ValueError):
        return None


def records_are_whole(shard: Shard) -> Iterator[Violation]:
    """A record has an id of its shard, a known status, a lane, a type, a time, and no fields that nobody knows."""
    for task_id, held in shard.many["task"].items():
        where = f"{shard.prefix} {task_id}"
        if held.type != "hash":
            continue
        if shard.status(task_id) is None:
            yield Violation(where, f"has no status but {held.value.get('status')!r}")
        if not _is_lane(held.value.get("lane", "")):
            yield Violation(where, f"has no lane but {held.value.get('lane')!r}")
        if not held.value.get("type") or not held.value.get("created", "").isdecimal():
            yield Violation(where, "has no type or no time of creation")
        unknown = sorted(held.value.keys() - set(FIELDS))
        if unknown:
            yield Violation(where, f"has fields that are not in the table: {', '.join(unknown)}")


def tasks_live_in_their_shard(shard: Shard) -> Iterator[Violation]:
    """The last ten bits of an id say its shard."""
    for name in ("task", "args", "result", "errors", "items", "open"):
        for task_id in shard.many[name]:
            try:
                home = shard_of(check_id(task_id), shard.count)
            except InvalidId:
                yield Violation(f"{shard.prefix} {task_id!r}", f"is no task id, and {name} belongs to one")
            else:
                if home != shard.number:
                    yield Violation(f"{shard.prefix} {task_id}", f"belongs to shard {home}")


def tasks_are_in_exactly_one_place(shard: Shard) -> Iterator[Violation]:
    """Queued ones in their lane, scheduled ones in the due set, running ones under a lease, failed ones among the dead
    letters; no task anywhere else."""
    lying: Counter[str] = Counter(task_id for _, _, task_id in shard.entries())
    for task_id, status, fields, _ in shard.records():
        where = f"{shard.prefix} {task_id}"
        home = PLACES.get(status)
        for name in PLACES.values():
            if (task_id in shard.members(name)) != (name == home):
                yield Violation(where, f"is {status} and {'not ' if name == home else ''}in {name}")
        if lying[task_id] != (status is Status.QUEUED):
            yield Violation(where, f"is {status} and {lying[task_id]} times in a lane")
        if status is Status.SCHEDULED and shard.members("due").get(task_id) != float(
            fields.get("due", "nan")
        ):
            yield Violation(where, "is due at another time than the due set says")


def places_hold_what_is_there(shard: Shard) -> Iterator[Violation]:
    """Nothing in a lane or an index leads to a record that is elsewhere or nowhere."""
    for lane, entry, task_id in shard.entries():
        where = f"{shard.prefix} {task_id}"
        held = shard.many["task"].get(task_id)
        if held is None or held.type != "hash":
            yield Violation(where, f"lies in lane {lane} and has no record")
        elif (held.value.get("status"), held.value.get("lane"), held.value.get("entry")) != (
            "queued",
            lane,
            entry,
        ):
            yield Violation(where, f"lies in lane {lane} and is not queued with this entry")
    for status, name in PLACES.items():
        for task_id in shard.members(name):
            if shard.status(task_id) is not status:
                yield Violation(
                    f"{shard.prefix} {task_id}", f"is in {name} and is {shard.status(task_id) or 'gone'}"
                )


def lanes_are_known(shard: Shard) -> Iterator[Violation]:
    """Readers find every lane that holds something, and the names of all lanes can be read."""
    for lane in shard.members("lanes"):
        if not _is_lane(lane):
            yield Violation(f"{shard.prefix} {lane!r}", "is listed among the lanes and is none")
    for lane, held in shard.many["lane"].items():
        if not _is_lane(lane):
            yield Violation(f"{shard.prefix} {lane!r}", "is the name of no lane")
        elif held.value and lane not in shard.members("lanes"):
            yield Violation(f"{shard.prefix} {lane}", "holds tasks and is not listed among the lanes")


def what_is_final_ends(shard: Shard) -> Iterator[Violation]:
    """The record of a final task expires, with all that belongs to it; that of any other does not, nor that of a task
    whose run is still open; what a map's task returned lies with the map. A task whose run was not launched expires."""
    for task_id, status, fields, held in shard.records():
        run = None if "map" in fields else shard.status(fields.get("run", ""))
        waits = status is Status.BLOCKED and run is None and "run" in fields and "map" not in fields
        over = waits or (status in FINAL and run in (None, *FINAL))
        kept = {"task": held} | {
            name: shard.many[name][task_id]
            for name in ("args", "result", "errors", "items")
            if task_id in shard.many[name]
        }
        for name, part in kept.items():
            if (part.ttl_ms is not None) != over:
                does = "expires" if part.ttl_ms is not None else "stays for ever"
                yield Violation(f"{shard.prefix} {task_id}", f"is {status} and its {name} {does}")


def parts_belong_to_records(shard: Shard) -> Iterator[Violation]:
    """Arguments, results and errors have a record; it has its arguments in one place, and its result when it succeeded."""
    for name in ("args", "result", "errors", "items", "open"):
        for task_id in shard.many[name].keys() - shard.many["task"].keys():
            yield Violation(f"{shard.prefix} {task_id}", f"has no record, and {name}")
    for task_id, status, fields, _ in shard.records():
        where = f"{shard.prefix} {task_id}"
        arguments = ("env" in fields) + (task_id in shard.many["args"])
        if arguments > 1 or (arguments == 0 and status not in FINAL):
            yield Violation(where, f"is {status} and has its arguments {arguments} times")
        results = ("result" in fields) + ("blob" in fields) + (task_id in shard.many["result"])
        if results != (status is Status.SUCCEEDED):
            yield Violation(where, f"is {status} and has {results} results")


def unique_keys_are_held(shard: Shard) -> Iterator[Violation]:
    """A unique key is held by a task that may hold it, or until a time; and who counts on one holds it."""
    for key, held in shard.many["unique"].items():
        status = shard.status(held.value)
        fields = shard.many["task"][held.value].value if status is not None else {}
        where = f"{shard.prefix} unique key {key!r}"
        scope, _, named = fields.get("unique", "t:").partition(":")
        if held.ttl_ms is not None:
            continue
        if status is None or status in FINAL:
            yield Violation(where, f"is held for ever by a task that is {status or 'gone'}")
        elif named != key:
            yield Violation(where, "is held by a task that does not know it")
        elif scope == "s" and status not in UNSTARTED:
            yield Violation(where, "is held until its task starts, which it did")
    for task_id, status, fields, _ in shard.records():
        scope, _, key = fields.get("unique", "").partition(":")
        holder = shard.many["unique"].get(key)
        if scope == "f" and status not in FINAL and (holder is None or holder.value != task_id):
            yield Violation(
                f"{shard.prefix} {task_id}", f"is {status} and does not hold its unique key {key!r}"
            )


def lists_are_capped(shard: Shard) -> Iterator[Violation]:
    """The list of recent tasks does not grow without end."""
    if len(shard.members("recent")) > MOST_RECENT:
        yield Violation(shard.prefix, f"lists {len(shard.members('recent'))} entries of recent tasks")


def deadlines_are_of_open_runs(shard: Shard) -> Iterator[Violation]:
    """Every open run with a deadline is where it is looked for, and so is one of which tasks are left, and nothing else;
    what has ended and not told all others of it is listed."""
    winding = {task_id for task_id, _, fields, _ in shard.records() if "winding" in fields}
    for task_id in shard.members("expiring"):
        if shard.status(task_id) is not Status.BLOCKED and task_id not in winding:
            yield Violation(
                f"{shard.prefix} {task_id}", f"is in expiring, is {shard.status(task_id) or 'gone'}"
            )
    for task_id, status, fields, _ in shard.records():
        if "expires" in fields and status not in FINAL and task_id not in shard.members("expiring"):
            yield Violation(f"{shard.prefix} {task_id}", "has a deadline and is not in expiring")
        if {"winding", "revival"} & fields.keys() and task_id not in shard.members("expiring"):
            yield Violation(f"{shard.prefix} {task_id}", "has tasks to look at and is not in expiring")
        if "holding" in fields and task_id not in shard.members("holding"):
            yield Violation(f"{shard.prefix} {task_id}", "has tasks to hold or let go and is not in holding")
        if status in FINAL and "next" in fields and task_id not in shard.members("untold"):
            yield Violation(f"{shard.prefix} {task_id}", "has not told all of its end and is not in untold")


def lines_and_permits_add_up(shard: Shard) -> Iterator[Violation]:
    """Who is parked stands in the line of that gate and nobody else does; sums are what they sum up."""
    standing = [(gate, task_id) for gate, held in shard.many["line"].items() for task_id in held.value]
    parked: Counter[str] = Counter()
    for task_id, status, fields, _ in shard.records():
        where, gate = f"{shard.prefix} {task_id}", fields.get("parked")
        if (status is Status.BLOCKED and gate is not None) != (gate is not None):
            yield Violation(where, f"is {status} and parked at {gate!r}")
        lines = [line for line, other in standing if other == task_id]
        if lines != ([] if gate is None else [gate]):
            yield Violation(where, f"is parked at {gate!r} and stands in line at {lines}")
        if gate is not None:
            parked[fields.get("lane", "").rpartition(":")[0]] += 1
    for gate, task_id in standing:
        if shard.status(task_id) is None:
            yield Violation(f"{shard.prefix} {task_id}", f"stands in line at {gate!r} and has no record")
    if set(shard.members("gates")) != shard.many["line"].keys():
        yield Violation(shard.prefix, "lists other gates than those that have a line")
    if {queue: int(count) for queue, count in shard.members("parked").items()} != dict(parked):
        yield Violation(
            shard.prefix, f"counts {shard.members('parked')} parked tasks, and there are {dict(parked)}"
        )
    for gate, held in shard.many["permits"].items():
        extra = sum(int(permit.split()[0]) - 1 for permit in held.value if permit != "#")
        if held.value.get("#") != (extra or None):
            yield Violation(
                f"{shard.prefix} {gate}",
                f"says that permits weigh {held.value.get('#')} beyond 1 each, and those that are out weigh {extra}",
            )


RULES: tuple[Callable[[Shard], Iterator[Violation]], ...] = (
    records_are_whole,
    tasks_live_in_their_shard,
    tasks_are_in_exactly_one_place,
    places_hold_what_is_there,
    lanes_are_known,
    what_is_final_ends,
    parts_belong_to_records,
    unique_keys_are_held,
    lists_are_capped,
    deadlines_are_of_open_runs,
    lines_and_permits_add_up,
)


def _is_lane(text: str) -> bool:
    try:
        lane = parse_lane(text)
        check_name(lane.queue, "the queue")
        check_priority(lane.priority)
    except (InvalidInput, ValueError):
        return False
    return True
