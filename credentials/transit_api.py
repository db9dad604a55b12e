"""The part of the transit engine's API that is used here, as values: data key in, ciphertext out, and back.

The strand's name is the associated data of the encryption, so a ciphertext opens for its own strand only.
That takes an AEAD key that is not derived; Vault refuses any other. `kek` names mount, key and version.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from urllib.parse import quote

from tachograph.credentials.errors import VaultDown
from tachograph.credentials.vault_api import Answer, Question, content, section
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.key_settings import Transit
from tachograph.schemas.keys import WrappedKey, checked

__all__ = ["MAX_CIPHERTEXT", "data_key_in", "decrypt", "encrypt", "key_name", "wrapped_in"]

MAX_CIPHERTEXT = 1024
"""Characters; 32 bytes come to some hundred."""
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,9}):[A-Za-z0-9+/]+={0,2}")
_BROKEN = ("message authentication failed", "invalid ciphertext", "disallowed by policy (too old)")
"""What the engine says of a ciphertext that is at fault; everything else is for the operator to mend."""


def key_name(transit: Transit) -> str:
    """How `WrappedKey.kek` begins, before `:vN`."""
    return f"vault:{transit.mount}/{transit.key}"


def encrypt(transit: Transit, strand: str, data_key: bytes) -> Question:
    """Wrap this strand's data key by the newest version of the key."""
    body = {"plaintext": _base64(data_key), "associated_data": _base64(strand.encode())}
    return Question("POST", _path("encrypt", transit), body)


def wrapped_in(answer: Answer, transit: Transit, strand: str) -> WrappedKey:
    """What `encrypt` gave. Raises `VaultRefused` or `VaultDown`."""
    where = _where(transit)
    ciphertext = section(content(answer, where), "data", where).get("ciphertext")
    version = _version(ciphertext)
    if version is None:
        raise VaultDown(f"Vault {where}: expected a ciphertext in the answer")
    return WrappedKey(strand=strand, kek=f"{key_name(transit)}:v{version}", wrapped=str(ciphertext))


def decrypt(transit: Transit, key: WrappedKey) -> Question:
    """Open this key for the strand that it names. Raises `SealBroken` for what no encryption gave."""
    version = _version(key.wrapped)
    if version is None or key.kek != f"{key_name(transit)}:v{version}":
        raise SealBroken(f"strand {key.strand}: the wrapped key is no ciphertext of {key.kek}")
    body = {"ciphertext": key.wrapped, "associated_data": _base64(key.strand.encode())}
    return Question("POST", _path("decrypt", transit), body)


def data_key_in(answer: Answer, transit: Transit, strand: str) -> bytes:
    """What `decrypt` gave. Raises `SealBroken`, `VaultRefused` or `VaultDown`."""
    where = _where(transit)
    if answer.status == 400 and _says_broken(answer.body):
        raise SealBroken(f"strand {strand}: the wrapped key does not open")
    plaintext = section(content(answer, where), "data", where).get("plaintext")
    try:
        data_key = base64.b64decode(plaintext if isinstance(plaintext, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise VaultDown(f"Vault {where}: expected a plaintext in the answer") from None
    return checked(data_key, strand)


def _path(operation: str, transit: Transit) -> str:
    return f"{quote(transit.mount)}/{operation}/{quote(transit.key)}"


def _where(transit: Transit) -> str:
    return f"{transit.mount}/{transit.key}"


def _version(ciphertext: object) -> int | None:
    if not isinstance(ciphertext, str) or len(ciphertext) > MAX_CIPHERTEXT:
        return None
    found = _CIPHERTEXT.fullmatch(ciphertext)
    return int(found[1]) if found is not None else None


def _says_broken(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    errors = said.get("errors") if isinstance(said, dict) else None
    return isinstance(errors, list) and any(word in str(error) for error in errors for word in _BROKEN)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
