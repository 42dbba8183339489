"""What the scripts of one shard are meant to do, in plain Python: the specification that the stores are held against.

Time is a number that the caller moves forward. Where the scripts decide by time, the model's caller keeps clear of the
edge, so that the milliseconds which really pass make no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from jobbers.core.lanes import Lane
from jobbers.core.status import Event, Status, allows

BELL = "-"
"""What resuming a queue lays into its lanes, so that somebody looks."""


@dataclass
class Task:
    """One record."""

    id: str
    lane: Lane
    status: Status
    owner: str = ""
    attempt: int = 0
    crashes: int = 0
    snoozes: int = 0
    due: int = 0
    lease_end: int = 0
    deadline: int = 0
    unique: str = ""
    scope: str = ""
    gated: bool = False


@dataclass
class Order:
    """What a submission asks for, in ms. ``scope`` says until when ``unique`` is held: s(tart), f(inish) or t(ime)."""

    lane: Lane
    delay: int = 0
    deadline: int = 0
    unique: str = ""
    scope: str = "f"
    ttl: int = 0


@dataclass
class Model:
    """One shard. ``now`` is in ms."""

    crash_budget: int
    now: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)
    lanes: defaultdict[Lane, list[str]] = field(default_factory=lambda: defaultdict(list))
    first: defaultdict[Lane, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Of each lane those that go before all others. One may have moved on."""
    paused: set[str] = field(default_factory=set)
    unique: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By key: the task that holds it, and until when (0: until it is given back)."""

    def submit(self, ids: Sequence[str], order: Order) -> dict[str, str]:
        """Returns the holders of the unique key, by the ids that were not created."""
        held = {}
        for task_id in ids:
            if task_id in self.tasks:
                continue
            holder = self._holder(order, task_id)
            if holder:
                held[task_id] = holder
                continue
            task = Task(task_id, order.lane, Status.QUEUED, unique=order.unique, scope=order.scope)
            task.gated = bool(order.deadline or order.unique)
            task.deadline = self.now + order.deadline if order.deadline else 0
            self.tasks[task_id] = task
            if order.unique:
                self.unique[order.unique] = task_id, self.now + order.ttl if order.scope == "t" else 0
            if order.delay:
                task.status, task.due = Status.SCHEDULED, self.now + order.delay
            else:
                self._enqueue(task)
        return held

    def claim(self, owner: str, lanes: Iterable[Lane], want: int, lease: int) -> list[tuple[str, int, int]]:
        """Returns id, attempt and crashes of what was taken. A task that lost a worker is taken alone."""
        taken: list[Task] = []
        for lane in lanes:
            if len(taken) >= want or lane.queue in self.paused:
                continue
            while self.first[lane] and len(taken) < want:
                task_id = self.first[lane].pop(0)
                if task_id in self.lanes[lane]:
                    want = self._take(task_id, lane, owner, lease, taken, want)
                    if task_id in self.lanes[lane]:
                        self.first[lane].insert(0, task_id)
            for task_id in self.lanes[lane][: want - len(taken)]:
                if len(taken) < want:
                    want = self._take(task_id, lane, owner, lease, taken, want)
        return [(task.id, task.attempt, task.crashes) for task in taken]

    def _take(
        self, task_id: str, lane: Lane, owner: str, lease: int, taken: list[Task], want: int
    ) -> int:  # fmt: skip
        """Returns how many may be taken in all from now on."""
        task = self.tasks.get(task_id)
        if task is not None and task.crashes and taken:
            return len(taken)
        self.lanes[lane].remove(task_id)
        if task is None or not self._passes_gate(task):
            return want
        task.status, task.owner, task.lease_end = Status.RUNNING, owner, self.now + lease
        task.attempt += 1
        taken.append(task)
        return len(taken) if task.crashes else want

    def finish(self, event: Event, pairs: Iterable[tuple[str, str]], delay: int = 0) -> list[str]:
        """An execution's owner says what became of it; returns the ids that were refused."""
        refused = []
        for task_id, owner in pairs:
            task = self.tasks.get(task_id)
            if not self._holds(task, owner):
                if not (task and task.owner == owner and task.status is _TARGETS[event]):
                    refused.append(task_id)
                continue
            assert task is not None
            match event:
                case Event.SUCCEED | Event.FAIL:
                    self._close(task, _TARGETS[event])
                case Event.RETRY | Event.SNOOZE:
                    task.status, task.due = Status.SCHEDULED, self.now + delay
                case _:
                    self._enqueue(task, first=True)
            if event in (Event.SNOOZE, Event.RELEASE):
                task.attempt -= 1
            task.snoozes += event is Event.SNOOZE
            task.gated = task.gated or event is Event.RETRY
        return refused

    def renew(self, pairs: Iterable[tuple[str, str]], lease: int) -> list[str]:
        """Returns the ids that are not held by those owners."""
        lost = []
        for task_id, owner in pairs:
            task = self.tasks.get(task_id)
            if self._holds(task, owner):
                assert task is not None
                task.lease_end = self.now + lease
            else:
                lost.append(task_id)
        return lost

    def beat(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """Returns the ids that are not held by those owners."""
        return [task_id for task_id, owner in pairs if not self._holds(self.tasks.get(task_id), owner)]

    def cancel(self, ids: Iterable[str]) -> dict[str, Status | None]:
        """Returns the statuses before."""
        before = self.statuses(ids)
        for task_id in before:
            task = self.tasks.get(task_id)
            if task is not None and allows(Event.CANCEL, task.status):
                if task.status is Status.QUEUED:
                    self.lanes[task.lane].remove(task_id)
                self._close(task, Status.CANCELLED)
        return before

    def requeue(self, ids: Iterable[str]) -> dict[str, Status | None]:
        """Returns the statuses before."""
        before = self.statuses(ids)
        for task_id in before:
            task = self.tasks.get(task_id)
            if task is not None and allows(Event.REQUEUE, task.status):
                task = self.tasks[task_id] = Task(task_id, task.lane, Status.QUEUED, gated=True)
                self._enqueue(task)
        return before

    def promote(self) -> int:
        """Returns how many were due."""
        due = sorted(
            (task.due, task.id)
            for task in self.tasks.values()
            if task.status is Status.SCHEDULED and task.due <= self.now
        )
        for _, task_id in due:
            task = self.tasks[task_id]
            if self._expired(task):
                self._close(task, Status.FAILED)
            else:
                self._enqueue(task)
        return len(due)

    def reclaim(self, worker: str | None = None, *, crashed: bool = True) -> list[tuple[str, str, Status]]:
        """Take back what a worker holds, or all whose lease has ended; returns id, owner, and status now."""
        found = []
        for task in sorted(self._leased(), key=lambda task: (task.lease_end, task.id)):
            meant = task.owner.startswith(f"{worker}/") if worker else task.lease_end <= self.now
            if meant:
                task.crashes += crashed
                task.attempt -= not crashed
                if task.crashes > self.crash_budget:
                    self._close(task, Status.FAILED)
                else:
                    self._enqueue(task, first=True)
                found.append((task.id, task.owner, task.status))
        return found

    def drop(self, ids: Iterable[str]) -> int:
        """Returns how many dead letters were deleted."""
        dropped = [task_id for task_id in ids if self.status(task_id) is Status.FAILED]
        for task_id in dropped:
            del self.tasks[task_id]
        return len(dropped)

    def pause(self, queue: str) -> None:
        """Give nothing out of a queue."""
        self.paused.add(queue)

    def resume(self, queue: str) -> None:
        """Give out again, and ring."""
        self.paused.discard(queue)
        for lane, ids in self.lanes.items():
            if lane.queue == queue and ids:
                ids.append(BELL)

    def status(self, task_id: str) -> Status | None:
        """Where a task is."""
        task = self.tasks.get(task_id)
        return task.status if task else None

    def statuses(self, ids: Iterable[str]) -> dict[str, Status | None]:
        """Where tasks are."""
        return {task_id: self.status(task_id) for task_id in ids}

    def holders(self) -> dict[str, str]:
        """Who holds which unique key."""
        return {key: holder for key, (holder, until) in self.unique.items() if not until or until > self.now}

    def _holder(self, order: Order, task_id: str) -> str | None:
        holder = self.holders().get(order.unique)
        if holder is None or holder == task_id:
            return None
        status = self.status(holder)
        open_ = status is not None and allows(Event.CANCEL, status)
        return holder if open_ or order.scope == "t" else None

    def _holds(self, task: Task | None, owner: str) -> bool:
        return task is not None and task.status is Status.RUNNING and task.owner == owner

    def _leased(self) -> Iterator[Task]:
        return (task for task in self.tasks.values() if task.status is Status.RUNNING)

    def _expired(self, task: Task) -> bool:
        return bool(task.deadline) and task.deadline < self.now

    def _passes_gate(self, task: Task) -> bool:
        if task.gated and self._expired(task):
            self._close(task, Status.FAILED)
            return False
        if task.gated and task.scope == "s":
            self._give_back(task)
        return True

    def _enqueue(self, task: Task, *, first: bool = False) -> None:
        task.status = Status.QUEUED
        self.lanes[task.lane].append(task.id)
        if first:
            self.first[task.lane].append(task.id)

    def _close(self, task: Task, status: Status) -> None:
        task.status = status
        if task.gated and task.scope != "t":
            self._give_back(task)

    def _give_back(self, task: Task) -> None:
        if self.unique.get(task.unique, ("", 0))[0] == task.id:
            del self.unique[task.unique]


_TARGETS = {
    Event.SUCCEED: Status.SUCCEEDED,
    Event.FAIL: Status.FAILED,
    Event.RETRY: Status.SCHEDULED,
    Event.SNOOZE: Status.SCHEDULED,
    Event.RELEASE: Status.QUEUED,
}
