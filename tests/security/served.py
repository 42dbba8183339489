"""What the process under attack serves: run as ``jobbers api tests.security.served:app``."""

from __future__ import annotations

import asyncio
from typing import Any

from jobbers import Jobbers, Limit

app = Jobbers()


@app.task
async def keep(value: Any = None, *more: Any, data: bytes = b"", **named: Any) -> Any:
    """Take anything."""
    return value


@app.task(limits=[Limit(2, name="adding")])
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    await asyncio.sleep(0)
    return a + b


@app.task(queue="mail")
async def explode(secret: str) -> None:
    """Fail with an argument in hand."""
    raise ValueError("the sender gave up")


sums = app.dag("sums")
sums.node(add, sums.node(add, sums.param("start")).named("first"), 10).named("second")
