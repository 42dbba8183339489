"""``jobbers strike``."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("server")


def test_add_list_lift(jobbers) -> None:
    assert "nothing is struck" in jobbers("strike", "list").err
    strike_id = jobbers("strike", "add", "add", "a=1", "b=x", "--reason", "no sums").out.strip()
    (found,) = jobbers("strike", "--json").data
    assert (found["id"], found["type"], found["where"]) == (strike_id, "add", {"a": 1, "b": "x"})
    assert (found["action"], found["reason"], found["running"]) == ("cancel", "no sums", False)
    assert found["by"]
    listed = jobbers("strike", "list").out
    assert 'a=1 b="x"' in listed
    assert "no sums" in listed
    assert jobbers("strike", "lift", strike_id).out == f"{strike_id}: lifted\n"
    assert "there is no strike" in jobbers("strike", "lift", strike_id, code=3).err


def test_submissions_are_refused(jobbers) -> None:
    jobbers("strike", "add", "add", "a=1", "--reason=no sums")
    answer = jobbers("submit", "add", "--arg", "a=1", code=6)
    assert "no sums" in answer.err
    jobbers("submit", "add", "--arg", "a=2")


def test_wrong_input(jobbers) -> None:
    assert "one of cancel, hold" in jobbers("strike", "add", "add", "--action=burn", code=2).err
    assert "is not name=value" in jobbers("strike", "add", "add", "a", code=2).err
    assert "is not a legal name" in jobbers("strike", "add", "a b", code=2).err
