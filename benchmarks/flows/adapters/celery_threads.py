"""Celery as in ``celery.py``, with one process of threads."""

from __future__ import annotations

from benchmarks.flows.adapters.base import CONCURRENCY, main
from benchmarks.flows.adapters.celery import CeleryAdapter


class CeleryThreadsAdapter(CeleryAdapter):
    """A hundred threads."""

    pool = ("threads", str(CONCURRENCY))
    settings = f"-P threads, concurrency {CONCURRENCY}, else like celery"


if __name__ == "__main__":
    main(CeleryThreadsAdapter)
