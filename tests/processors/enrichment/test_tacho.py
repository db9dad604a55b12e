"""`unmapped.tacho` carries the header verbatim and everything of ours, bounded."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from tachograph.processors.enrichment.bounds import MAX_RULES
from tachograph.processors.enrichment.conversation import chain
from tachograph.processors.enrichment.facts import Turn
from tachograph.processors.enrichment.tacho import (
    header_block,
    masking_block,
    message_block,
    meta_block,
    part_block,
    present,
)
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.event import PrincipalKind, Protocol
from tachograph.schemas.heartbeat import Heartbeat, boot_text
from tachograph.schemas.payload import ChunkMeta


def test_the_header_can_be_hashed_again(all_kinds: Any) -> None:
    """Its canonical JSON is exactly that of the block, for every kind of record."""
    for record in all_kinds:
        assert canonical_json(header_block(record.header.canonical())) == record.header.canonical()


def test_masking_is_counted(records: Any) -> None:
    """Total, rules and counts; rules that found nothing are not there."""
    record = records.request(Protocol.HTTP, "/", masked={"b": 1, "a": 2, "c": 0})
    assert masking_block(record)["masked"] == {"total": 3, "rules": ["a", "b"], "counts": {"a": 2, "b": 1}}


def test_rules_are_bounded(records: Any) -> None:
    """A thousand rules that fired do not make a document too large."""
    record = records.request(Protocol.HTTP, "/", masked={f"r{index}": 1 for index in range(1000)})
    assert len(masking_block(record)["masked"]["rules"]) == MAX_RULES


def test_a_withheld_body_says_why(records: Any) -> None:
    """The reason and the size stay where the body may not."""
    found = masking_block(records.request(Protocol.HTTP, "/", b"xyz", masked_body=None, withheld="timeout"))
    assert (found["withheld"], found["body_len"]) == ("timeout", 3)


def test_every_kind_of_record_is_framed(all_kinds: Any) -> None:
    """Each kind of meta has something of its own to say."""
    assert all(meta_block(record) for record in all_kinds)


def test_a_hash_that_masking_took_out_is_left_out(records: Any) -> None:
    """An empty text is no hash; one that stayed stands where it was."""
    record = records.request(Protocol.HTTP, "/", b"x")
    blank = record.meta.body.model_copy(update={"sha256": ""})
    without = replace(record, meta=record.meta.model_copy(update={"body": blank}))
    assert meta_block(record)["wire_body"]["sha256"] == "0" * 64
    assert meta_block(without)["wire_body"] == {"length": 1, "chunks": 0, "complete": True}


def test_a_chunk_says_where_its_text_is(records: Any) -> None:
    """A slice without a text of its own names the documents that hold it."""
    chunk = records.record(ChunkMeta(index=3, offset=9, sha256=""), Protocol.LLM, None)
    assert meta_block(chunk)["chunk"] == {"index": 3, "offset": 9}
    elsewhere = replace(chunk, text_in="messages")
    assert meta_block(elsewhere)["chunk"] == {"index": 3, "offset": 9, "text_in": "messages"}


def test_parts_and_messages_are_no_links_of_the_chain(records: Any) -> None:
    """They carry neither sequence nor hashes: who looks for gaps must not find doubles."""
    header = records.request(Protocol.LLM, "/").header
    (link,) = chain([Turn("user", b"{}", "")], "x")
    part = part_block(header, uuid.UUID(int=1), index=1, count=2, body="b")
    message = message_block(header, uuid.UUID(int=2), link)
    for block in (part, message):
        assert block.keys().isdisjoint({"seq", "epoch", "prev", "raw_commit", "ts"})
        assert block["session"] == str(header.session)


def test_a_message_depends_on_no_request(records: Any) -> None:
    """Two requests of one session and connection give the same block."""
    one = records.request(Protocol.LLM, "/").header
    other = replace(records, seq=9).with_header(exchange=uuid.UUID(int=9)).request(Protocol.LLM, "/").header
    (link,) = chain([Turn("user", b"{}", "")], "x")
    assert message_block(one, uuid.UUID(int=2), link) == message_block(other, uuid.UUID(int=2), link)


def test_absent_is_absent() -> None:
    """Only None is left out; zero, false and empty are values."""
    assert present(a=None, b=0, c=False, d="") == {"b": 0, "c": False, "d": ""}


def test_an_approval_says_who_decided(approved_record: Any) -> None:
    """Reviewer, group, comment, time, what was shown, and for how long it serves: all that an audit asks."""
    found = meta_block(approved_record)["approval"]
    (said,) = found["decisions"]
    assert (found["outcome"], found["waited_ms"], found["needs"][0]["group"]) == ("approved", 1000, "ops")
    assert (said["reviewer"], said["via"], said["comment"]) == ("ruth", "console", "fine, [EMAIL:ab12]")
    assert (said["shown"], said["grant_minutes"]) == ("f" * 64, 10)


def test_what_a_gateway_signs_stands_whole(all_kinds: Any, events: Any) -> None:
    """A heartbeat's canonical JSON and the certificate's can be made again from the document."""
    told = [
        (record.meta, events(record)[0]["unmapped"]["tacho"])
        for record in all_kinds
        if record.header.principal.kind is PrincipalKind.GATEWAY
    ]
    (opened, first), (beat, second) = told
    assert boot_text(first["boot"]) == opened.boot.text()
    assert first["boot_note"] == opened.boot_note
    assert Heartbeat.model_validate(second["heartbeat"]) == beat.heartbeat
    assert canonical_json(second["heartbeat"]) == canonical_json(beat.heartbeat.model_dump(mode="json"))
    assert second["signature"] == beat.signature
