"""Jobbers: Redis-native asyncio task workers."""

from __future__ import annotations

from jobbers.app import Jobbers
from jobbers.client import new_id
from jobbers.context import AttemptOver, CurrentTask, current_task
from jobbers.core.policy import Retry, Unique
from jobbers.core.signals import Fail, Snooze
from jobbers.core.status import Status
from jobbers.core.task import AttemptError, TaskRecord
from jobbers.errors import JobbersError, TaskCancelled, TaskFailed, WaitTimeout
from jobbers.handle import Progress, TaskHandle
from jobbers.middleware import Call, Middleware
from jobbers.settings import Settings
from jobbers.store.blobs import BlobStore, FolderBlobStore
from jobbers.sync import SyncHandle, SyncPortal
from jobbers.task_type import Submitter, TaskType

__version__ = "0.1.0"

__all__ = [
    "AttemptError",
    "AttemptOver",
    "BlobStore",
    "Call",
    "CurrentTask",
    "Fail",
    "FolderBlobStore",
    "Jobbers",
    "JobbersError",
    "Middleware",
    "Progress",
    "Retry",
    "Settings",
    "Snooze",
    "Status",
    "Submitter",
    "SyncHandle",
    "SyncPortal",
    "TaskCancelled",
    "TaskFailed",
    "TaskHandle",
    "TaskRecord",
    "TaskType",
    "Unique",
    "WaitTimeout",
    "current_task",
    "new_id",
]
