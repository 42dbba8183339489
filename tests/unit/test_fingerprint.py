"""Which errors are the same one."""

from __future__ import annotations

import time

import pytest

from jobbers.core.fingerprint import LONGEST_MESSAGE, fingerprint, normalised, top_frame

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/tasks.py", line 12, in send
    deliver(to)
  File "/srv/app/mail.py", line 99, in deliver
    raise ValueError(to)
ValueError: 4711
"""


@pytest.mark.parametrize(
    ("message", "common"),
    [
        ("no user 4711", "no user …"),
        ("no user 'ann' in \"users\"", "no user '…' in '…'"),
        ("timeout after 30.5 s at 12:30:59", "timeout after … s at …"),
        ("<Thing object at 0x7f3a2b>", "<Thing object at …>"),
        ("run 01JGZ3Y9W5V8Q2M4T6R8K0N1PD is gone", "run … is gone"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id …"),
        ("connection refused", "connection refused"),
        ("two\n  lines\tof text", "two lines of text"),
        ("", ""),
        ("internationalisation failed", "internationalisation failed"),
    ],
)
def test_what_differs_from_case_to_case_is_left_open(message: str, common: str) -> None:
    assert normalised(message) == common


def test_the_last_frame_is_where_it_was_raised() -> None:
    assert top_frame(TRACEBACK) == "mail.py: deliver"
    assert top_frame(TRACEBACK.replace("/srv/app/", "C:\\app\\")) == "mail.py: deliver"
    assert top_frame("") == top_frame("nothing of the kind") == ""


def test_a_deployment_changes_nothing() -> None:
    moved = TRACEBACK.replace("line 99", "line 120").replace("/srv/app/", "/srv/app-2/")
    assert fingerprint("ValueError", "no 1", TRACEBACK) == fingerprint("ValueError", "no 2", moved)


def test_other_errors_are_others() -> None:
    base = fingerprint("ValueError", "no user 1", TRACEBACK)
    others = [
        fingerprint("KeyError", "no user 1", TRACEBACK),
        fingerprint("ValueError", "no group 1", TRACEBACK),
        fingerprint("ValueError", "no user 1", TRACEBACK.replace("in deliver", "in collect")),
        fingerprint("ValueErrorno", " user 1", TRACEBACK),
    ]
    assert len({base.key, *(other.key for other in others)}) == 5
    assert len(base.key) == 16
    assert base == fingerprint("ValueError", "no user 2", TRACEBACK)


@pytest.mark.parametrize(
    "text", ["'" * 200_000, "1a" * 100_000, "0x" * 100_000, '\n  File "' * 20_000, "\ud800"]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    begun = time.process_time()
    found = fingerprint(text[:100], text, text)
    assert time.process_time() - begun < 3
    assert len(found.message) <= LONGEST_MESSAGE
