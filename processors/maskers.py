"""The maskers of one configuration: one for each connection, by its field rules; built once, at the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tachograph.processors.brokers import secret_value
from tachograph.processors.errors import OperatorError
from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.masker import FieldRules, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import load
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import FieldNames

__all__ = ["MASK_SECONDS", "build_maskers"]

MASK_SECONDS = 30.0
"""For one record, of the masking thread's own time: a busy machine must not decide what is withheld."""
_KEY_ID_CHARS = 4


def build_maskers(
    config: Configuration, *, base: Path, pseudonym_key: bytes
) -> Callable[[str | None], Masker]:
    """The masker by a connection's name; an unknown name gets the one with the rules of all of them."""
    try:
        ruleset = load([base / name for name in config.masking.rules])
        key = PseudonymKey(sha256_hex(pseudonym_key)[:_KEY_ID_CHARS], pseudonym_key)
    except ConfigurationError as error:
        raise OperatorError(str(error)) from None
    secrets = tuple(_credentials(config, base))

    def masker(own: Sequence[FieldNames]) -> Masker:
        return Masker(
            ruleset,
            key,
            connection_rules=_rules(config, own),
            known_secrets=secrets,
            limits=Limits(body_bytes=config.worker.hold_bytes, seconds=MASK_SECONDS),
            clock=time.thread_time,
        )

    own = {connection.name: connection.masking for connection in config.connections}
    named = {name: masker([rules]) for name, rules in own.items()}
    other = masker(list(own.values()))
    return lambda connection: named.get(connection or "", other)


def _rules(config: Configuration, own: Sequence[FieldNames]) -> FieldRules:
    every = config.masking
    return FieldRules(
        header_names=(*every.headers, *(name for rules in own for name in rules.headers)),
        query_names=(*every.query, *(name for rules in own for name in rules.query)),
        json_keys=(*every.json_keys, *(name for rules in own for name in rules.json_keys)),
    )


def _credentials(config: Configuration, base: Path) -> Iterator[bytes]:
    """The targets' own credentials, where this process may read them: they must not survive anywhere."""
    for connection in config.connections:
        if connection.credential is None:
            continue
        try:
            value = secret_value(connection.credential.source, base=base)
        except OperatorError:
            continue  # only the gateway must have it
        if value:
            yield value.encode()
