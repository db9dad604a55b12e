"""A document of another shape is refused by name before anything is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.errors import NotReplayable
from tachograph.forensics.replay.recorded import exchanges_of
from tachograph.forensics.replay.shape import MAX_PARTS, MAX_SAID, check_shape

TIME = "2026-11-23T10:00:00.000000001Z"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_FACTS = st.sampled_from(
    [
        *("uid", "type", "exchange", "direction", "ts", "seq", "withheld", "body", "body_parts", "truncated"),
        *("wire_body", "timing", "error", "conversation", "chunk", "part", "message", "replacement", "tool"),
    ]
)
_KINDS = st.sampled_from(["request", "response", "chunk", "message", "part", "decision", "access"])


def document(kind: str = "response", /, **facts: Any) -> dict[str, Any]:
    return {"unmapped": {"tacho": {"uid": "u", "type": kind, "exchange": "e"} | facts}}


@given(kind=_KINDS, facts=st.dictionaries(_FACTS, _JSON, max_size=4), line=_JSON, head=_JSON)
def test_whatever_stands_in_it_is_read_or_refused(kind: str, facts: Any, line: Any, head: Any) -> None:
    """Beside a request that is in order."""
    odd = document(kind, **facts) | {"http_request": line, "http_response": head}
    try:
        exchanges_of([document("request", uid="r"), odd])
    except NotReplayable as refused:
        assert len(str(refused)) < MAX_SAID + 100  # noqa: PT017  both are lawful ends


@pytest.mark.parametrize(
    "odd",
    [
        *(None, [], "x", {}, {"unmapped": None}, {"unmapped": {"tacho": None}}, {"unmapped": {"tacho": []}}),
        document(timing={"end": "x"}),
        document(timing=[]),
        document(error="x"),
        document(wire_body="x"),
        document(truncated=5),
        document(truncated=["body"], body_parts=2**53 - 1),
        document(body_parts=MAX_PARTS + 1),
        document(uid=["x"]),
        document("request", conversation={"head": "h", "count": "x"}),
        document("request", conversation={"head": "h", "count": 1e300}),
        document("chunk", ts=TIME),
        document("chunk", ts="2026-13-01T00:00:00.000000000Z", chunk={"index": 0}),
        document("chunk", ts="now", chunk={"index": 0}),
        document("message", message=None),
        document("message", message={"hash": "h", "parent": []}),
        document("part", part=None),
        document() | {"http_response": [1]},
        document() | {"http_response": {"code": "abc"}},
        document() | {"http_response": {"http_headers": [1]}},
        document() | {"http_request": [1]},
    ],
)
def test_one_that_no_gateway_writes_is_refused(odd: Any) -> None:
    """And nothing of it is quoted."""
    with pytest.raises(NotReplayable, match="none that a gateway writes") as refused:
        check_shape(odd)
    assert "abc" not in str(refused.value)


def test_what_is_not_read_may_be_anything() -> None:
    """A later release may write more; it is given back as it came."""
    known = document("chunk", ts=TIME, chunk={"index": 0, "new": 1}, new={}) | {"time": "?"}
    assert check_shape(known) is known
