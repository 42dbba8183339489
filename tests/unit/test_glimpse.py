"""A task's arguments in a line."""

from __future__ import annotations

import pytest

from jobbers.core.glimpse import glimpse
from jobbers.core.payload import Ref


@pytest.mark.parametrize(
    ("args", "kwargs", "line"),
    [
        ([], {}, ""),
        (["INV-7", 12.5, None], {"customer": "Ärger & Co"}, '"INV-7", 12.5, null, customer="Ärger & Co"'),
        ([{"a": [1, True]}], {}, '{"a": [1, true]}'),
        ([b"four"], {}, '"4 bytes"'),
        ([{b"no": "JSON"}], {"x": 1}, "…, x=1"),
        (["\ud800"], {}, '"?"'),
        ([float("nan")], {}, "NaN"),
    ],
)
def test_told(args: list[object], kwargs: dict[str, object], line: str) -> None:
    assert glimpse(args, kwargs) == line


def test_the_result_of_another_task_and_what_is_nested_deeply() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert (
        glimpse([Ref("01M80611XKB82A6Z99J59YQWJS"), deep], {})
        == '"what 01M80611XKB82A6Z99J59YQWJS returns", …'
    )
