"""Batches: what may be asked for, how items are grouped, what a call came to, and how its function reads."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from jobbers import Batch, Fail, Jobbers
from jobbers.batch_types import BatchOptions
from jobbers.core.batch import Groups, outcomes_of
from jobbers.core.batch_signature import BatchSignature
from jobbers.errors import ConfigError, InvalidArgument, InvalidInput


class Event(BaseModel):
    kind: str


@pytest.mark.parametrize(
    ("linger", "seconds"),
    [("50ms", 0.05), ("2s", 2.0), ("1m", 60.0), (0, 0.0), (0.2, 0.2), (timedelta(milliseconds=7), 0.007)],
)
def test_linger_is_a_duration_or_text(linger: Any, seconds: float) -> None:
    assert Batch(linger=linger).linger_seconds == seconds


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0}, {"size": 10_001}, {"size": True}, {"linger": "soon"}, {"linger": -1}, {"by": 7}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Batch(**wrong)


def test_the_key_of_an_item() -> None:
    assert Batch().key_of(7) is None
    assert Batch(by="kind").key_of({"kind": "a"}) == "a"
    assert Batch(by="kind").key_of(Event(kind="b")) == "b"
    assert Batch(by=len).key_of("four") == 4
    with pytest.raises(InvalidInput, match="no 'kind'"):
        Batch(by="kind").key_of({"other": 1})
    with pytest.raises(InvalidInput, match="by a list"):
        Batch(by="kind").key_of({"kind": []})


def test_a_group_is_given_out_once_when_it_is_full() -> None:
    groups: Groups[int] = Groups(3, 1.0)
    assert [groups.add("a", item, 0.0) for item in (1, 2)] == [None, None]
    assert groups.add("a", 3, 0.0) == [1, 2, 3]
    assert (groups.count, groups.next_due, groups.all()) == (0, None, [])
    assert Groups[int](1, 1.0).add("a", 1, 0.0) == [1]


def test_a_group_is_due_when_its_first_item_has_waited() -> None:
    groups: Groups[int] = Groups(10, 1.0)
    groups.add("a", 1, 5.0)
    groups.add("b", 2, 5.5)
    groups.add("a", 3, 5.9)
    assert groups.next_due == 6.0
    assert groups.due(5.99) == []
    assert groups.due(6.0) == [[1, 3]]
    assert (groups.next_due, groups.count) == (6.5, 1)
    groups.add("a", 4, 6.2)
    assert groups.due(10.0) == [[2], [4]]
    assert groups.next_due is None


def test_dropped_items_are_not_given_out() -> None:
    groups: Groups[int] = Groups(3, 1.0)
    for item in (1, 2):
        groups.add("a", item, 0.0)
    groups.drop("a", 1)
    groups.drop("a", 1)
    groups.drop("b", 2)
    assert groups.count == 1
    assert groups.add("a", 3, 0.0) is None
    assert groups.add("a", 4, 0.0) == [2, 3, 4]
    groups.add("a", 5, 0.0)
    groups.drop("a", 5)
    assert (groups.next_due, groups.all()) == (None, [])


def test_what_a_call_came_to() -> None:
    error = ValueError()
    assert outcomes_of(None, 2) == [None, None]
    assert outcomes_of([1, error], 2) == [1, error]
    assert outcomes_of((), 0) == []
    for wrong in ([1], [1, 2, 3], "ab", {1: 2, 3: 4}, 7):
        with pytest.raises(Fail, match="batch"):
            outcomes_of(wrong, 2)


def test_a_function_of_a_list_reads_as_one_of_an_item() -> None:
    async def store(events: list[Event]) -> list[int | Exception]: ...  # type: ignore[empty-body]

    signature = BatchSignature(store, "store")
    assert signature.load([{"kind": "a"}], {}) == ([Event(kind="a")], {})
    assert signature.load([], {"events": {"kind": "a"}}) == ([], {"events": Event(kind="a")})
    assert signature.annotation("return") is int
    assert "kind" in str(signature.json_schema())
    for wrong in ([[Event(kind="a")]], [], [Event(kind="a"), 1]):
        with pytest.raises(InvalidArgument):
            signature.check(wrong, {})


def test_annotations_of_results() -> None:
    def nothing(a: list[int]) -> None: ...
    def some(a: list[int]) -> list[str]: ...  # type: ignore[empty-body]
    def several(a: list[int]) -> list[str | int | ValueError] | None: ...
    def bare(a: list) -> list: ...  # type: ignore[empty-body, type-arg]
    def errors(a: list[int]) -> list[Exception]: ...  # type: ignore[empty-body]

    found = [BatchSignature(one, "x").annotation("return") for one in (nothing, some, several, bare, errors)]
    assert found == [type(None), str, str | int, Any, Any]
    assert BatchSignature(bare, "x").annotation("a") is Any


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: None,
        lambda a, b: (a, b),
        lambda *a: a,
        lambda **a: a,
        lambda a=None: a,
    ],
)
def test_other_functions_take_no_batches(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="exactly one parameter"):
        BatchSignature(wrong, "x")


def test_a_list_must_be_annotated() -> None:
    def unsaid(a): ...  # type: ignore[no-untyped-def]
    def single(a: int) -> None: ...
    def union(a: list[int] | None) -> None: ...

    for wrong in (unsaid, single, union):
        with pytest.raises(ConfigError, match="annotated list"):
            BatchSignature(wrong, "x").check([1], {})


def test_the_typed_options_of_a_batch_are_those_of_any_task() -> None:
    """A new option of ``app.task`` belongs into :class:`BatchOptions`, too (or is excepted here)."""
    taken = set(inspect.signature(Jobbers._register).parameters) - {"self", "function", "batch", "process"}
    assert set(BatchOptions.__annotations__) == taken
