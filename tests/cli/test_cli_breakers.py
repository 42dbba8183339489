"""``jobbers breakers``."""

from __future__ import annotations

import asyncio

import pytest

from jobbers import Jobbers
from jobbers.core.limits import BreakerRule

pytestmark = pytest.mark.usefixtures("surroundings")

RULE = BreakerRule(500_000, 20, 60_000, 30_000, 1, 0)


def define() -> None:
    async def write() -> None:
        store = await Jobbers().open_store()
        await store.breakers.define({"mail": RULE, "send:host": RULE._replace(keyed=1)})
        await store.close()

    asyncio.run(write())


def test_from_list_to_reset(jobbers, shop) -> None:
    assert "no breakers" in jobbers("breakers").err
    define()
    assert jobbers("breakers").out.count("closed") == 2
    assert jobbers("breakers", "trip", "mail").out == "mail is open until it is reset; 0 tasks wait\n"
    assert (
        "send:host=a%2Fb is open for"
        in jobbers("breakers", "trip", "send:host", "--key", "a/b", "--for", "90").out
    )
    assert "0 of 0 in 60 s" in jobbers("breakers").out
    listed = jobbers("breakers", "list", "--json").data
    assert [(one["name"], one["key"], one["state"]) for one in listed] == [
        ("mail", None, "open"),
        ("send:host", "a/b", "open"),
    ]
    assert jobbers("breakers", "reset", "mail").out == "mail is closed\n"
    assert jobbers("breakers", "reset", "send:host", "--json").data == {"name": "send:host", "key": None}
    assert {one["state"] for one in jobbers("breakers", "list", "--json").data} == {"closed"}
    done = [(entry["action"], entry["target"]) for entry in jobbers("audit", "--json").data["entries"]]
    assert done[0] == ("breakers.reset", "send:host")
    assert ("breakers.trip", "send:host=a%2Fb") in done


def test_the_retry_budget(jobbers, shop) -> None:
    assert "0 retries of 0 first attempts in the last minute (off here" in jobbers("breakers", "budget").out
    state = jobbers("breakers", "budget", "--reset", "--json").data
    assert state == {"share": 0.0, "least": 10.0, "attempts": 0, "retries": 0, "wait": 0.0}
    assert [entry["action"] for entry in jobbers("audit", "--json").data["entries"]] == [
        "breakers.reset_budget"
    ]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("trip", "none"), 3, "no breaker 'none'"),
        (("reset", "none"), 3, "no breaker 'none'"),
        (("trip", "mail", "--key", "a"), 2, "has no key"),
        (("trip", "send:host"), 2, "say the key"),
        (("trip", "mail", "--for", "0"), 2, "0.001"),
        (("reset", "a b"), 2, "cannot be the name"),
    ],
)
def test_bad_input(jobbers, shop, words: tuple[str, ...], code: int, says: str) -> None:
    define()
    assert says in jobbers("breakers", *words, code=code).err
