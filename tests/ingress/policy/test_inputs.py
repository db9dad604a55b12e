"""What Cedar sees is what the cache key holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.policy.calls import Action, calls
from tachograph.ingress.policy.cedar_schema import CONTEXT
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.inputs import (
    MAX_CONTEXT_BYTES,
    MAX_KEY_CHARS,
    Plan,
    context_of,
    key_of,
    plan_of,
    written,
)
from tachograph.ingress.policy.reads import Reads
from tachograph.ingress.upstream.target import parse_target

Make = Callable[..., Any]


def plan(*paths: tuple[str, ...], action: Action = Action.MCP_CALL) -> Plan:
    return plan_of([Reads(context=frozenset(paths))], CONTEXT[action])


def context(asked: Any, made: Plan) -> dict[str, Any]:
    (call,) = calls(asked, parse_target(asked.connection.upstream))
    return context_of(made.paths, made.leaves(call))


def test_only_what_is_read_is_there(asked: Make, rpc: Make) -> None:
    """An argument that no policy reads does not reach Cedar."""
    found = context(asked("files", "POST", body=rpc("rm", a="x", b=2)), plan(("tool",), ("arguments", "a")))
    assert found == {"tool": "rm", "arguments": {"a": "x"}}


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("text", "text"),
        (7, 7),
        (7.0, 7),
        (-(2**53) + 1, -(2**53) + 1),
        (True, True),
        (2**53, {"unreadable": "number"}),
        (10**40, {"unreadable": "number"}),
        (1e300, {"unreadable": "number"}),
        (1.5, {"unreadable": "number"}),
        (None, {"unreadable": "null"}),
        ([1], {"unreadable": "array"}),
        ({"a": 1}, {"unreadable": "object"}),
    ],
)
def test_arguments_keep_their_types(asked: Make, rpc: Make, value: object, seen: object) -> None:
    """What Cedar has no type for, and what parsers round differently, is there but cannot be compared."""
    found = context(asked("files", "POST", body=rpc("rm", a=value)), plan(("arguments", "a")))
    assert found == {"arguments": {"a": seen}}
    assert type(found["arguments"]["a"]) is type(seen)


def test_names_and_types_of_arguments(asked: Make, rpc: Make) -> None:
    """The shape of a call, without its values."""
    body = rpc("rm", b=[1], a="x", c=1.0)
    found = context(asked("files", "POST", body=body), plan(("argument_names",), ("argument_types", "b")))
    assert found == {"argument_names": ["a", "b", "c"], "argument_types": {"b": "array"}}


@pytest.mark.parametrize("other", ["Amount", "AMOUNT"])
@pytest.mark.parametrize("record", ["arguments", "argument_types"])
def test_an_argument_in_another_case_is_refused(asked: Make, rpc: Make, other: str, record: str) -> None:
    """Go's encoding/json takes either for `amount`, the last one last; what no policy reads may be both."""
    made = plan((record, "amount"))
    for arguments in ({other: 9}, {"amount": 1, other: 10**6}):
        with pytest.raises(Unclear, match="case"):
            context(asked("files", "POST", body=rpc("pay", **arguments)), made)
    assert context(asked("files", "POST", body=rpc("pay", amount=1, v=1, V=2)), made)[record]


def test_a_whole_record_is_read_whole(asked: Make, rpc: Make) -> None:
    """Every argument, and all of the time."""
    found = context(asked("files", "POST", body=rpc("rm", a=1, b="x")), plan(("arguments",), ("time",)))
    assert found["arguments"] == {"a": 1, "b": "x"}
    assert found["time"] == {"unix": 1_700_000_000, "hour": 22, "weekday": 2}
    everything = context(asked("files", "POST", body=rpc("rm", a=1)), plan(()))
    assert set(everything) <= set(CONTEXT[Action.MCP_CALL])
    assert everything["arguments"] == {"a": 1}


def test_what_is_not_there_is_absent(asked: Make) -> None:
    """`has` is false for it; sets are empty rather than absent."""
    made = plan(("content_type",), ("query",), ("actors",), ("source",), action=Action.HTTP_REQUEST)
    assert context(asked(client=""), made) == {"query": [], "actors": []}


@pytest.mark.parametrize(
    ("client", "address"), [("10.0.0.1:5", "10.0.0.1"), ("[::1]:5", "::1"), ("::1:5", "::1")]
)
def test_the_source_is_an_address(asked: Make, client: str, address: str) -> None:
    """Without its port, in Cedar's own type."""
    found = context(asked(client=client), plan(("source",), action=Action.HTTP_REQUEST))
    assert found == {"source": {"__extn": {"fn": "ip", "arg": address}}}


@pytest.mark.parametrize(
    ("ns", "hour", "weekday"),
    [(0, 0, 4), (86_399_999_999_999, 23, 4), (86_400_000_000_000, 0, 5), (4 * 86_400_000_000_000, 0, 1)],
)
def test_time_is_utc_and_iso(asked: Make, ns: int, hour: int, weekday: int) -> None:
    """Monday is 1; the day of the epoch was a Thursday."""
    found = context(
        asked(started_ns=ns), plan(("time", "hour"), ("time", "weekday"), action=Action.HTTP_REQUEST)
    )
    assert found["time"] == {"hour": hour, "weekday": weekday}


Scalar = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "1", "true", "x" * 200, "x" * 201])
)


@given(Scalar, Scalar)
def test_different_inputs_have_different_keys(one: object, other: object) -> None:
    """1, true and "1" are three things, and two long texts are two, though a key holds neither."""
    keys = [key_of(("t", (type(item).__name__, item))) for item in (one, other)]
    assert (keys[0] == keys[1]) == (one == other and type(one) is type(other))
    assert all(len(repr(key)) < MAX_KEY_CHARS + 120 for key in keys)


def test_a_context_has_a_longest_length() -> None:
    """In bytes of its JSON, whichever of its parts are long."""
    longest = {"uri": "é" * ((MAX_CONTEXT_BYTES - len('{"uri":""}')) // 2)}
    assert len(written(longest).encode()) == MAX_CONTEXT_BYTES
    with pytest.raises(Unclear, match=str(MAX_CONTEXT_BYTES)):
        written({"uri": longest["uri"] + "x"})
