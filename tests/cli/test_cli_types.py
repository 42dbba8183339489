"""``jobbers types``."""

from __future__ import annotations

from pathlib import Path


def test_policies_are_listed_set_and_taken_back(jobbers, shop: Path) -> None:
    listed = {one["type"]: one for one in jobbers("types", "--json").data}
    assert listed["add"]["live"] == {}
    assert listed["add"]["code"]["attempts"] == 1
    told = jobbers("types", "set", "add", "--timeout", "1.5m", "--attempts", "3", "--no-jitter").out
    assert told == "add, set live: timeout=90.0, attempts=3, jitter=False\n"
    told = jobbers("types", "set", "add", "--timeout", "none", "--json").data
    assert told["live"] == {"timeout": None, "attempts": 3, "jitter": False}, "the others stay"
    assert "timeout=none, attempts=3, jitter=False" in jobbers("types").out
    assert jobbers("types", "reset", "add", "jitter", "--json").data["live"] == {
        "timeout": None,
        "attempts": 3,
    }
    assert jobbers("types", "reset", "add").out == "add, set live: nothing\n"
    assert "nothing was set live" in jobbers("types", "reset", "add", code=3).err
    noted = jobbers("audit").out
    assert "types.set" in noted
    assert "types.reset" in noted
    assert "timeout=90.0" in noted


def test_what_is_wrong_is_said_by_name(jobbers, shop: Path) -> None:
    for options, said in (
        (("--timeout", "soon"), "timeout 'soon' is no duration"),
        (("--timeout", "0"), "timeout must be more than zero"),
        (("--attempts", "0"), "attempts of 1 or more"),
        (("--retention", "none"), "retention 'none' is no duration"),
        (("--backoff", "cubic"), "backoff must be"),
        ((), "say what to change"),
    ):
        assert said in jobbers("types", "set", "add", *options, code=2).err
    assert "no option 'speed'" in jobbers("types", "reset", "add", "speed", code=2).err
    assert "no task type 'gone'" in jobbers("types", "set", "gone", "--timeout", "1", code=3).err


def test_without_an_application_any_type_is_taken(jobbers, shop: Path, monkeypatch) -> None:
    monkeypatch.delenv("JOBBERS_APP", raising=False)
    assert jobbers("types", "set", "other", "--priority", "0", "--json").data == {
        "type": "other",
        "code": None,
        "live": {"priority": 0},
    }
    assert [one["type"] for one in jobbers("types", "--json").data] == ["other"]
