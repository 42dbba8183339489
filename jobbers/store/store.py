"""One namespace on one server: opens the gateway and holds the groups of verbs."""

from __future__ import annotations

import contextlib

from jobbers.core.names import check_name
from jobbers.errors import ConfigError, StoreError
from jobbers.store.access import AccessStore
from jobbers.store.breakers import BreakerStore
from jobbers.store.connect import Connector
from jobbers.store.control import ControlStore
from jobbers.store.feed import FeedStore
from jobbers.store.gateway import Gateway
from jobbers.store.granularity import GranularityStore
from jobbers.store.inspect import InspectStore
from jobbers.store.keys import GlobalKeys, ShardKeys
from jobbers.store.limits import LimitStore
from jobbers.store.live_policies import PolicyStore
from jobbers.store.logs import LogStore
from jobbers.store.maps import MapStore
from jobbers.store.once import OnceStore
from jobbers.store.queues import QueueStore
from jobbers.store.roles import RoleStore
from jobbers.store.runs import RunStore
from jobbers.store.schedules import ScheduleStore
from jobbers.store.statistics import StatisticsStore
from jobbers.store.strikes import StrikeStore
from jobbers.store.tasks import TaskStore
from jobbers.store.upkeep import UpkeepStore

MAX_SHARDS = 1024


class Store:
    """The verbs on a namespace, for the event loop that opened it."""

    def __init__(
        self,
        connector: Connector,
        *,
        namespace: str,
        shards: int,
        patience: float,
        name: str = "jobbers",
        replicated: bool = False,
    ) -> None:
        check_name(namespace, "the namespace")
        if not 1 <= shards <= MAX_SHARDS:
            raise ConfigError(f"shards must be from 1 to {MAX_SHARDS}, got {shards}")
        self.connector = connector
        self.gateway = Gateway(connector, patience=patience, name=name, replicated=replicated)
        self.shards = [ShardKeys(namespace, shard) for shard in range(shards)]
        self.keys = GlobalKeys(namespace)
        self.policies = PolicyStore(self.gateway, self.keys)
        self.queues = QueueStore(self.gateway, self.shards, self.keys, self.policies)
        self.tasks = TaskStore(self.gateway, self.shards, self.keys, self.queues)
        self.runs = RunStore(self.gateway, self.shards)
        self.maps = MapStore(self.gateway, self.shards)
        self.schedules = ScheduleStore(self.gateway, self.shards)
        self.limits = LimitStore(self.gateway, self.shards)
        self.breakers = BreakerStore(self.gateway, self.shards)
        self.strikes = StrikeStore(self.gateway, self.keys)
        self.granularity = GranularityStore(self.gateway, self.keys)
        self.upkeep = UpkeepStore(self.gateway, self.shards)
        self.control = ControlStore(self.gateway, self.shards, self.keys, self.policies)
        self.access = AccessStore(self.gateway, self.keys)
        self.once = OnceStore(self.gateway, self.keys)
        self.roles = RoleStore(self.gateway, self.keys)
        self.inspect = InspectStore(self.gateway, self.shards, self.keys)
        self.feed = FeedStore(self.gateway, self.shards)
        self.logs = LogStore(self.gateway, self.shards)
        self.statistics = StatisticsStore(self.gateway, self.shards, self.keys)

    async def open(self) -> Store:
        """Connect and check the layout. Raises :class:`ServerUnavailable` or :class:`ConfigError`."""
        await self.control.check_layout()
        with contextlib.suppress(StoreError):  # workers and clients look again, and say what is wrong
            await self.policies.look()
            await self.strikes.refresh()
            await self.granularity.refresh()
        return self

    async def close(self) -> None:
        """Close all connections."""
        await self.gateway.close()
