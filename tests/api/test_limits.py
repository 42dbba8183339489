"""Limits and rates over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers.core.limits import Definition
from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio


async def test_they_are_listed_shown_and_changed(api: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/limits")).json()["limits"] == []
    await (await desk.app.client()).store.limits.define(
        {"db": Definition(3), "api:second": Definition(5, 1000, 2)}
    )

    db = {"name": "db", "amount": 3, "per": None, "burst": None, "amount_in_code": 3, "waiting": 0}
    (rate, listed) = (await api.get("/limits")).json()["limits"]
    assert listed == db
    assert (rate["per"], rate["burst"]) == (1.0, 2)
    use = {"name": "db", "key": None, "used": 0, "held_by": [], "waiting": 0, "first": [], "next_in": None}
    assert (await api.get("/limits/db")).json() == {"limit": db, "uses": [use]}
    assert (await api.put("/limits/db", json={"amount": 7})).json() == db | {"amount": 7}
    assert (await api.put("/limits/api:second", json={"amount": 9})).json()["amount"] == 9
    assert (await api.delete("/limits/db")).json() == db


@pytest.mark.parametrize("amount", [0, -1, 1.5, "3", True, None, 10**9])
async def test_odd_amounts_are_refused(api: httpx2.AsyncClient, desk: Desk, amount: Any) -> None:
    await (await desk.app.client()).store.limits.define({"db": Definition(3)})
    error = error_of(await api.put("/limits/db", json={"amount": amount}), 422, "invalid_input")
    assert error["parameter"] == "amount"
    assert (await api.get("/limits/db")).json()["limit"]["amount"] == 3


async def test_what_is_not_there_is_not_found(api: httpx2.AsyncClient) -> None:
    for answer in (
        await api.get("/limits/none"),
        await api.put("/limits/none", json={"amount": 1}),
        await api.delete("/limits/none"),
    ):
        error_of(answer, 404, "not_found")
    error_of(await api.get("/limits/a b"), 422, "invalid_name")
