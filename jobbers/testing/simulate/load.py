"""What simulated clients ask for, and what the tasks do: each task carries a plan drawn from the seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from jobbers import Fail, Jobbers, Limit, Rate, Retry, Skip, Snooze, current_task, group
from jobbers.client import new_id
from jobbers.dag.nodes import MapNode, Node, Trigger
from jobbers.errors import (
    Conflict,
    JobbersError,
    NotFound,
    OutOfMemory,
    ServerUnavailable,
    TaskCancelled,
    TaskFailed,
    TaskSkipped,
    UnknownOutcome,
)
from jobbers.flow import Dag
from jobbers.handle import TaskHandle
from jobbers.run import RunHandle
from jobbers.testing.history import History
from jobbers.testing.simulate.loop import current, here

ATTEMPTS = 3
AGAIN_SECONDS = 0.5
RUNS = 0.15
"""How many of the submissions are runs."""
WIDE = 0.15
"""How many of the runs have ``MANY`` tasks besides that wait for nobody, and are paused at once, in several steps."""
MANY = 8
RESUMED = 5
"""How often a run that was paused is found to have ended before it is left alone."""
LIMITED = 0.25
"""How many of the other submissions are of tasks that have limits."""
MAPS = 0.2
"""How many of a run's nodes are maps."""

Step = tuple[str, float]
"""How an execution ends, and after how many seconds."""


def add_tasks(app: Jobbers, history: History) -> None:
    """Give an app the task type of the simulation, which notes when it starts and when it returns."""

    def note(kind: str) -> None:
        task, process = current_task(), current()
        history.add(
            kind,
            task=task.id,
            attempt=task.attempt,
            owner=task.claimed.owner,
            process=process.name if process else "",
        )

    async def work(plan: list[Any]) -> Any:
        task = current_task()
        ending, seconds = plan[min(task.attempt + task.snoozes, len(plan)) - 1]
        note("started")
        task.heartbeat("first half")
        await asyncio.sleep(seconds / 2)
        task.heartbeat("second half", progress=0.5)
        await asyncio.sleep(seconds / 2)
        match ending:
            case "raise":
                raise RuntimeError("as planned")
            case "retry":
                raise Retry(after=0.5)
            case "fail":
                raise Fail("as planned")
            case "grow":
                part = app.task_types["work"].s([("ok", seconds / 2)])
                return group(part, part)
            case "skip":
                raise Skip("as planned")
            case "die":
                note("killed")
                here().kill()
                await asyncio.Future()
            case "snooze" if task.snoozes < len(plan):
                raise Snooze(0.7)
        note("returned")
        return task.id

    async def narrow(plan: list[Any], user: int) -> Any:  # noqa: ARG001
        return await work(plan)

    again = Retry(attempts=ATTEMPTS, delay=0.3, backoff="fixed", jitter=False)
    app.task(name="work", retry=again)(work)
    app.task(
        name="narrow",
        retry=again,
        limits=[Limit(2), Limit(1, key="user")],
        rates=[Rate(4, per=3.0)],
        fair_by="user",
    )(narrow)


def draw_plan(chance: random.Random) -> list[Step]:
    """What happens at each execution of a task; the last step counts for all later ones."""
    endings = chance.choices(
        ["ok", "grow", "raise", "retry", "snooze", "fail", "skip", "die"],
        [66, 4, 12, 5, 7, 4, 1, 1],
        k=ATTEMPTS,
    )
    if chance.random() < 0.9:
        endings[-1] = "ok"
    if chance.random() < 0.02:
        endings = ["die"]  # poison: it takes each worker along
    return [
        (ending, round(chance.choice([0.0, 0.02, 0.2, 1.0, 4.0]) * chance.random(), 3)) for ending in endings
    ]


class Client:
    """A program that submits tasks and watches some of them."""

    def __init__(self, app: Jobbers, history: History, chance: random.Random, count: int) -> None:
        self._work = app.task_types["work"]
        self._narrow = app.task_types["narrow"]
        self._history = history
        self._chance = chance
        self._count = count
        self._wide: set[str] = set()

    async def run(self, over: float) -> None:
        """Submit all tasks within so many seconds; returns when all have been accepted."""
        chance = self._chance
        followers: list[asyncio.Task[None]] = []
        for at in sorted(chance.uniform(0, over) for _ in range(self._count)):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, at - loop.time()))
            handle = await self._submit()
            if handle.id in self._wide or chance.random() < 0.5:
                followers.append(asyncio.create_task(self._follow(handle)))
        await asyncio.gather(*followers)

    async def _submit(self) -> TaskHandle[Any]:
        """Insist until it is known to have been accepted, with an id of the client's own."""
        chance, history = self._chance, self._history
        if chance.random() < RUNS:
            return await self._submit_run()
        options: dict[str, Any] = {"priority": chance.choice([5, 5, 5, 8])}
        if chance.random() < 0.2:
            options["delay"] = chance.choice([0.3, 1.5])
        args: list[Any] = [draw_plan(chance)]
        task_type = self._work
        if chance.random() < LIMITED:
            task_type, task_id = self._narrow, new_id(limited=True)
            args.append(chance.randrange(3))
        else:
            if chance.random() < 0.15:
                options["unique"] = f"key{chance.randrange(3)}"
            task_id = new_id(options.get("unique"))
        history.add("submitting", task=task_id, attempts=ATTEMPTS)
        return await self._until_accepted(
            task_id, lambda: task_type.options(id=task_id, **options).submit(*args)
        )

    async def _submit_run(self) -> TaskHandle[Any]:
        """A graph of some tasks, each of which waits for some of those before it."""
        dag = Dag("graph", self._work.client)
        nodes: list[Node] = []
        for _ in range(self._chance.randint(1, 5)):
            self._add_node(dag, nodes)
        run_id = new_id(limited=True)
        if self._chance.random() < WIDE:
            self._wide.add(run_id)
            for _ in range(MANY):
                dag.node(self._work, draw_plan(self._chance))
        self._history.add("submitting", task=run_id, attempts=ATTEMPTS)
        return await self._until_accepted(run_id, lambda: dag.submit_as(run_id, {}))

    def _add_node(self, dag: Dag, nodes: list[Node]) -> None:
        """A task or a map, behind some of ``nodes``."""
        chance = self._chance
        parents = [node for node in nodes if chance.random() < 0.5]
        trigger = chance.choice([*("all_succeeded",) * 4, *Trigger] if parents else ["all_succeeded"])
        if chance.random() < MAPS:
            items = [draw_plan(chance) for _ in range(chance.randint(0, 5))]
            node: Node = dag.map(self._work, items).at_a_time(chance.randint(1, 3))
            if isinstance(node, MapNode) and chance.random() < 0.3:
                node.at_least(chance.randint(0, len(items)))
        else:
            node = self._draw_node(dag)
        nodes.append(node.after(*parents).when(trigger))
        if chance.random() < 0.1:
            node.may_fail()
        if len(parents) == 1 and chance.random() < 0.5:
            node.inline()
        if parents and chance.random() < 0.1:
            chance.choice([node.only_if, node.unless])(parents[0])
        if chance.random() < 0.1:
            node.undo(self._work, draw_plan(chance))

    def _draw_node(self, dag: Dag) -> Node:
        if self._chance.random() < LIMITED:
            return dag.node(self._narrow, draw_plan(self._chance), self._chance.randrange(3))
        return dag.node(self._work, draw_plan(self._chance))

    async def _until_accepted(
        self, task_id: str, submit: Callable[[], Awaitable[TaskHandle[Any]]]
    ) -> TaskHandle[Any]:
        history = self._history
        while True:
            try:
                handle = await submit()
            except UnknownOutcome:
                history.add("unknown", task=task_id)
            except (ServerUnavailable, OutOfMemory):
                history.add("refused", task=task_id)
            else:
                history.add("accepted", task=task_id, holder=handle.id)
                return handle
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, handle: TaskHandle[Any]) -> None:
        """Cancel it, or wait for its end and give dead letters another life."""
        if handle.id in self._wide:
            await self._insist(handle, self._pause)
            return
        if isinstance(handle, RunHandle) and self._chance.random() < 0.3:
            await asyncio.sleep(self._chance.uniform(0, 1))
            await self._insist(handle, self._pause)
            return
        if self._chance.random() < 0.4:
            await asyncio.sleep(self._chance.uniform(0, 3))
            await self._insist(handle, self._cancel)
        else:
            await self._insist(handle, self._await_end)

    async def _insist(self, handle: TaskHandle[Any], action: Any) -> None:
        while True:
            try:
                await action(handle)
            except NotFound:
                self._history.add("told", task=handle.id, what="gone")
            except JobbersError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            return

    async def _pause(self, handle: TaskHandle[Any]) -> None:
        """Pause a run for a moment. Then resume it until it has ended for a while: a server that loses its power may
        forget that it goes on, and that it has ended."""
        run = RunHandle(handle.id, self._work.client)
        with contextlib.suppress(NotFound, Conflict):
            self._history.add("pausing", task=handle.id)
            await run.pause()
            self._history.add("told", task=handle.id, what="paused")
        for _ in range(RESUMED):
            await asyncio.sleep(self._chance.uniform(0, 2))
            self._history.add("resuming", task=handle.id)
            with contextlib.suppress(NotFound, Conflict):
                while True:
                    await run.resume()
                    await asyncio.sleep(self._chance.uniform(0, 2))

    async def _cancel(self, handle: TaskHandle[Any]) -> None:
        ended = await handle.cancel()
        self._history.add("told", task=handle.id, what="cancelled" if ended else "over")

    async def _await_end(self, handle: TaskHandle[Any]) -> None:
        try:
            value = await handle.result()
        except TaskFailed:
            self._history.add("told", task=handle.id, what="failed")
        except TaskSkipped:
            self._history.add("told", task=handle.id, what="skipped")
        except TaskCancelled:
            self._history.add("told", task=handle.id, what="cancelled")
        else:
            self._history.add("told", task=handle.id, what="succeeded", value=value)
