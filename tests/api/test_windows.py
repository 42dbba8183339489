"""Pages of the lists that are read as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from jobbers import Breaker, Jobbers, Limit
from jobbers.api.windows import decoded, encoded
from jobbers.core.strike import Strike
from jobbers.inspector import MAX_PAGE
from jobbers.keyring import Access
from tests.api.support import error_of

NAMES = [f"n{letter}" for letter in "abcdefg"]
Fill = Callable[[Jobbers, httpx2.AsyncClient], Awaitable[None]]


async def _queues(app: Jobbers, api: httpx2.AsyncClient) -> None:
    inspector = await app.inspector()
    for name in reversed(NAMES):
        await app.task_types["keep"].options(queue=name).submit()
        await inspector.route(name, "mail")
        await (await app.live_roles()).set(name, [name], force=True)
        await (await app.client()).store.control.announce(name, {"host": "here"}, 60_000)


async def _types(app: Jobbers, api: httpx2.AsyncClient) -> None:
    for name in NAMES:

        async def work(key: str = "") -> None: ...

        limits = Limit(3, name=name)
        app.task(name=name, limits=[limits], breaker=Breaker(name=name, failures=0.5, window=60))(work)
        app.dag(name).node(app.task_types[name])
    async with app:
        pass


async def _stored(app: Jobbers, api: httpx2.AsyncClient) -> None:
    access = Access((await app.client()).store)
    for name in NAMES:
        key = (await access.create(name, "admin")).text
        await api.post(
            "/schedules", json={"name": name, "type": "keep", "every": 3600}, headers={"X-API-Key": key}
        )
        await (await app.inspector()).strike(
            Strike(f"01JGZ3Y9W5V8Q2M4T6R8K0N1P{name[-1].upper()}", name, {}, "cancel")
        )
    api.headers["X-API-Key"] = key


LISTS: dict[str, tuple[Fill, str, str]] = {
    "/queues": (_queues, "queues", "name"),
    "/routes": (_queues, "routes", "type"),
    "/roles": (_queues, "roles", "name"),
    "/workers": (_queues, "workers", "id"),
    "/stats/queues": (_queues, "queues", "name"),
    "/stats/workers": (_queues, "workers", "id"),
    "/advice": (_queues, "advice", "queue"),
    "/task-types": (_types, "task_types", "name"),
    "/dags": (_types, "dags", "name"),
    "/limits": (_types, "limits", "name"),
    "/breakers": (_types, "breakers", "name"),
    "/keys": (_stored, "keys", "name"),
    "/schedules": (_stored, "schedules", "name"),
    "/strikes": (_stored, "strikes", "id"),
}


async def read(api: httpx2.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    response = await api.get(path, params=query)
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.mark.parametrize("path", LISTS)
async def test_pages_are_the_whole(api: httpx2.AsyncClient, app: Jobbers, path: str) -> None:
    fill, field, name = LISTS[path]
    await fill(app, api)
    whole = await read(api, path)
    names = [entry[name] for entry in whole[field]]
    assert whole["cursor"] is None
    assert len(names) >= len(NAMES)
    assert names == sorted(names)
    assert (await read(api, path, limit=len(names) + 1))["cursor"] is None
    for size in (1, 3):
        found, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            page = await read(api, path, limit=size, **({} if cursor is None else {"cursor": cursor}))
            assert len(page[field]) <= size
            found += [entry[name] for entry in page[field]]
            cursor = page["cursor"]
            pages += 1
            assert pages <= len(names) + 1
        assert found == names
    for wrong in ({"limit": 0}, {"limit": MAX_PAGE + 1}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "n_"}):
        error = error_of(await api.get(path, params=wrong), 422, "invalid_input")
        assert error["parameter"] == next(iter(wrong))


async def test_what_goes_meanwhile_moves_nothing(api: httpx2.AsyncClient, app: Jobbers) -> None:
    await _stored(app, api)
    first = await read(api, "/schedules", limit=2)
    assert (await api.delete("/schedules/nb")).status_code == 200  # the very one that the cursor names
    second = await read(api, "/schedules", limit=2, cursor=first["cursor"])
    assert [one["name"] for one in second["schedules"]] == ["nc", "nd"]


async def test_queues_without_service_are_told_once(api: httpx2.AsyncClient, app: Jobbers) -> None:
    await _queues(app, api)
    await app.task_types["keep"].options(queue="lonely").submit()
    first = await read(api, "/roles", limit=1)
    assert "lonely" in [one["queue"] for one in first["unserved"]]
    assert (await read(api, "/roles", limit=1, cursor=first["cursor"]))["unserved"] == []


@pytest.mark.parametrize("name", ["", "a", "é\u202e/..", "x" * 500, "\ud800"])
def test_any_name_makes_a_cursor(name: str) -> None:
    assert decoded(encoded(name)) == name.replace("\ud800", "?")
