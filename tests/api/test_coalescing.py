"""Lists and overviews that many ask for at the same time are read once for all who may see the same."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.inspector import Inspector
from jobbers.keyring import Access

pytestmark = pytest.mark.anyio
MANY = 30


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """An entry for each time that queues have been read, and what was found is not answered yet."""
    times: list[float] = []
    queues = Inspector.queues

    async def counted(self: Inspector) -> Any:
        found = await queues(self)
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.2)
        return found

    monkeypatch.setattr(Inspector, "queues", counted)
    return times


async def queued(app: Jobbers, queue: str) -> None:
    await app.task_types["keep"].options(queue=queue).submit(1)


async def test_many_at_a_time_are_one_read(
    api: httpx2.AsyncClient, app: Jobbers, looked: list[float]
) -> None:
    await queued(app, "mail")
    answers = await asyncio.gather(*(api.get("/queues") for _ in range(MANY)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) <= 2  # by how old the oldest is
    assert all([queue["name"] for queue in answer.json()["queues"]] == ["mail"] for answer in answers)
    assert len(looked) < MANY / 3


async def test_who_has_written_sees_it(api: httpx2.AsyncClient, app: Jobbers, looked: list[float]) -> None:
    reading = asyncio.create_task(api.get("/queues"))
    while not looked:  # noqa: ASYNC110 - in the one before
        await asyncio.sleep(0.01)
    await queued(app, "mail")
    assert [queue["name"] for queue in (await api.get("/queues")).json()["queues"]] == ["mail"]
    assert (await reading).json()["queues"] == []


async def test_nobody_gets_what_another_one_may_see(
    api: httpx2.AsyncClient, app: Jobbers, looked: list[float]
) -> None:
    access = Access((await app.client()).store)
    keys = {
        name: (await access.create(name, "read", queues=queues)).text
        for name, queues in {"all": None, "mine": ["mail"]}.items()
    }
    await queued(app, "mail")
    await queued(app, "secret")

    async def seen(name: str) -> list[str]:
        answer = await api.get("/queues", headers={"x-api-key": keys[name]})
        return sorted(queue["name"] for queue in answer.json().get("queues", []))

    found = await asyncio.gather(*(seen(name) for name in ("all", "mine") * MANY))
    assert found == [["mail", "secret"], await seen("mine")] * MANY
    assert "secret" not in found[1]


async def test_windows_are_not_mixed_up(api: httpx2.AsyncClient, app: Jobbers) -> None:
    for name in ("a", "b", "c"):
        await queued(app, name)
    asked = [1, 2, 3] * MANY
    answers = await asyncio.gather(*(api.get("/queues", params={"limit": limit}) for limit in asked))
    assert [len(answer.json()["queues"]) for answer in answers] == asked
