"""Gateway API keys: `tacho_<8 id characters>_<43 base64url characters>`, known here by their hash only.

The file is read again when it changes. A broken file is refused as a whole and the keys read before stay
valid, with an error in the log. What `tacho keys` writes is what is read here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from tachograph.identity.errors import KeysUnreadable, Unproven
from tachograph.identity.proof import FOR_EVER, Proof
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["KEY_PATTERN", "ApiKeyFile", "StoredKey", "parse_keys"]

KEY_PATTERN = re.compile(r"tacho_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
MAX_FILE_BYTES = 4 << 20
LOOK_SECONDS = 1.0
"""How often the file is looked at, at most; a revocation takes effect within this."""
_NOBODYS_HASH = "0" * 64

log = structlog.get_logger(__name__)


def _moment(value: object) -> object:
    """YAML reads an unquoted time as one; a time without a zone is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Moment = Annotated[datetime, BeforeValidator(_moment)]


_ScopeName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class StoredKey(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{8}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the whole key as the agent sends it. 256 random bits need no slow hash."""
    created: Moment
    expires: Moment | None = None
    revoked: Moment | None = None
    connections: tuple[_ScopeName, ...] | None = None
    """The only connections that it is good for."""
    groups: tuple[_ScopeName, ...] = ()
    """Groups that whoever shows it is in."""


_ENTRIES = TypeAdapter(list[StoredKey])


def parse_keys(text: str) -> Mapping[str, StoredKey]:
    """The file's entries by id; raises `KeysUnreadable`, which names the entry and field but no value."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise KeysUnreadable(f"line {mark.line + 1 if mark else '?'} is not YAML") from None
    try:
        entries = _ENTRIES.validate_python(value or [])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise KeysUnreadable(f"entry {where}: expected a list of {{id, name, hash, created, ...}}") from None
    found = {entry.id: entry for entry in entries}
    if len(found) != len(entries):
        raise KeysUnreadable("two entries have the same id")
    return found


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes when a file is written or replaced."""

    inode: int
    size: int
    modified_ns: int


class ApiKeyFile:
    """The keys of one file, as it is now."""

    def __init__(self, path: Path, *, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """Raises `KeysUnreadable` for a broken file; a missing one only means that there are no keys."""
        self._path = path
        self._now = now
        self._monotonic = monotonic
        self._looked = monotonic()
        self._stamp, self._keys = self._read(None)
        self._proofs: dict[str, Proof] = {}
        self.problem = ""
        """Why the file as it is now is not in force; empty when it is."""

    def __len__(self) -> int:
        return len(self._keys)

    def verify(self, text: str) -> Proof:
        """Whose key this is. Raises `Unproven`; unknown id and wrong secret are not told apart."""
        self._look()
        match = KEY_PATTERN.fullmatch(text)
        entry = self._keys.get(match[1]) if match else None
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        known = hmac.compare_digest(digest, entry.hash if entry else _NOBODYS_HASH)
        if entry is None or not known:
            raise Unproven("this gateway key is not known")
        if entry.revoked is not None:
            raise Unproven(f"gateway key {entry.id} is revoked")
        if entry.expires is not None and entry.expires <= self._now():
            raise Unproven(f"gateway key {entry.id} is expired")
        return self._proof(entry)

    def _proof(self, entry: StoredKey) -> Proof:
        found = self._proofs.get(entry.id)
        if found is None:
            found = self._proofs[entry.id] = Proof(
                Principal(id=entry.name, kind=PrincipalKind.API_KEY),
                groups=frozenset(entry.groups),
                connections=None if entry.connections is None else frozenset(entry.connections),
                expires=FOR_EVER if entry.expires is None else entry.expires.timestamp(),
            )
        return found

    def _look(self) -> None:
        now = self._monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            before = self._keys
            self._stamp, self._keys = self._read(self._stamp)
            if self._keys is not before:
                self._proofs.clear()
        except KeysUnreadable as error:
            if error.detail != self.problem:
                log.error("api_keys_kept", reason=error.detail)  # noqa: TRY400  the reason is all there is
            self.problem = error.detail
        else:
            if self.problem:
                log.info("api_keys_reloaded", keys=len(self._keys))
            self.problem = ""

    def _read(self, known: _Stamp | None) -> tuple[_Stamp | None, Mapping[str, StoredKey]]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = _Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
                if stamp == known:
                    return known, self._keys
                self._check(status)
                return stamp, parse_keys(file.read(MAX_FILE_BYTES).decode())
        except FileNotFoundError:
            if known is not None:
                raise KeysUnreadable(f"{self._path} is gone; the keys read before stay valid") from None
            return None, {}
        except OSError as error:
            raise KeysUnreadable(f"{self._path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise KeysUnreadable(f"{self._path}: expected UTF-8") from None
        except KeysUnreadable as error:
            raise KeysUnreadable(
                f"{self._path}: {error.detail}; `tacho keys` writes it as it must be"
            ) from None

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise KeysUnreadable(f"expected a regular file of at most {MAX_FILE_BYTES} bytes")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise KeysUnreadable("others may write it; run `chmod go-w` on it")
