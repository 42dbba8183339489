"""An application whose tasks go long ways: by HTTP, by a schedule, in place, over a pause. Run, it submits them."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx2

from jobbers import Jobbers, Retry, current_task
from jobbers.api import create_app
from tests.telemetry.program import GIVEN

app = Jobbers()


@app.task(telemetry="always", retry=Retry(attempts=2, delay=0.05, jitter=False))
async def flaky(secret: str) -> str:
    if current_task().attempt == 1:
        raise ConnectionError("the first time")
    return secret


@app.task(telemetry="always", queue="mail")
async def tick() -> None: ...


@app.task(telemetry="always")
async def first(number: int) -> int:
    return number


@app.task(telemetry="always")
async def second(number: int) -> int:
    return number


@app.task(telemetry="always")
async def many(number: int) -> None: ...


app.schedule("ticking", tick.s(), every=0.5)
line = app.dag("line")
line.node(second, line.node(first, line.param("number"))).inline()


async def everything(secret: str) -> dict[str, Any]:
    headers = {"traceparent": GIVEN, "content-type": "application/json"}
    transport = httpx2.ASGITransport(create_app(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/api/v1") as api:
        body = {"type": "flaky", "args": [secret], "headers": {"tenant": secret}, "delay": 0.2}
        answer = await api.post("/tasks", json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        answered = answer.json()["id"]
        run = await line.submit(number=1)
        await app.handle(answered).wait(20)
        await run.wait(20)
    await app.close()
    return {"http": answered, "run": run.id}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(everything(sys.argv[1]))))
