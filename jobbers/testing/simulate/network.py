"""The network between simulated processes and the simulated server, and everything that can go wrong on it.

What a process has sent arrives although the process has died; the order on one connection is kept; whether a call was
applied and whether its answer comes back are two different things.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from jobbers.store.connect import AsyncClient, SyncClient
from jobbers.store.wire import CONNECT_SECONDS, SILENCE_SECONDS, Argument, Disconnected, ReplyError
from jobbers.testing.simulate.loop import Process, VirtualLoop
from jobbers.testing.simulate.server import SimulatedServer

LATENCY = (0.0001, 0.003)
SLOW = (0.05, 4.0)


@dataclass
class Weather:
    """Chances, from 0 to 1, that something happens to a call; changed by the faults that are on."""

    lose_request: float = 0.0
    lose_reply: float = 0.0
    delay: float = 0.0
    drop_message: float = 0.0
    cut_off: set[Process] = field(default_factory=set)


class Network:
    """Connects processes with one server."""

    def __init__(self, loop: VirtualLoop, server: SimulatedServer, chance: random.Random) -> None:
        self.loop = loop
        self.server = server
        self.weather = Weather()
        self._chance = chance
        self._wires: list[SimulatedWire] = []

    def draw(self, probability: float) -> bool:
        """Whether something with this chance happens. Draws only when it could."""
        return probability > 0 and self._chance.random() < probability

    def latency(self) -> float:
        """Seconds that a packet takes."""
        low, high = SLOW if self.draw(self.weather.delay) else LATENCY
        return self._chance.uniform(low, high)

    def reaches(self, process: Process) -> bool:
        """Whether packets go through."""
        return self.server.up and process not in self.weather.cut_off

    async def connect(self, process: Process) -> SimulatedWire:
        """A new connection. Raises :class:`Disconnected`."""
        if process in self.weather.cut_off:
            await asyncio.sleep(CONNECT_SECONDS)
        else:
            await asyncio.sleep(self.latency())
        if not self.reaches(process):
            raise Disconnected("connection refused", sent=False)
        wire = SimulatedWire(self, process)
        self._wires = [kept for kept in self._wires if kept.alive]
        self._wires.append(wire)
        return wire

    def cut(self, process: Process | None = None) -> None:
        """Reset the connections of a process, or all."""
        for wire in self._wires:
            if process in (None, wire.process):
                wire.cut()


class SimulatedWire:
    """See :class:`jobbers.store.wire.Wire`."""

    def __init__(self, network: Network, process: Process) -> None:
        self.process = process
        self.alive = True
        self._network = network
        self._last = 0.0
        self._waiting: list[asyncio.Future[Any]] = []

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        """See :class:`jobbers.store.wire.Wire`."""
        (reply,) = await self._exchange([command], block)
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        """See :class:`jobbers.store.wire.Wire`."""
        sent = list(commands)
        return await self._exchange(sent, 0.0) if sent else []

    async def _exchange(self, commands: list[tuple[Argument, ...]], block: float) -> list[Any]:
        if not self.alive:
            raise Disconnected("the connection is closed", sent=False)
        network = self._network
        future: asyncio.Future[list[Any]] = network.loop.create_future()
        self._waiting = [waiting for waiting in self._waiting if not waiting.done()]
        self._waiting.append(future)
        self._send(self._arrive, commands, future, block)
        try:
            async with asyncio.timeout(SILENCE_SECONDS + block):
                return await future
        except TimeoutError:
            self.cut()
            raise Disconnected("no answer", sent=True) from None

    def _send(self, arrive: Any, *args: Any) -> None:
        """Let something happen on the other side, after what was sent before."""
        network = self._network
        self._last = max(self._last, network.loop.now + network.latency())
        network.loop.call_at(self._last, arrive, *args, context=network.server.context)

    def _arrive(
        self, commands: list[tuple[Argument, ...]], future: asyncio.Future[Any], block: float
    ) -> None:
        network = self._network
        if self.process in network.weather.cut_off:
            return  # nobody hears of it until the caller's patience ends
        if not network.server.up or network.draw(network.weather.lose_request):
            self.cut()
            return
        if block:
            waiting = network.server.read(commands[0], block)
            waiting.add_done_callback(
                lambda done: self._answer(future, [done.result()]), context=network.server.context
            )
            return
        replies = [network.server.apply(command) for command in commands]
        if network.draw(network.weather.lose_reply):
            self.cut()
        else:
            self._answer(future, replies)

    def _answer(self, future: asyncio.Future[Any], replies: list[Any]) -> None:
        self._send(self._deliver, future, replies)

    def _deliver(self, future: asyncio.Future[Any], replies: list[Any]) -> None:
        if self.alive and not future.done() and self.process not in self._network.weather.cut_off:
            future.set_result(replies)

    def cut(self) -> None:
        """Break: whoever waits hears that the outcome is not known."""
        self.alive = False
        for future in self._waiting:
            if not future.done():
                future.set_exception(Disconnected("connection reset", sent=True))
        self._waiting = []

    async def close(self) -> None:
        """See :class:`jobbers.store.wire.Wire`."""
        self.cut()


class SimulatedConnector:
    """See :class:`jobbers.store.connect.Connector`: what one process reaches the server by."""

    display = "redis://simulated"
    flags = False

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    async def wire(self, name: str) -> SimulatedWire:  # noqa: ARG002 - the protocol asks for it
        """See :class:`jobbers.store.connect.Connector`."""
        return await self._network.connect(self._process)

    def async_client(self) -> AsyncClient:
        """See :class:`jobbers.store.connect.Connector`; for subscriptions only."""
        return cast(AsyncClient, _Subscriptions(self._network, self._process))

    def sync_client(self) -> SyncClient:
        """See :class:`jobbers.store.connect.Connector`; for scripts only."""
        return cast(SyncClient, _ThreadClient(self._network, self._process))


class _Subscriptions:
    """As much of redis-py's client as an inbox uses."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._messages: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._leave: Any = lambda: None
        self._wire: SimulatedWire | None = None

    def pubsub(self) -> _Subscriptions:
        return self

    async def subscribe(self, *channels: str) -> None:
        try:
            self._wire = await self._network.connect(self._process)
        except Disconnected as error:
            raise RedisConnectionError(str(error)) from None
        self._leave = self._network.server.subscribe(channels, self._heard)

    def _heard(self, channel: str, message: str) -> None:
        network = self._network
        if not network.draw(network.weather.drop_message) and network.reaches(self._process):
            network.loop.call_later(
                network.latency(),
                self._messages.put_nowait,
                (channel, message),
                context=network.server.context,
            )

    async def get_message(self, timeout: None = None) -> dict[str, Any]:  # noqa: ARG002 - redis-py's name
        """The next message. A connection that was cut is noticed within a second."""
        while self._wire is not None and self._wire.alive:
            try:
                async with asyncio.timeout(1.0):
                    channel, message = await self._messages.get()
            except TimeoutError:
                continue
            return {"type": "message", "channel": channel.encode(), "data": message.encode()}
        raise RedisConnectionError("connection reset")

    async def aclose(self) -> None:
        self._leave()
        if self._wire is not None:
            self._wire.cut()


class _ThreadClient:
    """As much of redis-py's blocking client as the renewal of leases uses. Its calls take no time."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    def evalsha(self, sha: str, *arguments: Any) -> Any:
        return self._call("EVALSHA", sha.encode(), *arguments)

    def eval(self, text: str, *arguments: Any) -> Any:
        self._call("SCRIPT", "LOAD", text)
        return self._call("EVAL", text, *arguments)

    def _call(self, *command: Argument) -> Any:
        network, weather = self._network, self._network.weather
        if not network.reaches(self._process) or network.draw(weather.lose_request):
            raise RedisConnectionError("connection reset")
        reply = network.server.apply(command)
        if network.draw(weather.lose_reply):
            raise RedisConnectionError("connection reset")
        if isinstance(reply, ReplyError):
            raise NoScriptError("") if reply.word == "NOSCRIPT" else ResponseError(str(reply))
        return reply

    def close(self) -> None:
        """There is nothing to close."""
