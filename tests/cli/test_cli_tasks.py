"""``jobbers status``, ``result``, ``tail`` and ``cancel``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jobbers import Jobbers, new_id
from jobbers.store.logs import pack_line


def test_status(jobbers, desk) -> None:
    task_id = desk.submit("send", "Ada", 7, headers={"trace": "x"})
    shown = jobbers("status", task_id.lower()).out
    for words in (
        ["id", task_id],
        ["type", "send"],
        ["status", "queued"],
        ["arguments", "'Ada', 7"],
        ["trace='x'"],
    ):
        assert any(all(word in line for word in words) for line in shown.splitlines()), words
    data = jobbers("status", task_id, "--json").data
    assert data["id"] == task_id
    assert data["status"] == "queued"
    assert data["arguments"] == ["Ada", 7]
    assert data["headers"] == {"trace": "x"}
    assert data["finished"] is None


def test_status_of_a_running_task(jobbers, desk) -> None:
    task_id = desk.submit("send")
    desk.beat(desk.claim(), "half way", 0.5)
    data = jobbers("status", task_id, "--json").data
    assert (data["status"], data["liveness"], data["step"], data["progress"]) == (
        "running",
        "running",
        "half way",
        0.5,
    )
    assert "running (running)" in jobbers("status", task_id).out


def test_status_shows_errors_but_no_control_characters(jobbers, desk) -> None:
    desk.submit("send", "a\x1b[31mb")
    task_id = desk.fail("bell \x07 and \x1b]0;title\x07 and \x9b31m")
    for command in (["status"], ["status", "--json"], ["dlq", "show"], ["dlq", "show", "--json"]):
        out = jobbers(*command, task_id).out
        assert "Trace of it" in out
        assert not {"\x1b", "\x07", "\x9b"} & set(out)
    assert not {"\x1b", "\x07"} & set(jobbers("dlq").out)


@pytest.mark.parametrize("command", ["status", "result", "tail"])
def test_no_such_task(command: str, jobbers) -> None:
    missing = new_id()
    answer = jobbers(command, missing, code=3)
    assert answer.err == f"error: there is no task {missing}: it never was, or its record has expired\n"
    assert jobbers(command, "nonsense", code=2).err.startswith("error: task id 'nonsense' is not a ULID")


@pytest.mark.parametrize(
    ("value", "printed"),
    [("a text", "a text\n"), (42, "42\n"), (None, "null\n"), ([1, "x"], '[\n  1,\n  "x"\n]\n')],
)
def test_result(value: object, printed: str, jobbers, desk) -> None:
    desk.submit("add")
    task_id = desk.succeed(value)
    assert jobbers("result", task_id).out == printed
    assert jobbers("result", task_id, "--json").data == {
        "id": task_id,
        "status": "succeeded",
        "result": value,
    }


def test_result_of_a_failed_task(jobbers, desk) -> None:
    desk.submit("add")
    task_id = desk.fail("no such customer")
    answer = jobbers("result", task_id, code=1)
    assert answer.out == ""
    assert answer.err.endswith("attempt 1 of 1 failed: ValueError: no such customer\n")
    data = jobbers("result", task_id, "--json", code=1).data
    assert (data["status"], data["reason"]) == ("failed", "attempt 1 of 1 failed")
    assert data["error"]["message"] == "no such customer"


def test_result_of_a_cancelled_task(jobbers, desk) -> None:
    task_id = desk.submit("add")
    jobbers("cancel", task_id, "--reason", "wrong one")
    assert jobbers("result", task_id, code=1).err == f"error: task {task_id} was cancelled: wrong one\n"
    expected = {"id": task_id, "status": "cancelled", "reason": "wrong one", "error": None}
    assert jobbers("result", task_id, "--json", code=1).data == expected


def test_result_in_vain(jobbers, desk) -> None:
    task_id = desk.submit("add")
    assert "did not end within 0.2 seconds" in jobbers("result", task_id, "--timeout=200ms", code=5).err


def test_tail_of_a_task_that_has_ended(jobbers, desk) -> None:
    desk.submit("add")
    task_id = desk.fail("no such customer")
    lines = jobbers("tail", task_id, code=1).out.splitlines()
    assert lines[0].endswith("attempt 1 failed: ValueError: no such customer")
    assert "failed" in lines[1]
    assert lines[1].endswith("(attempt 1 of 1 failed)")


def test_tail_follows_until_the_end(desk) -> None:
    task_id = desk.submit("send")
    command = [sys.executable, "-m", "jobbers", "tail", task_id, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        assert next(lines)["status"] == "queued"
        claimed = desk.claim()
        assert next(lines)["attempt"] == 1
        desk.beat(claimed, "half way", 0.5)
        seen = next(lines)
        assert (seen["status"], seen["step"], seen["progress"]) == ("running", "half way", 0.5)
        assert set(seen) == {
            "event", "id", "time", "status", "attempt", "step", "progress", "liveness", "reason", "due",
        }  # fmt: skip
        cancelled = [sys.executable, "-m", "jobbers", "cancel", task_id]
        subprocess.run(cancelled, check=True, capture_output=True)
        assert next(lines)["status"] == "cancelled"
        assert next(lines, None) is None
        assert process.wait() == 1


def test_tail_of_a_success(jobbers, desk) -> None:
    desk.submit("send")
    task_id = desk.succeed(1)
    (line,) = jobbers("tail", task_id).out.splitlines()
    assert "succeeded  attempt 1  after " in line
    told = [json.loads(jobbers(*command, task_id, "--json").out) for command in (["tail"], ["status"])]
    assert told[0]["time"] == told[1]["finished"]


def test_tail_of_a_scheduled_task(desk) -> None:
    task_id = desk.submit("send", delay=3600)
    command = [sys.executable, "-m", "jobbers", "tail", task_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "scheduled  due in 59m" in next(process.stdout)
        process.kill()


def test_cancel(jobbers, desk) -> None:
    waiting, running = desk.submit("a"), desk.submit("b", queue="other")
    desk.claim("other")
    answer = jobbers("cancel", waiting, running)
    assert answer.out == f"cancelled {waiting}\ncancelled {running}\n"
    assert [desk.status(task_id) for task_id in (waiting, running)] == ["cancelled", "cancelled"]


def test_cancel_says_what_it_could_not_do(jobbers, desk) -> None:
    ended, missing = desk.submit("a"), new_id()
    desk.succeed(1)
    waiting = desk.submit("b")
    answer = jobbers("cancel", ended, missing, waiting, "--json", code=3)
    assert answer.data == {ended: "ended_before", missing: "not_found", waiting: "cancelled"}
    assert answer.err.splitlines() == [
        f"error: task {ended} had ended before",
        f"error: there is no task {missing}: it never was, or its record has expired",
    ]
    assert jobbers("cancel", ended, code=6).out == ""


def test_tail_with_logs(jobbers, desk) -> None:
    task_id = desk.submit("send")
    desk.succeed(1)

    async def write(app: Jobbers) -> None:
        line = pack_line(1_700_000_000.0, 1, "info", "shop", "sent \x1b[31m it")
        await (await app.client()).store.logs.append({task_id: [line]}, 60_000)

    desk(write)
    assert "shop" not in jobbers("tail", task_id).out
    assert "info     shop: sent \\x1b[31m it" in jobbers("tail", task_id, "--logs").out
    lines = [json.loads(line) for line in jobbers("tail", task_id, "--logs", "--json").out.splitlines()]
    (found,) = [line for line in lines if line["event"] == "log"]
    assert (found["id"], found["attempt"], found["level"], found["logger"]) == (task_id, 1, "info", "shop")
