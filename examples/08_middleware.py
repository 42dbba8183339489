"""A feature around every execution: here, who a task works for, and what is spent on whom.

python examples/08_middleware.py
"""

import asyncio
import time
from collections import defaultdict
from contextvars import ContextVar
from typing import Any

from jobbers import Call, CurrentTask, Fail, Jobbers, TaskFailed, TaskType
from jobbers.worker import Worker

app = Jobbers()
tenant: ContextVar[str] = ContextVar("tenant")
spent: dict[str, float] = defaultdict(float)


class Tenants:
    """Takes the tenant out of the task's headers, and adds up the time that is spent for each."""

    def wrap(self, task_type: TaskType[Any, Any], call: Call) -> Call:
        # Asked once for each task type, when a worker starts: types that are left alone pay nothing.
        if task_type.extras.get("tenant") == "none":
            return call

        async def for_tenant(task: CurrentTask, args: list[Any], kwargs: dict[str, Any]) -> Any:
            if "tenant" not in task.headers:
                raise Fail(
                    "it does not say for whom"
                )  # outcomes can be changed, as can arguments and results
            tenant.set(task.headers["tenant"])
            began = time.monotonic()
            try:
                return await call(task, args, kwargs)
            finally:
                spent[tenant.get()] += time.monotonic() - began

        return for_tenant


app.middleware.append(Tenants())


@app.task
async def bill(amount: int) -> str:
    await asyncio.sleep(0.1)
    return f"{tenant.get()} pays {amount}"


@app.task(extras={"tenant": "none"})
async def tidy() -> str:
    return "tidied up for nobody in particular"


async def main() -> None:
    async with app:
        for_acme = bill.options(headers={"tenant": "acme"})
        bills = [await for_acme.submit(10), await for_acme.submit(20)]
        nobodys = await bill.submit(30)
        tidied = await tidy.submit()
        await Worker(app, burst=True).run()

        for each in bills:
            print(await each.result())
        print(await tidied.result())
        try:
            await nobodys.result()
        except TaskFailed as error:
            print("refused:", error.reason)
        print(f"spent on acme: {spent['acme']:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
