"""Puts fault points (:mod:`jobbers.core.fault_points`) around the parts of a worker. Without any, nothing is wrapped."""

from __future__ import annotations

import functools
import inspect
import itertools
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from jobbers.core.fault_points import Fault
from jobbers.store.renewal import Renewal
from jobbers.store.tasks import TaskStore
from jobbers.store.upkeep import UpkeepStore
from jobbers.worker.finisher import Finisher

log = logging.getLogger("jobbers.worker")


class FaultInjected(Exception):
    """What the action ``raise`` raises."""


def install_fault_points(
    faults: Mapping[str, Fault], tasks: TaskStore, upkeep: UpkeepStore, finisher: Finisher, renewal: Renewal
) -> None:
    """Wrap the methods of one worker's parts at which these faults are to strike."""
    finish = (tasks, ("succeed", "fail", "retry", "snooze", "release"))
    places: dict[str, tuple[object, tuple[str, ...]]] = {
        "claim": (tasks, ("claim",)),
        "claim_reply": (tasks, ("claim",)),
        "effect": (finisher, ("succeed",)),
        "finish": finish,
        "finish_applied": finish,
        "renew": (renewal, ("renew",)),
        "reclaim": (upkeep, ("reclaim",)),
        "promote": (upkeep, ("promote",)),
    }
    for point, fault in faults.items():
        strike = _Strike(point, fault)
        when, _, place = point.partition("_")
        owner, names = places[place]
        for name in names:
            setattr(owner, name, _wrapped(getattr(owner, name), strike, before=when == "before"))


class _Strike:
    def __init__(self, point: str, fault: Fault) -> None:
        self._point = point
        self._fault = fault
        self._calls = itertools.count(1)

    def __call__(self) -> None:
        if next(self._calls) != self._fault.nth:
            return
        log.warning("fault point %s: %s", self._point, self._fault.action)
        match self._fault.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "sleep":
                time.sleep(self._fault.seconds)
            case _:
                raise FaultInjected(self._point)


def _wrapped(method: Callable[..., Any], strike: Callable[[], None], *, before: bool) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def waiting(*args: Any, **options: Any) -> Any:
            if before:
                strike()
            reply = await method(*args, **options)
            if not before:
                strike()
            return reply

        return waiting

    @functools.wraps(method)
    def plain(*args: Any, **options: Any) -> Any:
        if before:
            strike()
        reply = method(*args, **options)
        if not before:
            strike()
        return reply

    return plain
