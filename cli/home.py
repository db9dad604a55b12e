"""The first configuration: made once, with fresh keys, so that `tacho up` works in an empty folder.

Nothing that exists is ever overwritten; key files can be read by their owner only.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tachograph.cli.api_keys import ApiKeys, NewKey
from tachograph.cli.errors import WrongUse
from tachograph.cli.settings import CONFIG_NAME, HOME_MARK
from tachograph.schemas.keys import KEK_BYTES

__all__ = ["CONFIGURATION", "FirstHome", "add_key", "make_home", "make_key_files"]

FIRST_KEY = "first"
"""Name of the API key that the first start makes."""

CONFIGURATION = """\
# Tachograph's configuration; docs/configuration.md explains every setting.
# Paths are relative to this file. Secrets never stand here, only where they are read from.
version: 1

stack:
  managed: true              # `tacho up` runs Kafka and OpenSearch itself, at the two addresses below;
                             # false: they are yours, and `tacho up` starts none
kafka:
  bootstrap_servers: 127.0.0.1:9092
opensearch:
  url: http://127.0.0.1:9200

ingress:
  listen: {host: 127.0.0.1, port: 8080}

# Agents reach a target at http://127.0.0.1:8080/c/<name>/ with a gateway key (`tacho keys create NAME`).
connections:
  - name: anthropic
    protocol: llm
    upstream: https://api.anthropic.com
    credential: {type: header, name: x-api-key, source: {env: ANTHROPIC_API_KEY}}
  - name: openai
    protocol: llm
    upstream: https://api.openai.com
    credential: {type: bearer, source: {env: OPENAI_API_KEY}}
"""

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class FirstHome:
    """A home folder that has just been made. `repr` does not show the key."""

    file: Path
    key: NewKey


def make_home(home: Path, *, randomness: Callable[[int], bytes], now: str) -> FirstHome:
    """Write configuration, key files and a first API key into `home`; raises WrongUse where it cannot."""
    file = home / CONFIG_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / HOME_MARK).write_text("home\n")
        make_key_files(home / "keys", randomness=randomness)
        key = ApiKeys(home / "keys" / "api-keys.yaml").create(FIRST_KEY, randomness=randomness, now=now)
        with file.open("x") as stream:
            stream.write(CONFIGURATION)
    except OSError as error:
        raise WrongUse(
            f"{home}: cannot be written ({error.strerror}); set TACHO_HOME to a folder that can"
        ) from None
    return FirstHome(file, key)


def make_key_files(folder: Path, *, randomness: Callable[[int], bytes]) -> None:
    """Every key of our own, where it is not there yet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("kek", "pseudonym", "approvals", "log", "signing", "export", "deletion", "control"):
        if not (folder / name).exists():
            _make_key(folder / name, randomness)


def add_key(file: Path, *, beside: Path, randomness: Callable[[int], bytes]) -> bool:
    """Give a home from before there was this key one, where the other keys lie; whether it was made.

    Nowhere else: a key that is missing may be a volume that is not there.
    """
    if file.exists() or not beside.exists() or file.parent != beside.parent:
        return False
    _make_key(file, randomness)
    return True


def _make_key(path: Path, randomness: Callable[[int], bytes]) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(number, "wb") as file:
        file.write(base64.b64encode(randomness(KEK_BYTES)) + b"\n")
