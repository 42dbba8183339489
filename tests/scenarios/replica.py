"""A primary and a replica behind proxies: the link between them can be cut, and clients be led to the other one."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from tests.scenarios.harness import Scene, Server, until
from tests.scenarios.proxy import Proxy


class Pair:
    """The scene's server with a replica. Clients that use ``url`` reach whichever is the primary."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._current = scene.server
        self._link = Proxy(lambda: scene.server.socket)
        self._front = Proxy(lambda: self._current.socket)
        self.url = self._front.url
        self._folder = Path(tempfile.mkdtemp(prefix="replica-"))
        with scene.server.client() as primary:
            primary.config_set("repl-diskless-sync-delay", 0)
        self.replica = Server(
            self._folder, ("--port", str(_free_port()), "--replicaof", "127.0.0.1", self._link.port)
        )

    async def synced(self) -> None:
        """Wait until the replica has what the primary has."""

        def linked() -> bool:
            with self.replica.client() as client:
                return bool(client.info("replication")["master_link_status"] == "up")

        await until(linked, "the replica is linked")

    def cut_link(self) -> None:
        """From now on nothing reaches the replica."""
        self._link.cut()

    def fail_over(self) -> None:
        """The primary dies, and the replica takes its place."""
        self._scene.server.kill()
        with self.replica.client() as client:
            client.replicaof("NO", "ONE")
        self._current = self._scene.server = self.replica
        self._front.reset()

    def close(self) -> None:
        """End what the scene does not."""
        self._front.close()
        self._link.close()
        self.replica.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
