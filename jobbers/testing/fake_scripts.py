"""Scripts of fakeredis, compiled once for a server, as real servers do it. fakeredis itself compiles a script at each call
of it, and collects the garbage of Lua after it, which together take longer than most scripts run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fakeredis

_GARBAGE = "collectgarbage()"
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


def compile_once(server: fakeredis.FakeServer) -> None:
    """Have a fake server keep the scripts that it compiles. Does nothing for versions of fakeredis that work otherwise."""
    connection = fakeredis.FakeRedis(server=server, protocol=2)
    connection.eval("return 1", 0)  # the first script makes the runtime
    connection.close()
    fake: Any = server
    runtime = getattr(fake, "_lua_runtime", None)
    if runtime is not None and hasattr(runtime, "compile"):
        fake._lua_runtime = _CompiledOnce(runtime)
