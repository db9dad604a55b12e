"""A witness's own file: what it needs, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tachograph.schemas.document import load_model
from tachograph.schemas.errors import ConfigurationError
from tachograph.schemas.note import NoteKey, SignatureKind
from tachograph.schemas.witness_settings import WitnessConfiguration

LOG = NoteKey("tachograph/test/0", b"\x01" * 32)
COSIGNER = NoteKey("w.example", b"\x01" * 32, SignatureKind.COSIGNATURE)


def test_a_name_and_the_logs_are_enough() -> None:
    """All else has a default beside the file."""
    found = load_model(f"name: w.example/1\nlogs:\n- {LOG}\n", WitnessConfiguration, file="w.yaml")
    assert found.keys == {"tachograph/test/0": LOG}
    assert (found.listen.port, found.key_file, found.state) == (8089, "witness.key", "witness")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "a b"}, "name"),
        ({"logs": []}, "logs"),
        ({"logs": ["x"]}, "verifier key"),
        ({"logs": [str(COSIGNER)]}, "key of a witness"),
        ({"logs": [str(LOG), str(NoteKey(LOG.name, b"\x02" * 32))]}, "twice"),
        ({"kafka": {}}, "kafka"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], reason: str) -> None:
    """With the reason."""
    value = {"name": "w.example", "logs": [str(LOG)]} | change
    text = "\n".join(f"{name}: {item!r}" for name, item in value.items())
    with pytest.raises(ConfigurationError, match=reason):
        load_model(text, WitnessConfiguration, file="w.yaml")
