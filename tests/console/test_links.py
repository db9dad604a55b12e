"""Signed links: what was signed comes back, anything else does not."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.console.errors import Forbidden
from tachograph.console.links import DecisionLink, LinkKey, LocalLogin

KEY = LinkKey(bytes(32))
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=256)


@given(NAMES, st.lists(NAMES, max_size=4), st.uuids())
def test_a_link_comes_back_as_it_was_signed(name: str, groups: list[str], uid: uuid.UUID) -> None:
    """In characters that an address may have."""
    link = LocalLogin(id=uid, made_ms=1, until_ms=2, principal=name, groups=tuple(groups))
    told = KEY.sign(link)
    assert KEY.read(told, LocalLogin, now_ms=1) == link
    assert all(char.isalnum() or char in "-_." for char in told)
    with pytest.raises(Forbidden):
        KEY.read(told, LocalLogin, now_ms=2)
    with pytest.raises(Forbidden):
        KEY.read(told, DecisionLink, now_ms=1)


@given(st.text())
def test_anything_else_is_refused(told: str) -> None:
    """Whatever text comes, it is a refusal and no other error."""
    with pytest.raises(Forbidden):
        KEY.read(told, LocalLogin, now_ms=0)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_character_is_noticed(place: int, by: int) -> None:
    """Anywhere in it."""
    told = KEY.sign(LocalLogin(id=uuid.UUID(int=1), made_ms=1, until_ms=2, principal="p"))
    at = place % len(told)
    changed = told[:at] + chr((ord(told[at]) + by) % 256) + told[at + 1 :]
    try:
        link = KEY.read(changed, LocalLogin, now_ms=1)
    except Forbidden:
        return
    assert link.principal == "p", "only unused bits of the last character may differ"


def test_the_key_is_not_shown() -> None:
    """Nor is it the approvals key itself."""
    assert repr(KEY) == "LinkKey()"
