"""What is registered: connections, policies and masking rules as one value with one digest.

It holds texts, not the names of files, so that whoever has a snapshot needs nothing else to judge or to mask
by it. Where credentials lie it says as the configuration does; their values are never in it. Two registries
that mean the same have the same bytes, whatever the order in which they were written down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, NewType

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.policy_settings import Contact

__all__ = [
    "MAX_REGISTRY_BYTES",
    "SHORT_DIGEST",
    "MaskingRules",
    "Registry",
    "ShortDigest",
    "TextFile",
    "registry_of",
    "short",
]

MAX_REGISTRY_BYTES = 1 << 20
"""Of the canonical form; it must fit into one record of the control topic."""
SHORT_DIGEST = 16
"""Hex digits of the digest that a record's header carries."""

ShortDigest = NewType("ShortDigest", str)
"""The first `SHORT_DIGEST` hex digits of a registry's digest."""
FileName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TextFile(_Frozen):
    """A file's name, as errors say it, and its text."""

    file: FileName
    text: str = Field(repr=False)


class MaskingRules(_Frozen):
    """What the masker hides on every connection, beyond its own pack. Names are sorted, each once."""

    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    json_keys: tuple[str, ...] = ()
    rules: tuple[TextFile, ...] = ()
    """Rules in the gitleaks TOML layout. Their order counts: a later one takes an earlier one's place."""

    @model_validator(mode="before")
    @classmethod
    def _sorted(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        names = {name: value[name] for name in ("headers", "query", "json_keys") if name in value}
        return {**value, **{name: _in_order(items) for name, items in names.items()}}


class Registry(_Frozen):
    """A snapshot of everything that can be applied while the parts run."""

    v: Literal[1] = 1
    connections: tuple[Connection, ...] = ()
    """By name."""
    policies: tuple[TextFile, ...] = ()
    """Cedar sources by file name. Without any, the connections' `allow` decides alone."""
    contact: Contact = ""
    """Whom a refused agent may ask, where the connection has no label `owner`."""
    masking: MaskingRules = MaskingRules()

    @model_validator(mode="after")
    def _in_one_order(self) -> Registry:
        names = Counter(connection.name for connection in self.connections)
        hosts = Counter(host.lower() for connection in self.connections for host in connection.hosts)
        files = Counter(text.file for texts in (self.policies, self.masking.rules) for text in texts)
        twice = [name for tally in (names, hosts, files) for name, count in tally.items() if count > 1]
        if twice:
            raise ValueError(f"connection, host or file named twice: {', '.join(twice)}")
        # Frozen for everybody else: sorted here, once, so that equal meaning is equal bytes.
        ordered = tuple(sorted(self.connections, key=lambda connection: connection.name))
        object.__setattr__(self, "connections", ordered)
        object.__setattr__(self, "policies", tuple(sorted(self.policies, key=lambda text: text.file)))
        return self

    def canonical(self) -> bytes:
        """The one byte form that is published and hashed; raises `MalformedRecord` where it is too long."""
        data = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        if len(data) > MAX_REGISTRY_BYTES:
            raise MalformedRecord(
                f"registry: expected at most {MAX_REGISTRY_BYTES} bytes in all, got {len(data)}"
            )
        return data

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form, in hex."""
        return sha256_hex(self.canonical())

    @classmethod
    def parse(cls, data: bytes) -> Registry:
        """Read a snapshot back; raises `MalformedRecord`. Its digest is not checked here."""
        if len(data) > MAX_REGISTRY_BYTES:
            raise MalformedRecord(f"registry: expected at most {MAX_REGISTRY_BYTES} bytes, got {len(data)}")
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            places = [".".join(map(str, item["loc"])) for item in error.errors(include_input=False)]
            raise MalformedRecord(f"registry: breaks its schema at: {', '.join(places)[:200]}") from None

    def over(self, config: Configuration) -> Configuration:
        """The configuration with these connections in place of its own; raises pydantic's `ValidationError`.

        Policies and rules are texts here and names of files there, so those are left out.
        """
        fields = {name: getattr(config, name) for name in Configuration.model_fields}
        masking = {name: getattr(self.masking, name) for name in ("headers", "query", "json_keys")}
        replaced = {"connections": self.connections, "policy": {"contact": self.contact}, "masking": masking}
        return Configuration.model_validate({**fields, **replaced})


def short(digest: str) -> ShortDigest:
    """What a header carries of a digest."""
    return ShortDigest(digest[:SHORT_DIGEST])


def registry_of(config: Configuration, texts: Mapping[str, str]) -> Registry:
    """What a configuration registers by its own sections; `texts` are its policy and rule files by name."""
    masking = config.masking
    return Registry(
        connections=config.connections,
        policies=tuple(TextFile(file=name, text=texts[name]) for name in config.policy.files),
        contact=config.policy.contact,
        masking=MaskingRules(
            headers=masking.headers,
            query=masking.query,
            json_keys=masking.json_keys,
            rules=tuple(TextFile(file=name, text=texts[name]) for name in masking.rules),
        ),
    )


def _in_order(names: object) -> object:
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(sorted(set(names)))
    return names
