"""Values between JSON and Python."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.api.values import from_json_value, to_json_value
from jobbers.core.payload import Undecodable, unpack
from jobbers.errors import InvalidArgument

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FOREIGN = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(LEAVES, inner))
"""What other languages may write: any scalar may be a key."""


@given(VALUES)
def test_what_goes_out_comes_back(value: Any) -> None:
    text = json.dumps(to_json_value(value), allow_nan=False)
    assert from_json_value(json.loads(text)) == value


@given(
    st.binary()
    | st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(LEAVES, inner)).map(msgpack.packb)
)
def test_whatever_can_be_decoded_can_be_shown(data: bytes) -> None:
    try:
        value = unpack(data)
    except Undecodable:
        return
    json.dumps(to_json_value(value), allow_nan=False).encode()


@pytest.mark.parametrize("text", ["?", "AP8", "AP8=\n", "_-8=", "é"])
def test_a_broken_mark_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="base64"):
        from_json_value([{"$base64": text}])


@pytest.mark.parametrize("value", [{"$base64": 1}, {"$base64": "AP8=", "more": 1}, {}])
def test_what_is_no_mark_is_left_alone(value: Any) -> None:
    assert from_json_value(value) == value
