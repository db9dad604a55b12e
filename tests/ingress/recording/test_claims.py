"""What clients claim, and that no secret gets into the clear header that way."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.recording.claims import NO_CLAIMS, ClaimReader
from tachograph.schemas.event import Agent
from tachograph.schemas.keys import KeyEncryptionKey

READER = ClaimReader(KeyEncryptionKey(b"k" * 32))
ID = "3f2b9c1e-8d4a-4f6b-9a7c-1e2d3c4b5a69"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_uuids_stand_as_they_came() -> None:
    """What the Claude Agent SDK sends can be searched for as it is."""
    headers = (
        ("X-Claude-Code-Session-Id", ID),
        ("x-claude-code-agent-id", ID.upper()),
        ("traceparent", PARENT),
    )
    claims = READER.read(headers)
    assert claims.agent == Agent(session=ID, id=ID.upper())
    assert claims.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@given(st.text(st.characters(max_codepoint=255), min_size=1, max_size=200))
def test_anything_else_becomes_a_fingerprint(value: str) -> None:
    """Whatever a client puts there, the clear header holds 16 hex digits of it, always the same ones."""
    session = READER.read((("x-tacho-session", value),)).agent.session
    assert session is not None
    assert session.startswith("~")
    assert int(session[1:], 16) < 1 << 64
    assert session == READER.read((("X-Tacho-Session", value),)).agent.session


def test_a_fingerprint_cannot_be_guessed_without_the_key() -> None:
    """Another key gives other fingerprints, so a dictionary does not help."""
    other = ClaimReader(KeyEncryptionKey(b"o" * 32))
    headers = (("x-tacho-session", "hunter2"),)
    assert READER.read(headers).agent.session != other.read(headers).agent.session


@given(st.uuids())
def test_every_uuid_is_taken_as_one(value: uuid.UUID) -> None:
    """All versions, in text form."""
    assert READER.read((("x-tacho-session", str(value)),)).agent.session == str(value)


@pytest.mark.parametrize(
    "value", ["", "00-0-0-00", PARENT.upper(), "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "x" * 99]
)
def test_a_malformed_trace_is_none(value: str) -> None:
    """Only well-formed trace context stands in the header."""
    assert READER.read((("traceparent", value),)).trace is None


def test_the_first_of_several_counts() -> None:
    """A second header of the same name changes nothing; the SDK's name goes before ours."""
    headers = (
        ("x-tacho-session", "theirs"),
        ("x-claude-code-session-id", ID),
        ("x-claude-code-session-id", "b"),
    )
    assert READER.read(headers).agent.session == ID


def test_no_header_is_no_claim() -> None:
    """Most requests claim nothing, and cost nothing."""
    assert READER.read((("accept", "*/*"), ("x-tacho-session", ""))) is NO_CLAIMS
