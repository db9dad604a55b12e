"""The maskers of one configuration: one for each connection, by its field rules; they learn new credentials.

The targets' credentials are masked by value, so a rotated one must be known before anything that holds it is
masked. The gateway cannot have used what was not at its place yet, so the place of a record's own connection
is looked at before each record, and the others' once a second. Earlier values stay known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import structlog

from tachograph.credentials.errors import CredentialsError
from tachograph.credentials.keeper import Keeper
from tachograph.credentials.opening import keeper_of, sources_of
from tachograph.processors.errors import OperatorError
from tachograph.processors.masking.errors import ConfigurationError
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.masker import FieldRules, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import FieldNames
from tachograph.schemas.registry import Registry
from tachograph.schemas.secret_source import SecretSource

__all__ = ["MASK_SECONDS", "MaskerWorks", "Maskers", "build_maskers"]

MASK_SECONDS = 30.0
"""For one record. So far above what any record takes that a busy machine does not decide what is withheld."""
MAX_RULESETS = 4
"""Sets of rules that are kept, compiled; registries with the same ones share them."""
LOOK_SECONDS = 1.0
"""How often the credentials of all connections are looked at."""

_log = structlog.get_logger(__name__)


class Maskers:
    """The masker by a connection's name; an unknown name gets the one with the rules of all of them."""

    def __init__(
        self,
        make: Callable[[FieldRules, Sequence[bytes]], Masker],
        keeper: Keeper,
        config: Configuration,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._keeper = keeper
        self._config = config
        self._monotonic = monotonic
        self._sources = dict(sources_of(config))
        self._seen: Mapping[SecretSource, frozenset[str]] | None = None
        self._looked = float("-inf")
        self._other: Masker
        self._named: dict[str, Masker] = {}
        self._look()

    def __call__(self, connection: str | None) -> Masker:
        """The masker for one record, which knows every credential that the record may hold."""
        source = self._sources.get(connection or "")
        if source is not None:
            self._keeper.look(source)
        stale = self._monotonic() - self._looked >= LOOK_SECONDS
        if stale or (source is not None and self._seen and self._keeper.known(source) != self._seen[source]):
            self._look()
        return self._named.get(connection or "", self._other)

    def _look(self) -> None:
        """Learn what there is; new maskers where that is something else than before."""
        self._looked = self._monotonic()
        for source in self._sources.values():
            self._keeper.look(source)
        values = self._keeper.values()
        if values == self._seen:
            return
        if self._named:
            _log.info("a target's credential was changed; old and new are masked")
        self._seen = values
        self._build(tuple(sorted(set(_spelled(self._config, values)))))

    def _build(self, known: tuple[bytes, ...]) -> None:
        @cache  # connections with the same rules share a masker
        def masker(rules: FieldRules) -> Masker:
            return self._make(rules, known)

        own = {connection.name: connection.masking for connection in self._config.connections}
        self._named = {name: masker(_rules(self._config, [names])) for name, names in own.items()}
        self._other = masker(_rules(self._config, list(own.values())))


class MaskerWorks:
    """Makes the maskers of a configuration, and of registries in its place; one keeper for all."""

    def __init__(
        self,
        config: Configuration,
        *,
        base: Path,
        pseudonym_key: bytes,
        growing: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`growing`: registries may bring connections of their own.

        Raises `OperatorError` for rules or a place that cannot be used.
        """
        self._config = config
        self._monotonic = monotonic
        self._limits = Limits(body_bytes=config.processor.hold_bytes, seconds=MASK_SECONDS)
        try:
            files = [base / name for name in config.masking.rules]
            self._rules = load(files) if files else _ruleset(())
            self._key = PseudonymKey.named(pseudonym_key)
            self._keeper = keeper_of(config, base=base, growing=growing)
        except (ConfigurationError, CredentialsError) as error:
            raise OperatorError(str(error)) from None
        self._keeper.start()

    def own(self) -> Maskers:
        """Those of the configuration."""
        return self._made(self._config, self._rules)

    def of(self, registry: Registry) -> Maskers:
        """Those of a registry. Raises `OperatorError` for rules that cannot be used, and `ValueError`."""
        config = registry.over(self._config)
        try:
            rules = _ruleset(tuple((one.file, one.text) for one in registry.masking.rules))
        except ConfigurationError as error:
            raise OperatorError(str(error)) from None
        self._keeper.add(source for _, source in sources_of(config))
        return self._made(config, rules)

    def _made(self, config: Configuration, ruleset: Ruleset) -> Maskers:
        def make(rules: FieldRules, known: Sequence[bytes]) -> Masker:
            return Masker(
                ruleset,
                self._key,
                connection_rules=rules,
                known_secrets=known,
                limits=self._limits,
                clock=time.monotonic,
            )

        for connection, source in sources_of(config):
            if problem := self._keeper.problem(source):
                # Only the gateway must have it; without it, a rule has to know it where a target repeats it.
                _log.warning("a target's credential is not known here", connection=connection, reason=problem)
        return Maskers(make, self._keeper, config, monotonic=self._monotonic)


@lru_cache(maxsize=MAX_RULESETS)
def _ruleset(texts: tuple[tuple[str, str], ...]) -> Ruleset:
    """Most that is applied changes no rules, and reading them takes a second."""
    return load(texts=texts)


def build_maskers(
    config: Configuration,
    *,
    base: Path,
    pseudonym_key: bytes,
    monotonic: Callable[[], float] = time.monotonic,
) -> Maskers:
    """The maskers of a configuration; raises `OperatorError` for rules or a place that cannot be used."""
    return MaskerWorks(config, base=base, pseudonym_key=pseudonym_key, monotonic=monotonic).own()


def _rules(config: Configuration, own: Sequence[FieldNames]) -> FieldRules:
    every = config.masking
    return FieldRules(
        header_names=_together(every.headers, (names.headers for names in own)),
        query_names=_together(every.query, (names.query for names in own)),
        json_keys=_together(every.json_keys, (names.json_keys for names in own)),
    )


def _together(every: Iterable[str], own: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({*every, *(name for names in own for name in names)}))


def _spelled(config: Configuration, values: Mapping[SecretSource, frozenset[str]]) -> Iterator[bytes]:
    """The targets' own credentials as a target may repeat them: they must not survive anywhere."""
    for connection in config.connections:
        if connection.credential is None:
            continue
        for value in values.get(connection.credential.source, ()):
            yield value.encode()
            if (
                connection.credential.type == "basic"
            ):  # `user:password` (RFC 7617, 2); a target repeats either
                yield value.partition(":")[2].encode()
