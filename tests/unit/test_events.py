"""Who listens to events is told; who raises harms nobody."""

from __future__ import annotations

import logging

import pytest

from jobbers.core.events import COMPLAINT_SECONDS, Dispatcher, Event, FinishRefused, WorkerStopped


def test_nobody_listens_and_nothing_is_there_to_call() -> None:
    events = Dispatcher(lambda: 0.0)
    assert events.tell is None
    end = events.subscribe(lambda event: None)
    assert events.tell is not None
    end()
    assert events.tell is None
    end()


def test_subscribers_hear_what_they_asked_for() -> None:
    events = Dispatcher(lambda: 0.0)
    everything: list[Event] = []
    some: list[Event] = []
    events.subscribe(everything.append)
    end = events.subscribe(some.append, WorkerStopped)
    assert events.tell is not None
    events.tell(FinishRefused("a", "succeed"))
    events.tell(WorkerStopped("w"))
    assert everything == [FinishRefused("a", "succeed"), WorkerStopped("w")]
    assert some == [WorkerStopped("w")]
    end()
    events.tell(WorkerStopped("x"))
    assert len(some) == 1
    assert len(everything) == 3


def test_one_that_raises_is_named_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    events = Dispatcher(lambda: now)
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("no")

    events.subscribe(broken)
    events.subscribe(heard.append)
    assert events.tell is not None
    with caplog.at_level(logging.ERROR, "jobbers.events"):
        for _ in range(5):
            events.tell(WorkerStopped("w"))
        assert len(caplog.records) == 1
        now += COMPLAINT_SECONDS
        events.tell(WorkerStopped("w"))
    assert len(caplog.records) == 2
    assert len(heard) == 6
    assert "WorkerStopped" in caplog.text
