"""The one object that all commands pass: it calls scripts by name, reconnects, and sends again what may be sent again.

Every script is idempotent by task id and owner, so after a lost reply the same call is simply repeated. What cannot be
known at the end of the caller's patience is reported as unknown, never as success or failure.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from jobbers.core.events import Dispatcher, ScriptCalled
from jobbers.errors import ConfigError, OutOfMemory, ServerUnavailable, StoreError, UnknownOutcome
from jobbers.store import scripts
from jobbers.store.connect import Connector
from jobbers.store.group_commit import GroupCommit, Unconfirmed
from jobbers.store.wire import Argument, Disconnected, ReplyError, Wire

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
_PASSING = frozenset(
    {"LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "MAXCLIENTS", "NOREPLICAS"}
)
_CONFIRMED = frozenset({"submit", "collapse", "cancel", "requeue", "launch", "revive", "hold", "schedule"})
"""The scripts whose answer tells a client that something is settled: these wait for a replica where one is asked for."""
_LOGIN = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})


class Line:
    """A connection that is made anew when it is lost."""

    def __init__(self, connector: Connector, name: str) -> None:
        self._connector = connector
        self._name = name
        self._lock = asyncio.Lock()
        self.wire: Wire | None = None

    async def ready(self) -> Wire:
        """A live connection. Raises :class:`Disconnected` or :class:`ReplyError`."""
        wire = self.wire
        if wire is not None and wire.alive:
            return wire
        async with self._lock:
            if self.wire is None or not self.wire.alive:
                self.wire = await self._connector.wire(self._name)
            return self.wire

    async def close(self) -> None:
        """Close the connection if there is one."""
        if self.wire is not None:
            await self.wire.close()


class Gateway:
    """Commands and scripts for one server. ``patience`` is for how many seconds an unreachable server is tried; with
    ``replicated``, what clients are told was accepted is on a replica."""

    def __init__(
        self, connector: Connector, *, patience: float, name: str = "jobbers", replicated: bool = False
    ) -> None:
        self.connector = connector
        self._patience = patience
        self._name = name
        self._line = Line(connector, name)
        self._blocking: dict[str, Line] = {}
        self._commit: GroupCommit | None = None
        self.events = Dispatcher(time.monotonic)
        if replicated:
            line = self._blocking["commit"] = Line(connector, f"{name}-commit")
            self._commit = GroupCommit(line.ready)
        self._load_scripts()

    def _load_scripts(self) -> None:
        flags = self.connector.flags
        self._scripts = {script: scripts.load(script, flags=flags) for script in scripts.NAMES}

    async def run(
        self, name: str, prefix: str, args: Sequence[Argument], patience: float | None = None
    ) -> Any:
        """Call a script on one shard and return its reply.

        Raises :class:`OutOfMemory`, :class:`StoreError`, :class:`ServerUnavailable` or :class:`UnknownOutcome`.
        """
        if self.events.tell is None:
            return await self._call(name, prefix, args, patience)
        begun = time.monotonic()
        try:
            return await self._call(name, prefix, args, patience)
        finally:
            if (tell := self.events.tell) is not None:
                tell(ScriptCalled(name, time.monotonic() - begun))

    async def _call(self, name: str, prefix: str, args: Sequence[Argument], patience: float | None) -> Any:
        error: Disconnected | ReplyError | None = None
        confirmed = self._commit is not None and name in _CONFIRMED
        wire = self._line.wire
        if wire is not None and wire.alive and not confirmed:
            try:
                return await wire.call("EVALSHA", self._scripts[name].sha, 1, prefix, *args)
            except (Disconnected, ReplyError) as caught:
                error = caught
        call = self._commit.call if self._commit is not None and confirmed else self._send
        return await self._insist(
            lambda: call("EVALSHA", self._scripts[name].sha, 1, prefix, *args), patience, error, name
        )

    async def command(self, *command: Argument, patience: float | None = None) -> Any:
        """Send one plain command that may be repeated. Raises like :meth:`run`."""
        return await self._insist(functools.partial(self._send, *command), patience)

    async def commands(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        """Send many plain commands in one go; an error stands in the place of its reply. Raises like :meth:`run`."""
        batch = list(commands)
        replies = await self._insist(functools.partial(self._send_many, batch), None) if batch else []
        return list(replies)

    async def essential(
        self, prefix: str, commands: Iterable[tuple[Argument, ...]], patience: float | None = None
    ) -> list[Any]:
        """Like :meth:`commands` for keys that begin with ``prefix``, but also on a server at its memory limit."""
        args = [word for command in commands for word in (len(command), *command)]
        replies = await self.run("essential", prefix, args, patience) if args else []
        return [
            ReplyError(
                reply[1:].decode(errors="replace").removeprefix("ERR ")
            )  # fakeredis puts it before every error
            if isinstance(reply, bytes) and reply[:1] == b"!"
            else reply
            for reply in replies
        ]

    async def _send(self, *command: Argument) -> Any:
        return await (await self._line.ready()).call(*command)

    async def _send_many(self, batch: list[tuple[Argument, ...]]) -> list[Any]:
        replies = await (await self._line.ready()).call_many(batch)
        passing = _passing(replies)
        if passing is not None:
            raise passing
        return replies

    async def wait(self, waiter: str, *command: Argument, seconds: float) -> Any:
        """Send a command that blocks for up to ``seconds``, on a connection that this waiter has for itself.

        Not repeated. Raises :class:`Disconnected` or :class:`ReplyError`.
        """
        line = self._blocking.get(waiter)
        if line is None:
            line = self._blocking[waiter] = Line(self.connector, f"{self._name}-wait")
        wire = await line.ready()
        return await wire.call(*command, block=seconds)

    async def end_wait(self, waiter: str) -> None:
        """Close the connection of a waiter that waits for something else from now on: else the server would go on to wake
        it, and not those who want what comes."""
        line = self._blocking.pop(waiter, None)
        if line is not None:
            await line.close()

    async def _insist(
        self,
        send: Callable[[], Awaitable[Any]],
        patience: float | None,
        error: Disconnected | ReplyError | None = None,
        script: str | None = None,
    ) -> Any:
        """Try until it works, the error is final, or patience ends. ``error`` is what came of a first try, and ``script``
        the name of what is called."""
        end = time.monotonic() + (self._patience if patience is None else patience)
        pause = FIRST_PAUSE
        maybe_applied = False
        while True:
            if isinstance(error, Disconnected):
                maybe_applied = maybe_applied or error.sent
            if error is not None and not await self._mend(error, script):
                if time.monotonic() + pause > end:
                    raise self._give_up(error, maybe_applied)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
            try:
                return await send()
            except (Disconnected, ReplyError) as caught:
                error = caught

    async def _mend(self, error: Disconnected | ReplyError, script: str | None) -> bool:
        """Whether the cause is removed at once; raises if there is no sense in trying again."""
        if isinstance(error, Disconnected) or error.word in _PASSING:
            return False
        if error.word == "NOSCRIPT" and script is not None:
            try:
                await self._send("SCRIPT", "LOAD", self._scripts[script].text)
            except (Disconnected, ReplyError) as failed:
                if self.connector.flags and "compiling" in str(failed):  # a server before Redis 7
                    self.connector.flags = False
                    self._load_scripts()
                    return True
                if isinstance(failed, ReplyError) and failed.word not in _PASSING:
                    raise self._refusal(failed) from None
                return False
            return True
        raise self._refusal(error) from None

    def _refusal(self, error: ReplyError) -> Exception:
        if error.word == "OOM":
            return OutOfMemory(
                "the server is at its memory limit and took nothing: raise maxmemory or drain it"
            )
        if error.word in _LOGIN:
            return ConfigError(f"the server at {self.connector.display} refuses the login: {error}")
        return StoreError(f"the server at {self.connector.display} answered: {error}")

    def _give_up(self, error: Disconnected | ReplyError, maybe_applied: bool) -> StoreError:
        if isinstance(error, Unconfirmed):
            return UnknownOutcome(
                f"the server at {self.connector.display} has applied the call, but no replica confirmed it in time, so a "
                "failover may lose it: the same call may safely be made again; jobbers doctor tells of the replicas"
            )
        if maybe_applied:
            return UnknownOutcome(
                f"the connection to {self.connector.display} broke before an answer came, and it did not come back: "
                "the call may or may not have been applied; the same call may safely be made again"
            )
        return ServerUnavailable(
            f"cannot reach the server at {self.connector.display} ({error}): start it, correct the URL, or use "
            "'embedded'"
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._commit is not None:
            await self._commit.close()
        for line in (self._line, *self._blocking.values()):
            await line.close()


def _passing(replies: Iterable[Any]) -> ReplyError | None:
    """The first reply that only says "not now": a server that loads its data answers some commands and not others."""
    return next((it for it in replies if isinstance(it, ReplyError) and it.word in _PASSING), None)
