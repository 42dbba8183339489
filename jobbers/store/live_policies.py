"""What operators have changed about task types, all in one hash. Nobody asks for it by itself: workers read it when they
announce themselves, and clients with the rules of queues."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from jobbers.core.live_policy import Live, dump, load
from jobbers.errors import InvalidInput, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys
from jobbers.store.wire import Argument, ReplyError

log = logging.getLogger("jobbers.store")


class PolicyStore:
    """Reads and writes them. ``follow`` is called with what was read, each time."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._keys = keys
        self._reply: object = None
        self.known: Mapping[str, Live] = {}
        self.follow: Callable[[Mapping[str, Live]], None] | None = None
        self.read: tuple[Argument, ...] = ("HGETALL", keys.policies)
        """The command whose reply :meth:`heard` takes."""

    async def look(self) -> Mapping[str, Live]:
        """What was changed, by task type. Raises :class:`ServerUnavailable` and its like."""
        try:
            reply = await self._gateway.command(*self.read, patience=0)
        except StoreError as error:
            if type(error) is not StoreError:
                raise
            reply = error  # something else lies there
        return self.heard(reply)

    def heard(self, reply: object) -> Mapping[str, Live]:
        """Take what the server has answered, here or as part of another call. What cannot be read counts as nothing."""
        if reply != self._reply:
            self._reply, self.known = reply, _read(reply)
        if self.follow is not None:
            self.follow(self.known)
        return self.known

    async def put(self, kind: str, live: Live) -> None:
        """Change them for a type, also on a server at its memory limit. Raises :class:`StoreError`."""
        await self._change(("HSET", self._keys.policies, kind, dump(live)))

    async def drop(self, kind: str) -> bool:
        """Let the code say it again; tells whether something was changed. Raises :class:`StoreError`."""
        return bool(await self._change(("HDEL", self._keys.policies, kind)))

    async def _change(self, command: tuple[Argument, ...]) -> Any:
        done, now = await self._gateway.essential(self._keys.prefix, [command, self.read])
        if isinstance(done, ReplyError):
            raise StoreError(f"the policies in {self._keys.policies} cannot be changed: {done}")
        self.heard(now)
        return done


def _read(reply: object) -> dict[str, Live]:
    words = [word.decode(errors="replace") for word in reply] if isinstance(reply, list) else []
    found: dict[str, Live] = {}
    for kind, text in zip(words[::2], words[1::2], strict=False):
        try:
            found[kind] = load(text)
        except InvalidInput as error:
            log.warning(
                "what was changed about task type %r cannot be read, and does not hold: %s", kind, error
            )
    return dict(sorted(found.items()))
