"""What was published of the logs: every checkpoint once, with all its signature lines and its time stamp.

A checkpoint is published when it is made, and again when witnesses have cosigned it; the time stamp over its
text is a message of its own. Nothing is verified here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rfc3161_client import decode_timestamp_response

from tachograph.schemas.checkpoint import STAMPED, Checkpoint
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.note import merged

__all__ = ["Published", "collect", "text_of"]


@dataclass(frozen=True, slots=True)
class Published:
    """One checkpoint as far as it is known; `token` is a time-stamp authority's answer over its text."""

    note: str
    said: Checkpoint
    token: bytes | None = None


def text_of(note: str) -> str:
    """The lines of a note that are signed."""
    return note.rpartition("\n\n")[0] + "\n"


def collect(messages: Iterable[tuple[bytes, bytes]]) -> Mapping[str, list[Published]]:
    """From (key, value) of the checkpoints topic: by origin, in the order in which they first came."""
    found: dict[str, Published] = {}
    tokens: dict[bytes, bytes] = {}
    for key, value in messages:
        if key.endswith(STAMPED.encode()):
            tokens.setdefault(_imprint(value), value)
            continue
        note = value.decode("utf-8", "replace")
        text = text_of(note)
        try:
            before = found.get(text) or Published(text + "\n", Checkpoint.parse(text))
        except MalformedRecord:
            continue  # no sealing worker wrote it; the verifier will miss what it should have been
        found[text] = replace(before, note=merged(before.note, note))
    by_origin: dict[str, list[Published]] = {}
    for text, item in found.items():
        token = tokens.get(hashlib.sha256(text.encode()).digest())
        by_origin.setdefault(item.said.origin, []).append(replace(item, token=token))
    return by_origin


def _imprint(token: bytes) -> bytes:
    try:
        return decode_timestamp_response(token).tst_info.message_imprint.message
    except ValueError:
        return b""
