"""The file of gateway API keys: it knows each key's hash, never the key. One command at a time changes it.

A key is `tacho_<8 characters of id>_<43 characters>`, the last part 256 random bits in base64url. The file is
replaced in one step and can be read by its owner only; a running ingress sees the change by itself.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tachograph.cli.errors import Refused, WrongUse

__all__ = ["MAX_SCOPE", "ApiKey", "ApiKeys", "NewKey", "Scope"]

_ID_BYTES = 5
"""40 bits are 8 characters of base32."""
_SECRET_BYTES = 32
_MAX_NAME = 256
MAX_SCOPE = 64
"""Connections, or groups, of one key."""
_HEADING = "# Gateway API keys, by hash. `tacho keys create|rotate|list|revoke` keeps this file.\n"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key is good for: the only connections, None for all of them; and the groups it is in."""

    connections: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One entry: times are RFC 3339 in UTC, None for never."""

    id: str
    name: str
    hash: str
    created: str
    expires: str | None = None
    revoked: str | None = None
    connections: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ()

    def valid(self, now: str) -> bool:
        """Whether it opens anything at a time of the same form."""
        return self.revoked is None and (self.expires is None or self.expires > now)


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
        except (TypeError, KeyError, AttributeError):
            raise WrongUse(f"{self._file}: expected a list of {{id, name, hash, created, ...}}") from None

    def create(
        self,
        name: str,
        *,
        randomness: Callable[[int], bytes],
        now: str,
        expires: str | None = None,
        scope: Scope = Scope(),
    ) -> NewKey:
        """Make a key of this name; raises Refused when a valid key of that name is there."""
        _check(name, "a key's name")
        for item in (*(scope.connections or ()), *scope.groups):
            _check(item, "a connection or group")
        if max(len(scope.connections or ()), len(scope.groups)) > MAX_SCOPE:
            raise WrongUse(f"a key's scope: expected at most {MAX_SCOPE} connections and as many groups")
        with self._held():
            known = self.entries()
            if any(entry.name == name and entry.valid(now) for entry in known):
                raise Refused(f"a key named {name} exists: rotate or revoke it, or choose another name")
            made = _new(
                name, randomness, ApiKey("", name, "", now, expires, None, scope.connections, scope.groups)
            )
            self._write((*known, made.entry))
        return made

    def rotate(
        self,
        which: str,
        *,
        randomness: Callable[[int], bytes],
        now: str,
        ends: str,
        expires: str | None = None,
    ) -> NewKey:
        """A successor of the valid key of this id or name, with its scope; the old one is good until `ends`.

        Without `expires` it is good for as long as the old one was made for. Of several valid keys of one
        name the successor takes the newest one's place. Raises Refused when there is none.
        """
        with self._held():
            known = self.entries()
            old = [entry for entry in _named(known, which) if entry.valid(now)]
            if not old:
                raise Refused(f"{which} has expired: make a new key, `tacho keys create`")
            latest = max(old, key=lambda entry: entry.created)
            until = expires or _as_long(latest, now)
            made = _new(latest.name, randomness, replace(latest, created=now, expires=until, revoked=None))
            ending = {e.id for e in known if e.name == latest.name and e.valid(now)}
            self._write((*(_ended(e, ends) if e.id in ending else e for e in known), made.entry))
        return made

    def revoke(self, which: str, *, now: str) -> tuple[ApiKey, ...]:
        """Revoke the valid key of this id, or all of this name; raises Refused when there is none."""
        with self._held():
            known = self.entries()
            ending = {entry.id for entry in _named(known, which)}
            told = tuple(replace(e, revoked=now) if e.id in ending else e for e in known)
            self._write(told)
        return tuple(entry for entry in told if entry.id in ending)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other commands out between reading and writing: none may undo what another revoked."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, entries: tuple[ApiKey, ...]) -> None:
        text = _HEADING + yaml.safe_dump([_plain(entry) for entry in entries], sort_keys=False)
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._file)


def _new(name: str, randomness: Callable[[int], bytes], like: ApiKey) -> NewKey:
    uid = base64.b32encode(randomness(_ID_BYTES)).decode().lower()
    secret = base64.urlsafe_b64encode(randomness(_SECRET_BYTES)).rstrip(b"=").decode()
    text = f"tacho_{uid}_{secret}"
    return NewKey(replace(like, id=uid, name=name, hash=hashlib.sha256(text.encode()).hexdigest()), text)


def _named(known: tuple[ApiKey, ...], which: str) -> list[ApiKey]:
    found = [entry for entry in known if which in {entry.id, entry.name} and entry.revoked is None]
    if not found:
        raise Refused(f"no valid key has the id or name {which}: `tacho keys list` shows them all")
    return found


def _as_long(entry: ApiKey, now: str) -> str | None:
    """When a key made now ends that lives as long as this one was made to."""
    if entry.expires is None:
        return None
    begun, ended, begins = map(_moment, (entry.created, entry.expires, now))
    return f"{begins + (ended - begun):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    """A time without a zone, as somebody may have written it by hand, is UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _ended(entry: ApiKey, ends: str) -> ApiKey:
    return replace(entry, expires=ends if entry.expires is None else min(entry.expires, ends))


def _check(text: str, what: str) -> None:
    if not 0 < len(text) <= _MAX_NAME or not text.isprintable():
        raise WrongUse(f"{what}: expected 1 to {_MAX_NAME} printable characters, got {len(text)}")


def _plain(entry: ApiKey) -> dict[str, Any]:
    whole = asdict(entry)
    if entry.connections is None:
        del whole["connections"]
    if not entry.groups:
        del whole["groups"]
    return whole


def _entry(item: dict[str, Any]) -> ApiKey:
    def moment(name: str) -> str | None:
        return str(item[name]) if item.get(name) else None

    scope = item.get("connections")
    return ApiKey(
        id=str(item["id"]),
        name=str(item["name"]),
        hash=str(item["hash"]),
        created=str(item["created"]),
        expires=moment("expires"),
        revoked=moment("revoked"),
        connections=None if scope is None else tuple(map(str, scope)),
        groups=tuple(map(str, item.get("groups") or ())),
    )
