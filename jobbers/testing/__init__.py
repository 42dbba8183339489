"""The testing kit: run an app's tasks inside a test, move its clock, ask what was submitted, audit what is stored.

See ``docs/testing.md``. Names are imported when they are first used, for pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobbers.testing.audit import Violation as Violation
    from jobbers.testing.audit import audit_store as audit_store
    from jobbers.testing.fake import FakeConnector as FakeConnector
    from jobbers.testing.harness import Harness as Harness
    from jobbers.testing.harness import in_process as in_process
    from jobbers.testing.harness import on_server as on_server
    from jobbers.testing.otlp import Receiver as Receiver
    from jobbers.testing.submissions import Submitted as Submitted
    from jobbers.testing.workers import running_worker as running_worker

_HOMES = {
    "FakeConnector": "fake",
    "Harness": "harness",
    "Receiver": "otlp",
    "Submitted": "submissions",
    "Violation": "audit",
    "audit_store": "audit",
    "in_process": "harness",
    "on_server": "harness",
    "running_worker": "workers",
}

__all__ = [
    "FakeConnector",
    "Harness",
    "Receiver",
    "Submitted",
    "Violation",
    "audit_store",
    "in_process",
    "on_server",
    "running_worker",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
