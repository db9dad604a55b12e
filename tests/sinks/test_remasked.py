"""What tells a change of rules from a second truth."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.remasked import CAPTURE, remasked

HEADER: dict[str, Any] = {name: f"the {name}" for name in CAPTURE}


def event(**changes: Any) -> bytes:
    """A masked event with this capture header, ruleset and body."""
    return orjson.dumps({"unmapped": {"tacho": HEADER | {"ruleset": "old", "body": "[A:1]"} | changes}})


def test_other_rules_over_the_same_capture() -> None:
    """The same header under another ruleset is the same record, masked anew."""
    assert remasked(event(), event(ruleset="new", body="[B:2]"))


def test_the_same_rules_give_the_same_bytes_or_lie() -> None:
    """Another body under the same ruleset is no change of rules."""
    assert not remasked(event(), event(body="other"))


@pytest.mark.parametrize("name", CAPTURE)
def test_a_change_of_rules_does_not_cover_another_capture(name: str) -> None:
    """Whoever changes what was captured cannot hide behind a new ruleset."""
    assert not remasked(event(), event(ruleset="new", **{name: "forged"}))


def test_a_record_without_commitment_is_never_excused() -> None:
    """Message and part documents carry no ruleset: for them bytes decide alone."""
    bare = orjson.dumps({"unmapped": {"tacho": {"uid": "u", "ruleset": "old"}}})
    other = orjson.dumps({"unmapped": {"tacho": {"uid": "u", "ruleset": "new"}}})
    assert not remasked(bare, other)


@given(st.binary(), st.binary())
def test_any_bytes_get_an_answer(stored: bytes, value: bytes) -> None:
    """Bytes that are no event are never taken for a change of rules."""
    assert not remasked(stored, value)
