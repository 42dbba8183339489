"""ULIDs, their tails and shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from jobbers import new_id
from jobbers.core import ids
from jobbers.errors import InvalidId


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1))
def test_ids_are_what_the_ulid_package_makes(milliseconds: int, randomness: int) -> None:
    expected = ULID.from_bytes(milliseconds.to_bytes(6) + randomness.to_bytes(10))
    assert ids.make_id(milliseconds, randomness) == str(expected)


@given(st.integers(0, 2**80 - 1))
def test_the_tail_is_the_last_ten_bits(randomness: int) -> None:
    assert ids.tail_of(ids.make_id(1, randomness)) == randomness % 1024


@given(st.integers(0, 2**80 - 1), st.integers(0, 1023))
def test_a_tail_can_be_replaced(randomness: int, tail: int) -> None:
    changed = ids.with_tail(ids.make_id(1, randomness), tail)
    assert ids.tail_of(changed) == tail
    assert ids.check_id(changed) == changed


def test_ids_of_one_unique_key_share_a_shard() -> None:
    shards = {ids.shard_of(new_id(unique="welcome:42"), 16) for _ in range(20)}
    assert len(shards) == 1


def test_ids_spread_over_shards() -> None:
    assert {ids.shard_of(new_id(), 4) for _ in range(200)} == {0, 1, 2, 3}


def test_lower_case_is_accepted_and_made_canonical() -> None:
    task_id = new_id()
    assert ids.check_id(task_id.lower()) == task_id


@pytest.mark.parametrize(
    "bad", ["", "x", "8" + "0" * 25, "0" * 25 + "U", "0" * 27, 42, None, "0" * 25 + "\n"]
)
def test_what_is_no_ulid_is_refused(bad: object) -> None:
    with pytest.raises(InvalidId, match="is not a ULID"):
        ids.check_id(bad)
