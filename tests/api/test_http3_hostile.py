"""HTTP/3 misused: what one caller sends wrongly is their own trouble, and all others are answered."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from jobbers import Jobbers
from jobbers.api.http3 import Certificate
from jobbers.api.live.hub import hub_of
from tests.api.http3_client import Caller, Headers, calling, certificate, serving

from aioquic.quic.configuration import QuicConfiguration  # isort: skip
from aioquic.quic.connection import QuicConnection  # isort: skip

__all__ = ["certificate"]  # a fixture

DATA, HEAD = 0, 1
NO_MORE = 0x10C


@pytest.fixture
async def service(app: Jobbers, certificate: Certificate) -> AsyncIterator[str]:
    async with serving(app, certificate) as url:
        yield url


@pytest.fixture
async def caller(service: str, certificate: Certificate) -> AsyncIterator[Caller]:
    async with calling(service, certificate) as made:
        yield made
    async with calling(service, certificate) as another:  # whatever was done
        assert (await another.request("GET", "/health"))[0] == 200


def head(method: bytes = b"GET", path: bytes = b"/api/v1/health", *more: tuple[bytes, bytes]) -> Headers:
    where = [(b":scheme", b"https"), (b":authority", b"localhost"), (b":path", path)]
    return [(b":method", method), *where, *more]


JSON = (b"content-type", b"application/json")
POST = head(b"POST", b"/api/v1/tasks", JSON)


async def test_a_body_that_nobody_reads(caller: Caller) -> None:
    stream = caller.send((HEAD, head()), *[(DATA, b"x")] * 50)
    assert (await caller.answer(stream))[0] == 200


async def test_a_body_in_tiny_parts_and_a_trailer(caller: Caller) -> None:
    parts = [(DATA, bytes([it])) for it in b'{"type": "keep"}']
    stream = caller.send((HEAD, POST), *parts, (HEAD, [(b"x-sum", b"1")]))
    status, _, body = await caller.answer(stream)
    assert (status, json.loads(body)["created"]) == (201, True)


@pytest.mark.parametrize(
    "given",
    [
        head(path=b"/api/v1/\xff\xfe"),
        head(path=b"api/v1/health"),
        head(path=b"*"),
        head(method="GÉT".encode()),
        [(b":method", b"CONNECT"), (b":authority", b"localhost")],
        head(b"CONNECT", b"/api/v1/events", (b":protocol", b"websocket")),
    ],
    ids=["path", "relative", "star", "method", "CONNECT", "websocket"],
)
async def test_what_is_no_request(caller: Caller, given: Headers) -> None:
    assert (await caller.answer(caller.send((HEAD, given))))[0] == 400


async def test_heads_are_limited(caller: Caller) -> None:
    def padded(count: int) -> Headers:
        return head(b"GET", b"/api/v1/health", *[(b"x-%d" % it, b"y" * 6_000) for it in range(count)])

    assert (await caller.answer(caller.send((HEAD, padded(9)))))[0] == 200
    assert (await caller.answer(caller.send((HEAD, padded(10) + padded(1)[4:]))))[0] == 431


async def test_a_head_without_end_is_not_read_on(caller: Caller) -> None:
    caller.send((HEAD, b"x" * 1_000_000), ended=False)
    async with asyncio.timeout(20):
        await caller.wait_closed()


async def test_cookies_in_pieces_are_one(service: str, certificate: Certificate) -> None:
    async with calling(service, certificate) as caller:
        made = await caller.request("POST", "/keys", b'{"name": "root", "scope": "admin"}')
        key = json.loads(made[2])["key"]
        status, headers, _ = await caller.request(
            "POST", "/login", json.dumps({"key": key}).encode(), sec_fetch_site="same-origin"
        )
        assert status == 200
        session = headers["set-cookie"].partition(";")[0].encode()
        crumbs = [(b"cookie", b"theme=dark"), (b"cookie", session)]
        stream = caller.send((HEAD, head(b"GET", b"/api/v1/me", *crumbs)))
        assert (await caller.answer(stream))[0] == 200


async def test_callers_who_change_their_minds(app: Jobbers, caller: Caller) -> None:
    for turn in range(20):
        listening = caller.send((HEAD, head(path=b"/api/v1/events?topic=stats")))
        sending = caller.send((HEAD, POST), (DATA, b'{"type":'), ended=False)
        if turn % 2:
            await asyncio.sleep(0.01)
        caller._quic.stop_stream(listening, NO_MORE)
        caller._quic.reset_stream(sending, NO_MORE)
        caller.transmit()
    assert (await caller.request("GET", "/health"))[0] == 200
    async with asyncio.timeout(20):
        while hub_of(app).listeners:  # noqa: ASYNC110 - it has no signal of its own
            await asyncio.sleep(0.05)


async def test_many_requests_at_once(caller: Caller) -> None:
    answers = await asyncio.gather(
        *(caller.request("GET", "/queues", accept_encoding="gzip") for _ in range(200))
    )
    assert {status for status, *_ in answers} == {200}


async def test_who_takes_nothing_is_let_go(
    service: str, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobbers.api.http3_streams.READER_SECONDS", 1.0)
    async with calling(service, certificate) as caller:
        large = json.dumps(
            {"type": "keep", "args": ["\x01" * 400_000]}
        ).encode()  # each is six bytes of an answer
        task_id = json.loads((await caller.request("POST", "/tasks", large))[2])["id"]
        # It gives no room for more than the first megabyte, and is not silent either.
        for name in ("_write_connection_limits", "_write_stream_limits"):
            monkeypatch.setattr(caller._quic, name, lambda **_: None)
        caller.send((HEAD, head(path=f"/api/v1/tasks/{task_id}".encode())))
        async with asyncio.timeout(30):
            while not caller._closed.is_set():
                caller._quic.send_ping(1)
                caller.transmit()
                await asyncio.sleep(0.1)


async def test_connections_are_limited(
    app: Jobbers, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobbers.api.http3.MOST_CONNECTIONS", 2)
    async with serving(app, certificate) as url, calling(url, certificate) as caller:
        assert await opens(url)
        assert not await opens(url), "one too many"
        assert (await caller.request("GET", "/health"))[0] == 200


async def opens(url: str) -> bool:
    """Whether the first datagram of a connection is answered, which then is left half open."""
    loop = asyncio.get_running_loop()
    quic = QuicConnection(configuration=QuicConfiguration(is_client=True, alpn_protocols=["h3"]))
    quic.connect(("127.0.0.1", 0), now=loop.time())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.setblocking(False)
        raw.connect(("127.0.0.1", urlsplit(url).port))
        for data, _ in quic.datagrams_to_send(now=loop.time()):
            raw.send(data)
        try:
            async with asyncio.timeout(3):
                return bool(await loop.sock_recv(raw, 2_000))
        except TimeoutError:
            return False


async def test_who_breaks_off_requests_may_send_others(caller: Caller) -> None:
    for _ in range(128):  # as many as QUIC lets callers have at a time
        stream = caller.send((HEAD, POST), (DATA, b"{"), ended=False)
        await asyncio.sleep(0.005)
        caller._quic.reset_stream(stream, 0x10C)
        caller.transmit()
    assert (await caller.request("GET", "/health"))[0] == 200
