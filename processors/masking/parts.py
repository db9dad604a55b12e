"""What goes into the masker and what comes out; a value that was masked stands in `Removed` alone."""

from dataclasses import dataclass, field
from typing import Literal

PartKind = Literal["headers", "url", "body", "text", "json"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to mask.

    `headers` data is a JSON list of [name, value] pairs, `url` the request target as sent, `body` the raw
    body, `text` UTF-8 text, `json` UTF-8 JSON. `name` is the caller's own and comes back unchanged.
    """

    name: str
    kind: PartKind
    data: bytes
    content_type: str | None = None
    content_encoding: str | None = None

    def __repr__(self) -> str:
        return f"Part(name={self.name!r}, kind={self.kind!r}, {len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Span:
    """What was replaced: where in the decoded content, by which rule, as which type. Never the value."""

    rule: str
    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Removed:
    """One value that was taken out, and the pseudonym that its marker shows; for a commitment to it, and in
    memory only.
    """

    type: str
    pseudonym: str | None
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MaskedPart:
    """The masked content, or None and the reason why it is withheld."""

    name: str
    data: bytes | None
    withheld: str | None
    decoded_len: int
    spans: tuple[Span, ...]

    def __repr__(self) -> str:
        state = f"withheld={self.withheld!r}" if self.withheld else f"{len(self.spans)} spans"
        return f"MaskedPart(name={self.name!r}, {state})"
