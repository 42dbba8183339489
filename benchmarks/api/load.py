"""The load generator: a process of its own with many kept-alive connections, each of which sends its next request when it
has the answer to the one before.

It reads what to do as one line of JSON from standard input (:class:`Load`), says ``ready`` when all connections stand,
begins at the next line, and prints what it found (:class:`Found`). It parses only what it must, so that it can do several
times what a Python service answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.api.wire import Sender, Stream
from jobbers.worker.loop import run

AT_A_TIME = 100
"""Connections that are made at a time: the backlog of a listener is short."""


@dataclass
class Load:
    """What to send. ``requests`` are sent in turn, by each connection from another place on, as whole HTTP requests.
    ``warm_up`` are the first seconds, whose answers are not counted; a ``pace`` above 0 is the seconds from one request of
    a connection to its next; ``streams`` are connections beside, each with the request for an event stream."""

    port: int
    requests: list[str]
    connections: int = 64
    seconds: float = 5.0
    warm_up: float = 1.0
    pace: float = 0.0
    streams: list[str] = field(default_factory=list)


@dataclass
class Found:
    """What came of it: answers a second, their statuses, every latency in µs, and bytes that the streams brought. ``lost``
    are connections that the service closed, or that could not be made."""

    rate: float
    statuses: dict[str, int]
    micros: list[int]
    lost: int = 0
    stream_statuses: dict[str, int] = field(default_factory=dict)
    stream_bytes: int = 0

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        ordered = sorted(self.micros)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000 if ordered else float("nan")

    def other_than(self, *expected: int) -> dict[str, int]:
        """Statuses that were not expected, and how often each came."""
        return {status: count for status, count in self.statuses.items() if int(status) not in expected}


def request(method: str, path: str, key: str = "", body: Any = None) -> str:
    """A whole HTTP request."""
    text = "" if body is None else json.dumps(body, separators=(",", ":"))
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "accept: */*"]
    if key:
        lines.append(f"authorization: Bearer {key}")
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(text.encode())}"]
    return "\r\n".join([*lines, "", text])


async def generate(load: Load) -> Found:
    """Connect, wait for the word, send until the time is over."""
    loop = asyncio.get_running_loop()
    requests = [text.encode() for text in load.requests]
    senders = [Sender(requests, number, load.pace) for number in range(load.connections)]
    streams = [Stream(text.encode()) for text in load.streams]
    lost = 0
    everybody: Sequence[Sender | Stream] = [*senders, *streams]
    for begin in range(0, len(everybody), AT_A_TIME):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda one=one: one, "127.0.0.1", load.port)  # type: ignore[misc]
                for one in everybody[begin : begin + AT_A_TIME]
            ),
            return_exceptions=True,
        )
        lost += sum(isinstance(one, BaseException) for one in made)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    for number, sender in enumerate(senders):
        # those that keep a pace begin spread over it, not all at once
        loop.call_later(load.pace * number / len(senders), sender.begin)
    for stream in streams:
        stream.begin()
    await asyncio.sleep(load.warm_up)
    for sender in senders:
        sender.micros, sender.statuses = array("l"), Counter()
    begun = time.perf_counter()
    await asyncio.sleep(load.seconds)
    seconds = time.perf_counter() - begun
    micros = [it for sender in senders for it in sender.micros]
    statuses: Counter[int] = sum((sender.statuses for sender in senders), Counter())
    return Found(
        rate=len(micros) / seconds,
        statuses={str(status): count for status, count in statuses.items()},
        micros=micros,
        lost=lost + sum(one.lost for one in everybody),
        stream_statuses=dict(Counter(str(stream.status) for stream in streams)),
        stream_bytes=sum(stream.received for stream in streams),
    )


def main() -> None:
    """See the module."""
    print(json.dumps(asdict(run(generate(Load(**json.loads(sys.stdin.readline())))))), flush=True)


if __name__ == "__main__":
    main()
