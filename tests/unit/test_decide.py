"""Retry, snooze or fail: decided without a server."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers import Fail, Retry, Snooze
from jobbers.core.decide import UNKNOWN_TYPE_SNOOZES, HeartbeatMissed, TimedOut, decide, decide_unknown_type
from jobbers.core.policy import NO_RETRY, Execution, OnShutdown, Policy
from jobbers.core.status import Event

POLICY = Policy(
    queue="default",
    priority=5,
    retry=NO_RETRY,
    execution=Execution.ASYNC,
    on_shutdown=OnShutdown.REQUEUE,
    timeout_ms=None,
    heartbeat_ms=None,
    deadline_ms=None,
    slow_ms=None,
    retention_ms=1000,
    failed_retention_ms=1000,
)


def with_retry(retry: Retry) -> Policy:
    return dataclasses.replace(POLICY, retry=retry)


def test_without_a_policy_the_first_failure_is_the_last() -> None:
    assert decide(POLICY, 1, ValueError(), 0.5).event is Event.FAIL


def test_attempts_are_used_up_one_by_one() -> None:
    policy = with_retry(Retry(3))
    events = [decide(policy, failures, ValueError(), 0.5).event for failures in (1, 2, 3)]
    assert events == [Event.RETRY, Event.RETRY, Event.FAIL]


def test_only_covered_errors_are_retried() -> None:
    policy = with_retry(Retry(5, on=OSError, never=FileNotFoundError))
    assert decide(policy, 1, ConnectionError(), 0.5).event is Event.RETRY
    assert decide(policy, 1, FileNotFoundError(), 0.5).event is Event.FAIL
    assert decide(policy, 1, ValueError(), 0.5).event is Event.FAIL


def test_fail_ends_the_task_whatever_attempts_are_left() -> None:
    decision = decide(with_retry(Retry(5)), 1, Fail("no such customer"), 0.5)
    assert (decision.event, decision.reason) == (Event.FAIL, "no such customer")


def test_snooze_uses_no_attempt_and_reports_no_error() -> None:
    decision = decide(POLICY, 1, Snooze(60), 0.5)
    assert (decision.event, decision.delay_ms, decision.report) == (Event.SNOOZE, 60_000, False)


def test_a_raised_retry_sets_its_own_delay_within_the_policy() -> None:
    policy = with_retry(Retry(2))
    assert decide(policy, 1, Retry(after=7), 0.5).delay_ms == 7_000
    assert decide(policy, 2, Retry(after=7), 0.5).event is Event.FAIL


def test_a_raised_retry_needs_no_policy() -> None:
    assert decide(POLICY, 1, Retry(attempts=2, after=7), 0.5).event is Event.RETRY
    assert decide(POLICY, 2, Retry(attempts=2, after=7), 0.5).event is Event.FAIL


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        ("fixed", [2_000, 2_000, 2_000]),
        ("linear", [2_000, 4_000, 5_000]),
        ("exponential", [2_000, 4_000, 5_000]),
    ],
)
def test_backoffs_grow_up_to_their_cap(backoff: str, waits: list[int]) -> None:
    retry = Retry(9, backoff=backoff, delay=2, cap=5, jitter=False)  # type: ignore[arg-type]
    assert [retry.wait_ms(failures, 0.9) for failures in (1, 2, 3)] == waits


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_between_zero_and_the_full_wait(failures: int, chance: float) -> None:
    full = Retry(9, jitter=False).wait_ms(failures, chance)
    assert 0 <= Retry(9).wait_ms(failures, chance) <= full <= 600_000


def test_an_unknown_type_is_put_back_with_growing_delay_and_ends_as_a_dead_letter() -> None:
    decisions = [decide_unknown_type("mystery", snoozes) for snoozes in range(UNKNOWN_TYPE_SNOOZES + 1)]
    delays = [decision.delay_ms for decision in decisions[:-1]]
    assert delays == sorted(delays)
    assert delays[0] == 1_000
    assert decisions[-1].event is Event.FAIL


@pytest.mark.parametrize(
    ("error", "cause"), [(TimedOut(), "timeout"), (HeartbeatMissed(), "silent"), (ValueError(), "")]
)
def test_what_the_worker_ended_says_so(error: Exception, cause: str) -> None:
    for policy in (POLICY, with_retry(Retry(2)), with_retry(Retry(2, on=(OSError,)))):
        for failures in (1, 2):
            assert decide(policy, failures, error, 0.5).cause == cause
