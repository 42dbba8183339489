"""The same requests to a whole application, which answers submissions past FastAPI, and to the routes in somebody's own
application: the same answers, each from a namespace of its own."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import httpx2
import pytest
from fastapi import FastAPI

from jobbers.api import create_app, router
from jobbers.client import new_id
from jobbers.store.embedded import EmbeddedServer
from tests.api.support import call, make_app

JSON = {"content-type": "application/json"}
HEADERS = (
    "content-type",
    "x-content-type-options",
    "cache-control",
    "retry-after",
    "idempotency-replayed",
    "allow",
    "etag",
)
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
ONE, TWO = new_id(), new_id()


class Sent(NamedTuple):
    body: Any
    headers: Any = JSON
    path: str = "/tasks"


def keyed(key: str, **more: str) -> dict[str, str]:
    return {**JSON, "idempotency-key": key, **more}


GOOD = {"type": "keep", "kwargs": {"value": 1}}
BATCH = "/tasks/batch"
STORIES: dict[str, Sequence[Sent]] = {
    "made": [Sent(GOOD)],
    "an id of its own, repeated": [Sent({**GOOD, "id": ONE}), Sent({**GOOD, "id": ONE})],
    "a unique key, joined": [Sent({**GOOD, "unique": {"key": "k"}})] * 2,
    "a key, repeated": [Sent(GOOD, keyed("k"))] * 2,
    "a key, reused for another body": [Sent(GOOD, keyed("k")), Sent({"type": "keep"}, keyed("k"))],
    "a key, reused for no JSON": [Sent(GOOD, keyed("k")), Sent(b"{", keyed("k"))],
    "a key, reused for nothing": [Sent(GOOD, keyed("k")), Sent(b"", keyed("k"))],
    "a key, reused for what is refused": [Sent(GOOD, keyed("k")), Sent({"type": 1}, keyed("k"))],
    "a key, reused on the other path": [Sent(GOOD, keyed("k")), Sent({"tasks": [GOOD]}, keyed("k"), BATCH)],
    "a key of what was refused": [Sent({"type": "none"}, keyed("k")), Sent(GOOD, keyed("k"))],
    "a key of no JSON": [Sent(b"{", keyed("k")), Sent(GOOD, keyed("k"))],
    "a key that is too long": [Sent(GOOD, keyed("k" * 129))],
    "two keys": [Sent(GOOD, [*JSON.items(), ("idempotency-key", "a"), ("idempotency-key", "b")])],
    "an odd key and no JSON": [Sent(b"{", keyed("k" * 129))],
    "another media type": [Sent(GOOD, {"content-type": "text/plain"})],
    "no media type": [Sent(b"{}", {})],
    "a charset": [Sent(GOOD, {"content-type": "application/json; charset=utf-8"})],
    "packed": [Sent(GOOD, {**JSON, "content-encoding": "gzip"})],
    "not UTF-8": [Sent(b'{"type":"\xff"}')],
    "NaN": [Sent(b'{"type":"keep","args":[NaN]}')],
    "too large": [Sent(b'{"type":"keep","args":["' + b"x" * 8_400_000 + b'"]}')],
    "an argument that is too large": [Sent({"type": "keep", "args": ["x" * 2_000_000]})],
    "a wrong argument": [Sent({"type": "add", "args": ["x"]})],
    "an unknown type": [Sent({"type": "none"})],
    "a drained queue": [Sent({}, path="/queues/default/drain"), Sent(GOOD)],
    "a struck type": [Sent({"type": "keep"}, path="/strikes"), Sent(GOOD)],
    "a batch": [Sent({"tasks": [GOOD, {**GOOD, "id": TWO}]}, path=BATCH)] * 2,
    "a batch with a key": [Sent({"tasks": [GOOD, GOOD]}, keyed("k"), BATCH)] * 2,
    "a batch with one that is wrong": [Sent({"tasks": [GOOD, {"type": "add"}]}, path=BATCH)],
    "a batch with an id twice": [Sent({"tasks": [{**GOOD, "id": ONE}] * 2}, path=BATCH)],
    "a batch of nothing": [Sent({"tasks": []}, path=BATCH)],
}


@contextlib.asynccontextmanager
async def side(url: str, *, whole: bool) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(url)
    asgi = create_app(app) if whole else FastAPI(redirect_slashes=False)
    if not whole:
        asgi.include_router(router(app))
    async with call(asgi) as client:
        yield client
    await app.close()


async def told(client: httpx2.AsyncClient, story: Sequence[Sent]) -> list[Any]:
    """Status, body and headers of each answer; ids by when they were first seen."""
    seen: dict[str, str] = {}
    answers = []
    for sent in story:
        content = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body)
        answer = await client.post(sent.path, content=content, headers=sent.headers)
        text = ULID.sub(lambda found: seen.setdefault(found[0], f"id {len(seen)}"), answer.text)
        body = {name: value for name, value in json.loads(text).items() if name != "at"}
        answers.append((answer.status_code, body, {it: answer.headers.get(it) for it in HEADERS}))
    return answers


@pytest.mark.parametrize("name", STORIES)
async def test_both_answer_the_same(server: EmbeddedServer, name: str) -> None:
    async with side(server.url, whole=True) as direct, side(server.url, whole=False) as routed:
        first, second = await told(direct, STORIES[name]), await told(routed, STORIES[name])
    assert first == second
    assert all(status < 500 for status, *_ in first)
