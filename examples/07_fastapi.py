"""A web service that hands its slow work to tasks.

    python examples/07_fastapi.py      calls itself once, and ends

To serve for real, in the folder examples: `uvicorn 07_fastapi:api`, and beside it `jobbers worker 07_fastapi:jobbers`.
For submitting over HTTP without writing any service there is `jobbers api`.
"""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from jobbers import Jobbers, WaitTimeout
from jobbers.errors import InvalidId, NotFound
from jobbers.worker import Worker

jobbers = Jobbers()


class Report(BaseModel):
    """Models, dataclasses, times and the like travel as arguments and results."""

    customer: str
    pages: int


@jobbers.task(timeout=60)
async def write_report(customer: str) -> Report:
    await asyncio.sleep(0.3)
    return Report(customer=customer, pages=12)


@asynccontextmanager
async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
    async with jobbers:  # connects at the start, so that a wrong URL shows at once
        yield


api = FastAPI(lifespan=lifespan)


@api.post("/reports/{customer}", status_code=202)
async def order(customer: str) -> dict[str, str]:
    # One report at a time for each customer: who asks again gets the one that is being written.
    handle = await write_report.options(unique=f"report:{customer}").submit(customer)
    return {"id": handle.id}


@api.get("/reports/{task_id}")
async def collect(task_id: str, wait: float = 1) -> Report:
    try:
        return await write_report.handle(task_id).result(timeout=wait)
    except (NotFound, InvalidId):
        raise HTTPException(404, "there is no such report") from None
    except WaitTimeout:
        raise HTTPException(425, "the report is not ready yet") from None


def call(method: str, url: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as response:
        return json.load(response)


async def port_of(server: uvicorn.Server) -> int:
    while True:
        if server.started:
            return int(server.servers[0].sockets[0].getsockname()[1])
        await asyncio.sleep(0.05)


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(api, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{await port_of(server)}/reports"

    worker = Worker(jobbers)
    working = asyncio.create_task(worker.run())
    ordered = await asyncio.to_thread(call, "POST", f"{url}/ada")
    print("ordered", ordered["id"])
    print("got", await asyncio.to_thread(call, "GET", f"{url}/{ordered['id']}?wait=5"))

    worker.stop()
    await working
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main())
