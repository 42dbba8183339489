"""Scripts of fakeredis, compiled once for a server, as real servers do it. fakeredis itself compiles a script at each call
of it, collects the garbage of Lua after it, and looks for new globals before each of its commands, which together take
longer than most scripts run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fakeredis

_GARBAGE = "collectgarbage()"
_REFUSE_GLOBALS = """
setmetatable(_G, {__newindex = function(_, name)
    error("Script attempted to set global variables: " .. tostring(name), 2)
end})
"""
CALLS_A_COLLECTION = 100


class _CompiledOnce:
    """A Lua runtime that keeps what it has compiled."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._compiled: dict[Any, Callable[[], Any]] = {}
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def execute(self, text: Any) -> Any:
        if text == _GARBAGE:
            self._calls += 1
            return self._runtime.execute(text) if self._calls % CALLS_A_COLLECTION == 0 else None
        run = self._compiled.get(text)
        if run is None:
            run = self._compiled[text] = self._runtime.compile(text)
        return run()


class _WithoutGlobals:
    """A Lua runtime as fakeredis needs it to run one command, but for its globals, so that there is nothing to look at."""

    def __init__(self, runtime: Any) -> None:
        self.table_from = runtime.table_from

    def globals(self) -> dict[bytes, Any]:
        return {}


def compile_once(server: fakeredis.FakeServer) -> None:
    """Have a fake server keep the scripts that it compiles, and Lua itself refuse new globals. Does nothing for versions of
    fakeredis that work otherwise."""
    connection = fakeredis.FakeRedis(server=server, protocol=2)
    connection.eval("return 1", 0)  # the first script makes the runtime
    connection.close()
    fake: Any = server
    runtime = getattr(fake, "_lua_runtime", None)
    if runtime is None or not hasattr(runtime, "compile"):
        return
    fake._lua_runtime = _CompiledOnce(runtime)
    if hasattr(fake, "_lua_current_socket"):
        _call_without_looking(fake, runtime)


def _call_without_looking(fake: Any, runtime: Any) -> None:
    """``redis.call`` and ``redis.pcall`` do what they did, and do not look for new globals first."""
    bare, nothing = _WithoutGlobals(runtime), frozenset[Any]()
    current = fake._lua_current_socket

    def call(command: bytes, *arguments: Any) -> Any:
        return current[0]._lua_redis_call(bare, nothing, command, *arguments)

    def pcall(command: bytes, *arguments: Any) -> Any:
        return current[0]._lua_redis_pcall(bare, nothing, command, *arguments)

    redis = runtime.globals()[b"redis"]
    redis[b"call"], redis[b"pcall"] = call, pcall
    runtime.execute(_REFUSE_GLOBALS)
