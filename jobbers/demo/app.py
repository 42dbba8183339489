"""The application that the demo's workers run: ``jobbers worker jobbers.demo.app``."""

from __future__ import annotations

import asyncio

from jobbers.app import Jobbers
from jobbers.demo import index
from jobbers.demo.index import FileIndex, Totals

# With a lease this short one can watch how the tasks of a dead worker are taken back.
app = Jobbers(lease=2.0)


@app.task(queue="parse", process=True)
def index_file(file: str) -> FileIndex:
    """Parsing keeps a processor busy, so it is done in processes, and on a queue of its own."""
    return index.index_file(file)


@app.task
async def summarise(task_ids: list[str]) -> Totals:
    """Add up what the given tasks returned; any that has not ended yet is waited for."""
    totals = Totals()
    for file in await asyncio.gather(*(index_file.handle(task_id).result() for task_id in task_ids)):
        totals.add(file)
    return totals
