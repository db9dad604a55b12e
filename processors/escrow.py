"""The escrow's holders from the configuration: what seals removed values for the two of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from tachograph.processors.errors import OperatorError
from tachograph.schemas.escrow import EscrowRecord, Taken, holder_id, public_key, seal_taken
from tachograph.schemas.escrow_settings import Escrow

__all__ = ["Seals", "escrow_of", "holders_of"]

MAX_KEY_FILE_BYTES = 4096

Seals = Callable[[Taken], Iterator[EscrowRecord]]


def escrow_of(settings: Escrow, *, base: Path) -> Seals | None:
    """What seals for the configured holders; None where there are none. Raises `OperatorError`."""
    if not settings.keys:
        return None
    one, other = holders_of(settings, base=base)
    return partial(seal_taken, holders=(one, other), randomness=os.urandom)


def holders_of(settings: Escrow, *, base: Path) -> list[X25519PublicKey]:
    """The holders' public keys. Raises `OperatorError` for what is none, and for one holder named twice."""
    keys = [_key(named, base) for named in settings.keys]
    if len({holder_id(key) for key in keys}) != len(keys):
        raise OperatorError("escrow.keys: both are the same key; one holder alone could open everything")
    return keys


def _key(named: str, base: Path) -> X25519PublicKey:
    try:
        return public_key(named)
    except ValueError:
        path = base / named
    try:
        with path.open("rb") as file:
            return public_key(file.read(MAX_KEY_FILE_BYTES).decode("ascii", "replace"))
    except OSError as error:
        raise OperatorError(
            f"escrow.keys: {named}: neither a public key nor a file that can be read ({error.strerror});"
            " `tacho escrow keygen` prints one"
        ) from None
    except ValueError as error:
        raise OperatorError(f"escrow.keys: {named}: {error}; `tacho escrow keygen` prints one") from None
