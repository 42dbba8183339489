"""An application whose task types differ in their granularity, and a program that submits to it: both run as processes
of their own, for telemetry belongs to a process."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from opentelemetry import trace

from jobbers import Jobbers, Retry, chain, current_task

app = Jobbers()
own = trace.get_tracer("the user's own")
SECRET = "hush-hush-4711"
GIVEN = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
UNSAMPLED = "00-cccccccccccccccccccccccccccccccc-dddddddddddddddd-00"


@app.task(queue="mail", telemetry="always")
async def quick(secret: str) -> None:
    with own.start_as_current_span("inner"):
        await asyncio.sleep(0)


@app.task(telemetry="always")
def threaded() -> None:
    with own.start_as_current_span("inner-thread"):
        pass


@app.task(telemetry="always", retry=Retry(attempts=2, delay=0.05, jitter=False))
async def flaky() -> None:
    if current_task().attempt == 1:
        raise ValueError("the first time")


@app.task(telemetry="always")
async def parent() -> str:
    return (await quick.submit(SECRET)).id


@app.task(telemetry="off")
async def silent() -> None:
    with own.start_as_current_span("inner-silent"):
        pass


@app.task(telemetry=0.0)
async def never() -> None: ...


@app.task(telemetry=1.0)
async def each() -> None: ...


@app.task(telemetry="slow:200ms")
async def slow(seconds: float) -> None:
    await asyncio.sleep(seconds)


@app.task(telemetry="errors")
async def wrong(bad: bool) -> None:
    if bad:
        raise KeyError("bad")


@app.task(telemetry="batch")
async def batched(number: int) -> None: ...


@app.task
async def auto(number: int) -> None: ...


@app.task(telemetry="always")
async def add(number: int) -> int:
    return number + 1


@app.task(telemetry="always")
async def numbers(count: int) -> list[int]:
    return list(range(count))


@app.task(telemetry="always")
async def item(number: int) -> int:
    return number


@app.task(telemetry="always", on_shutdown="requeue")
async def long() -> None:
    await asyncio.sleep(600)


@app.task(telemetry="always")
async def mortal() -> None:
    with own.start_as_current_span("inner-mortal"):
        pass
    if current_task().crashes == 0:
        await asyncio.sleep(600)


@app.task(telemetry="always")
async def talk() -> None:
    shop = logging.getLogger("shop")
    with own.start_as_current_span("inner-talk"):
        shop.warning("nested")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        shop.exception("with a traceback")
    shop.warning("from inside")


items = app.dag("items")
items.map(item, items.node(numbers, items.param("count")))


async def everything() -> dict[str, Any]:
    handles: dict[str, Any] = {}
    handles["quick"] = await quick.submit(SECRET)
    for task in (threaded, flaky, parent, silent, never, each):
        handles[task.name] = await task.submit()
    handles["delayed"] = await quick.options(delay=0.3).submit(SECRET)
    handles["given"] = await quick.options(headers={"traceparent": GIVEN, "tenant": "t1"}).submit(SECRET)
    handles["unsampled"] = await quick.options(headers={"traceparent": UNSAMPLED}).submit(SECRET)
    handles["slow"], handles["fast"] = await slow.map([0.3, 0.0])
    handles["wrong"], handles["right"] = await wrong.map([True, False])
    several = [*await batched.map(range(50)), *await auto.map(range(300))]
    with own.start_as_current_span("request") as span:
        handles["run"] = await chain(add.s(1), add.s()).submit()
    handles["mapped"] = await items.submit(count=3)
    await handles["run"].result(30)
    await handles["mapped"].result(30)
    for handle in [*handles.values(), *several]:
        if handle not in (handles["run"], handles["mapped"]):
            await handle.wait(30)
    child = await handles["parent"].result(30)
    return {
        **{name: handle.id for name, handle in handles.items()},
        "child": child,
        "request": f"{span.get_span_context().span_id:016x}",
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(everything())))
