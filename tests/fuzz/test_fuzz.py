"""Whatever is read, only documented errors come out. ``make fuzz`` goes on where this stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target


def mutated(good: bytes) -> st.SearchStrategy[bytes]:
    """Good input with a piece of it replaced."""
    place = st.integers(0, len(good))
    return st.builds(
        lambda start, end, piece: good[: min(start, end)] + piece + good[max(start, end) :],
        place,
        place,
        st.binary(max_size=6),
    )


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_only_documented_errors_come_out(target: Target) -> None:
    for data in (b"", b"\0" * 9, b"\xff" * 40, *target.examples):
        target(data)

    @given(st.binary(max_size=200) | st.one_of([mutated(good) for good in target.examples]))
    def read(data: bytes) -> None:
        target(data)

    read()
