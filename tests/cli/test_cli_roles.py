"""``jobbers roles``."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobbers import Jobbers


def announce(desk, **more: str) -> None:
    """Enter a worker into the roll."""

    async def work(app: Jobbers) -> None:
        told = {"name": "w1", "queues": "", **more}
        await (await app.client()).store.control.announce("w1-1", told, 60_000)

    desk(work)


def test_without_roles(jobbers) -> None:
    assert jobbers("roles").err == "no roles: define some in code, or with 'jobbers roles set ROLE QUEUE'\n"
    assert jobbers("roles", "--json").data == {"roles": [], "unserved": []}


def test_roles_of_an_application(jobbers, desk, shop: Path) -> None:
    answer = jobbers("roles")
    row = answer.out.splitlines()[2].split()
    assert row == ["post", "mail", "code", "no", "workers"]
    assert answer.out.splitlines()[-2:] == [
        "nobody serves default: nothing waiting, task types send there",
        "nobody serves mail: nothing waiting, task types send there",
    ]
    announce(desk, role="post", queues="mail")
    assert (
        jobbers("roles", "set", "post", "mail=3,default=1,odd").out
        == "post serves mail=3, default=1, odd=1\n"
    )
    (role,) = jobbers("roles", "list", "--json").data["roles"]
    assert role == {
        "name": "post",
        "queues": {"mail": 3, "default": 1, "odd": 1},
        "strict": False,
        "source": "live",
        "workers": ["w1"],
        "idle": ["odd"],
    }
    assert "without role post nobody would serve default" in jobbers("roles", "reset", "post", code=6).err
    assert jobbers("roles", "--json").data["roles"] == [role]
    assert jobbers("roles", "reset", "post", "--force").out == "post serves mail\n"
    assert "was not changed live" in jobbers("roles", "reset", "post", code=3).err


def test_without_an_application_the_workers_tell(jobbers, desk) -> None:
    announce(desk, role="post", type_queues="mail", role_default='{"queues": [["mail", 2]], "strict": false}')
    desk.submit("send", queue="letters")
    assert jobbers("roles", "--json").data["unserved"] == [
        {"queue": "letters", "waiting": 1, "has_types": False}
    ]
    assert "nobody would serve mail" in jobbers("roles", "set", "post", "letters", code=6).err
    assert jobbers("roles", "set", "post", "letters,mail", "--strict").out == "post serves letters > mail\n"
    assert jobbers("roles", "reset", "post", "--force", "--json").data == {
        "name": "post",
        "queues": {"mail": 2},
        "strict": False,
    }
    assert jobbers("roles", "set", "new", "letters", "--json").data == {
        "name": "new",
        "queues": {"letters": 1},
        "strict": False,
    }
    assert jobbers("roles", "reset", "new", "--force").out == "new serves what the code of its workers says\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["post", "a,a"], "queue 'a' is named twice"),
        (["post", "a=x"], "'a=x' is not queue=weight with a whole number"),
        (["post", "a=0"], "the weight of queue a must be a whole number from 1 to 100, got '0'"),
        (["post", "a=2,b", "--strict"], "with --strict the order counts"),
        (["post", "a b"], "is not a legal name"),
        (["po st", "a"], "is not a legal name"),
        (["post", ","], "1 to 100 queues, got 0"),
    ],
)
def test_what_makes_no_sense(jobbers, words: list[str], message: str) -> None:
    assert message in jobbers("roles", "set", *words, code=2).err
    assert jobbers("roles", "--json").data["roles"] == []
