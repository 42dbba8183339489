"""``jobbers schedules``."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("surroundings")


def test_from_add_to_delete(jobbers, shop) -> None:
    added = jobbers(
        "schedules", "add", "nightly", "add", "--arg", "a=5", "--cron", "0 3 * * *", "--tz", "Asia/Tokyo"
    )
    assert added.out.startswith("nightly: made, next at ")
    assert added.out.strip().endswith("T03:00:00+09:00")
    assert "no schedules" not in jobbers("schedules").err
    (listed,) = jobbers("schedules", "--json").data
    assert (listed["name"], listed["timing"], listed["target"]) == (
        "nightly",
        "0 3 * * * (Asia/Tokyo)",
        "add",
    )
    times = jobbers("schedules", "show", "nightly").out.split()
    assert len(times) == 10
    assert all(moment.endswith("T03:00:00+09:00") for moment in times)
    assert len(jobbers("schedules", "show", "nightly", "--times", "3", "--json").data["times"]) == 3

    assert jobbers("schedules", "pause", "nightly").out == "nightly: paused\n"
    assert "paused" in jobbers("schedules", "list").out
    task_id = jobbers("schedules", "run", "nightly").out.strip()
    record = jobbers("status", task_id, "--json").data
    assert (record["type"], record["keywords"]) == ("add", {"a": 5})
    assert jobbers("schedules", "resume", "nightly", "--json").data == {"nightly": "resumed"}
    assert jobbers("schedules", "list", "--json").data[0]["next"] is not None
    assert jobbers("schedules", "delete", "nightly").out == "nightly: deleted\n"
    assert "no schedules" in jobbers("schedules").err
    assert "there is no schedule 'nightly'" in jobbers("schedules", "delete", "nightly", code=3).err


def test_of_a_graph(jobbers, shop) -> None:
    jobbers(
        "schedules", "add", "sums", "sums", "--dag", "--arg", "start=5", "--every", "1h", "--overlap", "queue"
    )
    run = jobbers("schedules", "run", "sums").out.strip()
    assert "is open" in jobbers("dag", "status", run).err
    assert "parameter" in jobbers("schedules", "add", "x", "sums", "--dag", "--every", "1h", code=2).err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--cron", "0 0 30 2 *"], 2, "never fires"),
        (["--cron", "0 3 * * *", "--tz", "Mars/Olympus"], 2, "no time zone 'Mars/Olympus'"),
        (["--every", "50ms"], 2, "0.1 seconds or more"),
        (["--every", "1s", "--overlap", "perhaps"], 2, "overlap must be one of"),
        (["--every", "1h"], 6, "there is a schedule 'taken' already"),
        ([], 2, "one of cron and every"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(jobbers, shop, words, code, says) -> None:
    jobbers("schedules", "add", "taken", "add", "--arg", "a=1", "--every", "1d")
    before = jobbers("schedules", "--json").data
    answer = jobbers("schedules", "add", "taken", "add", "--arg", "a=2", *words, code=code)
    assert says in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert jobbers("schedules", "--json").data == before
