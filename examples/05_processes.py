"""Where functions run: on the event loop, in threads, or in processes of their own.

python examples/05_processes.py
"""

import asyncio
import os
import threading

from jobbers import Jobbers, current_task
from jobbers.worker import Worker

app = Jobbers()


@app.task
async def on_the_loop() -> int:
    """Async functions run on the worker's event loop: for what mostly waits."""
    return threading.get_ident()


@app.task
def in_a_thread() -> int:
    """Plain functions run in threads: for libraries that block."""
    return threading.get_ident()


# A queue that has such tasks is claimed by the number of processes alone, so give them a queue of their own.
@app.task(queue="numbers", process=True)
def count_primes(limit: int) -> tuple[int, int]:
    """With process=True: for work that keeps a processor busy. One that crashes takes no other task along."""
    primes = 0
    for number in range(2, limit):
        primes += all(number % divisor for divisor in range(2, int(number**0.5) + 1))
        if number % 1000 == 0:
            current_task().heartbeat("counting", progress=number / limit)
    return primes, os.getpid()


async def main() -> None:
    async with app:
        loop, thread = await on_the_loop.submit(), await in_a_thread.submit()
        counts = await count_primes.map([20_000, 30_000, 40_000])
        await Worker(app, burst=True, cpu_processes=2).run()

        print("on the loop:", await loop.result() == threading.get_ident())
        print("in a thread:", await thread.result() != threading.get_ident())
        found = [await count.result() for count in counts]
        print("primes:", [primes for primes, _ in found])
        print("in processes of their own:", os.getpid() not in {pid for _, pid in found})


# The processes import this file too: without this line each of them would run the whole example.
if __name__ == "__main__":
    asyncio.run(main())
