"""What is long goes out compressed to callers that can unpack it."""

from __future__ import annotations

import asyncio
import gzip
import secrets
import zlib

import httpx2
import pytest
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from jobbers import Jobbers
from jobbers.api import router
from jobbers.api.packing import ASIDE, SHORTEST, PackedStream, Piece, takes_gzip
from tests.api.support import Desk, call
from tests.api.test_events import PATIENCE, submit
from tests.api.test_server import serving_task

pytestmark = pytest.mark.anyio

PLAIN = {"Accept-Encoding": "identity"}


async def test_long_answers_are_packed_for_who_can_unpack_them(api: httpx2.AsyncClient) -> None:
    for _ in range(5):
        await submit(api)
    for path in ("/tasks?status=queued", "/task-types", "/metrics"):
        plain, packed = await api.get(path, headers=PLAIN), await api.get(path)
        assert packed.text.splitlines()[0][:200] == plain.text.splitlines()[0][:200]
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
        assert plain.headers.get("etag") == packed.headers.get("etag")


async def test_what_is_short_or_answers_a_write_stays_as_it_is(api: httpx2.AsyncClient) -> None:
    for short in (await api.get("/health"), await api.get("/tasks/nothing")):
        assert len(short.content) < SHORTEST
        assert "content-encoding" not in short.headers
        assert "vary" not in short.headers
    many = await api.post("/tasks/batch", json={"tasks": [{"type": "keep"}] * 50})
    assert (many.status_code, len(many.content) > SHORTEST) == (201, True)
    assert "content-encoding" not in many.headers


@pytest.mark.parametrize("refused", ["", "br", "gzip;q=0", "gzip; Q=0.000", "br, gzip ;q=0.", "gzipped"])
def test_who_refuses_it(refused: str) -> None:
    assert not takes_gzip(refused)
    assert takes_gzip(f"{refused or 'br'}, GZIP;q=0.001")


async def test_very_long_answers(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api, "keep")
    text = secrets.token_hex(ASIDE)
    await desk.succeed(await desk.claim(), text)
    answer = await api.get(f"/tasks/{task_id}/result")
    assert answer.json()["result"] == text
    assert int(answer.headers["content-length"]) < 0.7 * len(text)


async def test_who_packs_all_answers_packs_them_once(app: Jobbers) -> None:
    own = FastAPI()
    own.include_router(router(app))
    own.add_middleware(GZipMiddleware, minimum_size=10)
    async with call(own) as api:
        answer = await api.get("/task-types")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.json()["task_types"]


def test_each_part_of_a_packed_stream_can_be_read_when_it_is_there() -> None:
    pieces = [Piece(secrets.token_hex(size).encode() * 3) for size in (1, 30, 40_000)]
    for _ in range(2):  # the same pieces go to all who listen
        stream, reader = PackedStream(), zlib.decompressobj(zlib.MAX_WBITS | 16)
        sent = b""
        for some in (pieces[:1], pieces[1:], [], pieces[:2]):
            chunk = stream.add(some)
            sent += chunk
            assert reader.decompress(chunk) == b"".join(piece.plain for piece in some)
        sent += (end := stream.end())
        assert (reader.decompress(end), reader.eof) == (b"", True)
        assert gzip.decompress(sent) == b"".join(piece.plain for piece in [*pieces, *pieces[:2]])
    assert gzip.decompress(PackedStream().end()) == b""


@pytest.mark.parametrize("packed", [False, True])
async def test_the_event_stream_is_whole_when_the_server_stops(app: Jobbers, packed: bool) -> None:
    accepted = {"Accept-Encoding": "gzip"} if packed else PLAIN
    async with (
        serving_task(app) as (api, task),
        api.stream("GET", "/events", params={"topic": "task-types"}, headers=accepted) as answer,
        asyncio.timeout(PATIENCE),
    ):
        assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
        assert answer.headers["vary"] == "Accept-Encoding"
        raw = b""
        async for chunk in answer.aiter_raw():
            raw += chunk
            if len(raw) > 500:
                task.cancel()
        told = gzip.decompress(raw) if packed else raw  # which raises unless it has come to its end
        assert told.startswith(b"retry: 2000\n\nevent: task-types\ndata: {")
        assert packed == (len(raw) < len(told) / 2)
