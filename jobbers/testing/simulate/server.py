"""A simulated server: fakeredis with the real scripts, on the virtual clock, with a state to go back to.

It notes every change of a task's status, owner or attempt as an event of the history, in the order in which it happened,
together with what its caller claimed to be: the history has what was applied, whatever became of the answer.
"""

from __future__ import annotations

import asyncio
import copy
import queue
import time
from collections.abc import Callable, Sequence
from typing import Any

import fakeredis
from redis.exceptions import ResponseError

from jobbers.store import scripts
from jobbers.store.keys import SHARD_KEYS, ShardKeys
from jobbers.store.wire import Argument, ReplyError
from jobbers.testing.fake_scripts import compile_once
from jobbers.testing.history import FINISHING, History, Standing, callers, moved
from jobbers.testing.simulate.loop import Process, VirtualLoop

READING = frozenset(
    {"PING", "SMEMBERS", "TIME", "TYPE", "SCAN", "PTTL", "XREADGROUP", "SCRIPT", "HMGET", "GET", "EXISTS"}
)
"""What a server at its memory limit still does."""

_TEXTS = {scripts.load(name).text: name for name in scripts.NAMES}
_TASK = SHARD_KEYS["task"].encode()
_LANE = SHARD_KEYS["lane"].encode()

BIRTH = ("run", "trigger", "need", "caught", "undoes", "map", "index")
"""What is noted of a run's task when it is made."""

Heard = Callable[[str, str], None]
Rewrite = Callable[[str, str], str]


class SimulatedServer:
    """One server. ``refusing`` is the error that every command gets, if any; ``full`` is the memory limit reached;
    ``failing`` that it will lose what is written from now on; ``rewrite`` changes the text of a script by its name, to
    plant a bug."""

    def __init__(
        self, loop: VirtualLoop, history: History, shards: Sequence[ShardKeys], rewrite: Rewrite | None = None
    ) -> None:
        self._loop = loop
        self._history = history
        self._shards = {keys.prefix.encode(): keys for keys in shards}
        self._rewrite = rewrite or (lambda _name, text: text)
        self.process: Process = loop.process("server")
        self.context = self.process.context()
        self.up = True
        self.refusing = ""
        self.full = False
        self.failing = False
        self._fake = fakeredis.FakeServer(version=(7,), server_type="redis")
        compile_once(self._fake)
        self._connection = self._connect()
        self._socket = self._connection.get_socket()
        self._database: Any = self._fake.dbs[0]
        self._touched: dict[bytes, None] = {}
        self._database.notify_watch = self._touch  # type: ignore[method-assign]
        self._known: dict[str, Standing] = {}
        self._leases: dict[bytes, float] = {}
        self._readers: list[tuple[asyncio.Future[Any], tuple[Argument, ...]]] = []
        self._listeners: list[tuple[Any, Heard]] = []

    def _connect(self) -> Any:
        return fakeredis.FakeRedis(server=self._fake, protocol=2).connection_pool.get_connection()

    def _touch(self, key: bytes) -> None:
        """fakeredis tells of each key that it writes. What was written last stands last."""
        self._touched.pop(key, None)
        self._touched[key] = None

    def apply(self, command: Sequence[Argument]) -> Any:
        """Run one command at this instant. Returns its reply, or a :class:`ReplyError` as a value."""
        if self.refusing:
            return ReplyError(self.refusing)
        if self.full and command[0] not in READING:
            return ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
        with self.process.acting():
            if command[0] == "SCRIPT" and command[1] == "LOAD":
                return self._load(str(command[2]))
            self._touched.clear()
            reply = self._ask(command)
            script = _script(command)
            if script in FINISHING and isinstance(reply, list):
                refused = reply[0] if script == "follow" else len(reply)
                if refused:
                    self._history.add("fenced", by=script, count=refused)
            if self._touched:
                touched = list(self._touched)
                self._note(touched, command, script)
                self._wake(touched)
            self._publish()
            return reply

    def _ask(self, command: Sequence[Argument]) -> Any:
        """Handed over as words: written out as bytes and read again, they take longer than most commands."""
        encode = self._connection.encoder.encode
        self._socket._process_command([encode(word) for word in command])
        reply = self._socket.responses.get_nowait()
        if isinstance(reply, ResponseError):
            code = "NOSCRIPT " if type(reply).__name__ == "NoScriptError" else ""
            return ReplyError(f"{code}{reply}")
        return reply

    def _load(self, text: str) -> bytes:
        name = _TEXTS.get(text)
        sha = scripts.load(name).sha if name else b""
        if name:
            self._fake.script_cache[sha] = self._rewrite(
                name, scripts.load(name, short_steps=True).text
            ).encode()
        return sha

    # What was changed

    def _note(self, touched: list[bytes], command: Sequence[Argument], script: str) -> None:
        leases = self._leases
        if any(keys.leases.encode() in touched for keys in self._shards.values()):
            self._leases = self._lease_ends()
        for key in touched:
            if _TASK in key:
                prefix, _, task = key.partition(_TASK)
                self._note_task(self._shards[prefix], task, script, command, leases)

    def _note_task(
        self,
        keys: ShardKeys,
        task: bytes,
        script: str,
        command: Sequence[Argument],
        leases: dict[bytes, float],
    ) -> None:
        name = task.decode()
        record = self._value(keys.task(name))
        status, owner, attempt, lane, entry = _fields(record, "status", "owner", "attempt", "lane", "entry")
        was, now = self._known.get(name, Standing("", "", 0)), Standing(status, owner, int(attempt or 0))
        if now == was:
            return
        self._known[name] = now
        event: dict[str, Any] = {}
        if script in FINISHING:
            named = callers(command[4:], name)
            event["caller"] = owner if owner in named else named[0]
        if script in ("launch", "prepare", "expand") and not was.status:
            then, parts, *words = _fields(record, "next", "parts", *BIRTH)
            event |= {"then": then.split(), **dict(zip(BIRTH, words, strict=True))}
            event |= {"parts": parts.split()} if parts else {}
        if not was.status:
            (gates,) = _fields(record, "gates")
            event |= {"gates": gates} if gates else {}
        if status == "succeeded":
            total, enough = _fields(record, "total", "enough")
            event |= {"total": int(total), "enough": int(enough or total)} if total else {}
        if script == "claim" and status == "running":
            event["lane"], event["entry"] = keys.lane(lane), entry
        if status == "queued" and name.encode() in self._value(keys.first(lane)):
            event["first"] = True
        if was.status == "running" and task in leases:
            event["lease_left"] = round(leases[task] - time.time() * 1000)
        wrong = self._misplaced(keys, name, status, lane, entry)
        if wrong:
            event["misplaced"] = wrong
        self._history.add("moved", **moved(name, was, now, script or str(command[0]), **event))

    def _misplaced(self, keys: ShardKeys, task: str, status: str, lane: str, entry: str) -> list[str]:
        """In which containers a task lies that its status does not demand, and from which it is missing."""
        places = {"scheduled": keys.due, "running": keys.leases, "failed": keys.dead}
        lies = {place: task.encode() in self._value(key) for place, key in places.items()}
        lies["queued"] = bool(entry and self._ask(("XRANGE", keys.lane(lane), entry, entry)))
        return [f"{'lies' if there else 'does not lie'} with what is {place}" for place, there in lies.items()
                if there != (status == place)]  # fmt: skip

    def _lease_ends(self) -> dict[bytes, float]:
        ends: dict[bytes, float] = {}
        for keys in self._shards.values():
            ends.update(self._value(keys.leases).items())
        return ends

    def _value(self, key: str) -> Any:
        """What lies at a key, read in place: through a connection it takes longer than most scripts run."""
        try:
            return self._database[key.encode()].value
        except KeyError:
            return {}

    # Blocked readers and subscriptions

    def read(self, command: tuple[Argument, ...], seconds: float) -> asyncio.Future[Any]:
        """Run an XREADGROUP that blocks: a future of its reply, which is ``None`` after ``seconds``."""
        at = command.index("BLOCK")
        plain = (*command[:at], *command[at + 2 :])
        future = self._loop.create_future()
        reply = self.apply(plain)
        if reply:
            future.set_result(reply)
        else:
            self._readers.append((future, plain))
            self._loop.call_later(seconds, _settle, future, None, context=self.context)
        return future

    def _wake(self, touched: list[bytes]) -> None:
        lanes = {key.decode() for key in touched if _LANE in key}
        for reader in list(self._readers) if lanes else ():
            future, command = reader
            if future.done():
                self._readers.remove(reader)
            elif lanes.intersection(command):
                reply = self._ask(command)
                if reply:
                    self._readers.remove(reader)
                    _settle(future, reply)

    def subscribe(self, channels: Sequence[str], heard: Heard) -> Callable[[], None]:
        """Hear what is published, until the function that this returns is called."""
        connection = self._connect()
        connection.send_command("SUBSCRIBE", *channels)
        listener = (connection, heard)
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                connection.disconnect()

        return leave

    def _publish(self) -> None:
        for connection, heard in list(self._listeners):
            responses = connection.get_socket().responses
            while True:
                try:
                    message = responses.get_nowait()
                except queue.Empty:
                    break
                if message[0] == b"message":
                    heard(message[1].decode(), message[2].decode())

    def statuses(self) -> list[str]:
        """Of every task that there is."""
        return [
            standing.status
            for name, standing in self._known.items()
            if standing.status and self._is_there(name)
        ]

    def _is_there(self, task: str) -> bool:
        """Whether a task has not expired: one that was made for a run which was not launched does so."""
        return any(self._value(keys.task(task)) for keys in self._shards.values())

    def steps_are_left(self) -> bool:
        """Whether there is something to do that is done in steps."""
        return any(
            self._value(place)
            for keys in self._shards.values()
            for place in (keys.expiring, keys.untold, keys.holding)
        )

    # Faults

    def forget_scripts(self) -> None:
        """As after a restart, or SCRIPT FLUSH."""
        self._fake.script_cache.clear()

    def snapshot(self) -> Any:
        """The state at this instant, for :meth:`go_back`."""
        state = copy.deepcopy((self._database._dict, self._database._expiry_heap))
        return state, dict(self._known), dict(self._leases)

    def go_back(self, snapshot: Any) -> None:
        """Be as at an earlier instant: what was written since is lost, as after a power failure."""
        (self._database._dict, self._database._expiry_heap), self._known, self._leases = snapshot

    def cut_all(self) -> None:
        """Forget who waits and who listens, as when the process ends."""
        self._readers.clear()
        for connection, _ in self._listeners:
            connection.disconnect()
        self._listeners.clear()

    def close(self) -> None:
        """Let go of fakeredis."""
        self.cut_all()
        self._connection.disconnect()


def _settle(future: asyncio.Future[Any], reply: Any) -> None:
    if not future.done():
        future.set_result(reply)


def _fields(record: Any, *names: str) -> list[str]:
    """Fields of a hash, '' where there is none."""
    found = ((record[name] if (name := field.encode()) in record else b"") for field in names)
    return [(value or b"").decode() for value in found]


def _script(command: Sequence[Argument]) -> str:
    """The name of the script that a command calls."""
    sha = command[1] if command[0] == "EVALSHA" else b""
    return scripts.names_by_sha().get(sha, "") if isinstance(sha, bytes) else ""
