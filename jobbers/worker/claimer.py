"""Claims ready tasks of one shard for a set of queues, never more than there are free slots."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import secrets
import time
from collections.abc import Iterator

from jobbers.core.events import TasksClaimed
from jobbers.core.lanes import Lane, claim_orders, only
from jobbers.core.roles import Role
from jobbers.errors import StoreError, UnknownOutcome
from jobbers.settings import Settings
from jobbers.store.store import Store
from jobbers.store.tasks import Disconnected, ReplyError, Taken
from jobbers.worker.finisher import Finisher
from jobbers.worker.runner import Runner
from jobbers.worker.slots import Slots

log = logging.getLogger("jobbers.worker")

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 1.0
LOOK_SECONDS = 1.0
"""How long a worker that never waits may overlook a lane that is used for the first time."""
SUSPECT_SECONDS = 0.5
MAX_BACKLOG = 5_000
"""Completions that may wait for the server before nothing more is claimed."""


def most_at_once(total: int) -> int:
    """Half of the slots: while one batch runs here, the server works on the next."""
    return -(-total // 2)


def next_batch(batch: int, free: int, total: int) -> int:
    """How many tasks to claim at most, after a claim of ``batch`` that left ``free`` of ``total`` slots free.

    When most are free again, tasks end sooner than a claim takes: large claims cost the least. Longer tasks come in small
    claims, since what is claimed together ends together, and its slots would wait for each other's completions.
    """
    if 2 * free >= total:
        return min(most_at_once(total), 2 * batch)
    return max(-(-total // 20), batch // 2)


class Claimer:
    """One loop: claim; run what came; when nothing came, wait to be woken."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        runner: Runner,
        finisher: Finisher,
        *,
        worker: str,
        shard: int,
        role: Role,
        slots: Slots,
        live: bool = False,
    ) -> None:
        self._store = store
        self._settings = settings
        self._runner = runner
        self._finisher = finisher
        self._worker = worker
        self._shard = shard
        self._slots = slots
        self._live = live
        self._role = role
        self._next: Role | None = None
        self._changed = asyncio.Event()
        self._waiting: asyncio.Future[Lane | None] | None = None
        self._all_orders = _orders(role)
        self._lanes: list[Lane] = self._all_orders[0]
        self._used: set[Lane] = set()
        self._orders: Iterator[list[Lane]] = iter(())
        self._look_again = 0.0
        self._batch = most_at_once(slots.total)
        self._spurious = 0
        self._more = self._paused = False
        self._stopping = asyncio.Event()
        self.idle = False
        self.claiming = False

    def stop(self) -> None:
        """Claim nothing any more."""
        self._stopping.set()
        self._changed.set()

    def serve(self, role: Role) -> None:
        """Claim from the queues of this role from the next claim on; for claimers that are ``live``. It may have none."""
        if role.same(self._next or self._role):
            return
        self._next = role
        self._changed.set()
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self) -> None:
        """Claim until :meth:`stop`. A claim in flight is always waited for, so nothing that it took is forgotten."""
        await self._open_lanes()
        while not self._stopping.is_set():
            await self._slots.some()
            if self._finisher.backlog > MAX_BACKLOG:
                await asyncio.sleep(FIRST_PAUSE)
                continue
            if self._next is not None:
                await self._turn_to(self._next)
                continue  # it may have changed again meanwhile
            if not self._lanes:
                await self._without_queues()
                continue
            await self._look_for_new_lanes()
            wanted = self._slots.take(self._batch)
            if not wanted:
                continue
            took = await self._claim(wanted) if self._used else self._give_back(wanted)
            self._batch = next_batch(self._batch, self._slots.free, self._slots.total)
            if took < wanted and not self._more and not self._stopping.is_set():
                self.idle = True
                if took:
                    # What was claimed starts before anything else is said to the server.
                    await asyncio.sleep(0)
                await self._wait(found=took > 0)
                self.idle = False

    async def _turn_to(self, role: Role) -> None:
        """Wait for what comes to other queues. The old connection goes first: the server must not ring here any more for
        what only others claim."""
        self._next = None
        self._changed.clear()
        before, used = self._lanes, self._used
        self._role = role
        self._all_orders = _orders(role)
        self._lanes = self._all_orders[0]
        self._used = used.intersection(self._lanes)
        self._arrange()
        if before:
            with contextlib.suppress(StoreError):
                await self._store.tasks.end_wait(self._shard, before, used - self._used)
        self._look_again = 0.0
        self._spurious = 0
        await self._open_lanes()

    async def _without_queues(self) -> None:
        self.idle = True
        await self._changed.wait()
        self.idle = False

    async def _look_for_new_lanes(self) -> None:
        """Of the ten lanes of a queue most are never used: asking only those that were halves the cost of small claims."""
        now = time.monotonic()
        if now < self._look_again:
            return
        self._look_again = now + LOOK_SECONDS
        with contextlib.suppress(StoreError):
            self._use(await self._store.tasks.used_lanes(self._shard))

    def _use(self, lanes: set[Lane]) -> None:
        fresh = lanes.intersection(self._lanes) - self._used
        if fresh:
            self._used |= fresh
            self._arrange()

    def _arrange(self) -> None:
        self._orders = itertools.cycle(only(self._all_orders, self._used))

    def _give_back(self, places: int) -> int:
        self._slots.give(places)
        return 0

    async def _claim(self, wanted: int) -> int:
        """Claim once, for places that are taken already; returns how many tasks came.

        The nonce in the owner tells this claim's executions apart from all others.
        """
        owner = f"{self._worker}/{secrets.token_hex(4)}"
        settings = self._settings
        taken = Taken()
        begun = time.monotonic()
        self.claiming = True
        try:
            taken = await self._store.tasks.claim(
                self._shard,
                owner,
                next(self._orders),
                wanted,
                settings.lease_ms,
                settings.failed_retention_ms,
            )
        except StoreError as error:
            log.warning("claiming failed: %s", error)
            if isinstance(error, UnknownOutcome):
                await self._return_unheard(owner)
            await asyncio.sleep(LONGEST_PAUSE * random.uniform(0.5, 1.0))
        finally:
            self.claiming = False
            self._slots.give(wanted - len(taken))
        if self._stopping.is_set():
            for claimed in taken:
                self._finisher.release(self._shard, claimed.id, claimed.owner)
            self._slots.give(len(taken))
            return 0
        self._more, self._paused = taken.more, taken.paused
        if taken and (tell := self._store.gateway.events.tell) is not None:
            tell(TasksClaimed(self._worker, len(taken)))
        for claimed in taken:
            execution = self._runner.start(claimed, self._slots, self._shard, begun)
            if claimed.crashes > 1 and execution is not None:
                await self._stand_back(execution)
        return len(taken)

    async def _stand_back(self, execution: asyncio.Task[None]) -> None:
        """A task that lost its worker twice may be poison, and came alone: claim nothing that it could take along, until
        it has ended well or has lived for a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SUSPECT_SECONDS):
                await asyncio.wait({execution})
                await self._finisher.drained()

    async def _return_unheard(self, owner: str) -> None:
        """The answer to a claim was lost: what it may have taken goes back, as none of it has begun."""
        while not self._stopping.is_set():
            try:
                returned = await self._store.upkeep.reclaim_owner(
                    self._shard,
                    owner,
                    self._settings.crash_budget,
                    self._settings.failed_retention_ms,
                    crashed=False,
                )
            except StoreError:
                await asyncio.sleep(LONGEST_PAUSE)
            else:
                if returned:
                    log.info("put %d tasks back whose claim was never answered", len(returned))
                return

    async def _wait(self, *, found: bool) -> None:
        """Wait until something may be ready. Being woken again and again by what lies in a paused queue slows down; another
        worker that was faster does not."""
        self._spurious = 0 if found else self._spurious
        seconds = self._settings.poll_interval * random.uniform(0.75, 1.25)
        try:
            woken = await self._ready(seconds)
        except ReplyError as error:
            if error.word == "NOGROUP":
                await self._open_lanes()
            else:
                log.warning("waiting for tasks failed: %s", error)
                await asyncio.sleep(LONGEST_PAUSE)
            return
        except Disconnected as error:
            log.warning("the connection that waits for tasks was lost: %s", error)
            await asyncio.sleep(LONGEST_PAUSE * random.uniform(0.1, 1.0))
            return
        if woken is not None:
            self._use({woken})
        self._spurious = self._spurious + 1 if woken and self._paused else 0
        if self._spurious > 2:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._spurious - 3))):
                    await self._changed.wait()

    async def _ready(self, seconds: float) -> Lane | None:
        """The lane that rang, if one did. A claimer that is live stops waiting when it is to serve other queues."""
        wait = self._store.tasks.wait_ready(self._shard, self._lanes, seconds)
        if not self._live:
            return await wait
        if self._changed.is_set():
            wait.close()
            return None
        self._waiting = asyncio.ensure_future(wait)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._changed.is_set() or (task is not None and task.cancelling()):
                raise
            return None
        finally:
            self._waiting = None

    async def _open_lanes(self) -> None:
        while self._lanes and not self._stopping.is_set():
            try:
                await self._store.tasks.open_lanes(self._shard, self._lanes)
                return
            except StoreError as error:
                log.warning("cannot open the lanes: %s", error)
                await asyncio.sleep(LONGEST_PAUSE)


def _orders(role: Role) -> list[list[Lane]]:
    return claim_orders(role.queues, strict=role.strict)
