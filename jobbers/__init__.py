"""Jobbers: Redis-native asyncio task workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobbers.app import Jobbers
    from jobbers.client import new_id
    from jobbers.context import AttemptOver, CurrentBatch, CurrentTask, current_batch, current_task
    from jobbers.core.batch import Batch
    from jobbers.core.limits import Breaker, Fair, Limit, Rate
    from jobbers.core.policy import Debounce, Retry, Throttle, Unique
    from jobbers.core.results import Results
    from jobbers.core.signals import Fail, Skip, Snooze
    from jobbers.core.spread import HashBy, Random, RoundRobin, Spread
    from jobbers.core.status import Status
    from jobbers.core.task import AttemptError, TaskRecord
    from jobbers.dag.nodes import product, zipped
    from jobbers.errors import JobbersError, TaskCancelled, TaskFailed, TaskSkipped, WaitTimeout
    from jobbers.flow import Dag, Flow, chain, group
    from jobbers.handle import Progress, TaskHandle
    from jobbers.middleware import Call, Middleware
    from jobbers.run import NodeState, RunHandle
    from jobbers.settings import Settings
    from jobbers.store.blobs import BlobStore, FolderBlobStore
    from jobbers.sync import SyncHandle, SyncPortal
    from jobbers.task_type import Submitter, TaskType

__version__ = "0.1.0"

__all__ = [
    "AttemptError",
    "AttemptOver",
    "Batch",
    "BlobStore",
    "Breaker",
    "Call",
    "CurrentBatch",
    "CurrentTask",
    "Dag",
    "Debounce",
    "Fail",
    "Fair",
    "Flow",
    "FolderBlobStore",
    "HashBy",
    "Jobbers",
    "JobbersError",
    "Limit",
    "Middleware",
    "NodeState",
    "Progress",
    "Random",
    "Rate",
    "Results",
    "Retry",
    "RoundRobin",
    "RunHandle",
    "Settings",
    "Skip",
    "Snooze",
    "Spread",
    "Status",
    "Submitter",
    "SyncHandle",
    "SyncPortal",
    "TaskCancelled",
    "TaskFailed",
    "TaskHandle",
    "TaskRecord",
    "TaskSkipped",
    "TaskType",
    "Throttle",
    "Unique",
    "WaitTimeout",
    "chain",
    "current_batch",
    "current_task",
    "group",
    "new_id",
    "product",
    "zipped",
]

# At run time a name is imported when it is first used: `jobbers --help` and pytest's look for plugins need none.
_HOMES = {
    "AttemptError": "jobbers.core.task",
    "AttemptOver": "jobbers.context",
    "Batch": "jobbers.core.batch",
    "BlobStore": "jobbers.store.blobs",
    "Call": "jobbers.middleware",
    "CurrentBatch": "jobbers.context",
    "CurrentTask": "jobbers.context",
    "Dag": "jobbers.flow",
    "Debounce": "jobbers.core.policy",
    "Throttle": "jobbers.core.policy",
    "Flow": "jobbers.flow",
    "NodeState": "jobbers.run",
    "RunHandle": "jobbers.run",
    "chain": "jobbers.flow",
    "product": "jobbers.dag.nodes",
    "zipped": "jobbers.dag.nodes",
    "group": "jobbers.flow",
    "Fail": "jobbers.core.signals",
    "Breaker": "jobbers.core.limits",
    "Fair": "jobbers.core.limits",
    "Limit": "jobbers.core.limits",
    "Rate": "jobbers.core.limits",
    "FolderBlobStore": "jobbers.store.blobs",
    "Jobbers": "jobbers.app",
    "HashBy": "jobbers.core.spread",
    "JobbersError": "jobbers.errors",
    "Random": "jobbers.core.spread",
    "Results": "jobbers.core.results",
    "RoundRobin": "jobbers.core.spread",
    "Spread": "jobbers.core.spread",
    "Middleware": "jobbers.middleware",
    "Progress": "jobbers.handle",
    "Retry": "jobbers.core.policy",
    "Settings": "jobbers.settings",
    "Skip": "jobbers.core.signals",
    "Snooze": "jobbers.core.signals",
    "Status": "jobbers.core.status",
    "Submitter": "jobbers.task_type",
    "SyncHandle": "jobbers.sync",
    "SyncPortal": "jobbers.sync",
    "TaskCancelled": "jobbers.errors",
    "TaskSkipped": "jobbers.errors",
    "TaskFailed": "jobbers.errors",
    "TaskHandle": "jobbers.handle",
    "TaskRecord": "jobbers.core.task",
    "TaskType": "jobbers.task_type",
    "Unique": "jobbers.core.policy",
    "WaitTimeout": "jobbers.errors",
    "current_batch": "jobbers.context",
    "current_task": "jobbers.context",
    "new_id": "jobbers.client",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module 'jobbers' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
