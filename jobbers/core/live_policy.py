"""What operators say of a task type in the place of what its code says: checked as that is, and laid over it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from jobbers.core.durations import to_optional_ms
from jobbers.core.policy import NO_RETRY, Execution, OnShutdown, Policy, Retry, check_priority
from jobbers.errors import ConfigError, InvalidInput

Live = Mapping[str, Any]
"""Options of a task type by the names of :data:`OPTIONS`, as numbers, text and truth values; durations in seconds."""

_TIMES = {
    "timeout": "timeout_ms",
    "heartbeat": "heartbeat_ms",
    "deadline": "deadline_ms",
    "slow_after": "slow_ms",
}
_KEPT = {"retention": "retention_ms", "failed_retention": "failed_retention_ms"}
RETRY = ("attempts", "backoff", "delay", "cap", "jitter")
"""Those that belong to the :class:`Retry` of a type."""
OPTIONS = ("priority", *_TIMES, *_KEPT, *RETRY)
"""What can be said live. ``None`` for one of the times but retention is no limit."""
MAY_BE_NONE = frozenset(_TIMES)

_PLAIN = Policy(
    "default",
    5,
    NO_RETRY,
    Execution.ASYNC,
    OnShutdown.REQUEUE,
    None,
    None,
    None,
    None,
    86_400_000,
    86_400_000,
)


def check(live: Live, policy: Policy = _PLAIN) -> dict[str, Any]:
    """The options as they are kept, if they make sense for a type with this policy. Raises :class:`InvalidInput`, which
    names the first that does not."""
    for name in live:
        if name not in OPTIONS:
            raise InvalidInput(
                f"a task type has no option {str(name)[:50]!r} that can be changed live (it has: {', '.join(OPTIONS)})"
            )
    try:
        overlaid(policy, live)
    except ConfigError as error:
        raise InvalidInput(str(error)) from None
    return {
        name: value.total_seconds() if isinstance(value := live[name], timedelta) else value
        for name in OPTIONS
        if name in live
    }


def overlaid(policy: Policy, live: Live) -> Policy:
    """A policy as it is with these options in the place of its own. Raises :class:`InvalidInput`, and
    :class:`ConfigError` for what does not go together."""
    changes: dict[str, Any] = {
        field: to_optional_ms(live[name], name) for name, field in _TIMES.items() if name in live
    }
    for name, field in _KEPT.items():
        if name in live:
            kept = changes[field] = to_optional_ms(live[name], name)
            if kept is None:
                raise InvalidInput(f"{name} must be seconds or a timedelta: records do not stay for ever")
    if "priority" in live:
        changes["priority"] = check_priority(live["priority"])
    if any(name in live for name in RETRY):
        changes["retry"] = _retry(policy.retry, live)
    return replace(policy, **changes) if changes else policy


def _retry(retry: Retry, live: Live) -> Retry:
    if not isinstance(live.get("jitter", True), bool):
        raise InvalidInput(f"jitter must be true or false, got {str(live['jitter'])[:50]!r}")
    found = Retry(
        live.get("attempts", retry.attempts),
        backoff=live.get("backoff", retry.backoff),
        delay=live.get("delay", retry.delay_ms / 1000),
        cap=live.get("cap", retry.cap_ms / 1000),
        jitter=live.get("jitter", retry.jitter),
        on=retry.on,
        never=retry.never,
    )
    # A type without a policy goes by what its tasks raise; how long to wait is no reason to end that.
    return NO_RETRY if retry is NO_RETRY and "attempts" not in live else found


def dump(live: Live) -> str:
    """As it is stored."""
    return json.dumps(dict(live), allow_nan=False, separators=(",", ":"))


def load(text: str) -> dict[str, Any]:
    """What :func:`dump` has made. Raises :class:`InvalidInput` for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"{text[:50]!r} is no JSON object")
    return check(found)


def written(live: Live) -> str:
    """For people: ``timeout=5, attempts=1``."""
    return ", ".join(f"{name}={'none' if value is None else value}" for name, value in live.items())


def spoken(policy: Policy) -> dict[str, Any]:
    """What a policy says of each of :data:`OPTIONS`."""
    found: dict[str, Any] = {"priority": policy.priority}
    for name, field in (_TIMES | _KEPT).items():
        milliseconds = getattr(policy, field)
        found[name] = None if milliseconds is None else milliseconds / 1000
    retry = policy.retry
    return found | {
        "attempts": retry.attempts,
        "backoff": retry.backoff,
        "delay": retry.delay_ms / 1000,
        "cap": retry.cap_ms / 1000,
        "jitter": retry.jitter,
    }
