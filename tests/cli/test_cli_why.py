"""``jobbers why``."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("surroundings")


def test_a_task_that_waits_and_one_that_has_ended(jobbers, shop, desk) -> None:
    task_id = desk.submit("add", 1)
    jobbers("queues", "pause", "default")
    lines = jobbers("why", task_id).out.splitlines()
    assert lines[0] == (
        f"task {task_id} of type add is queued: queue default is paused: it gives nothing out until it is resumed"
    )
    assert lines[1] == "then: no live worker serves queue default: no worker is alive at all"
    assert lines[2].startswith("then: it is ready: nothing is before it in its lane")
    data = jobbers("why", task_id, "--json").data
    assert (data["waits"], data["primary"]["code"]) == (True, "paused")
    assert [reason["code"] for reason in data["others"]] == ["no_worker", "in_lane"]
    assert data["others"][1]["facts"]["ahead"] == 0
    jobbers("queues", "resume", "default")
    desk.succeed(3)
    assert "it waits for nothing: it has ended as succeeded" in jobbers("why", task_id).out


def test_a_run_names_its_nodes(jobbers, shop) -> None:
    run = jobbers("dag", "run", "sums", "--arg", "start=1").out.strip()
    out = jobbers("why", run).out
    assert "first (queued) and 1 that waits for others" in out
    assert "then: task " in out


@pytest.mark.parametrize(("task_id", "code"), [("nonsense", 2), ("01" + "0" * 24, 3)])
def test_bad_input(jobbers, task_id: str, code: int) -> None:
    jobbers("why", task_id, code=code)
