"""Keys, queues, logins, one's own authentication, and when callers are asked at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request

from jobbers import Jobbers
from jobbers.api import Caller, Scope, create_app, router
from jobbers.api.server import serve
from jobbers.core.access import digest, pack_key, split_key
from jobbers.errors import ConfigError
from jobbers.keyring import Access
from jobbers.store.embedded import EmbeddedServer
from tests.api.support import Desk, call, error_of, make_app, served
from tests.api.test_server import serving


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobbers.api.slowdown.FIRST", 0)


@pytest.fixture
async def access(app: Jobbers) -> Access:
    return Access((await app.client()).store)


@pytest.fixture
async def as_mail(app: Jobbers, access: Access) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that may operate the queues mail and sms."""
    key = (await access.create("mail", "operate", queues=["mail", "sms"])).text
    async with call(served(app)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


async def test_the_first_key_closes_the_api_for_good(app: Jobbers, api: httpx2.AsyncClient) -> None:
    assert (await api.get("/me")).json() == {
        "name": "anyone",
        "kind": "open",
        "scope": "admin",
        "queues": None,
    }
    made = await api.post("/keys", json={"name": "root", "scope": "admin"})
    assert made.status_code == 201
    key = made.json()["key"]
    for client_of in (api, None):
        async with call(create_app(app)) as other:
            client = client_of or other
            error_of(await client.get("/queues"), 401, "unauthorized")
            mine = {"X-API-Key": key}
            assert (await client.get("/me", headers=mine)).json()["name"] == "root"
            assert (
                await client.get("/queues", headers={"authorization": f"bearer {key}"})
            ).status_code == 200
    assert (await api.delete("/keys/root", headers={"X-API-Key": key})).json() == {"name": "root"}
    error_of(await api.get("/queues", headers={"X-API-Key": key}), 401, "unauthorized")
    async with call(create_app(app)) as other:  # a process that has never seen the key
        error_of(await other.get("/queues"), 401, "unauthorized")


async def test_settings_decide(server: EmbeddedServer) -> None:
    strict = make_app(server.url, auth="keys")
    async with call(create_app(strict)) as api:
        error_of(await api.get("/queues"), 401, "unauthorized")
        assert (await api.get("/health")).status_code == 200
    await strict.close()
    lax = make_app(server.url, auth="off")
    await Access((await lax.client()).store).create("k", "read")
    async with call(create_app(lax)) as api:
        assert (await api.post("/tasks", json={"type": "keep"})).status_code == 201
    async with call(create_app(lax, auth_required=True)) as api:
        error_of(await api.get("/queues"), 401, "unauthorized")
    await lax.close()


async def test_where_nobody_is_asked_only_this_machine_is_answered(app: Jobbers) -> None:
    async def status(**options: Any) -> int:
        transport = httpx2.ASGITransport(app=create_app(app, **options), client=("192.0.2.7", 1234))
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.test/api/v1") as api:
            response = await api.get("/queues")
            if response.status_code == 403:
                error_of(response, 403, "local_only")
            return response.status_code

    assert await status() == 403
    assert await status(insecure=True) == 200
    assert await status(authenticate=lambda request: Caller("me", Scope.READ)) == 200


async def test_nothing_is_let_through_when_the_keys_cannot_be_read(app: Jobbers, access: Access) -> None:
    key = (await access.create("k", "admin")).text
    client = await app.client()
    await client.store.gateway.command("DEL", client.store.keys.keys)
    await client.store.gateway.command("SET", client.store.keys.keys, "garbage")
    async with call(create_app(app)) as api:
        assert (await api.get("/queues")).status_code == 401
        error_of(await api.get("/queues", headers={"X-API-Key": key}), 502, "store_error")
        await client.store.gateway.command("DEL", client.store.keys.keys)
        await client.store.gateway.command("HSET", client.store.keys.keys, "k", '{"scope": "admin"}')
        error_of(await api.get("/queues", headers={"X-API-Key": key}), 401, "unauthorized")
    lost = make_app("redis://127.0.0.1:1/0", patience=0.1)
    async with call(create_app(lost)) as api:
        error_of(await api.get("/task-types"), 503, "server_unavailable")
    await lost.close()


async def test_beyond_loopback_a_key_is_enough(server: EmbeddedServer) -> None:
    app = make_app(server.url)
    with pytest.raises(ConfigError, match="jobbers keys create"):
        await serve(app, "0.0.0.0", 0)
    access = Access((await app.client()).store)
    key = (await access.create("k", "read")).text
    async with serving(app, host="0.0.0.0") as api:
        url = f"http://127.0.0.1:{api.base_url.port}/api/v1/queues"
        assert (await api.get(url)).status_code == 401
        assert (await api.get(url, headers={"X-API-Key": key})).status_code == 200
        client = await app.client()
        await client.store.gateway.command("DEL", client.store.keys.keys)
        assert (await api.get(url)).status_code == 401, "what is stored must not open a running service"
    await app.close()
    off = make_app(server.url, auth="off")
    with pytest.raises(ConfigError, match="refused to listen"):
        await serve(off, "0.0.0.0", 0)
    await off.close()


async def test_a_key_has_no_use_after_its_time(access: Access, app: Jobbers) -> None:
    made = await access.create("brief", "read", expires=3600)
    key, parts = made.text, split_key(made.text)
    async with call(create_app(app)) as api:
        assert (await api.get("/queues", headers={"X-API-Key": key})).status_code == 200
        await api.post("/login", json={"key": key})
        assert parts is not None
        ended = pack_key(replace(made.facts, expires=await access.now_ms()), digest(parts[1]))
        client = await app.client()
        await client.store.gateway.command("HSET", client.store.keys.keys, "brief", ended)
        error_of(await api.get("/queues"), 401, "unauthorized")
        error_of(await api.get("/queues", headers={"X-API-Key": key}), 401, "unauthorized")


async def test_a_key_of_the_same_name_is_another_key(access: Access, app: Jobbers) -> None:
    old = (await access.create("k", "admin")).text
    async with call(create_app(app)) as api:
        mine = {"X-API-Key": old}
        error_of(await api.post("/keys", json={"name": "k", "scope": "read"}, headers=mine), 409, "conflict")
        await access.revoke("k")
        new = (await access.create("k", "read")).text
        assert new != old
        error_of(await api.get("/queues", headers=mine), 401, "unauthorized")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        "a b",
        "../x",
        "a\0",
        "a\n",
        "ключ",
        "a" * 101,
        "*",
        "{x}",
        "a:b",
        "<script>",
        "%00",
        "a\u202eb",
    ],
)
async def test_hostile_names_of_keys(api: httpx2.AsyncClient, name: str) -> None:
    error_of(await api.post("/keys", json={"name": name, "scope": "read"}), 422, "invalid_name")
    assert (await api.get("/keys")).json()["keys"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "root"}, {"queues": []}, {"queues": ["a b"]}, {"expires": 0}, {"expires": -1}, {"rate": -1},
        {"rate": 0.0001}, {"burst": -1}, {"scope": "admin", "queues": ["mail"]}, {"extra": 1}, {"expires": 1e300},
    ],
)  # fmt: skip
async def test_keys_that_make_no_sense(api: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    response = await api.post("/keys", json={"name": "k", "scope": "read", **wrong})
    assert response.status_code == 422, response.text


async def test_keys_are_listed_without_what_makes_them_keys(api: httpx2.AsyncClient, app: Jobbers) -> None:
    made = (await api.post("/keys", json={"name": "k", "scope": "admin", "expires": 60, "rate": 50})).json()
    _, secret = split_key(made["key"]) or ("", "")
    mine = {"X-API-Key": made["key"]}
    listed = await api.get("/keys", headers=mine)
    assert [key["name"] for key in listed.json()["keys"]] == ["k"]
    assert listed.json()["keys"][0]["rate"] == 50
    assert not listed.json()["keys"][0]["expired"]
    client = await app.client()
    stored = await client.store.gateway.command("HGETALL", client.store.keys.keys)
    assert secret not in listed.text
    assert secret.encode() not in b"".join(stored)


async def test_wrong_keys_are_slowed_and_right_ones_are_not(
    app: Jobbers, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobbers.api.slowdown.FIRST", 30)
    monkeypatch.setattr("jobbers.api.slowdown.LONGEST", 30)
    monkeypatch.setattr("jobbers.api.slowdown.MOST_WAITING", 3)
    key = (await access.create("k", "read")).text
    async with call(create_app(app)) as api:
        guesses = [asyncio.ensure_future(api.get("/queues", headers={"X-API-Key": "x"})) for _ in range(5)]
        done, waiting = await asyncio.wait(guesses, timeout=3)
        assert {guess.result().status_code for guess in done} == {429}
        assert len(waiting) == 3
        assert (await api.get("/queues", headers={"X-API-Key": key})).status_code == 200
        error_of(await api.get("/queues"), 401, "unauthorized")  # no key is no guess
        for guess in waiting:
            guess.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


# Restricted to queues.


async def test_a_restricted_key_submits_to_its_queues_only(as_mail: httpx2.AsyncClient, api: Any) -> None:
    send = as_mail.post
    assert (await send("/tasks", json={"type": "keep", "queue": "mail"})).status_code == 201
    error = error_of(await send("/tasks", json={"type": "keep"}), 403, "queue_forbidden")
    assert error["parameter"] == "queue"
    error_of(await send("/tasks", json={"type": "add", "args": [1]}), 403, "queue_forbidden")
    batch = {"tasks": [{"type": "keep", "queue": "sms"}, {"type": "keep", "queue": "other"}]}
    error = error_of(await send("/tasks/batch", json=batch), 403, "queue_forbidden")
    assert error["parameter"] == "tasks[1].queue"
    depths = {queue["name"]: queue["depth"] for queue in (await as_mail.get("/queues")).json()["queues"]}
    assert depths == {"mail": 1}, "nothing of the batch was written"


async def test_a_restricted_key_joins_no_task_of_other_queues(
    app: Jobbers, as_mail: httpx2.AsyncClient, access: Access
) -> None:
    key = (await access.create("other", "submit", queues=["other"])).text
    options: dict[str, Any] = {
        "unique": {"key": "u"},
        "debounce": {"wait": 600, "key": "value"},
        "throttle": {"period": 600, "key": "value"},
    }
    for name, option in options.items():
        theirs = {"type": "keep", "kwargs": {"value": name}, "queue": "other", name: option}
        mine = {**theirs, "kwargs": {"value": name, "note": "mine"}, "queue": "mail"}
        made = await as_mail.post("/tasks", json=theirs, headers={"Authorization": f"Bearer {key}"})
        assert made.status_code == 201
        task_id = made.json()["id"]
        named = {"type": "keep", "queue": "mail", "id": task_id}
        for refused in (
            await as_mail.post("/tasks", json=mine),
            await as_mail.post("/tasks", json=named),
            await as_mail.post("/tasks/batch", json={"tasks": [{"type": "keep", "queue": "mail"}, mine]}),
        ):
            assert task_id not in error_of(refused, 409, "conflict")["message"]
        record = await (await app.inspector()).task(task_id)
        assert (record.queue, record.keywords) == ("other", {"value": name})
        again = await as_mail.post("/tasks", json=theirs, headers={"Authorization": f"Bearer {key}"})
        assert (again.status_code, again.json()["id"]) == (200, task_id), "its own it joins"
    assert (await as_mail.get("/queues")).json()["queues"] == [], "nothing of the batches was written"


async def test_who_has_the_name_of_another_key_is_not_told_what_that_did(
    app: Jobbers, as_mail: httpx2.AsyncClient, access: Access
) -> None:
    task = {"type": "keep", "queue": "other"}

    async def sent(key: str) -> httpx2.Response:
        given = {"Authorization": f"Bearer {key}", "Idempotency-Key": "once"}
        return await as_mail.post("/tasks", json=task, headers=given)

    assert (await sent((await access.create("name", "submit")).text)).status_code == 201
    await access.revoke("name")
    error_of(
        await sent((await access.create("name", "submit", queues=["mail"])).text), 403, "queue_forbidden"
    )


async def test_a_restricted_key_starts_only_graphs_and_schedules_of_its_queues(
    app: Jobbers, as_mail: httpx2.AsyncClient
) -> None:
    keep = app.task_types["keep"]
    own, mixed = app.dag("own"), app.dag("mixed")
    own.node(keep, own.node(keep, 1).on("sms")).on("mail")
    mixed.node(keep, mixed.node(keep, 1).on("mail"))
    assert (await as_mail.post("/dags/own/runs", json={})).status_code == 201
    error_of(await as_mail.post("/dags/mixed/runs", json={}), 403, "queue_forbidden")
    assert [run["dag"] for run in (await as_mail.get("/runs")).json()["runs"]] == ["own"]
    every = {"every": 3600}
    assert (await as_mail.post("/schedules", json={"name": "a", "dag": "own", **every})).status_code == 201
    for target in ({"dag": "mixed"}, {"type": "keep"}, {"type": "add", "args": [1]}):
        refused = await as_mail.post("/schedules", json={"name": "b", **target, **every})
        error_of(refused, 403, "queue_forbidden")
    await app.schedules.create("theirs", app.dags["mixed"].call(), every=3600)
    for verb in ("pause", "resume", "run"):
        assert (await as_mail.post(f"/schedules/a/{verb}", json={})).status_code == 200
        error_of(await as_mail.post(f"/schedules/theirs/{verb}", json={}), 403, "queue_forbidden")
    error_of(await as_mail.delete("/schedules/theirs"), 403, "queue_forbidden")
    taking = {"name": "theirs", "dag": "own", "replace": True, **every}
    error_of(await as_mail.post("/schedules", json=taking), 403, "queue_forbidden")
    assert (await app.schedules.get("theirs")).target == "mixed"


async def test_what_is_in_other_queues_is_not_there_for_a_restricted_key(
    app: Jobbers, as_mail: httpx2.AsyncClient, desk: Desk
) -> None:
    keep = app.task_types["keep"]
    theirs = [(await keep.submit(number)).id for number in range(2)]
    mine = (await keep.options(queue="mail").submit(1)).id
    for _ in range(2):
        await desk.fail(await desk.claim(), ValueError("no"))
    await desk.fail(await desk.claim("mail"), ValueError("no"))
    assert (await as_mail.get(f"/tasks/{mine}")).status_code == 200
    for task_id in theirs:
        error_of(await as_mail.get(f"/tasks/{task_id}"), 404, "not_found")
        error_of(await as_mail.get(f"/tasks/{task_id}/result"), 404, "not_found")
        error_of(await as_mail.post(f"/tasks/{task_id}/cancel", json={}), 404, "not_found")
        error_of(await as_mail.post(f"/tasks/{task_id}/requeue", json={}), 404, "not_found")
        error_of(await as_mail.delete(f"/dead-letters/{task_id}"), 404, "not_found")
    edited = await as_mail.post("/dead-letters/requeue", json={"ids": theirs[:1], "args": [9]})
    error_of(edited, 404, "not_found")
    dropped = await as_mail.post("/dead-letters/drop", json={"ids": theirs})
    assert dropped.json() == {"dropped": 0}
    requeued = (await as_mail.post("/dead-letters/requeue", json={"ids": [*theirs, mine]})).json()
    assert requeued["requeued"] == 1
    assert {refusal["id"] for refusal in requeued["refused"]} == set(theirs)
    for choice in ({"all": True}, {"queue": "default"}, {"type": "keep"}):
        for verb in ("requeue", "drop"):
            refused = await as_mail.post(f"/dead-letters/{verb}", json=choice)
            error_of(refused, 403, "queue_forbidden")
    error_of(await as_mail.get("/dead-letters"), 403, "queue_forbidden")
    error_of(await as_mail.get("/tasks?status=queued"), 403, "queue_forbidden")
    error_of(await as_mail.get("/tasks?status=queued&queue=default"), 403, "queue_forbidden")
    listed = (await as_mail.get("/tasks?status=queued&queue=mail")).json()["tasks"]
    assert [task["id"] for task in listed] == [mine]
    error_of(await as_mail.post("/queues/default/pause", json={}), 403, "queue_forbidden")
    assert (await as_mail.post("/queues/mail/pause", json={})).status_code == 200
    assert (await (await app.inspector()).counts())["dead"] == 2


async def test_a_restricted_key_operates_only_runs_of_its_queues(
    app: Jobbers, as_mail: httpx2.AsyncClient
) -> None:
    keep = app.task_types["keep"]
    own, mixed = app.dag("own"), app.dag("mixed")
    own.node(keep, own.node(keep, 1).on("sms")).on("mail")
    mixed.node(keep, mixed.node(keep, 1).on("mail"))
    mine, theirs = (await own.submit()).id, (await mixed.submit()).id
    for verb in ("pause", "resume"):
        assert (await as_mail.post(f"/runs/{mine}/{verb}", json={})).status_code == 200
        error_of(await as_mail.post(f"/runs/{theirs}/{verb}", json={}), 404, "not_found")
    error_of(await as_mail.get(f"/runs/{theirs}"), 404, "not_found")
    error_of(await as_mail.post(f"/tasks/{theirs}/cancel", json={}), 404, "not_found")
    await (await app.inspector()).cancel([theirs])
    error_of(await as_mail.post(f"/runs/{theirs}/retry", json={}), 404, "not_found")
    assert (await as_mail.get(f"/runs/{mine}")).status_code == 200
    assert (await as_mail.post(f"/tasks/{mine}/cancel", json={})).json()["cancelled"]
    assert (await as_mail.post(f"/runs/{mine}/retry", json={})).status_code == 200


# Rates.


async def test_a_key_has_its_own_rate(app: Jobbers, access: Access) -> None:
    slow = (await access.create("slow", "read", rate=0.01, burst=2)).text
    fast = (await access.create("fast", "read")).text
    async with call(create_app(app)) as api:
        statuses = [(await api.get("/queues", headers={"X-API-Key": slow})).status_code for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        response = await api.get("/queues", headers={"X-API-Key": slow})
        error_of(response, 429, "rate_limited")
        assert 50 < int(response.headers["retry-after"]) <= 100
        assert {(await api.get("/queues", headers={"X-API-Key": fast})).status_code for _ in range(9)} == {
            200
        }
        assert (await api.get("/health", headers={"X-API-Key": slow})).status_code == 200


async def test_a_rate_for_all(server: EmbeddedServer) -> None:
    app = make_app(server.url, api_rate=0.01)
    access = Access((await app.client()).store)
    keys = [(await access.create(name, "read")).text for name in ("a", "b")]
    async with call(create_app(app)) as api:
        for key in keys:  # each has a bucket of its own
            statuses = [(await api.get("/queues", headers={"X-API-Key": key})).status_code for _ in range(2)]
            assert statuses == [200, 429]
    await app.close()


async def test_a_bucket_fills_by_the_servers_clock(access: Access) -> None:
    assert [await access.meter("me", 0.4, 2) for _ in range(2)] == [0, 0]
    wait = await access.meter("me", 0.4, 2)
    assert 0 < wait <= 2.5
    await asyncio.sleep(wait + 0.01)
    assert await access.meter("me", 0.4, 2) == 0


# The page's login.

SAME = {"sec-fetch-site": "same-origin", "origin": "http://api.test"}


async def test_a_login_is_a_cookie_that_only_the_page_can_use(app: Jobbers, access: Access) -> None:
    key = (await access.create("me", "operate")).text
    async with call(create_app(app)) as api:
        error_of(await api.post("/login", json={"key": key[:-1] + "x"}, headers=SAME), 401, "unauthorized")
        assert not api.cookies
        response = await api.post("/login", json={"key": key}, headers=SAME)
        assert response.json() == {"name": "me", "kind": "key", "scope": "operate", "queues": None}
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "; secure" not in cookie
        assert key not in response.headers["set-cookie"]
        assert (await api.get("/me")).json()["name"] == "me"
        pause = "/queues/default/pause"
        assert (await api.post(pause, json={}, headers=SAME)).status_code == 200
        assert (await api.post(pause, json={}, headers={"origin": "http://api.test"})).status_code == 200
        for foreign in (
            {},
            {"origin": "http://evil.test"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site", "origin": "http://api.test"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
        ):
            error_of(await api.post(pause, json={}, headers=foreign), 403, "cross_site")
            error_of(await api.delete("/dead-letters/x", headers=foreign), 403, "cross_site")
        # A key needs no such thing: nobody's browser adds it.
        assert (await api.post(pause, json={}, headers={"X-API-Key": key})).status_code == 200
        old = dict(api.cookies)
        assert (await api.post("/logout", json={}, headers=SAME)).status_code == 200
        assert not api.cookies
        api.cookies.update(old)
        error_of(await api.get("/me"), 401, "unauthorized")


async def test_a_login_behind_https_has_a_secure_cookie(app: Jobbers, access: Access) -> None:
    key = (await access.create("me", "read")).text
    async with call(create_app(app)) as api:
        headers = {"origin": "https://api.test", "sec-fetch-site": "same-origin"}
        response = await api.post("/login", json={"key": key}, headers=headers)
        assert "secure" in response.headers["set-cookie"].lower()
        foreign = {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}
        error_of(await api.post("/login", json={"key": key}, headers=foreign), 403, "cross_site")


async def test_a_login_ends_with_its_key(app: Jobbers, access: Access) -> None:
    key = (await access.create("me", "read")).text
    async with call(create_app(app)) as api:
        await api.post("/login", json={"key": key})
        assert (await api.get("/me")).status_code == 200
        await access.revoke("me")
        error_of(await api.get("/me"), 401, "unauthorized")
        await access.create("me", "admin")
        error_of(await api.get("/me"), 401, "unauthorized")


# One's own.


async def test_ones_own_authentication(app: Jobbers) -> None:
    async def who(request: Request) -> Caller | None:
        name = request.headers.get("x-user")
        return Caller(name, Scope.SUBMIT, frozenset({"mail"}), kind="sso") if name else None

    own = FastAPI()
    own.include_router(router(app, authenticate=who))
    for api_of in (own, create_app(app, authenticate=who)):
        async with call(api_of) as api:
            error_of(await api.get("/me"), 401, "unauthorized")
            api.headers["x-user"] = "eve"
            assert (await api.get("/me")).json()["kind"] == "sso"
            assert (await api.post("/tasks", json={"type": "keep", "queue": "mail"})).status_code == 201
            error_of(await api.post("/tasks", json={"type": "keep"}), 403, "queue_forbidden")
            error_of(await api.post("/queues/mail/pause", json={}), 403, "forbidden")
            error_of(await api.post("/login", json={"key": "x"}), 404, "not_found")


async def test_a_stranger_in_somebody_elses_application(app: Jobbers, access: Access) -> None:
    key = (await access.create("k", "submit")).text
    own = FastAPI()
    own.include_router(router(app), prefix="/jobs")
    async with call(own) as api:
        api.base_url = httpx2.URL("http://api.test/jobs/api/v1")
        error_of(await api.post("/tasks", json={"type": "keep"}), 401, "unauthorized")
        mine = {"X-API-Key": key}
        assert (await api.post("/tasks", json={"type": "keep"}, headers=mine)).status_code == 201
        error_of(await api.post("/queues/a/pause", json={}, headers=mine), 403, "forbidden")


async def test_a_strangers_body_is_not_read(app: Jobbers, access: Access) -> None:
    await access.create("k", "read")

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("it was read")

    async with call(create_app(app)) as api:
        response = await api.post("/tasks", content=endless(), headers={"content-type": "application/json"})
        error_of(response, 401, "unauthorized")


# Secrets.


async def test_a_key_is_in_no_log_and_no_answer(
    app: Jobbers, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await access.create("root", "admin")
    key, secret = made.text, made.text.rpartition(".")[2]
    mine = {"X-API-Key": key}
    async with serving(app) as api:
        answers = [
            await api.post("/login", json={"key": key}),
            await api.post("/login", json={"key": [key]}),
            await api.post("/login", json={"key": key + "x" * 500}),
            *[
                await api.get(path, headers=mine)
                for path in ("/me", "/keys", "/nothing", "/metrics", "/stats")
            ],
            await api.post("/queues/mail/pause", json={}, headers=mine),
            await api.post("/tasks", json={"type": "nothing"}, headers=mine),
            await api.post("/dead-letters/drop", json={"type": key}, headers=mine),
        ]
        assert [answer.status_code for answer in answers].count(200) >= 6
        for answer in answers:
            assert secret not in answer.text
        audit = await api.get("/audit", headers=mine)
    assert len(audit.json()["entries"]) == 3
    assert secret not in audit.text
    assert secret not in repr(made)
    own = [record for record in caplog.records if record.name.startswith(("jobbers", "uvicorn", "asyncio"))]
    assert own
    for record in own:
        assert secret not in record.getMessage()
    async with call(create_app(app)) as api:  # somebody puts it where it does not belong
        await api.post(f"/queues/{key}/pause", json={}, headers=mine)
        error_of(await api.delete(f"/keys/{key}", headers=mine), 422, "invalid_name")
        audit = await api.get("/audit", headers=mine)
    assert len(audit.json()["entries"]) == 5
    assert "jobbers-key.***" in audit.text
    assert secret not in audit.text
