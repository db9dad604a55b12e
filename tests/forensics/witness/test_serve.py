"""One memory, one witness; tests/cli/evidence/test_witness.py runs whole processes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.witness.serve import alone, run
from tachograph.schemas.listen import Listen
from tachograph.schemas.note import NoteSigner, SignatureKind
from tachograph.schemas.witness_settings import WitnessConfiguration

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
COSIGNER = NoteSigner("w.example", PRIVATE, SignatureKind.COSIGNATURE)
LOG = NoteSigner("log/0", PRIVATE)


def test_one_memory_is_for_one_witness(tmp_path: Path) -> None:
    """The second is refused, and let in when the first has ended."""
    with alone(tmp_path), pytest.raises(OperatorError, match="another witness"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen(port=taken.getsockname()[1])
        settings = WitnessConfiguration(name="w.example", listen=listen, logs=(str(LOG.key),))
        with pytest.raises(OperatorError, match="choose another"):
            run(settings, base=tmp_path, signer=COSIGNER, on_ready=lambda _: None)
