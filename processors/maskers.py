"""The maskers of one configuration: one for each connection, by its field rules; built once, at the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import structlog

from tachograph.processors.brokers import secret_value
from tachograph.processors.errors import OperatorError
from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.masker import FieldRules, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import load
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import FieldNames

__all__ = ["MASK_SECONDS", "build_maskers"]

MASK_SECONDS = 30.0
"""For one record. So far above what any record takes that a busy machine does not decide what is withheld."""

_log = structlog.get_logger(__name__)


def build_maskers(
    config: Configuration, *, base: Path, pseudonym_key: bytes
) -> Callable[[str | None], Masker]:
    """The masker by a connection's name; an unknown name gets the one with the rules of all of them."""
    try:
        ruleset = load([base / name for name in config.masking.rules])
        key = PseudonymKey.named(pseudonym_key)
    except ConfigurationError as error:
        raise OperatorError(str(error)) from None
    secrets = tuple(_credentials(config, base))

    @cache  # connections with the same rules share a masker: each compiles the whole rule set
    def masker(rules: FieldRules) -> Masker:
        return Masker(
            ruleset,
            key,
            connection_rules=rules,
            known_secrets=secrets,
            limits=Limits(body_bytes=config.processor.hold_bytes, seconds=MASK_SECONDS),
            clock=time.monotonic,
        )

    own = {connection.name: connection.masking for connection in config.connections}
    named = {name: masker(_rules(config, [names])) for name, names in own.items()}
    other = masker(_rules(config, list(own.values())))
    return lambda connection: named.get(connection or "", other)


def _rules(config: Configuration, own: Sequence[FieldNames]) -> FieldRules:
    every = config.masking
    return FieldRules(
        header_names=_together(every.headers, (names.headers for names in own)),
        query_names=_together(every.query, (names.query for names in own)),
        json_keys=_together(every.json_keys, (names.json_keys for names in own)),
    )


def _together(every: Iterable[str], own: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({*every, *(name for names in own for name in names)}))


def _credentials(config: Configuration, base: Path) -> Iterator[bytes]:
    """The targets' own credentials, where this process may read them: they must not survive anywhere."""
    for connection in config.connections:
        if connection.credential is None:
            continue
        try:
            value = secret_value(connection.credential.source, base=base)
        except OperatorError as error:
            # Only the gateway must have it; without it, a rule has to know it where a target repeats it.
            _log.warning(
                "a target's credential is not known here", connection=connection.name, reason=str(error)
            )
            continue
        if value:
            yield value.encode()
        if connection.credential.type == "basic":  # `user:password` (RFC 7617, 2); a target repeats either
            yield value.partition(":")[2].encode()
