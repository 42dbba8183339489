"""Workers: processes that claim tasks, run them, and settle what they came to."""

from __future__ import annotations

from jobbers.worker.worker import Worker

__all__ = ["Worker"]
