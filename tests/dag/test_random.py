"""Random graphs, with random outcomes in a random order, against an oracle that knows only the rules."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobbers.store.store import Store
from jobbers.testing import FakeConnector, audit_store
from jobbers.testing.keyspace import fresh_namespace
from tests.store import kit

NODES = 9


@dataclass(frozen=True)
class Case:
    """A graph whose nodes are letters; each waits for some of those before it."""

    edges: dict[str, str]
    triggers: dict[str, str]
    need: dict[str, int]
    caught: frozenset[str]
    fails: frozenset[str]
    order: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = "abcdefghi"[: draw(st.integers(1, NODES))]
    edges = {
        name: " ".join(sorted(draw(st.sets(st.sampled_from(names[:place]), max_size=3)))) if place else ""
        for place, name in enumerate(names)
    }
    some = st.sets(st.sampled_from(names), max_size=3)
    kinds = ("all_succeeded", "all_succeeded", "all_done", "none_failed", "any_failed", "any_succeeded")
    triggers = {name: draw(st.sampled_from(kinds)) if edges[name] else "all_succeeded" for name in names}
    need = {
        name: draw(st.integers(1, len(edges[name].split())))
        for name in names
        if triggers[name] == "any_succeeded"
    }
    return Case(
        edges,
        triggers,
        need,
        frozenset(draw(some)),
        frozenset(draw(some)),
        draw(st.lists(st.integers(0, 9), min_size=40)),
    )


def starts(case: Case, name: str, found: dict[str, str], wrong: set[str]) -> bool:
    """Whether a node starts, all things before it having ended. ``wrong`` are the nodes behind which something went wrong:
    that failed, or were skipped for that."""
    parents = case.edges[name].split()
    well = sum(found[parent] == "succeeded" for parent in parents)
    if name in case.need:
        return well >= case.need[name]
    match case.triggers[name]:
        case "all_done":
            return True
        case "none_failed":
            return not wrong.intersection(parents)
        case "any_failed":
            return bool(wrong.intersection(parents))
    return well == len(parents)


def expected(case: Case) -> dict[str, str]:
    """How each node must end."""
    found: dict[str, str] = {}
    wrong: set[str] = set()
    for name, parents in case.edges.items():
        begins = starts(case, name, found, wrong)
        found[name] = "skipped" if not begins else "failed" if name in case.fails else "succeeded"
        if found[name] == "failed" or (found[name] == "skipped" and wrong.intersection(parents.split())):
            wrong.add(name)
    return found


async def play(case: Case) -> None:
    store = Store(FakeConnector(), namespace=fresh_namespace(), shards=1, patience=1.0)
    await store.open()
    fields: dict[str, dict[str, str | int]] = {name: {"caught": 1} for name in case.caught}
    for name, need in case.need.items():
        fields.setdefault(name, {})["need"] = need
    run, ids = await kit.launch(store, case.edges, triggers=case.triggers, fields=fields)
    names = {task_id: name for name, task_id in ids.items()}
    running: list[str] = []
    ended: set[str] = set()
    for turn in case.order * 3:
        taken = [names[task.id] for task in await kit.claim(store, 1 + turn % 3)]
        running += taken
        for name in taken:
            for parent in case.edges[name].split() if name not in case.need else ():
                status = await kit.status_of(store, ids[parent])
                assert status in ("succeeded", "failed", "skipped"), f"{name} began before {parent} had ended"
        if not running:
            break
        name = running.pop(turn % len(running))
        verb = kit.fail if name in case.fails else kit.succeed
        assert await verb(store, [ids[name]]) == []
        ended.add(name)
        assert await audit_store(store) == []
    wanted = expected(case)
    assert {name: await kit.status_of(store, task_id) for name, task_id in ids.items()} == wanted
    fails = any(how == "failed" and name not in case.caught for name, how in wanted.items())
    assert await kit.status_of(store, run) == ("failed" if fails else "succeeded")
    assert ended == {name for name, status in wanted.items() if status != "skipped"}
    await store.close()


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_every_graph_ends_as_the_rules_say(case: Case) -> None:
    asyncio.run(play(case))
