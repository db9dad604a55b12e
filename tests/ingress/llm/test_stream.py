"""A stream ends where it cannot be read, and what is kept back of it has a bound."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.ingress.llm import stream
from tachograph.ingress.llm.anthropic import Messages
from tachograph.ingress.llm.openai_chat import ChatCompletions
from tachograph.ingress.llm.openai_responses import Responses
from tachograph.ingress.llm.stream import StreamFilter

DIALECTS = [Messages, ChatCompletions, Responses]


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(1, 200)))
def test_any_bytes_come_out_alike_for_every_cut(kit: Any, dialect: Any, data: bytes, cuts: list[int]) -> None:
    """Whatever comes, nothing raises, and cuts do not matter."""
    whole = kit.run(StreamFilter(dialect()), data, lambda _: None)
    assert kit.run(StreamFilter(dialect()), data, lambda _: None, cuts) == whole


@pytest.mark.parametrize("dialect", DIALECTS)
@example(at=552, byte=b" ", cuts=[])  # its block has another key, and hid a call
@given(at=st.integers(0, 900), byte=st.binary(min_size=1, max_size=3), cuts=st.lists(st.integers(1, 900)))
def test_a_damaged_stream_is_cut_and_never_calls(
    kit: Any, dialect: Any, at: int, byte: bytes, cuts: list[int]
) -> None:
    """No call goes on that was not asked about, wherever a stream is damaged."""
    data = kit.message(kit.said(0, "a"), kit.block(1, "ls", '{"a": 1}'))
    data = data[:at] + byte + data[at:]
    out, _ = kit.run(StreamFilter(dialect()), data, lambda _: "no", cuts)
    if dialect is Messages:
        assert b'"name": "ls"' not in out


def test_a_stream_that_ends_in_a_call_does_not_release_it(kit: Any) -> None:
    """A client could run what it has got so far."""
    data = kit.named(*kit.block(0, "ls", "{}"))
    made = StreamFilter(Messages())
    out, asked = kit.run(made, data[:-60], lambda _: None)
    assert (asked, made.kept) == ([], 0)
    assert made.broken is not None
    assert b'"ls"' not in out


def test_what_is_kept_has_a_bound(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that never ends is not kept for ever."""
    monkeypatch.setattr(stream, "MAX_KEPT_BYTES", 1000)
    out, asked = kit.run(StreamFilter(Messages()), kit.named(*kit.block(0, "ls", "1" * 500)), lambda _: None)
    assert not asked
    assert b"at most 1000 bytes" in out


def test_after_a_failure_nothing_comes(kit: Any) -> None:
    """Whoever ends a stream from outside has the last word."""
    made = StreamFilter(Messages())
    made.feed(kit.named(*kit.block(0, "ls", "{}")), end=False)
    assert made.next() is not None
    assert b"overloaded_error" in made.fail("later", "overloaded_error")
    made.feed(kit.named({"type": "ping"}), end=True)
    assert made.next() is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_ping_says_nothing(kit: Any, dialect: Any) -> None:
    """It may come between any two events, and is passed through by the same filter."""
    assert kit.run(StreamFilter(dialect()), dialect.ping, lambda _: None) == (dialect.ping, [])
