"""Scripts as they are rendered: key names and the table of transitions come from Python and cannot disagree with it."""

from __future__ import annotations

import re

import pytest

from jobbers.core.status import TRANSITIONS, Event, Status
from jobbers.store.keys import GLOBAL_KEYS, SHARD_KEYS
from jobbers.store.scripts import NAMES, load

BOTH = pytest.mark.parametrize("manual_clock", [False, True], ids=["plain", "manual-clock"])


def table(text: str, name: str) -> str:
    """The text of a table that is rendered in; empty when the script uses none."""
    found = re.search(rf"^local {name} = \{{(.*)\}}$", text, re.MULTILINE)
    return found[1] if found else ""


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_sources_are_those_of_the_table(name: str, manual_clock: bool) -> None:
    text = load(name, manual_clock=manual_clock).text
    sources = {
        event: set(re.findall(r"(\w+) = true", statuses))
        for event, statuses in re.findall(r"(\w+) = \{([^}]*)\}", table(text, "FROM"))
    }
    assert sources == {event: TRANSITIONS[Event(event)].sources for event in sources}
    assert set(re.findall(r"\bFROM\.(\w+)", text)) == sources.keys()


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_targets_are_those_of_the_table(name: str, manual_clock: bool) -> None:
    text = load(name, manual_clock=manual_clock).text
    targets = dict(re.findall(r"(\w+) = '(\w+)'", table(text, "TO")))
    assert targets == {event: TRANSITIONS[Event(event)].target for event in targets}
    assert set(re.findall(r"\bTO\.(\w+)", text)) <= targets.keys()


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_keys_are_those_of_the_table(name: str, manual_clock: bool) -> None:
    text = load(name, manual_clock=manual_clock).text
    keys = dict(re.findall(r"(\w+) = '([^']+)'", table(text, "K")))
    assert keys == {key: (SHARD_KEYS | GLOBAL_KEYS)[key] for key in keys}
    assert set(re.findall(r"\bK\.(\w+)", text)) == keys.keys()


def test_a_script_that_changes_a_status_asks_the_table_first() -> None:
    """No script writes the name of a status, but those that make the first one."""
    first = {
        "submit": {"queued", "scheduled"},
        "submit_gated": {"scheduled"},
        "collapse": {"queued", "scheduled"},
        "launch": {"blocked"},
        "prepare": {"blocked"},
        "fire": {"blocked"},
    }
    for name in NAMES:
        written = set(re.findall(r"'status', '(\w+)'", load(name).text)) & set(Status)
        assert written == first.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_only_tests_have_a_clock_that_can_be_moved(name: str) -> None:
    plain, manual = load(name), load(name, manual_clock=True)
    assert SHARD_KEYS["clock"] not in plain.text
    assert "server_ms" not in plain.text
    assert (SHARD_KEYS["clock"] in manual.text) == ("now_ms" in manual.text)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_called_by_what_it_says(name: str) -> None:
    script = load(name)
    assert script == load(name)
    assert len(script.sha) == 40
    assert len({load(other).sha for other in NAMES}) == len(NAMES)
