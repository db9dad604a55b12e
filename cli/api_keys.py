"""The file of gateway API keys: it knows each key's hash, never the key.

A key is `tacho_<8 characters of id>_<43 characters>`, the last part 256 random bits in base64url. The file is
replaced in one step and can be read by its owner only; a running ingress sees the change by itself.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tachograph.cli.errors import Refused, WrongUse

__all__ = ["ApiKey", "ApiKeys", "NewKey"]

_ID_BYTES = 5
"""40 bits are 8 characters of base32."""
_SECRET_BYTES = 32
_MAX_NAME = 256
_HEADING = "# Gateway API keys, by hash. `tacho keys create|list|revoke` keeps this file.\n"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One entry: times are RFC 3339 in UTC, None for never."""

    id: str
    name: str
    hash: str
    created: str
    expires: str | None = None
    revoked: str | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `text` is shown once and kept nowhere. `repr` does not show it."""

    entry: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.entry.id!r}, name={self.entry.name!r})"


class ApiKeys:
    """The entries of one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def entries(self) -> tuple[ApiKey, ...]:
        """Every entry, revoked ones too; none when there is no file yet. Raises WrongUse for a broken one."""
        try:
            value = yaml.safe_load(self._file.read_text())
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise WrongUse(f"{self._file}: cannot be read ({type(error).__name__}); restore it") from None
        try:
            return tuple(_entry(item) for item in value or ())
        except (TypeError, KeyError):
            raise WrongUse(f"{self._file}: expected a list of {{id, name, hash, created, ...}}") from None

    def create(
        self, name: str, *, randomness: Callable[[int], bytes], now: str, expires: str | None = None
    ) -> NewKey:
        """Make a key of this name; raises Refused when a valid key of that name is there."""
        if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
            raise WrongUse(f"a key's name: expected 1 to {_MAX_NAME} printable characters, got {len(name)}")
        known = self.entries()
        if any(entry.name == name and entry.revoked is None for entry in known):
            raise Refused(f"a key named {name} exists: revoke it first, or choose another name")
        uid = base64.b32encode(randomness(_ID_BYTES)).decode().lower()
        secret = base64.urlsafe_b64encode(randomness(_SECRET_BYTES)).rstrip(b"=").decode()
        text = f"tacho_{uid}_{secret}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        entry = ApiKey(id=uid, name=name, hash=digest, created=now, expires=expires)
        self._write((*known, entry))
        return NewKey(entry, text)

    def revoke(self, which: str, *, now: str) -> ApiKey:
        """Revoke the valid key of this id or name; raises Refused when there is none."""
        known = self.entries()
        found = next((e for e in known if which in {e.id, e.name} and e.revoked is None), None)
        if found is None:
            raise Refused(f"no valid key has the id or name {which}: `tacho keys list` shows them all")
        revoked = replace(found, revoked=now)
        self._write(tuple(revoked if entry is found else entry for entry in known))
        return revoked

    def _write(self, entries: tuple[ApiKey, ...]) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = _HEADING + yaml.safe_dump([asdict(entry) for entry in entries], sort_keys=False)
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._file)


def _entry(item: dict[str, Any]) -> ApiKey:
    def moment(name: str) -> str | None:
        return str(item[name]) if item.get(name) else None

    return ApiKey(
        id=str(item["id"]),
        name=str(item["name"]),
        hash=str(item["hash"]),
        created=str(item["created"]),
        expires=moment("expires"),
        revoked=moment("revoked"),
    )
