"""The events of the approvals topic: one signed byte form, and nothing else is taken."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tachograph.schemas.approval import (
    MAX_COMMENT,
    MAX_EVENT_BYTES,
    MAX_GRANT_MINUTES,
    MAX_WAIT_SECONDS,
    ApprovalEvent,
    ApprovalKey,
    Claimed,
    Decided,
    Expired,
    Need,
    Requested,
    Reviewer,
    Revoked,
)
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.errors import MalformedRecord, RecordError, SealBroken, UnknownVersion
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

KEY = ApprovalKey(bytes(range(32)))
OTHER_KEY = ApprovalKey(bytes(32))
SECRET = "sk-live-0123456789abcdefghij"

HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
SAYABLE = st.text(st.sampled_from("abc äöü 漢字 🚀 \n\t\"\\'<>&"), max_size=80)
MILLIS = st.integers(0, 2**53 - 1)
PRINCIPALS = st.builds(Principal, id=WORDS, kind=st.sampled_from(PrincipalKind), issuer=st.none() | WORDS)
REVIEWERS = st.builds(
    Reviewer,
    principal=PRINCIPALS,
    groups=st.lists(WORDS, max_size=4).map(tuple),
    via=st.sampled_from(["console", "webhook", "local"]),
)
NEEDS = st.builds(Need, group=WORDS, reviewers=st.integers(1, 16), reason=SAYABLE, policy=WORDS)
_OF_ALL = {"v": st.just(1), "approval": st.uuids(), "at": MILLIS}
EVENTS: st.SearchStrategy[ApprovalEvent] = st.one_of(
    st.builds(
        Requested,
        **_OF_ALL,
        exchange=st.uuids(),
        session=st.uuids(),
        record=st.uuids(),
        connection=st.sampled_from(["a", "files", "db.prod"]),
        protocol=st.sampled_from(Protocol),
        requester=PRINCIPALS,
        needs=st.lists(NEEDS, min_size=1, max_size=4).map(tuple),
        request_digest=HEX64,
        scope_digest=HEX64,
        policy_digest=HEX64,
        wait_seconds=st.integers(1, MAX_WAIT_SECONDS),
        max_grant_minutes=st.integers(0, MAX_GRANT_MINUTES),
        instance=st.uuids(),
    ),
    st.builds(
        Decided,
        **_OF_ALL,
        decision=st.uuids(),
        verdict=st.sampled_from(["approve", "deny"]),
        reviewer=REVIEWERS,
        comment=SAYABLE,
        request_digest=HEX64,
        shown=st.none() | HEX64,
        grant_minutes=st.integers(0, MAX_GRANT_MINUTES),
    ),
    st.builds(Claimed, **_OF_ALL, claim=st.uuids(), exchange=st.uuids(), instance=st.uuids()),
    st.builds(Expired, **_OF_ALL),
    st.builds(Revoked, **_OF_ALL, reviewer=REVIEWERS, comment=SAYABLE),
)


def decided(**fields: Any) -> Decided:
    who = Principal(id="ruth", kind=PrincipalKind.OIDC, issuer="https://id.example")
    values: dict[str, Any] = {
        "approval": uuid.UUID(int=1),
        "at": 1,
        "decision": uuid.UUID(int=2),
        "verdict": "approve",
        "reviewer": Reviewer(principal=who, groups=("ops",), via="console"),
        "request_digest": "a" * 64,
        "shown": "b" * 64,
    }
    return Decided(**(values | fields))


def requested(**fields: Any) -> Requested:
    values: dict[str, Any] = {
        **{name: uuid.UUID(int=1) for name in ("approval", "exchange", "session", "record", "instance")},
        **dict.fromkeys(("request_digest", "scope_digest", "policy_digest"), "a" * 64),
        "at": 1,
        "connection": "files",
        "protocol": Protocol.HTTP,
        "requester": Principal(id="bot", kind=PrincipalKind.API_KEY),
        "needs": (Need(group="ops"),),
        "wait_seconds": 60,
    }
    return Requested(**(values | fields))


@given(EVENTS)
def test_every_event_comes_back_from_its_one_byte_form(event: ApprovalEvent) -> None:
    """Sealed and opened it is the same event, and sealed again the same bytes."""
    sealed = KEY.seal(event)
    assert KEY.open(sealed) == event
    assert KEY.seal(KEY.open(sealed)) == sealed


@given(EVENTS, st.data())
def test_an_altered_byte_is_never_taken(event: ApprovalEvent, data: st.DataObject) -> None:
    """Whichever bit is flipped, cut off or added, the event is refused."""
    sealed = bytearray(KEY.seal(event))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    for altered in (bytes(sealed), KEY.seal(event)[:-1], KEY.seal(event) + b" ", b" " + KEY.seal(event)):
        with pytest.raises(RecordError):
            KEY.open(altered)


@given(EVENTS)
def test_another_key_opens_nothing(event: ApprovalEvent) -> None:
    """An event that another key signed is refused as forged."""
    with pytest.raises(SealBroken):
        KEY.open(OTHER_KEY.seal(event))


@given(
    st.binary(max_size=400)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_is_on_the_topic_only_known_errors_come_out(data: bytes) -> None:
    """Bytes that nobody signed are refused with an error of the room's own tree."""
    with pytest.raises(RecordError):
        KEY.open(data)


def signed(fields: dict[str, Any]) -> bytes:
    return canonical_json({**fields, "mac": KEY._sign(fields)})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"v": 2, "kind": "expired", "approval": str(uuid.UUID(int=1)), "at": 1}, UnknownVersion),
        ({"v": 1, "kind": "blessed", "approval": str(uuid.UUID(int=1)), "at": 1}, MalformedRecord),
        ({"v": 1, "kind": "expired", "approval": "one", "at": 1}, MalformedRecord),
        ({"v": 1, "kind": "expired", "approval": str(uuid.UUID(int=1)), "at": 1, "x": 1}, MalformedRecord),
        ({"v": 1, "kind": "expired", "approval": str(uuid.UUID(int=1)), "at": "1"}, MalformedRecord),
        (json.loads(decided().model_dump_json()) | {"grant_minutes": 481}, MalformedRecord),
        (json.loads(decided().model_dump_json()) | {"comment": SECRET}, SealBroken),
    ],
)
def test_a_signature_does_not_make_nonsense_an_event(
    fields: dict[str, Any], error: type[RecordError]
) -> None:
    """What is signed with the right key is still held to the schema."""
    with pytest.raises(error):
        KEY.open(signed(fields))


def test_a_comment_cannot_be_read_on_the_topic_nor_in_a_repr() -> None:
    """A secret that a reviewer pasted stands nowhere in clear."""
    event = decided(comment=f"ok, {SECRET}")
    assert SECRET.encode() not in KEY.seal(event)
    assert SECRET not in repr(event)
    assert KEY.open(KEY.seal(event)) == event


def test_a_comment_does_not_open_in_another_event() -> None:
    """A sealed comment that is moved to another decision is refused, even signed anew."""
    one = json.loads(KEY.seal(decided(comment="fine")))
    two = json.loads(KEY.seal(decided(decision=uuid.UUID(int=3), comment="never")))
    two["comment"] = one["comment"]
    del two["mac"]
    with pytest.raises(SealBroken, match="comment"):
        KEY.open(signed(two))


def test_too_long_is_refused_before_it_is_read() -> None:
    """One byte more than the bound, and it is not even parsed."""
    with pytest.raises(MalformedRecord, match="at most"):
        KEY.open(b" " * (MAX_EVENT_BYTES + 1))


def test_what_would_be_too_long_to_be_read_is_not_written() -> None:
    """The longest request and comment fit; a reviewer with absurdly many groups is refused by the writer."""
    needs = tuple(Need(group="g" * 256, reason="漢" * 1000, policy="p" * 256) for _ in range(16))
    who = Principal(id="🚀" * 256, kind=PrincipalKind.OIDC, issuer="i" * 512, actors=("漢" * 512,) * 3)
    longest = requested(needs=needs, requester=who, connection="c" * 64)
    said = decided(comment="🚀" * MAX_COMMENT)
    for event in (longest, said):
        assert KEY.open(KEY.seal(event)) == event
    everybody = Reviewer(principal=said.reviewer.principal, groups=("漢" * 256,) * 256, via="console")
    with pytest.raises(MalformedRecord, match="at most"):
        KEY.seal(decided(reviewer=everybody))


@pytest.mark.parametrize("text", ["\x1b[2J", "a\x00", "\x9b31m", "\u202eright to left", "a\rb"])
def test_a_comment_cannot_steer_a_terminal(text: str) -> None:
    """Control and direction characters are refused at the door."""
    with pytest.raises(ValidationError):
        decided(comment=text)


def test_the_key_shows_its_id_only() -> None:
    """The repr names the key without a byte of it; a key of another length is no key."""
    assert repr(KEY) == f"ApprovalKey(id={KEY.id!r})"
    with pytest.raises(ValueError, match="32 bytes"):
        ApprovalKey(b"short")
