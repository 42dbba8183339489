"""Say when a task runs, before which others, and that it must not be there twice.

python examples/02_options.py
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from jobbers import Jobbers, Unique, current_task
from jobbers.worker import Worker

app = Jobbers()
began = time.monotonic()


@app.task(queue="letters")
async def deliver(what: str) -> None:
    print(f"  {time.monotonic() - began:4.1f} s: {what} (priority {current_task().priority})")


async def main() -> None:
    async with app:
        # Due later: after a delay in seconds (or a timedelta), or at a time, which must be aware.
        await deliver.options(delay=1).submit("a delayed letter")
        await deliver.options(at=datetime.now(UTC) + timedelta(seconds=0.5)).submit(
            "a letter for a given time"
        )

        # 9 goes first and 0 goes last; 5 is the default.
        await deliver.options(priority=1).submit("a postcard")
        await deliver.submit("a letter")
        await deliver.options(priority=9).submit("a telegram")

        # While one task with this key has not finished, another is not accepted: the first is returned instead.
        first = await deliver.options(unique="parcel-42").submit("the only parcel 42")
        second = await deliver.options(unique="parcel-42").submit("the only parcel 42")
        print("one parcel, submitted twice:", first == second)

        # The key can be held for a time instead, for example to send a reminder at most once a minute.
        reminder = deliver.options(unique=Unique("reminder", until=60))
        print(
            "one reminder, submitted twice:",
            await reminder.submit("a reminder") == await reminder.submit("again"),
        )

        await Worker(app, burst=True, concurrency=1).run()


if __name__ == "__main__":
    asyncio.run(main())
