"""What becomes of a task that fails: retries, snoozes, dead letters, and how to bring those back.

python examples/03_retries.py
"""

import asyncio

from jobbers import Fail, Jobbers, Retry, Snooze, Status, TaskFailed, current_task
from jobbers.worker import Worker

app = Jobbers()
door = asyncio.Event()


@app.task(retry=Retry(attempts=4, delay=0.1, backoff="exponential", on=ConnectionError))
async def fetch(url: str) -> str:
    # Attempt 1 fails; the next one comes after up to 0.1 s, then 0.2 s and so on: the wait is drawn at random.
    if current_task().attempt < 3:
        raise ConnectionError(f"{url} does not answer")
    return f"fetched in attempt {current_task().attempt}"


@app.task
async def enter() -> str:
    # "Not now": runs again after a delay, and uses no attempt. (To ask for a retry there is `raise Retry(after=5)`.)
    if not door.is_set():
        door.set()
        raise Snooze(0.2, "the door is closed")
    return f"entered in attempt {current_task().attempt}"


@app.task(retry=5)
async def charge(order: int) -> str:
    if order < 0:
        raise Fail(f"there is no order {order}")  # trying again would not help: no attempt follows
    return f"charged order {order}"


async def main() -> None:
    async with app:
        fetched, entered, charged = (
            await fetch.submit("example.org"),
            await enter.submit(),
            await charge.submit(-7),
        )
        await Worker(app, burst=True).run()

        print(await fetched.result())
        print([f"{error.attempt}: {error.type}" for error in (await fetched.record()).errors])
        print(await entered.result())
        try:
            await charged.result()
        except TaskFailed as error:
            print("failed:", error.reason)

        # What has failed for good is kept as a dead letter, with its arguments and its errors, for two weeks.
        inspector = await app.inspector()
        page = await inspector.tasks(Status.FAILED, type=charge.name)
        print("dead letters:", [(letter.type, letter.arguments) for letter in page.tasks])

        # Once the cause is mended it can run again: as it was, or with other arguments.
        await inspector.requeue(charged.id, args=[7], reason="the order number was wrong")
        await Worker(app, burst=True).run()
        print(await charged.result())


if __name__ == "__main__":
    asyncio.run(main())
