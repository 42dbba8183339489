"""A server that is none: fakeredis, which runs the real scripts in this process."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from jobbers.errors import ConfigError
from jobbers.store.connect import AsyncClient, ClientWire, SyncClient
from jobbers.store.wire import Wire

if TYPE_CHECKING:
    from fakeredis import FakeServer


class FakeConnector:
    """A :class:`jobbers.store.connect.Connector` to a fake server of its own, which is gone with it.

    It never blocks: a read that would wait on a real server comes back at once with nothing, so workers spin on it.
    Raises :class:`ConfigError` where fakeredis is not installed.
    """

    display = "fakeredis (in this process)"
    flags = False

    def __init__(self) -> None:
        if not all(importlib.util.find_spec(name) for name in ("fakeredis", "lupa")):
            raise ConfigError("tests without a server need fakeredis: pip install 'fakeredis[lua]>=2.30'")
        import fakeredis

        from jobbers.testing.fake_scripts import compile_once

        self._server: FakeServer = fakeredis.FakeServer(version=(7,), server_type="redis")
        compile_once(self._server)

    async def wire(self, name: str) -> Wire:  # noqa: ARG002 - the protocol asks for it
        """See :class:`jobbers.store.connect.Connector`; ``name`` is shown nowhere."""
        return await ClientWire.open(self.async_client())

    def async_client(self) -> AsyncClient:
        """See :class:`jobbers.store.connect.Connector`."""
        import fakeredis

        return fakeredis.FakeAsyncRedis(server=self._server, protocol=2)

    def sync_client(self) -> SyncClient:
        """See :class:`jobbers.store.connect.Connector`."""
        import fakeredis

        return fakeredis.FakeRedis(server=self._server, protocol=2)
