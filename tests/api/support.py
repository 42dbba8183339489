"""An app to call, a client to call it with, and a desk that does a worker's work by hand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx2
from fastapi import FastAPI
from pydantic import BaseModel

from jobbers import Jobbers, Retry
from jobbers.api import create_app
from jobbers.api.gate import Gate
from jobbers.core.lanes import claim_orders
from jobbers.core.payload import pack
from jobbers.core.task import AttemptError, Claimed
from jobbers.store.record import pack_report
from jobbers.store.tasks import Failure, Success

HOUR_MS = 3_600_000


class Address(BaseModel):
    """A model, for a task type that takes one."""

    street: str
    number: int = 1


def make_app(url: str, **settings: Any) -> Jobbers:
    """An app with a namespace of its own, and some task types."""
    app = Jobbers(url, namespace=f"api-{secrets.token_hex(6)}", **settings)

    @app.task(queue="sums", priority=7, retry=Retry(4, delay=2), timeout=30)
    async def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    @app.task
    async def remind(when: datetime, text: str = "now") -> str:
        return f"{when} {text}"

    @app.task
    async def deliver(to: Address) -> str:
        return to.street

    @app.task
    async def keep(value: Any = None, *more: Any, data: bytes = b"", **named: Any) -> Any:
        return value

    sums = app.dag("sums")
    sums.node(add, sums.node(add, sums.param("start")).named("first"), 10).named("second")
    return app


def served(app: Jobbers) -> FastAPI:
    """What ``create_app(app)`` makes, on routes that are made once in a process, for that takes a third of a second.

    Serves one app at a time, the latest, with the default settings of what limits requests.
    """
    api, limit = _made()
    if app.settings.max_payload != limit:
        return create_app(app)
    gate: Gate = api.state.jobbers_gate
    vars(gate).clear()
    vars(gate).update(vars(Gate(app, local_only=True)))
    api.openapi_schema = None
    return api


@cache
def _made() -> tuple[FastAPI, int]:
    app = make_app("redis://127.0.0.1:1/0")
    return create_app(app), app.settings.max_payload


def call(asgi: Any, *, raises: bool = True) -> httpx2.AsyncClient:
    """A client that calls an ASGI application directly."""
    transport = httpx2.ASGITransport(app=asgi, raise_app_exceptions=raises)
    return httpx2.AsyncClient(transport=transport, base_url="http://api.test/api/v1")


@dataclass
class Desk:
    """Does by hand what a worker does."""

    app: Jobbers

    async def claim(self, queue: str = "default") -> Claimed:
        """Take the one task that is ready."""
        store = (await self.app.client()).store
        lanes = claim_orders([queue])[0]
        (claimed,) = await store.tasks.claim(
            0, f"desk/{secrets.token_hex(4)}", lanes, 1, HOUR_MS, self.app.settings.failed_retention_ms
        )
        return claimed

    async def succeed(self, claimed: Claimed, value: Any, *, packed: bytes | None = None) -> None:
        store = (await self.app.client()).store
        result = pack(value) if packed is None else packed
        success = Success(claimed.id, claimed.owner, HOUR_MS, "result", result)
        assert await store.tasks.succeed(0, [success]) == []

    async def fail(self, claimed: Claimed, error: Exception) -> None:
        now = datetime.now(UTC)
        report = AttemptError(
            attempt=claimed.attempt,
            type=type(error).__name__,
            message=str(error),
            traceback="Traceback: …",
            worker="desk",
            started=now,
            ended=now,
        )
        store = (await self.app.client()).store
        failure = Failure(claimed.id, claimed.owner, HOUR_MS, "no attempts left", pack_report(report))
        assert await store.tasks.fail(0, [failure]) == []


def error_of(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The error of a response, which must have this status, this code and the one shape."""
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, code), body
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "parameter"}
    assert response.headers["x-content-type-options"] == "nosniff"
    return dict(body["error"])
