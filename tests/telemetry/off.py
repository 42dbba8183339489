"""An application that knows nothing of telemetry."""

from __future__ import annotations

from jobbers import Jobbers

app = Jobbers()


@app.task
async def work() -> int:
    return 7
