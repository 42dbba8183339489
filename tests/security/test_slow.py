"""Callers that are slow on purpose: they are let go, and meanwhile cost little and keep nobody from being answered."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, suppress

import httpx2
import pytest

from jobbers.api.connections import LOOKS_FOR_A_HEAD, LOOKS_FOR_A_READER, Connections
from tests.security.process import JSON, Service, connect, exchange

HEAD = b"POST /api/v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SLOW = {
    "says nothing": b"",
    "half a line": b"GET /api/v1/hea",
    "half a head": HEAD,
    "half a second head": b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /api/v1/hea",
    "half a refused body": HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: 100\r\n\r\n{",
    "half a body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
}
LET_GO = 50.0
"""A body has 30 s; a head and an answer less."""
MEGABYTES = 2**20


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_slow_callers_are_let_go(service: Service, api: httpx2.Client) -> None:
    large = json.dumps({"type": "keep", "args": ["\x01" * 900_000]})  # each is six bytes of an answer
    task_id = api.post("/tasks", content=large, headers=JSON).json()["id"]
    before, sockets = service.memory(), service.connections()
    with ExitStack() as stack:
        waiting: dict[socket.socket, str] = {}
        for name, sent in SLOW.items():
            for _ in range(20):
                raw = stack.enter_context(connect(service))
                raw.sendall(sent)
                waiting[raw] = name
        for _ in range(5):
            deaf = stack.enter_context(connect(service, receive_buffer=4096))
            deaf.sendall(f"GET /api/v1/tasks/{task_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * 3)
        begun = time.monotonic()
        for _ in range(20):
            assert api.get("/queues").status_code == 200
        assert time.monotonic() - begun < 20
        assert service.memory() - before < 200 * MEGABYTES
        while service.connections() > sockets and time.monotonic() - begun < LET_GO:
            time.sleep(0.5)
        assert service.connections() <= sockets, f"after {LET_GO} s some are still there"
        for raw in waiting:
            raw.settimeout(1)
            with suppress(ConnectionError):
                while raw.recv(65_536):
                    pass
    assert api.get("/health").status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 3 * MEGABYTES,
        b"GET /" + b"x" * 3 * MEGABYTES,
        b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 500_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        b"\0" * 100_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["header", "line", "headers", "TLS", "zeros", "HTTP/2"],
)
def test_heads_are_limited(service: Service, request_: bytes) -> None:
    before = service.memory()
    answered = exchange(service, request_)
    assert not answered or answered.startswith(b"HTTP/1.1 4")
    assert service.memory() - before < 50 * MEGABYTES


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        b"GET /",
        b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=",
    ],
    ids=["header", "line", "second line", "trailer", "chunk"],
)
def test_heads_without_end_are_not_read_on(service: Service, begun: bytes) -> None:
    with connect(service) as raw:
        raw.settimeout(20)
        raw.sendall(begun)
        sent = 0
        with suppress(ConnectionError):
            while sent < 16 * MEGABYTES:
                raw.sendall(b"x" * 65_536)
                sent += 65_536
        assert sent < 16 * MEGABYTES, "it is read for as long as it comes"


class Wire:
    """A transport that counts what it holds."""

    def __init__(self) -> None:
        self.unsent = 0
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


class Cycle:
    def __init__(self, complete: bool) -> None:
        self.response_complete = complete


class Protocol:
    """One of uvicorn's connections, as far as it is looked at."""

    def __init__(self, cycle: Cycle | None = None) -> None:
        self.transport = Wire()
        self.cycle = cycle


def looks_until_the_end(protocol: Protocol, connections: Connections, at_most: int = 20) -> int | None:
    for look in range(at_most):
        connections.look([protocol])
        if protocol.transport.aborted:
            return look
    return None


def test_who_waits_for_an_answer_is_left_alone() -> None:
    assert looks_until_the_end(Protocol(Cycle(complete=False)), Connections()) is None


def test_who_sends_one_request_after_the_other_is_left_alone() -> None:
    connections, protocol = Connections(), Protocol()
    for _ in range(20):
        connections.look([protocol])
        protocol.cycle = Cycle(complete=True)
    assert not protocol.transport.aborted


def test_who_reads_slowly_is_left_alone() -> None:
    connections, protocol = Connections(), Protocol(Cycle(complete=True))
    for unsent in range(50_000, 0, -1_000):
        protocol.transport.unsent = unsent
        connections.look([protocol])
    assert not protocol.transport.aborted


def test_who_waits_or_does_not_read_is_not() -> None:
    assert looks_until_the_end(Protocol(), Connections()) == LOOKS_FOR_A_HEAD
    assert looks_until_the_end(Protocol(Cycle(complete=True)), Connections()) == LOOKS_FOR_A_HEAD
    for complete in (True, False):
        deaf = Protocol(Cycle(complete))
        deaf.transport.unsent = 1_000
        assert looks_until_the_end(deaf, Connections()) == LOOKS_FOR_A_READER
