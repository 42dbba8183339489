"""``jobbers dlq``: dead letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobbers import Jobbers, new_id

Bury = Callable[..., str]


@pytest.fixture
def bury(desk) -> Bury:
    """Make a dead letter and return its id."""

    def make(kind: str = "fall", *args: object, queue: str = "default") -> str:
        desk.submit(kind, *args, queue=queue)
        return str(desk.fail(queue=queue))

    return make


def arguments(desk, task_id: str) -> tuple[object, object]:
    async def work(app: Jobbers) -> tuple[object, object]:
        record = await app.handle(task_id).record()
        return record.arguments, record.keywords

    return desk(work)


def test_none(jobbers) -> None:
    answer = jobbers("dlq")
    assert (answer.out, answer.err) == ("", "no dead letters\n")
    assert jobbers("dlq", "list", "--json").data == {"tasks": [], "cursor": None}


def test_list_and_filters(jobbers, bury: Bury) -> None:
    falls = [bury("fall"), bury("fall", queue="mail")]
    send = bury("send", queue="mail")
    shown = jobbers("dlq").out
    assert all(task_id in shown for task_id in (*falls, send))
    assert "ValueError: no such thing" in shown

    def ids(*words: str) -> set[str]:
        return {task["id"] for task in jobbers("dlq", *words, "--json").data["tasks"]}

    assert ids() == {*falls, send}
    assert ids("--type=fall") == set(falls)
    assert ids("list", "--queue=mail") == {falls[1], send}
    assert ids("--queue=mail", "--type=send") == {send}


def test_list_in_pages(jobbers, bury: Bury) -> None:
    made = {bury() for _ in range(3)}
    first = jobbers("dlq", "--limit=2")
    assert "there are more: --cursor " in first.err
    data = jobbers("dlq", "--limit=2", "--json").data
    rest = jobbers("dlq", "--limit=2", "--cursor", data["cursor"], "--json").data
    assert {task["id"] for task in data["tasks"] + rest["tasks"]} == made
    assert rest["cursor"] is None
    assert "the cursor is not one" in jobbers("dlq", "--cursor=x", code=2).err


def test_show(jobbers, desk, bury: Bury) -> None:
    task_id = bury("fall", 3)
    assert "Trace of it" in jobbers("dlq", "show", task_id).out
    assert jobbers("dlq", "show", task_id, "--json").data["errors"][0]["message"] == "no such thing"
    assert "is queued and no dead letter" in jobbers("dlq", "show", desk.submit("send"), code=6).err
    jobbers("dlq", "show", new_id(), code=3)


def test_requeue_named(jobbers, desk, bury: Bury) -> None:
    dead, missing = bury(), new_id()
    waiting = desk.submit("send", queue="other")
    answer = jobbers("dlq", "requeue", dead, missing, waiting, "--json", code=3)
    assert answer.data == {"requeued": 1, "ids": [dead]}
    assert f"there is no task {missing}" in answer.err
    assert f"task {waiting} is queued: only failed and cancelled tasks can be requeued" in answer.err
    assert desk.status(dead) == "queued"
    assert jobbers("dlq", "requeue", dead, code=6).out == ""


def test_requeue_with_other_arguments(jobbers, desk, bury: Bury) -> None:
    task_id = bury("fall", 1)
    assert jobbers("dlq", "requeue", task_id, "--kwargs", '{"soft": true}').out == f"requeued {task_id}\n"
    assert arguments(desk, task_id) == ([1], {"soft": True})
    desk.fail()
    jobbers("dlq", "requeue", task_id, "--args", "[2]")
    assert arguments(desk, task_id) == ([2], {"soft": True})


def test_an_application_checks_edited_arguments(jobbers, desk, bury: Bury, shop: Path) -> None:
    task_id = bury("fall", 1)
    answer = jobbers("dlq", "requeue", task_id, "--args", '["deep"]', code=2)
    assert "argument 'depth' of task 'fall'" in answer.err
    assert desk.status(task_id) == "failed"


def test_requeue_chosen(jobbers, desk, bury: Bury) -> None:
    falls, send = [bury("fall") for _ in range(3)], bury("send", queue="mail")
    assert jobbers("dlq", "requeue", "--type=fall", "--limit=2").out == "requeued 2\n"
    assert jobbers("dlq", "requeue", "--all", "--json").data == {"requeued": 2}
    assert {desk.status(task_id) for task_id in (*falls, send)} == {"queued"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["requeue"], "which dead letters? Give their ids, or choose with --all, --type or --queue"),
        (["drop"], "which dead letters?"),
        (["requeue", "0" * 26, "--all"], "give ids, or choose"),
        (["requeue", "--all", "--args", "[]"], "--args and --kwargs are for one task"),
        (["requeue", "0" * 26, "1" * 26, "--kwargs", "{}"], "--args and --kwargs are for one task"),
        (["drop", "--all"], "dropping the chosen dead letters cannot be undone: confirm with --yes"),
        (["drop", "0" * 26, "1" * 26], "dropping 2 dead letters cannot be undone"),
    ],
)
def test_what_is_not_clear_is_not_done(words: list[str], sentence: str, jobbers, bury: Bury) -> None:
    bury()
    answer = jobbers("dlq", *words, code=2)
    assert sentence in answer.err
    assert len(jobbers("dlq", "--json").data["tasks"]) == 1


def test_drop_one(jobbers, bury: Bury) -> None:
    task_id = bury()
    assert jobbers("dlq", "drop", task_id).out == "dropped 1\n"
    answer = jobbers("dlq", "drop", task_id, code=3)
    assert answer.err == "error: 1 of 1 are no dead letters (any more)\n"
    jobbers("status", task_id, code=3)


def test_drop_chosen(jobbers, bury: Bury) -> None:
    bury("fall")
    bury("send")
    assert jobbers("dlq", "drop", "--type=fall", "--yes", "--json").data == {"dropped": 1}
    assert jobbers("dlq", "drop", "--all", "-y").out == "dropped 1\n"
    assert jobbers("dlq", "--json").data["tasks"] == []


@pytest.mark.parametrize(("typed", "left", "code"), [("y\n", 0, 0), ("n\n", 1, 1)])
def test_drop_asks_at_a_terminal(
    typed: str, left: int, code: int, jobbers, bury: Bury, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury()
    monkeypatch.setattr("jobbers.cli.commands.dlq._at_terminal", lambda: True)
    jobbers("dlq", "drop", "--all", stdin=typed, code=code)
    assert len(jobbers("dlq", "--json").data["tasks"]) == left
