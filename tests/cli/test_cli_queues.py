"""``jobbers queues``: drain, limit, purge and route."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_drain_and_resume(jobbers, desk, shop: Path) -> None:
    desk.submit("send", queue="mail")
    assert jobbers("queues", "drain", "mail", "sums").out == "drained mail, sums\n"
    assert [row["draining"] for row in jobbers("queues", "--json").data] == [True, True]
    assert "draining" in jobbers("queues").out
    assert (
        "queue mail is drained and takes nothing" in jobbers("submit", "send", "--args", '["a"]', code=6).err
    )
    assert jobbers("queues", "drain", "mail", "--json").data == [{"name": "mail", "draining": True}]
    assert jobbers("queues", "resume", "mail").out == "resumed mail\n"
    jobbers("submit", "send", "--args", '["a"]')


def test_limits(jobbers, desk, shop: Path) -> None:
    assert (
        jobbers("queues", "limit", "mail", "--max", 1).out == "mail takes 1 ready tasks: refuse when full\n"
    )
    desk.submit("send", queue="mail")
    assert "queue mail is full" in jobbers("submit", "send", "--args", '["a"]', code=6).err
    assert "at most 1" in jobbers("queues").out
    answer = jobbers("queues", "limit", "mail", "--max", 1, "--when-full", "drop_oldest", "--json")
    assert answer.data == {"name": "mail", "max_length": 1, "when_full": "drop_oldest"}
    jobbers("submit", "send", "--args", '["a"]')
    (queue,) = jobbers("queues", "--json").data
    assert (queue["depth"], queue["max_length"], queue["when_full"]) == (1, 1, "drop_oldest")
    assert jobbers("queues", "limit", "mail").out == "mail is as long as it may become\n"
    assert jobbers("queues", "limit", "mail", "--reset").out == "mail is as long as the code says\n"
    assert "not both" in jobbers("queues", "limit", "mail", "--reset", "--max", 1, code=2).err


def test_purge_asks_first(jobbers, desk) -> None:
    for delay in (0, 0, 60):
        desk.submit("send", queue="mail", **({"delay": delay} if delay else {}))
    answer = jobbers("queues", "purge", "mail", stdin="n\n", code=1)
    assert "Cancel everything that waits in mail?" in answer.err
    assert jobbers("queues", "--json").data[0]["depth"] == 2
    assert jobbers("queues", "purge", "mail", "--yes").out == "cancelled 3 tasks of mail\n"
    assert jobbers("queues", "purge", "mail", stdin="y\n").out.endswith("cancelled 0 tasks of mail\n")
    assert jobbers("queues", "purge", "mail", "--yes", "--json").data == {"name": "mail", "purged": 0}


def test_routes(jobbers, shop: Path) -> None:
    assert jobbers("queues", "routes").err == "all tasks go where their types say\n"
    assert jobbers("queues", "route", "send", "letters").out == "tasks of type send go to letters\n"
    assert jobbers("queues", "routes", "--json").data == [{"type": "send", "queue": "letters"}]
    assert jobbers("queues", "routes").out.splitlines()[2].split() == ["send", "letters"]
    task = jobbers("submit", "send", "--args", '["a"]', "--json").data["id"]
    assert jobbers("status", task, "--json").data["queue"] == "letters"
    assert jobbers("queues", "route", "send", "--reset", "--json").data == {"type": "send", "queue": None}
    assert "are not sent elsewhere" in jobbers("queues", "route", "send", "--reset", code=3).err


@pytest.mark.parametrize(
    "words",
    [
        ["route", "send"],
        ["route", "send", "letters", "--reset"],
        ["limit", "mail", "--max", "0"],
        ["drain", "a b"],
    ],
)
def test_what_makes_no_sense(jobbers, words: list[str]) -> None:
    jobbers("queues", *words, code=2)
