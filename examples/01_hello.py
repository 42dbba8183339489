"""Submit a task, run a worker, read the result.

    python examples/01_hello.py

No Redis is needed: without JOBBERS_REDIS_URL the app starts a server of its own, in the folder .jobbers.
"""

import asyncio

from jobbers import Jobbers
from jobbers.worker import Worker

app = Jobbers()


@app.task
async def hello(name: str) -> str:
    return f"Hello, {name}!"


async def main() -> None:
    async with app:
        # Returns as soon as the server has the task. Arguments of wrong types do not type-check, and are refused.
        greeting = await hello.submit("world")
        print("submitted", greeting.id, "which is", await greeting.status())

        # Many tasks in one call.
        greetings = await hello.map(["Ada", "Grace"])

        # A worker usually is a process of its own: `jobbers worker your_module:app`. A burst ends when all is done.
        await Worker(app, burst=True).run()

        print(await greeting.result())
        print(await asyncio.gather(*(each.result() for each in greetings)))

        # A task function is still a function.
        print(await hello("yourself"))


if __name__ == "__main__":
    asyncio.run(main())
