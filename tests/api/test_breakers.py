"""Breakers over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers.core.limits import BreakerRule
from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio

RULE = BreakerRule(500_000, 20, 60_000, 30_000, 1, 0)


async def define(desk: Desk) -> None:
    rules = {"mail": RULE, "send:host": RULE._replace(keyed=1)}
    await (await desk.app.client()).store.breakers.define(rules)


async def test_they_are_listed_opened_and_closed(api: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/breakers")).json()["breakers"] == []
    await define(desk)
    closed = {
        "name": "mail", "key": None, "state": "closed", "half_opens_in": None, "ended": 0, "failed": 0, "waiting": 0,
        "failures": 0.5, "of": 20, "window": 60.0, "open_for": 30.0, "probes": 1,
    }  # fmt: skip
    assert (await api.get("/breakers")).json()["breakers"] == [closed, closed | {"name": "send:host"}]

    assert (await api.post("/breakers/mail/trip", json={})).json() == closed | {"state": "open"}
    opened = (await api.post("/breakers/send:host/trip", json={"key": "a/b", "open_for": 90.5})).json()
    assert (opened["key"], opened["state"]) == ("a/b", "open")
    assert 60 < opened["half_opens_in"] <= 90.5
    listed = (await api.get("/breakers")).json()["breakers"]
    assert [(one["key"], one["state"]) for one in listed] == [(None, "open"), ("a/b", "open")]

    assert (await api.post("/breakers/mail/reset", json={})).json() == {"name": "mail", "key": None}
    assert (await api.post("/breakers/send:host/reset", json={"key": "a/b"})).status_code == 200
    assert {one["state"] for one in (await api.get("/breakers")).json()["breakers"]} == {"closed"}


async def test_the_retry_budget(api: httpx2.AsyncClient) -> None:
    state = {"share": 0.0, "least": 10.0, "attempts": 0, "retries": 0, "wait": 0.0}
    assert (await api.get("/breakers/retries")).json() == state
    assert (await api.delete("/breakers/retries")).json() == state


async def test_without_a_key_those_of_all_keys_are_closed(api: httpx2.AsyncClient, desk: Desk) -> None:
    await define(desk)
    for key in "ab":
        assert (await api.post("/breakers/send:host/trip", json={"key": key})).status_code == 200
    assert (await api.post("/breakers/send:host/reset", json={})).status_code == 200
    assert {one["state"] for one in (await api.get("/breakers")).json()["breakers"]} == {"closed"}


@pytest.mark.parametrize("seconds", [0, -1, "3", True])
async def test_odd_times_are_refused(api: httpx2.AsyncClient, desk: Desk, seconds: Any) -> None:
    await define(desk)
    answer = await api.post("/breakers/mail/trip", json={"open_for": seconds})
    assert error_of(answer, 422, "invalid_input")["parameter"] == "open_for"
    assert (await api.get("/breakers")).json()["breakers"][0]["state"] == "closed"


async def test_what_is_not_there_is_not_found(api: httpx2.AsyncClient, desk: Desk) -> None:
    await define(desk)
    for verb in ("trip", "reset"):
        error_of(await api.post(f"/breakers/none/{verb}", json={}), 404, "not_found")
        error_of(await api.post(f"/breakers/a b/{verb}", json={}), 422, "invalid_name")
        error_of(await api.post(f"/breakers/mail/{verb}", json={"key": "a"}), 422, "invalid_input")
    error_of(await api.post("/breakers/send:host/trip", json={}), 422, "invalid_input")
