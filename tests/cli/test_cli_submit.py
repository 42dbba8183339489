"""``jobbers submit``, with an application that checks and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobbers import Jobbers, TaskRecord, new_id

pytestmark = pytest.mark.usefixtures("server")


def record(desk, task_id: str) -> TaskRecord:
    async def work(app: Jobbers) -> TaskRecord:
        return await app.handle(task_id).record()

    return desk(work)


def test_it_prints_the_id_and_nothing_else(jobbers, desk) -> None:
    answer = jobbers("submit", "add", "--args", "[1, 2]")
    task = record(desk, answer.out.strip())
    assert (task.type, task.queue, task.arguments, task.status) == ("add", "default", [1, 2], "queued")
    assert answer.err == ""


def test_all_options(jobbers, desk) -> None:
    task_id = new_id(unique="only")
    options = [
        "--queue=mail",
        "--priority=9",
        "--delay=2h",
        "--deadline=1d",
        "--unique=only",
        "-H",
        "trace=7",
        "--header",
        "who=me",
    ]
    answer = jobbers(
        "submit", "send", "--kwargs", '{"user": "Ada"}', *options, f"--id={task_id.lower()}", "--json"
    )
    assert answer.data == {"id": task_id, "unique_key_taken": False}
    task = record(desk, task_id)
    assert (task.queue, task.priority, task.status, task.unique_key) == ("mail", 9, "scheduled", "only")
    assert task.keywords == {"user": "Ada"}
    assert task.headers == {"trace": "7", "who": "me"}
    assert task.due is not None
    assert task.deadline is not None
    assert (task.due - task.created).total_seconds() == pytest.approx(7200, abs=1)
    assert (task.deadline - task.created).total_seconds() == pytest.approx(86_400, abs=1)


def test_at_a_time(jobbers, desk) -> None:
    task_id = jobbers("submit", "add", "--at=2190-01-02T03:04:05+01:00").out.strip()
    due = record(desk, task_id).due
    assert due is not None
    assert due.isoformat() == "2190-01-02T02:04:05+00:00"


def test_a_unique_key_that_is_held(jobbers) -> None:
    first = jobbers("submit", "add", "--unique=one", "--json").data
    second = jobbers("submit", "add", "--unique=one", "--json")
    assert second.data == {"id": first["id"], "unique_key_taken": True}
    assert "holds the unique key already" in second.err


def test_the_same_id_twice(jobbers, desk) -> None:
    task_id = new_id()
    for argument in (1, 2):
        assert jobbers("submit", "add", f"--id={task_id}", "--args", f"[{argument}]").out.strip() == task_id
    assert record(desk, task_id).arguments == [1]


def test_arguments_from_a_file_and_from_standard_input(jobbers, desk, tmp_path: Path) -> None:
    (tmp_path / "args.json").write_text("[[1, 2]]")
    first = jobbers("submit", "add", "--args", "@args.json").out.strip()
    second = jobbers("submit", "add", "--kwargs", "-", stdin='{"a": "ä"}').out.strip()
    assert record(desk, first).arguments == [[1, 2]]
    assert record(desk, second).keywords == {"a": "ä"}


def test_single_arguments_are_json_or_text(jobbers, desk) -> None:
    words = [
        "--arg",
        "number=1",
        "--arg",
        "text=one",
        "--arg",
        "flag=true",
        "--arg",
        "url=a=b",
        "--arg",
        "empty=",
    ]
    task_id = jobbers("submit", "add", *words).out.strip()
    expected = {"number": 1, "text": "one", "flag": True, "url": "a=b", "empty": ""}
    assert record(desk, task_id).keywords == expected


def test_an_application_decides_what_is_text(jobbers, desk, shop: Path) -> None:
    task_id = jobbers("submit", "send", "--arg", "user=12", "--arg", "code=007").out.strip()
    task = record(desk, task_id)
    assert task.keywords == {"user": "12", "code": "007"}
    assert task.queue == "mail"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add", "--args", '["one"]'], "argument 'a' of task 'add'"),
        (["add", "--arg", "a=one"], "argument 'a' of task 'add'"),
        (["add"], "misses argument 'a'"),
        (["add", "--kwargs", '{"a": 1, "c": 2}'], "has no parameter 'c'"),
        (["add", "--args", "[1]", "--arg", "a=2"], "got argument 'a' twice"),
    ],
)
def test_an_application_checks_arguments(words: list[str], sentence: str, jobbers, shop: Path) -> None:
    answer = jobbers("submit", *words, code=2)
    assert answer.err.startswith("error: ")
    assert sentence in answer.err
    assert jobbers("queues", "--json").data == []


def test_an_application_knows_its_types(jobbers, shop: Path) -> None:
    assert "there is no task type 'addd'" in jobbers("submit", "addd", code=3).err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--args", "{}"], "--args must be a JSON list, as in '[1, \"two\"]', got an object"),
        (["--kwargs", "[1]"], "--kwargs must be a JSON object"),
        (["--kwargs", "{'a': 1}"], "--kwargs is not JSON: "),
        (["--args", "@missing.json"], "--args: cannot read 'missing.json'"),
        (["--arg", "a"], "--arg 'a' is not name=value"),
        (["--arg", "a=1", "--arg", "a=2"], "--arg gives 'a' twice"),
        (["--arg", "a=1", "--kwargs", '{"a": 1}'], "argument 'a' is in --kwargs and in --arg"),
        (["--header", "a"], "--header 'a' is not name=value"),
        (["--delay", "soon"], "--delay 'soon' is no duration"),
        (["--at", "noon"], "--at 'noon' is no time"),
        (["--at", "2031-05-06T07:08:09"], "has no time zone"),
        (["--at", "2031-05-06T07:08:09Z", "--delay", "1"], "give a delay or a time"),
        (["--priority", "10"], "priority must be a whole number from 0 (last) to 9 (first)"),
        (["--queue", "a b"], "is not a legal name"),
        (["--id", "mine"], "is not a ULID"),
        (["--unique", "k", "--id", "0" * 26], "does not belong to the shard of unique key 'k'"),
    ],
)
def test_wrong_input_is_named(words: list[str], sentence: str, jobbers) -> None:
    answer = jobbers("submit", "add", *words, code=2)
    assert sentence in answer.err
    assert answer.err.count("\n") == 1
    assert answer.out == ""


def test_waiting_for_the_result(process, shop: Path) -> None:
    worker = process  # a burst has nothing to do before the task is there, so submit first
    task_id = worker("submit", "add", "--args", "[20, 22]").out.strip()
    assert worker("worker", "--burst", "--concurrency=2").code == 0
    again = worker(
        "submit", "add", "--args", "[20, 22]", f"--id={task_id}", "--wait", "--timeout=20s", "--json"
    )
    assert json.loads(again.out) == {"id": task_id, "status": "succeeded", "result": 42}
    assert again.err == f"waiting for {task_id}\n"


def test_waiting_in_vain(jobbers) -> None:
    answer = jobbers("submit", "add", "--wait", "--timeout=300ms", code=5)
    assert "did not end within 0.3 seconds" in answer.err


def test_debounced_and_throttled(jobbers, desk) -> None:
    words = ["submit", "add", "--debounce=10m", "--by=a", "--json"]
    first = jobbers(*words, "--arg", "a=1", "--arg", "b=2").data
    second = jobbers(*words, "--arg", "a=1", "--arg", "b=3")
    assert (first["unique_key_taken"], second.data) == (False, {**first, "unique_key_taken": True})
    assert "goes by these arguments now" in second.err
    assert record(desk, first["id"]).keywords == {"a": 1, "b": 3}
    throttled = jobbers("submit", "add", "--throttle=10m", "--args", "[1]").out
    again = jobbers("submit", "add", "--throttle=10m", "--args", "[2]")
    assert again.out == throttled
    assert "was the first of this period" in again.err
    assert "give one of them" in jobbers("submit", "add", "--by=a", "--args", "[1]", code=2).err
    answer = jobbers("submit", "add", "--debounce=5", "--by=c", "--args", "[1]", code=2)
    assert "there is no parameter 'c'" in answer.err
