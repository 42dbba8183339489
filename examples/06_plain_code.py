"""Submit and wait from code without an event loop: scripts, Django views, Flask, notebooks.

python examples/06_plain_code.py
"""

import asyncio
import threading

from jobbers import Jobbers, current_task
from jobbers.worker import Worker

app = Jobbers()


@app.task
def add(left: int, right: int) -> int:
    current_task().heartbeat("adding")
    return left + right


def main() -> None:
    # app.sync does what a task type does, and blocks. It may be used from any number of threads.
    total = app.sync.submit(add, 2, 3)
    urgent = app.sync.submit(add.options(priority=9), 20, 30)
    many = app.sync.starmap(add, [(1, 1), (2, 2), (3, 3)])
    print("submitted", total.status())

    # Usually a process of its own: `jobbers worker your_module:app`.
    worker = threading.Thread(target=lambda: asyncio.run(Worker(app, burst=True).run()))
    worker.start()

    print("2 + 3 =", total.result(timeout=10))
    print("20 + 30 =", urgent.result(timeout=10))
    print("doubles:", [each.result(timeout=10) for each in many])
    worker.join()


if __name__ == "__main__":
    main()
