"""Watch a task while it runs, and notice when it hangs.

python examples/04_progress.py
"""

import asyncio

from jobbers import Jobbers, TaskFailed, current_task
from jobbers.worker import Worker

# Heartbeats of all tasks are sent together, once a second by default.
app = Jobbers(heartbeat_interval=0.2)

STEPS = ["reading", "resizing", "writing"]


@app.task
async def convert(picture: str) -> str:
    for number, step in enumerate(STEPS):
        # Costs no round trip, so it may be called as often as you like. In a plain function there is no await.
        await current_task().heartbeat(step, progress=number / len(STEPS))
        await asyncio.sleep(0.5)
    return f"converted {picture}"


@app.task(heartbeat=0.5)
async def hang() -> None:
    """Promises a heartbeat every half second, and breaks the promise."""
    await current_task().heartbeat("waiting for something that never comes")
    await asyncio.sleep(3600)


async def main() -> None:
    async with app:
        converted = await convert.submit("cat.jpg")
        hanging = await hang.submit()
        working = asyncio.create_task(Worker(app, burst=True).run())

        # Where it is: now, and whenever that changes, until it has ended.
        async for moment in converted:
            print(f"  {moment.status} {moment.step or ''} {moment.progress or 0:.0%}")
        print(await converted.result())

        try:
            await hanging.result()
        except TaskFailed:
            print("ended:", (await hanging.record()).errors[-1].message)
        await working


if __name__ == "__main__":
    asyncio.run(main())
