"""Schedules: by cron line in a time zone, and every so often; a task, and a graph of tasks."""

from __future__ import annotations

import asyncio

from jobbers import Jobbers, current_task
from jobbers.worker import Worker

app = Jobbers()
beats: list[str] = []


@app.task
async def report(day: str) -> str:
    return f"report of {day}"


@app.task
async def beat() -> None:
    beats.append(current_task().id)


@app.task
async def shout(text: str) -> str:
    return text.upper()


weekly = app.dag("weekly")
weekly.node(shout, weekly.node(report, weekly.param("day")))

# Workers write these when they start. The night in which clocks change is neither left out nor doubled.
app.schedule("nightly", report.s("yesterday"), cron="30 2 * * *", tz="Europe/Berlin", missed="one", jitter=5)
app.schedule("weekly", weekly.call(day="last week"), cron="0 6 * * MON")
app.schedule("heart", beat.s(), every=0.2, overlap="skip")


async def main() -> None:
    async with app:
        worker = Worker(app)
        running = asyncio.create_task(worker.run())
        await worker.ready.wait()
        for _ in range(200):
            if len(beats) >= 3:
                break
            await asyncio.sleep(0.05)
        print(f"three beats, {len(set(beats))} tasks")

        await app.schedules.pause("heart")
        for one in await app.schedules.list():
            print(f"{one.name}: {one.timing}, {'paused' if one.paused else 'goes on'}")
        mondays = await app.schedules.upcoming("weekly", 10)
        print(f"the next {len(mondays)} times of weekly are {mondays[0]:%A}s at {mondays[0]:%H:%M}")
        print(await app.run(await app.schedules.run("weekly")).result(10))

        worker.stop()
        await running


if __name__ == "__main__":
    asyncio.run(main())
