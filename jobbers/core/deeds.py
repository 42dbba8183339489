"""What operators do, by the names that the audit log gives it: one for each deed, whichever way it came."""

from __future__ import annotations

from typing import Literal

Deed = Literal[
    "breakers.reset", "breakers.reset_budget", "breakers.trip",
    "doctor.repair",
    "keys.create", "keys.revoke",
    "limits.reset", "limits.set",
    "login",
    "queues.drain", "queues.limit", "queues.pause", "queues.purge", "queues.resume", "queues.route", "queues.unlimit",
    "queues.unroute",
    "roles.reset", "roles.set",
    "runs.pause", "runs.resume", "runs.retry",
    "schedules.create", "schedules.delete", "schedules.pause", "schedules.resume", "schedules.run",
    "strikes.add", "strikes.lift",
    "tasks.bulk", "tasks.cancel", "tasks.drop", "tasks.requeue",
    "telemetry.reset", "telemetry.set",
    "types.reset", "types.set",
    "workers.drain", "workers.pause", "workers.resume",
]  # fmt: skip
"""``tasks.bulk`` is a call for many tasks that did nothing: a dry run, or one that was refused."""
