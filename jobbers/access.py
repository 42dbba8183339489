"""How an app reaches its server: the connector, and a client for each event loop."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from jobbers.breakers import Breakers
from jobbers.client import Client
from jobbers.core.events import Dispatcher
from jobbers.core.granularity import Overrides
from jobbers.core.queue_rules import QueueLimit
from jobbers.inspector import Inspector
from jobbers.limits import Limits
from jobbers.live_policies import LivePolicies
from jobbers.settings import Settings
from jobbers.store.blobs import BlobStore, FolderBlobStore
from jobbers.store.connect import Connector, ServerConnector
from jobbers.store.embedded import EmbeddedServer
from jobbers.store.embedded import start as start_embedded
from jobbers.store.rows import RetryBudget
from jobbers.store.store import Store
from jobbers.store.url import embedded_directory, is_embedded, parse
from jobbers.task_type import TaskType


class Access:
    """The half of an app that knows its server. Nothing is opened before it is needed."""

    def __init__(self, settings: Settings, blobs: BlobStore | None) -> None:
        self.settings = settings
        if not is_embedded(settings.redis_url):
            parse(settings.redis_url)
        self.blobs = blobs or FolderBlobStore(Path(settings.blob_dir))
        self.events = Dispatcher(time.monotonic)
        self.task_types: dict[str, TaskType[Any, Any]] = {}
        self.queue_limits: dict[str, QueueLimit] = {}
        self.limits = Limits(self.client)
        self.breakers = Breakers(self.client, settings)
        self.policies = LivePolicies(self.client, self.task_types)
        self.on_granularity: Callable[[Overrides], None] | None = None
        self._connector: Connector | None = None
        self._embedded: EmbeddedServer | None = None
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = (
            weakref.WeakKeyDictionary()
        )
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Task[Client]] = {}

    def connector(self) -> Connector:
        """How to reach the server; starts or joins the embedded one if that is asked for, which takes a moment."""
        if self._connector is None:
            url = self.settings.redis_url
            if is_embedded(url):
                self._embedded = start_embedded(embedded_directory(url))
                url = self._embedded.url
            self._connector = ServerConnector(parse(url))
        return self._connector

    def use(self, connector: Connector) -> None:
        """Reach the server by this connector from now on; for tests."""
        self._connector = connector

    async def client(self) -> Client:
        """The client of the running event loop, opened when first asked for. Raises :class:`ServerUnavailable`,
        :class:`ConfigError`."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # However many ask at once, one connection is made; nobody's cancellation takes it from the others.
            opening = self._opening.get(loop)
            if opening is None:
                opening = self._opening[loop] = loop.create_task(self._open_client(), name="jobbers-open")
                opening.add_done_callback(lambda _: self._opening.pop(loop, None))
            client = await asyncio.shield(opening)
        if client.definitions != self._definitions():  # some came after it was opened
            await self._write_later_definitions(client)
        return client

    async def _open_client(self) -> Client:
        definitions = self._definitions()
        client = Client(await self.open_store(), self.settings, self.blobs, self.events, self.task_types)
        client.definitions = definitions
        self._clients[asyncio.get_running_loop()] = client
        return client

    def _definitions(self) -> int:
        return len(self.queue_limits) + len(self.limits.defined) + len(self.breakers.defined)

    async def _write_later_definitions(self, client: Client) -> None:
        definitions = self._definitions()
        await self.write_definitions(client.store)
        client.definitions = definitions

    async def open_store(self, name: str = "jobbers") -> Store:
        """A store of its own for the running event loop; the caller closes it."""
        if self._connector is None and is_embedded(self.settings.redis_url):
            await asyncio.to_thread(self.connector)
        settings = self.settings
        store = Store(
            self.connector(),
            namespace=settings.namespace,
            shards=settings.shards,
            patience=settings.patience,
            name=name,
            replicated=settings.durability == "replicated",
        )
        store.gateway.events = self.events
        store.granularity.follow = self.on_granularity
        store.policies.follow = self.policies.follow
        if settings.retry_budget:
            pace = settings.shards * 1_000_000 / settings.retry_budget_least
            store.tasks.budget = RetryBudget(round(settings.retry_budget * 1_000_000), round(pace))
        try:
            await store.open()
            await self.write_definitions(store)
            return store
        except BaseException:
            await store.close()
            raise

    async def write_definitions(self, store: Store) -> None:
        """Write what the code says of queues, limits and breakers; what operators have changed stays."""
        await store.queues.define(self.queue_limits, self.settings.failed_retention_ms)
        await store.limits.define(self.limits.defined)
        await store.breakers.define(self.breakers.defined)

    async def inspector(self) -> Inspector:
        """Reads and repairs, for the running event loop."""
        return Inspector((await self.client()).store, self.settings, self.blobs, self.task_types)

    async def close(self) -> None:
        """Close what the running event loop opened."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def stop_embedded(self) -> None:
        """End the embedded server if this app started one."""
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None
            self._connector = None

    async def __aenter__(self) -> Self:
        await self.client()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
