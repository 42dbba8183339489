"""``jobbers limits``."""

from __future__ import annotations

import asyncio

import pytest

from jobbers import Jobbers
from jobbers.core.limits import Definition

pytestmark = pytest.mark.usefixtures("surroundings")


def test_from_list_to_reset(jobbers, shop) -> None:
    assert "no limits" in jobbers("limits").err

    async def define() -> None:
        store = await Jobbers().open_store()
        await store.limits.define({"db": Definition(3), "api:second": Definition(5, 1000, 2)})
        await store.close()

    asyncio.run(define())
    listed = jobbers("limits").out
    assert "3 at a time" in listed
    assert "5 in 1 s, 2 at once" in listed
    assert jobbers("limits", "set", "db", "8").out == "db allows 8 at a time\n"
    assert jobbers("limits", "list", "--json").data[1] == {
        "name": "db", "amount": 8, "per": None, "burst": None, "amount_in_code": 3, "waiting": 0,
    }  # fmt: skip
    assert "db: 0 taken, 0 waiting" in jobbers("limits", "show", "db").out
    assert jobbers("limits", "show", "db", "--json").data["limit"]["amount"] == 8
    assert jobbers("limits", "reset", "db", "--json").data["amount"] == 3


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "none"), 3, "no limit or rate 'none'"),
        (("set", "none", "3"), 3, "no limit or rate 'none'"),
        (("set", "none", "0"), 2, "whole number from 1"),
        (("set", "none", "many"), 2, "valid integer"),
        (("reset", "a b"), 2, "cannot be the name"),
    ],
)
def test_bad_input(jobbers, shop, words: tuple[str, ...], code: int, says: str) -> None:
    assert says in jobbers("limits", *words, code=code).err
