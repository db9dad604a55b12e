"""The holders come from the configuration, and masking stays what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tachograph.processors.errors import OperatorError
from tachograph.processors.escrow import escrow_of
from tachograph.schemas.escrow import Taken, open_share, open_value, public_text
from tachograph.schemas.escrow_settings import Escrow

ONE, OTHER = (X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
TEXTS = [public_text(key.public_key()) for key in (ONE, OTHER)]
TAKEN = Taken("22222222-2222-5222-8222-222222222222", "11111111-1111-5111-8111-111111111111", b"k", (b"v",))


def test_keys_stand_in_the_file_or_in_files_beside_it(tmp_path: Path) -> None:
    """Either way both holders are needed, and open what was sealed."""
    (tmp_path / "b.pub").write_text(TEXTS[1] + "\n")
    seals: Callable[..., Any] | None = escrow_of(Escrow(keys=(TEXTS[0], "b.pub")), base=tmp_path)
    assert seals is not None
    (record,) = seals(TAKEN)
    assert open_value(record, [open_share(record, 0, key) for key in (ONE, OTHER)])[1] == b"v"


def test_without_holders_nothing_is_sealed(tmp_path: Path) -> None:
    """The default."""
    assert escrow_of(Escrow(), base=tmp_path) is None


def test_what_is_no_key_is_said_before_anything_is_masked(tmp_path: Path) -> None:
    """A file that is not there, one that holds something else, and one holder under two names."""
    (tmp_path / "same").write_text(TEXTS[0])
    (tmp_path / "other").write_text("no key")
    for second, why in (("none", "neither"), ("other", "expected"), ("same", "same key")):
        with pytest.raises(OperatorError, match=why):
            escrow_of(Escrow(keys=(TEXTS[0], second)), base=tmp_path)
