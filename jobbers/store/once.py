"""The verbs of calls that may be repeated: an answer is kept for a while, and one process at a time makes the call."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys


class Begun(NamedTuple):
    """What is known of a call. ``run``: make it, with the ``seed`` of the first try; ``done``: here is the ``answer``;
    ``busy``: somebody makes it, and is believed to for ``wait_ms`` more; ``other``: it was another call."""

    state: Literal["run", "done", "busy", "other"]
    seed: str = ""
    answer: bytes = b""
    wait_ms: int = 0


class OnceStore:
    """The verbs, for a whole namespace. A ``place`` stands for the caller and the key that they chose."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._prefix = keys.prefix

    async def begin(
        self, place: str, owner: str, fingerprint: str, *, seed: str, lease_ms: int, kept_ms: int
    ) -> Begun:
        """Take a call for this owner, unless it was answered, another holds it, or it was another call. Raises like
        :meth:`Gateway.run`."""
        args = (place, "begin", owner, fingerprint, seed, lease_ms, kept_ms)
        state, text, wait_ms = await self._gateway.run("once", self._prefix, args)
        match state:
            case b"run":
                return Begun("run", seed=text.decode())
            case b"done":
                return Begun("done", answer=text)
            case _:
                return Begun(cast(Literal["busy", "other"], state.decode()), wait_ms=int(wait_ms))

    async def extend(self, place: str, owner: str, lease_ms: int) -> bool:
        """Go on holding a call. Returns whether it is still this owner's; so do the others."""
        return await self._run(place, "extend", owner, lease_ms)

    async def finish(self, place: str, owner: str, answer: bytes, kept_ms: int) -> bool:
        """Keep the answer of a call for ``kept_ms``."""
        return await self._run(place, "finish", owner, answer, kept_ms)

    async def leave(self, place: str, owner: str) -> bool:
        """Let go of a call of which it is not known whether it was done: it may be made again, with the same seed."""
        return await self._run(place, "leave", owner)

    async def forget(self, place: str, owner: str) -> bool:
        """Let go of a call that did nothing: its key may be used for any other."""
        return await self._run(place, "forget", owner)

    async def _run(self, place: str, verb: str, owner: str, *more: str | bytes | int) -> bool:
        return bool(await self._gateway.run("once", self._prefix, (place, verb, owner, *more)))
