"""A dead letter read back: the message that was refused, and whether a stored stub is the one made of it.

A stub follows from the refused message and the reason alone, and both are in the letter. So a stub that
somebody wrote or changed is told, byte for byte, from the one that the sink put there.
"""

from __future__ import annotations

from collections.abc import Mapping

from tachograph.sinks.record import Message, read_message
from tachograph.sinks.stub import stub

__all__ = ["is_stub_of"]

_OWN = "origin-header-"
"""How a letter names the headers of the message itself (`deadletter.headers_for`)."""


def is_stub_of(
    stored: bytes, value: bytes, key: bytes | None, headers: Mapping[str, bytes], *, index_prefix: str
) -> bool:
    """Whether these stored bytes are the stub of a dead letter's message. Its leaf is not looked at."""
    message = _message(value, key, headers)
    record = None if message is None else read_message(message, index_prefix=index_prefix)
    if record is None or isinstance(record, str):
        return False
    return stored == stub(record, headers.get("reason", b"").decode("utf-8", "replace"))


def _message(value: bytes, key: bytes | None, headers: Mapping[str, bytes]) -> Message | None:
    places = [headers.get(f"origin-{name}", b"") for name in ("partition", "offset", "timestamp")]
    if not all(place.isdigit() for place in places):
        return None
    partition, offset, timestamp = map(int, places)
    topic = headers.get("origin-topic", b"").decode("utf-8", "replace")
    own = tuple((name.removeprefix(_OWN), item) for name, item in headers.items() if name.startswith(_OWN))
    return Message(topic, partition, offset, timestamp, key, value, own)
