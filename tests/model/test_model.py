"""Random sequences of calls to every script: on fakeredis and on a real server they reply the same and leave the same
behind, and both do what a small model in Python says."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobbers.core.ids import make_id
from jobbers.core.lanes import Lane
from jobbers.core.status import Event, Status
from jobbers.store import scripts
from jobbers.store.connect import ServerConnector
from jobbers.store.url import parse
from jobbers.testing import FakeConnector, clock
from jobbers.testing.keyspace import fresh_namespace
from tests.model.model import Model, Order
from tests.model.subject import Subject, differences
from tests.sim.planted import BUGS

EXAMPLES = int(os.environ.get("JOBBERS_MODEL_EXAMPLES", "25"))
STEPS = 40
TICK = 100_000
"""Model time goes on by this with every call, and all spans end half a tick beside: what really passes is less."""
HALF = TICK // 2
GRAIN = 100
"""Model time goes on by this besides, so that what two calls made is never due at one instant: real time goes on too."""
BUDGET = 2
LANES = tuple(Lane(queue, priority) for queue in ("mail", "media") for priority in (5, 9))
WORKERS = ("w1", "w2")

spans = st.integers(1, 8).map(lambda ticks: ticks * TICK + HALF)
orders = st.one_of(
    st.builds(Order, st.sampled_from(LANES)),
    st.builds(Order, st.sampled_from(LANES), spans, st.just(0) | spans),
    st.builds(
        Order, st.sampled_from(LANES), st.just(0) | spans, st.just(0) | spans, st.sampled_from(("k1", "k2")),
        st.sampled_from("sft"), spans,
    ),
)  # fmt: skip


class Machine(RuleBasedStateMachine):
    """Makes every call on the model and on both stores."""

    subjects: Callable[[], list[Subject]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model(BUDGET)
        self.ids: list[str] = []
        self.owners: list[str] = []
        self.stores: list[Subject] = []
        self.began = time.time_ns() // 1_000_000
        self.numbers = random.Random(0)

    @initialize()
    def begin(self) -> None:
        self.stores = type(self).subjects()
        for store in self.stores:
            self.runner.run(store.store.open())

    def teardown(self) -> None:
        try:
            if self.stores:
                first, *others = (self.runner.run(store.keyspace()) for store in self.stores)
                assert [differences(first, other) for other in others] == [{} for _ in others]
                for store in self.stores:
                    assert self.runner.run(store.audit()) == []
        finally:
            for store in self.stores:
                self.runner.run(store.close())
            self.runner.close()

    def both(self, verb: str, *args: Any, **options: Any) -> Any:
        """Make a call everywhere; the replies must be equal. Returns the reply."""
        self.model.now += TICK + GRAIN
        expected = getattr(self.model, verb)(*args, **options)
        for store in self.stores:
            self.runner.run(store.advance(TICK + GRAIN))
            got = self.runner.run(getattr(store, verb)(*args, **options))
            assert got == expected, f"{verb}{args} on {store.store.connector.display}"
        return expected

    def new_id(self) -> str:
        """Chance would have it that an example, run again, takes what is due at one instant in another order."""
        return make_id(self.began + self.model.now, self.numbers.getrandbits(80))

    def some(self, data: st.DataObject) -> list[str]:
        """Ids, mostly of tasks that are there, and rather of those that run."""
        running = [task.id for task in self.model.tasks.values() if task.status is Status.RUNNING]
        known = st.sampled_from([*self.ids, *running, *running, *running, self.new_id()])
        return data.draw(st.lists(known, min_size=1, max_size=4, unique=True))

    def pairs(self, data: st.DataObject) -> list[tuple[str, str]]:
        """Ids, each with who holds it or with somebody else."""
        found = []
        for task_id in self.some(data):
            task = self.model.tasks.get(task_id)
            right = (task and task.owner) or "nobody/0"
            found.append((task_id, data.draw(st.sampled_from([right, right, *self.owners[-3:], "w1"]))))
        return found

    @rule(order=orders, count=st.integers(1, 4))
    def submit(self, order: Order, count: int) -> None:
        ids = [self.new_id() for _ in range(count)]
        self.ids += ids
        self.both("submit", ids, order)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), order=orders)
    def submit_again(self, data: st.DataObject, order: Order) -> None:
        self.both("submit", self.some(data), order)

    @rule(
        worker=st.sampled_from(WORKERS),
        lanes=st.lists(st.sampled_from(LANES), min_size=1, unique=True),
        want=st.integers(1, 6),
        lease=spans,
    )
    def claim(self, worker: str, lanes: list[Lane], want: int, lease: int) -> None:
        owner = f"{worker}/{len(self.owners)}"
        self.owners.append(owner)
        self.both("claim", owner, lanes, want, lease)

    @rule(order=orders, count=st.integers(1, 4), worker=st.sampled_from(WORKERS), lease=spans)
    def submit_and_claim(self, order: Order, count: int, worker: str, lease: int) -> None:
        self.submit(order, count)
        self.claim(worker, list(LANES), count, lease)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        self.both("finish", Event.SUCCEED, self.pairs(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.both("finish", Event.FAIL, self.pairs(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), delay=spans)
    def retry(self, data: st.DataObject, delay: int) -> None:
        self.both("finish", Event.RETRY, self.pairs(data), delay)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), delay=spans)
    def snooze(self, data: st.DataObject, delay: int) -> None:
        self.both("finish", Event.SNOOZE, self.pairs(data), delay)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.both("finish", Event.RELEASE, self.pairs(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lease=spans)
    def renew(self, data: st.DataObject, lease: int) -> None:
        self.both("renew", self.pairs(data), lease)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.both("beat", self.pairs(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.both("cancel", self.some(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        self.both("requeue", self.some(data))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.both("drop", self.some(data))

    @rule()
    def promote(self) -> None:
        self.both("promote")

    @rule()
    def reclaim(self) -> None:
        self.both("reclaim")

    @rule(worker=st.sampled_from(WORKERS), crashed=st.booleans())
    def reclaim_from(self, worker: str, crashed: bool) -> None:
        self.both("reclaim", worker, crashed=crashed)

    @rule(queue=st.sampled_from(("mail", "media")), on=st.booleans())
    def pause_or_resume(self, queue: str, on: bool) -> None:
        self.both("pause" if on else "resume", queue)

    @rule(ticks=st.integers(1, 10))
    def time_goes_by(self, ticks: int) -> None:
        self.model.now += ticks * TICK
        for store in self.stores:
            self.runner.run(store.advance(ticks * TICK))

    @invariant()
    def all_stand_where_the_model_says(self) -> None:
        for store in self.stores:
            assert self.runner.run(store.statuses(self.ids)) == self.model.statuses(self.ids)
            assert self.runner.run(store.holders()) == self.model.holders()
            lanes = {str(lane): ids for lane, ids in self.model.lanes.items() if ids}
            assert self.runner.run(store.lanes()) == lanes


def test_what_is_due_in_the_same_tick_moves_in_the_order_of_the_calls() -> None:
    """Also where the ids say otherwise: no more than milliseconds pass between the calls."""

    class Fake(Machine):
        @staticmethod
        def subjects() -> list[Subject]:
            return [Subject(FakeConnector(), fresh_namespace(), BUDGET)]

    machine, lane = Fake(), LANES[0]
    machine.begin()
    first, second = machine.ids = sorted([machine.new_id(), machine.new_id()])
    machine.both("submit", [first], Order(lane))
    machine.both("claim", "w1/0", [lane], 1, 8 * TICK + HALF)
    machine.both("submit", [second], Order(lane, 3 * TICK + HALF))
    machine.both("finish", Event.RETRY, [(first, "w1/0")], 2 * TICK + HALF)
    for _ in range(4):
        machine.both("beat", [])
    machine.both("promote")
    assert machine.model.lanes[lane] == [second, first]
    machine.all_stand_where_the_model_says()
    machine.teardown()


@pytest.mark.slow
def test_fake_and_real_servers_do_what_the_model_says(jobbers_server: str) -> None:
    class Both(Machine):
        @staticmethod
        def subjects() -> list[Subject]:
            namespace = fresh_namespace()
            real = ServerConnector(parse(jobbers_server))
            return [Subject(connector, namespace, BUDGET) for connector in (FakeConnector(), real)]

    run_state_machine_as_test(
        Both,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "bug",
    ["fence by status only", "no id check at submit", "crashes are not counted", "cancel forgets the lane"],
)
def test_a_broken_script_is_found_out(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the fake server alone; the scripts are those that a clock which can be moved needs."""
    rewrite = BUGS[bug]
    texts = {
        scripts.load(name).text: rewrite(name, scripts.load(name, manual_clock=True).text)
        for name in scripts.NAMES
    }
    twins = {
        scripts.load(name).sha: clock.Twin(
            name,
            scripts.Script(
                name,
                texts[scripts.load(name).text],
                hashlib.sha1(texts[scripts.load(name).text].encode()).hexdigest().encode(),
            ),
        )
        for name in scripts.NAMES
    }
    monkeypatch.setattr(clock, "_twins", lambda: twins)
    monkeypatch.setattr(clock, "_texts", lambda: texts)

    class Fake(Machine):
        @staticmethod
        def subjects() -> list[Subject]:
            return [Subject(FakeConnector(), fresh_namespace(), BUDGET)]

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Fake,
            settings=settings(
                max_examples=1500,
                stateful_step_count=STEPS,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
