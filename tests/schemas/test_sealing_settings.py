"""The sealing worker's settings refuse what no log could be run with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.note import NoteKey, SignatureKind
from tachograph.schemas.sealing_settings import Sealing

WITNESS = str(NoteKey("w.example", b"\x01" * 32, SignatureKind.COSIGNATURE))
LOG = str(NoteKey("w.example", b"\x01" * 32))


@pytest.mark.parametrize(
    "value",
    [
        {"origin": "a b"},
        {"origin": "a+b"},
        {"origin": ""},
        {"checkpoint_leaves": 0},
        {"checkpoint_seconds": 0},
        {"checkpoint_seconds": float("inf")},
        {"other": 1},
        {"witnesses": [{"url": "w.example", "key": WITNESS}]},
        {"witnesses": [{"url": "https://me:secret@w.example", "key": WITNESS}]},
        {"witnesses": [{"url": "https://w.example", "key": "w.example+00000000+AAAA"}]},
        {"witnesses": [{"url": "https://w.example", "key": LOG}]},
        {"witnesses": [{"url": f"https://{name}.example", "key": WITNESS} for name in "ab"]},
        {"timestamp_url": "ftp://stamp.example"},
        {"timestamp_seconds": 0},
    ],
)
def test_what_makes_no_sense_is_refused(value: dict[str, Any]) -> None:
    """Names that a note cannot carry, and rhythms without a beat."""
    with pytest.raises(ValidationError):
        Sealing.model_validate(value)


def test_by_default_a_checkpoint_comes_every_minute() -> None:
    """... and after a thousand leaves."""
    assert (Sealing().checkpoint_leaves, Sealing().checkpoint_seconds, Sealing().origin) == (1000, 60, None)


def test_witnesses_are_named_by_address_and_key() -> None:
    """A slash at the end of the address changes nothing."""
    value = {"witnesses": [{"url": "https://w.example/tlog/", "key": WITNESS}]}
    found = Sealing.model_validate(value | {"timestamp_url": "http://stamp.example/tsr"})
    assert (found.witnesses[0].url, found.timestamp_seconds) == ("https://w.example/tlog", 300)
