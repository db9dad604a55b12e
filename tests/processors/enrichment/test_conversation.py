"""Each message has one name in every request that repeats it, and a break in the chain shows."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment import anthropic
from tachograph.processors.enrichment.bounds import MAX_MESSAGES
from tachograph.processors.enrichment.conversation import chain, place, root, taken_apart, trailing
from tachograph.processors.enrichment.facts import Turn

SESSION = uuid.UUID(int=1)
ROLES = st.sampled_from(["user", "assistant", "tool"])
TURNS = st.lists(st.builds(lambda role, text: Turn(role, f"{role}{text}".encode(), text), ROLES, st.text()))


@given(TURNS, TURNS)
def test_a_prefix_keeps_its_names(before: list[Turn], after: list[Turn]) -> None:
    """What a longer history adds changes no hash of what was said before."""
    assert chain([*before, *after], "x")[: len(before)] == chain(before, "x")


@given(TURNS)
def test_hashes_can_be_counted_again(turns: list[Turn]) -> None:
    """Each hash is SHA-256 over the parent's and the message's canonical JSON, from the root on."""
    parent = root("x")
    for link in chain(turns, "x"):
        assert link.parent == parent
        parent = hashlib.sha256(parent.encode() + link.turn.canonical).hexdigest()
        assert link.hash == parent


def test_one_changed_message_renames_all_that_follow() -> None:
    """A rewritten history is another conversation from there on."""
    turns = [Turn("user", text, "") for text in (b"a", b"b", b"c")]
    edited = [turns[0], Turn("user", b"B", ""), turns[2]]
    before, after = chain(turns, "x"), chain(edited, "x")
    assert [one.hash == two.hash for one, two in zip(before, after, strict=True)] == [True, False, False]


def test_dialects_never_share_a_message() -> None:
    """The same bytes read by another dialect have another name."""
    turns = [Turn("user", b"a", "")]
    assert chain(turns, "anthropic")[0].hash != chain(turns, "openai")[0].hash


def _request(*roles: str) -> Any:
    messages = [{"role": role, "content": f"{index}"} for index, role in enumerate(roles)]
    return chain(anthropic.read_request({"messages": messages}).turns, "anthropic")


def test_a_request_points_at_the_one_before() -> None:
    """The previous head is exactly what the request before had as its head."""
    first = place(_request("user"))
    second = place(_request("user", "assistant", "user"))
    third = place(_request("user", "assistant", "user", "assistant", "assistant", "tool", "user"))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.previous, second.previous, third.previous) == (None, first.head, second.head)
    assert [(item.count, item.new) for item in (first, second, third)] == [(1, 1), (3, 1), (7, 2)]


def test_a_request_without_messages_has_no_place() -> None:
    """No messages, no conversation."""
    assert place(()) is None


def test_a_prefilled_answer_is_no_new_turn() -> None:
    """A request that ends in the assistant's words adds nothing of the user's."""
    found = place(_request("user", "assistant"))
    assert found is not None
    assert found.new == 0
    assert trailing([]) == 0


def test_taking_apart_is_all_or_nothing() -> None:
    """One message that cannot be written again, or too many, and the request stays whole."""
    body = {"messages": [1, 2], "model": "m"}
    whole = taken_apart(body, "messages", [1, 2], lambda value: Turn("user", b"%d" % value, ""))
    assert whole.rest == '{"model":"m"}'
    assert len(whole.turns) == 2
    half = taken_apart(body, "messages", [1, 2], lambda value: Turn("user", b"1", "") if value == 1 else None)
    assert (half.turns, half.rest) == ((), None)
    assert "too deep" in str(half.problem)
    many = taken_apart(body, "messages", range(MAX_MESSAGES + 1), lambda _: Turn("user", b"1", ""))
    assert (many.turns, many.rest) == ((), None)
    assert str(MAX_MESSAGES) in str(many.problem)
    assert taken_apart(body, "messages", [], lambda _: None).problem is None
