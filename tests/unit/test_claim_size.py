"""How many tasks a worker claims at once."""

from __future__ import annotations

import pytest

from jobbers.worker.claimer import most_at_once, next_batch


@pytest.mark.parametrize(("total", "expected"), [(1, 1), (2, 1), (3, 2), (100, 50)])
def test_at_most_half_of_the_slots(total: int, expected: int) -> None:
    assert most_at_once(total) == expected


@pytest.mark.parametrize("total", [1, 2, 7, 20, 100, 10_000])
def test_long_tasks_bring_the_batch_down_and_short_ones_up_again(total: int) -> None:
    batch = most_at_once(total)
    for _ in range(20):
        batch = next_batch(batch, 0, total)
    assert batch == max(1, -(-total // 20))
    for _ in range(20):
        batch = next_batch(batch, total, total)
    assert batch == most_at_once(total)


def test_half_of_the_slots_free_counts_as_short() -> None:
    assert next_batch(10, 50, 100) == 20
    assert next_batch(10, 49, 100) == 5
