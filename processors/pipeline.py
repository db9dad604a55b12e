"""From opened records to events: mask, then enrich. A pure function of the records and the rules.

Fails closed in steps, each of which keeps the record: a body that cannot be masked is withheld with its
reason; facts that cannot be masked leave a stub of the header; an event too large for the topic is told
without its body. The masker bounds its own time (its `Limits` and clock): a thread cannot be stopped from
outside, and re2 takes time linear in the text.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.errors import Poisoned
from tachograph.processors.facts import Unmaskable, content_of, meta_parts, stub_meta, with_masked
from tachograph.processors.masking.masker import MaskedPart, Part, Span
from tachograph.processors.record import Emitted, MaskedRecord
from tachograph.processors.slices import slices
from tachograph.schemas.payload import RequestMeta, ResponseMeta
from tachograph.schemas.topics import MAX_RECORD_BYTES

__all__ = ["MAX_EVENT_BYTES", "Enrich", "Masks", "Pipeline"]

MAX_EVENT_BYTES = MAX_RECORD_BYTES - 8_192
"""An event's JSON; the rest is for Kafka's own framing, key and headers."""

MASKER_ERROR = "masker-error"
TOO_LARGE = "document-too-large"


class Enrich(Protocol):
    """The events of one masked record, its own document first; not those of messages that are `known`."""

    def __call__(self, record: MaskedRecord, /, *, known: Container[uuid.UUID]) -> tuple[Emitted, ...]: ...


class Masks(Protocol):
    """The masker of one connection."""

    @property
    def digest(self) -> str: ...

    def mask(self, parts: Sequence[Part]) -> Sequence[MaskedPart]: ...


@dataclass(frozen=True, slots=True)
class Named:
    """A masker and its digest, taken once."""

    masker: Masks
    digest: str


@dataclass(frozen=True, slots=True)
class _Masked:
    """A masked record, and where in its body something was replaced."""

    record: MaskedRecord
    spans: tuple[Span, ...] = ()


class Pipeline:
    """Masks and enriches what the assembler has made ready."""

    def __init__(
        self,
        masker_for: Callable[[str | None], Masks],
        enrich: Enrich,
        *,
        count_withheld: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._masker_for = masker_for
        self._enrich = enrich
        self._count_withheld = count_withheld
        self._named: dict[str | None, Named] = {}

    def run(self, ready: Ready, *, known: Container[uuid.UUID] = frozenset()) -> tuple[Emitted, ...]:
        """The events of one record (and of the chunks that it closes); raises `Poisoned` for none.

        Messages whose uid is `known` are left out; every other byte is the same whatever is known.
        """
        *chunks, closing = self.masked(ready)
        told = self._events(closing, known)
        if told[0].apart:  # then the text of the chunks would only say it again
            chunks = [replace(chunk, body=None, text_in="messages") for chunk in chunks]
        before = [event for chunk in chunks for event in self._events(chunk, known)]
        for record in (*chunks, closing):
            if record.withheld is not None:
                self._count_withheld(record.withheld)
        return (*before, *told)

    def masked(self, ready: Ready) -> Iterator[MaskedRecord]:
        """The masked records: the chunks in order, then the record that closes them."""
        closing = self._record(ready.piece, self._body_part(ready), ready.withheld)
        for piece, text in zip(ready.chunks, _texts(closing, ready.chunks), strict=True):
            record = self._record(piece, None, closing.record.withheld).record
            yield replace(record, body=text, decoded_len=len(text)) if text is not None else record
        yield closing.record

    def _body_part(self, ready: Ready) -> Part | None:
        meta = ready.piece.meta
        if ready.withheld or not isinstance(meta, RequestMeta | ResponseMeta):
            return None
        body = b"".join((*(piece.body for piece in ready.chunks), ready.piece.body))
        content = content_of(meta.headers)
        return Part("body", "body", body, content.type, content.encoding) if body else None

    def _record(self, piece: Piece, body: Part | None, withheld: str | None) -> _Masked:
        named = self._masker(piece.header.connection)
        parts = meta_parts(piece.meta)
        try:
            return _masked_record(piece, named, [*parts, body] if body else parts, withheld)
        except Unmaskable as refusal:
            return _stub(piece, named, f"meta:{refusal.reason}")
        except Exception:  # noqa: BLE001  fail closed: whatever it was, nothing unmasked may pass
            return self._without_body(piece, named, withheld or MASKER_ERROR)

    def _without_body(self, piece: Piece, named: Named, withheld: str) -> _Masked:
        try:
            return _masked_record(piece, named, meta_parts(piece.meta), withheld)
        except Exception:  # noqa: BLE001  the header alone keeps the session without a hole
            return _stub(piece, named, f"meta:{MASKER_ERROR}")

    def _masker(self, connection: str | None) -> Named:
        named = self._named.get(connection)
        if named is None:
            masker = self._masker_for(connection)
            named = self._named[connection] = Named(masker, masker.digest)
        return named

    def _events(self, record: MaskedRecord, known: Container[uuid.UUID]) -> tuple[Emitted, ...]:
        reason = TOO_LARGE
        for candidate in _ever_smaller(record):
            try:
                events = self._enrich(candidate, known=known)
            except Exception as error:  # noqa: BLE001  enrichment promises not to raise; a bug must not lose a record
                reason = f"enrichment-error:{type(error).__name__}"
                continue
            if events and all(len(event.value) <= MAX_EVENT_BYTES for event in events):
                return events
        raise Poisoned(reason)


def _masked_record(piece: Piece, named: Named, parts: Sequence[Part], withheld: str | None) -> _Masked:
    masked = {part.name: part for part in named.masker.mask(parts)} if parts else {}
    body = masked.pop("body", None)
    if body is None and any(part.name == "body" for part in parts):
        raise Unmaskable("body-missing")
    meta = with_masked(piece.meta, _data(masked))
    spans = Counter(
        span.rule for part in (*masked.values(), *([body] if body else ())) for span in part.spans
    )
    record = MaskedRecord(
        header=piece.header,
        meta=meta,
        body=_text(piece, body, withheld),
        withheld=withheld or (body.withheld if body else None),
        decoded_len=body.decoded_len if body else 0,
        masked=dict(sorted(spans.items())),
        ruleset=named.digest,
    )
    return _Masked(record, body.spans if body else ())


def _text(piece: Piece, body: MaskedPart | None, withheld: str | None) -> bytes | None:
    if body is not None:
        return body.data
    # A message without a body has an empty one; what is not a message has none.
    return None if withheld or not isinstance(piece.meta, RequestMeta | ResponseMeta) else b""


def _data(masked: Mapping[str, MaskedPart]) -> dict[str, bytes]:
    data = {}
    for name, part in masked.items():
        if part.data is None:
            raise Unmaskable(part.withheld or name)
        data[name] = part.data
    return data


def _stub(piece: Piece, named: Named, reason: str) -> _Masked:
    return _Masked(MaskedRecord(piece.header, stub_meta(piece.meta), None, reason, 0, {}, named.digest))


def _texts(closing: _Masked, chunks: Sequence[Piece]) -> Iterator[bytes | None]:
    """Each chunk's share of the masked text; nothing where the body is withheld."""
    body = closing.record.body
    if body is None or not chunks:
        return iter([None] * len(chunks))
    return slices(body, [len(piece.body) for piece in chunks], closing.spans)


def _ever_smaller(record: MaskedRecord) -> Iterator[MaskedRecord]:
    yield record
    smaller = replace(record, body=None, withheld=TOO_LARGE)
    yield smaller
    yield replace(smaller, meta=stub_meta(record.meta))
