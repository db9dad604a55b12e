"""Where `tacho login` keeps its token: `~/.config/tachograph/token.json`, for its owner's eyes only.

Written in one step; read only while nobody else can. One command at a time changes it, because a refresh
token may be good for one renewal only.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tachograph.cli.errors import Refused, WrongUse

__all__ = ["StoredToken", "TokenFile", "token_path"]

MAX_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A login that is kept. `repr` shows neither token."""

    issuer: str
    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float
    """Unix time in seconds."""


def token_path(environ: Mapping[str, str]) -> Path:
    """XDG_CONFIG_HOME where it is set, else ~/.config (XDG Base Directory Specification)."""
    told = environ.get("XDG_CONFIG_HOME", "")
    base = Path(told) if told and Path(told).is_absolute() else Path.home() / ".config"
    return base / "tachograph" / "token.json"


class TokenFile:
    """The one login of this user."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> StoredToken:
        """The login; raises Refused when there is none, WrongUse for a file that others can read."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise Refused("nobody is logged in: run `tacho login`") from None
        except OSError as error:
            raise WrongUse(f"{self.path}: cannot be read ({error.strerror})") from None
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            raise WrongUse(f"{self.path}: others can read it; run `tacho logout`, then `tacho login`")
        return _parsed(data, self.path)

    def write(self, token: StoredToken) -> None:
        self._folder()
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(number, "w") as stream:
            os.fchmod(number, 0o600)
            json.dump(asdict(token), stream)
            stream.flush()
            os.fsync(number)
        part.replace(self.path)

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands out while a token is renewed."""
        self._folder()
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _parsed(data: bytes, path: Path) -> StoredToken:
    try:
        value: dict[str, Any] = json.loads(data) if len(data) <= MAX_BYTES else {}
        token = StoredToken(**value)
    except (ValueError, TypeError):
        raise WrongUse(f"{path}: expected what `tacho login` writes; run it again") from None
    texts = (token.issuer, token.client_id, token.access_token, token.refresh_token or "")
    if not all(isinstance(text, str) for text in texts) or not isinstance(token.expires_at, int | float):
        raise WrongUse(f"{path}: expected what `tacho login` writes; run it again")
    return token
