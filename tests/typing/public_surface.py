"""What type checkers must understand of the public surface. Never run: mypy and pyright read it, both strictly.

A line that ends in ``type: ignore[...]`` must be an error: mypy says so when it is none (pyright checks the rest).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

from jobbers import (
    Batch,
    Dag,
    Flow,
    Jobbers,
    NodeState,
    Retry,
    RunHandle,
    Status,
    Submitter,
    TaskHandle,
    TaskType,
    chain,
    current_batch,
    current_task,
    group,
)

app = Jobbers("redis://localhost:6379/0")


@app.task
async def bare(user_id: int, template: str = "hello") -> str:
    return f"{template} {user_id}"


@app.task
def plain(amount: float) -> bool:
    return amount > 0


@app.task(queue="mail", priority=7, retry=Retry(5), timeout=30, heartbeat=timedelta(seconds=10))
async def with_options(user_id: int, *, urgent: bool = False) -> list[int]:
    await current_task().heartbeat("rendering", progress=0.2)
    return [user_id] if urgent else []


@app.task(process=True)
def heavy(text: str) -> bytes:
    return text.encode()


@app.task(batch=Batch(size=100, linger="50ms"), retry=3)
async def store_events(events: list[int]) -> list[str | Exception]:
    assert_type(current_batch().ids, list[str])
    return [str(event) if event else ValueError("no event") for event in events]


@app.task(batch=Batch())
async def lengths(texts: list[str]) -> list[int]:
    return [len(text) for text in texts]


@app.task(batch=Batch(by=len), queue="mail")
def print_all(texts: list[str]) -> None:
    print(*texts)  # noqa: T201


async def batches() -> None:
    assert_type(await store_events.submit(7), TaskHandle[str])
    assert_type(await store_events.map([1, 2, 3]), list[TaskHandle[str]])
    assert_type(await lengths.submit("seven"), TaskHandle[int])
    assert_type(await print_all.options(delay=5).submit("later"), TaskHandle[None])
    await store_events.submit([7])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await store_events.map(["7"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    app.task(batch=Batch(), prioritty=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def submit() -> None:
    handle = await bare.submit(42, template="hello")
    assert_type(handle, TaskHandle[str])
    assert_type(await handle, str)
    assert_type(await handle.result(timeout=10), str)
    assert_type(await handle.status(), Status)

    assert_type(await plain.submit(1.5), TaskHandle[bool])
    assert_type(await with_options.submit(1, urgent=True), TaskHandle[list[int]])
    assert_type(await (await heavy.submit("x")), bytes)

    assert_type(await bare.map([1, 2, 3]), list[TaskHandle[str]])
    assert_type(await bare.starmap([(1, "hello"), (2, "bye")]), list[TaskHandle[str]])
    assert_type(bare.handle("01J0000000000000000000000A"), TaskHandle[str])


async def submit_with_options() -> None:
    later = with_options.options(delay=60, priority=9, unique="welcome:42")
    assert_type(await later.submit(42, urgent=True), TaskHandle[list[int]])
    at_noon = bare.options(at=datetime(2030, 1, 1, 12, tzinfo=UTC), deadline=timedelta(hours=1))
    assert_type(await at_noon.submit(42), TaskHandle[str])
    assert_type(await bare.options(queue="slow").map([1]), list[TaskHandle[str]])


async def workflows() -> None:
    flow = chain(bare.s(42), group(bare.s(1), bare.s(2))).then(bare.s())
    assert_type(flow, Flow)
    assert_type(await flow.submit(), RunHandle)
    dag = app.dag("typed")
    assert_type(dag, Dag)
    run = await dag.submit(url="x")
    assert_type(await run.nodes(), list[NodeState])


async def pass_around(task_type: TaskType[..., str], submitter: Submitter[..., str]) -> None:
    assert_type(task_type.name, str)
    assert_type(await submitter.submit(1), TaskHandle[str])


async def pass_on() -> None:
    await pass_around(bare, bare.options(delay=5))


async def wrong_arguments_are_errors() -> None:
    await bare.submit("42")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await bare.submit(42, color="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await bare.submit()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await bare.map(["42"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await bare.options(dealy=5).submit(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    app.task(prioritty=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
