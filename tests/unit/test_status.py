"""The transition table itself: what it must and must not allow."""

from __future__ import annotations

import pytest

from jobbers.core.status import FINAL, TRANSITIONS, Event, Status, allows


def test_every_event_has_one_row() -> None:
    assert set(TRANSITIONS) == set(Event)


def test_only_another_life_leaves_a_final_status() -> None:
    leaving = {event for event, row in TRANSITIONS.items() if row.sources & FINAL}
    assert leaving == {Event.REQUEUE, Event.REVIVE}


def test_only_claims_start_a_task() -> None:
    starting = [event for event, row in TRANSITIONS.items() if row.target is Status.RUNNING]
    assert starting == [Event.CLAIM, Event.FOLLOW]


@pytest.mark.parametrize("status", [status for status in Status if not status.final])
def test_every_unfinished_task_can_be_cancelled(status: Status) -> None:
    assert allows(Event.CANCEL, status)


def test_a_task_that_succeeded_runs_again_only_with_its_run() -> None:
    assert [event for event in Event if allows(event, Status.SUCCEEDED)] == [Event.REVIVE]
