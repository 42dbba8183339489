"""What a server must be set to, so that it keeps what an app promises: read from what INFO says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Durability = Literal["memory", "everysec", "replicated"]
"""What accepted tasks survive: nothing (``memory``), the end of the server process (``everysec``, and all but the last
second before a power failure), or the loss of the server (``replicated``)."""


class Risk(NamedTuple):
    """What was found, and the way out."""

    found: str
    remedy: str


def risks(durability: Durability, info: Mapping[str, str]) -> Iterator[Risk]:
    """Everything by which this server may lose accepted tasks that the durability asks to keep."""
    if durability != "memory" and info.get("aof_enabled") == "0":
        yield Risk(
            "there is no append-only file: a crash of the server loses what it accepted since its last snapshot",
            "set appendonly to yes, or accept that with durability=memory",
        )
    if durability == "replicated" and info.get("connected_slaves") == "0":
        yield Risk(
            "no replica is connected: with durability=replicated nothing can be accepted",
            "connect a replica, or choose another durability",
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory", "0") != "0" and policy != "noeviction":
        yield Risk(f"maxmemory-policy is {policy}: a full server deletes tasks", "set it to noeviction")
