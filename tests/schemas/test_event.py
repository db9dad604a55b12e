"""The header: one canonical form, one uid, and nothing in it that is not known."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.errors import MalformedRecord, UnknownVersion
from tachograph.schemas.event import (
    GENESIS,
    MAX_ACTORS,
    Agent,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    Trace,
    event_uid,
    header_hash,
    rfc3339_ns,
    strand_uids,
    valid_traceparent,
)

HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_VALUES = (
    *(b"null", b"true", b"0", b"-0", b"00", b"1", b"1.0", b"1e2", b"9007199254740992", b"{}", b'""'),
    *(b'"api_key"', b'"a b"', rb'"\u0061"', rb'"\/"', b'"\x7f"', b'"\t"', b'"\xc3\xa9"', b'"\xff"'),
)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    session, epoch, seq = draw(st.uuids()), draw(st.uuids()), draw(st.integers(0, 2**53 - 1))
    return Header(
        uid=event_uid(session, epoch, seq),
        type=draw(st.sampled_from(EventType)),
        ts=rfc3339_ns(draw(st.integers(0, 253_402_300_799_999_999_999))),
        session=session,
        epoch=epoch,
        seq=seq,
        prev=draw(HEX64),
        exchange=draw(st.none() | st.uuids()),
        connection=draw(st.none() | st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,20}[a-z0-9])?", fullmatch=True)),
        protocol=draw(st.none() | st.sampled_from(Protocol)),
        direction=draw(st.sampled_from(Direction)),
        principal=Principal(
            id=draw(TEXT),
            kind=draw(st.sampled_from(PrincipalKind)),
            issuer=draw(st.none() | TEXT),
            actors=tuple(draw(st.lists(TEXT, max_size=MAX_ACTORS))),
        ),
        agent=Agent(session=draw(st.none() | TEXT), id=draw(st.none() | TEXT), parent=draw(st.none() | TEXT)),
        trace=draw(st.none() | st.just(Trace(traceparent=PARENT))),
        raw_commit=draw(HEX64),
        raw_len=draw(st.integers(0, 2**53 - 1)),
        registry=draw(st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True)),
        incomplete=draw(st.booleans()),
    )


def sample(**fields: Any) -> dict[str, Any]:
    session, epoch = uuid.UUID(int=1), uuid.UUID(int=2)
    found: dict[str, Any] = json.loads(
        Header(
            uid=event_uid(session, epoch, 3),
            type=EventType.REQUEST,
            ts="2026-11-23T00:00:00.000000000Z",
            session=session,
            epoch=epoch,
            seq=3,
            prev=GENESIS,
            principal=Principal(id="x", kind=PrincipalKind.API_KEY),
            raw_commit="0" * 64,
            raw_len=0,
        ).canonical()
    )
    return found | fields


@given(headers())
def test_a_header_comes_back_as_it_was(header: Header) -> None:
    """Canonical bytes parse to the same header, and to the same bytes again."""
    parsed = Header.parse(header.canonical())
    assert parsed == header
    assert parsed.canonical() == header.canonical()
    assert len(header_hash(header.canonical())) == 64


@given(headers(), st.data())
def test_a_flipped_byte_is_never_the_same_header(header: Header, data: st.DataObject) -> None:
    """Altered bytes are refused, or are another header with another hash."""
    good = header.canonical()
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :]
    with contextlib.suppress(MalformedRecord, UnknownVersion):
        assert Header.parse(bad) != header
    assert header_hash(bad) != header_hash(good)


@given(headers(), st.data())
def test_what_is_accepted_is_canonical(header: Header, data: st.DataObject) -> None:
    """Whatever is put in for a value, parsing takes no bytes but those that it would write itself."""
    good = header.canonical()
    values = [match.span(1) for match in re.finditer(rb':("[^"]*"|[0-9]+|true|false|null)', good)]
    start, end = data.draw(st.sampled_from(values))
    there = good[start:end]
    variants = [there.upper(), there.replace(b"-", b""), b" " + there]
    other = data.draw(st.sampled_from([*OTHER_VALUES, *variants]))
    changed = good[:start] + other + good[end:]
    with contextlib.suppress(MalformedRecord, UnknownVersion):
        assert Header.parse(changed).canonical() == changed


@pytest.mark.parametrize("name", ["ada", "ad\u00e9", 'a"b', "a\\b", "a\x7fb", "a\nb", "\U0001f600"])
def test_a_name_is_taken_however_it_is_written(name: str) -> None:
    """Plain texts take a short way through the parser, others the long one; both give the same header."""
    data = canonical_json(sample(principal={"id": name, "issuer": None, "kind": "oidc"}))
    parsed = Header.parse(data)
    assert parsed.principal.id == name
    assert parsed.canonical() == data


def test_no_registry_has_one_byte_form_only() -> None:
    """A header without one is as it was before there was any, and refused where it says `null`."""
    assert b"registry" not in Header.parse(canonical_json(sample())).canonical()
    assert Header.parse(canonical_json(sample(registry="0123456789abcdef"))).registry == "0123456789abcdef"
    for other in (None, "0123456789ABCDEF", "0123456789abcde", ""):
        with pytest.raises(MalformedRecord):
            Header.parse(canonical_json(sample(registry=other)))


def test_nobody_acts_in_one_byte_form_only() -> None:
    """An empty chain of actors is not written, and refused where it is."""
    principal = {"id": "x", "issuer": None, "kind": "oidc"}
    assert Header.parse(canonical_json(sample(principal=principal))).principal.actors == ()
    with pytest.raises(MalformedRecord):
        Header.parse(canonical_json(sample(principal=principal | {"actors": []})))


@given(st.binary())
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    """Nothing but our two refusals comes out of parsing."""
    with pytest.raises((MalformedRecord, UnknownVersion)):
        Header.parse(data)


@pytest.mark.parametrize("version", [0, 2, "1", None, True, [1], {"v": 1}])
def test_another_version_is_refused(version: Any) -> None:
    """A newer record is not half understood. (JSON's true is no 1 here.)"""
    with pytest.raises((UnknownVersion, MalformedRecord)):
        Header.parse(canonical_json(sample(v=version)))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"1", b"{}"])
def test_what_has_no_version_is_refused(data: bytes) -> None:
    """Whatever it is, it is not ours."""
    with pytest.raises((UnknownVersion, MalformedRecord)):
        Header.parse(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uid", "nonsense"),
        ("type", "unknown"),
        ("ts", "2026-11-23T00:00:00Z"),
        ("ts", "2026-11-23 00:00:00.000000000Z"),
        ("ts", "\uff12026-11-23T00:00:00.000000000Z"),
        ("ts", "2026-11-23T00:00:00.00000000\u0660Z"),
        ("seq", -1),
        ("seq", 2**53),
        ("seq", 1.0),
        ("seq", "3"),
        ("prev", "0" * 63),
        ("prev", "G" * 64),
        ("connection", "Upper"),
        ("connection", "-x"),
        ("connection", "x" * 65),
        ("protocol", "ftp"),
        ("direction", "up"),
        ("principal", {"id": "", "kind": "api_key"}),
        ("principal", {"id": "x", "kind": "root"}),
        ("principal", {"id": "x", "kind": "oidc", "issuer": None, "actors": ["a"] * 9}),
        ("principal", {"id": "x", "kind": "oidc", "issuer": None, "actors": [""]}),
        ("principal", {"id": "x" * 257, "kind": "api_key"}),
        ("agent", {"session": "x" * 65}),
        ("trace", {"traceparent": "00-zz"}),
        ("raw_commit", ""),
        ("raw_len", -1),
        ("incomplete", 1),
        ("unknown_field", 1),
    ],
)
def test_what_breaks_the_schema_is_refused_by_name(field: str, value: Any) -> None:
    """The refusal names the field and holds no byte of the value."""
    with pytest.raises(MalformedRecord, match=field.partition("_field")[0]) as caught:
        Header.parse(canonical_json(sample(**{field: value})))
    if isinstance(value, str) and value:
        assert value not in str(caught.value)


@pytest.mark.parametrize(
    "field", ["uid", "type", "ts", "session", "epoch", "seq", "prev", "principal", "raw_commit"]
)
def test_what_is_missing_is_refused_by_name(field: str) -> None:
    """No default stands in for a fact."""
    value = sample()
    del value[field]
    with pytest.raises(MalformedRecord, match=field):
        Header.parse(canonical_json(value))


def test_another_byte_form_is_refused() -> None:
    """White space, another order or a doubled key would give one header two hashes."""
    value = sample()
    spaced = json.dumps(value, sort_keys=True).encode()
    unsorted = json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode()
    doubled = b'{"v":1,' + canonical_json(value)[1:]
    for data in (spaced, unsorted, doubled):
        with pytest.raises(MalformedRecord, match="canonical"):
            Header.parse(data)


def test_a_uid_that_does_not_follow_is_refused() -> None:
    """Nobody gives a record another record's identity."""
    with pytest.raises(MalformedRecord, match="uid"):
        Header.parse(canonical_json(sample(seq=4)))


def test_a_header_cannot_be_changed() -> None:
    """It is frozen."""
    header = Header.parse(canonical_json(sample()))
    with pytest.raises(ValidationError):
        header.seq = 4  # type: ignore[misc]


@given(st.uuids(), st.uuids(), st.integers(0, 2**53), st.integers(0, 2**53))
def test_uids_follow_from_their_place(session: uuid.UUID, epoch: uuid.UUID, one: int, other: int) -> None:
    """The same place gives the same uid, another one another."""
    assert event_uid(session, epoch, one) == event_uid(session, epoch, one)
    assert (event_uid(session, epoch, one) == event_uid(session, epoch, other)) == (one == other)


@given(st.uuids(), st.uuids(), st.lists(st.integers(0, 2**53)))
def test_the_uids_of_a_strand_are_those_of_its_records(
    session: uuid.UUID, epoch: uuid.UUID, numbers: list[int]
) -> None:
    """Hashing the common part once gives the same uids, in any order, as text."""
    uid = strand_uids(session, epoch)
    assert [uid(seq) for seq in numbers] == [str(event_uid(session, epoch, seq)) for seq in numbers]


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_times_have_nine_digits(ns: int) -> None:
    """RFC 3339 in UTC, exact to the nanosecond, sorted as text like as time."""
    text = rfc3339_ns(ns)
    moment = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    assert int(moment.timestamp()) == ns // 1_000_000_000
    assert text[19:] == f".{ns % 1_000_000_000:09}Z"
    assert rfc3339_ns(max(ns - 1, 0)) <= text


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (PARENT, True),
        (PARENT.replace("00-", "ff-", 1), False),
        (PARENT.upper(), False),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01", False),
        (PARENT + "-x", False),
        ("", False),
    ],
)
def test_traceparents(value: str, valid: bool) -> None:
    """Version 00, lower case, neither id all zero (W3C Trace Context, 3.2)."""
    assert valid_traceparent(value) is valid
