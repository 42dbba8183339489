"""Workers that are killed, stopped or fail at a named point of a task's way through them."""

from __future__ import annotations

from typing import Any

import pytest

from jobbers import Jobbers, TaskHandle
from jobbers.cli.exit_codes import ExitCode
from jobbers.core.fault_points import POINTS, Fault, parse_fault_points
from jobbers.errors import ConfigError
from tests.scenarios.harness import SUCCEEDED, Scene, until

pytestmark = pytest.mark.scene(lease=1.0, crash_budget=10)


async def _leave_work(scene: Scene) -> list[TaskHandle[Any]]:
    """Tasks that a worker which died has left behind."""
    dead = await scene.worker()
    left = await scene.map("nap", [0.5] * 3)
    await scene.started(*left)
    dead.kill()
    return left


async def _add_work(scene: Scene) -> list[TaskHandle[Any]]:
    """Tasks that succeed, take longer than a lease, retry, and are due later."""
    tasks = await scene.map("note", range(20))
    tasks += await scene.map("nap", [1.5] * 5)
    tasks += await scene.map("flaky", [1] * 3)
    return [*tasks, await scene.submit("note", delay=0.2)]


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there(scene: Scene, point: str) -> None:
    tasks = await _leave_work(scene)
    tasks += await _add_work(scene)
    unlucky = scene.start_worker(fault_points=f"{point}=kill")
    await unlucky.ended()
    assert unlucky.code == -9
    assert f"fault point {point}: kill" in unlucky.said()
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: len(tasks)}


@pytest.mark.parametrize("point", ["before_claim", "after_claim_reply", "before_finish", "before_renew"])
async def test_stalled_there_for_longer_than_a_lease(scene: Scene, point: str) -> None:
    """What others took meanwhile stays theirs, and the worker goes on."""
    worker = await scene.worker(fault_points=f"{point}=sleep:2.5@2")
    tasks = await _add_work(scene)
    await until(lambda: f"fault point {point}" in worker.said(), "the worker stalls")
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: len(tasks)}
    assert worker.code is None


@pytest.mark.parametrize("point", ["before_claim", "after_claim_reply", "before_finish", "after_reclaim"])
async def test_an_error_that_nobody_thought_of_ends_the_worker(scene: Scene, point: str) -> None:
    """It says so, says nothing about the tasks that it ran, and leaves them to others."""
    worker = scene.start_worker(fault_points=f"{point}=raise@2")
    tasks = await _add_work(scene)
    assert await worker.ended() == ExitCode.BUG
    assert "FaultInjected" in worker.said()
    assert "CancelledError" not in worker.said()
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: len(tasks)}


def test_what_can_be_said() -> None:
    assert parse_fault_points("") == {}
    assert parse_fault_points(" before_claim=kill, after_effect=sleep:2.5@3") == {
        "before_claim": Fault("kill"),
        "after_effect": Fault("sleep", 2.5, 3),
    }


@pytest.mark.parametrize(
    "text",
    [
        "nowhere=kill",
        "before_claim",
        "before_claim=explode",
        "before_claim=sleep:x",
        "before_claim=kill@0",
        "=",
        "a=b=c",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="points are before_claim"):
        Jobbers(fault_points=text)
