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
from typing import Any, Protocol

from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.errors import Poisoned
from tachograph.processors.facts import Unmaskable, content_of, meta_parts, stub_meta, with_masked
from tachograph.processors.masking.carried import NOTHING, Carried, Masked
from tachograph.processors.masking.masker import MaskedPart, Part, Span
from tachograph.processors.record import Emitted, MaskedRecord, Salts
from tachograph.processors.slices import slices
from tachograph.processors.unknown_request import (
    REQUEST_UNKNOWN,
    REQUEST_WITHHELD,
    without_phrase,
    without_request,
)
from tachograph.schemas.commitments import message_key, removed_block
from tachograph.schemas.escrow import Taken
from tachograph.schemas.payload import RequestMeta, ResponseMeta
from tachograph.schemas.topics import MAX_RECORD_BYTES

__all__ = ["MAX_EVENT_BYTES", "REQUEST_UNKNOWN", "Enrich", "Masks", "Pipeline", "RulesMissing", "Told"]

MAX_EVENT_BYTES = MAX_RECORD_BYTES - 8_192
"""An event's JSON; the rest is for Kafka's own framing, key and headers."""

MAX_NAMED = 4_096
"""Maskers whose digest is remembered: connections times the registries in use."""
NO_RULES = "none"
"""`ruleset` of a record that nothing was masked in, because nothing of it is told."""
MASKER_ERROR = "masker-error"
TOO_LARGE = "document-too-large"
_STUB = "meta:"
"""How the reason begins of a record of which only the header is told."""
_TEXTLESS = frozenset({"binary"})
"""Why a request is withheld of whose body an answer repeats no more than can be read in it: an image."""


class Enrich(Protocol):
    """The events of one masked record, its own document first; not those of messages that are `known`."""

    def __call__(self, record: MaskedRecord, /, *, known: Container[uuid.UUID]) -> tuple[Emitted, ...]: ...


class Masks(Protocol):
    """The masker of one connection."""

    @property
    def digest(self) -> str: ...

    def mask(self, parts: Sequence[Part]) -> Sequence[MaskedPart]: ...

    def mask_with(self, parts: Sequence[Part], known: Carried) -> Masked: ...


class RulesMissing(Exception):
    """The rules that a record is to be masked by cannot be had; the text is why, as `withheld` says it."""


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
    found: Carried = NOTHING
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The events of one record, what its exchange's answer is to be masked by, and what was taken out."""

    events: tuple[Emitted, ...]
    carried: Carried = NOTHING
    taken: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is masked of one record: its body, why it has none, and by what else it is masked."""

    body: Part | None
    withheld: str | None
    known: Carried


class Pipeline:
    """Masks and enriches what the assembler has made ready."""

    def __init__(
        self,
        masker_for: Callable[[str | None], Masks],
        enrich: Enrich,
        *,
        count_withheld: Callable[[str], None] = lambda _: None,
        by_registry: Callable[[str | None, str | None], Masks | None] = lambda _, __: None,
        message_secret: bytes | None = None,
    ) -> None:
        """`by_registry` has the masker of a connection in a registry; None where `masker_for` has it. The
        salts of messages follow from `message_secret`; without it no document has one.
        """
        self._masker_for = masker_for
        self._enrich = enrich
        self._count_withheld = count_withheld
        self._by_registry = by_registry
        self._message_secret = message_secret
        self._named: dict[tuple[str | None, str | None], Named] = {}

    def run(
        self, ready: Ready, *, known: Container[uuid.UUID] = frozenset(), carried: Carried = NOTHING
    ) -> Told:
        """The events of one record (and of the chunks that it closes); raises `Poisoned` for none.

        Messages whose uid is `known` are left out; every other byte is the same whatever is known. `carried`
        is what the request of this answer held: by it the answer is masked too.
        """
        masked = [self._salted(one, ready.piece.salt_key) for one in self._masked(ready, carried)]
        *chunks, closing = masked
        told = self._events(closing.record, known)
        records = [chunk.record for chunk in chunks]
        if told[0].apart:  # then the text of the chunks would only say it again
            records = [replace(record, body=None, text_in="messages") for record in records]
        before = [event for record in records for event in self._events(record, known)]
        for record in (*records, closing.record):
            if record.withheld is not None:
                self._count_withheld(record.withheld)
        taken = tuple(one.taken for one in masked if one.taken is not None)
        return Told((*before, *told), _for_the_answer(ready, closing), taken)

    def _salted(self, one: _Masked, key: bytes | None) -> _Masked:
        if key is None or self._message_secret is None:
            return one
        salts = Salts(key, message_key(self._message_secret, str(one.record.header.session)))
        return replace(one, record=replace(one.record, salts=salts))

    def masked(self, ready: Ready) -> Iterator[MaskedRecord]:
        """The masked records: the chunks in order, then the record that closes them."""
        return (one.record for one in self._masked(ready, NOTHING))

    def carried(self, ready: Ready) -> Carried:
        """What a request's answer is to be masked by; the same that `run` tells."""
        texts = _Texts(self._body_part(ready), ready.withheld, _with_injected(ready, NOTHING))
        return _for_the_answer(ready, self._record(ready.piece, texts))

    def _masked(self, ready: Ready, known: Carried) -> Iterator[_Masked]:
        ready, known = without_request(ready, known), _with_injected(ready, known)
        closing = self._record(ready.piece, _Texts(self._body_part(ready), ready.withheld, known))
        for piece, text in zip(ready.chunks, _texts(closing, ready.chunks), strict=True):
            one = self._record(piece, _Texts(None, closing.record.withheld, _shown(known, piece)))
            if text is not None:
                one = replace(one, record=replace(one.record, body=text, decoded_len=len(text)))
            yield one
        yield closing

    def _body_part(self, ready: Ready) -> Part | None:
        meta = ready.piece.meta
        if ready.withheld or not isinstance(meta, RequestMeta | ResponseMeta):
            return None
        body = b"".join((*(piece.body for piece in ready.chunks), ready.piece.body))
        content = content_of(meta.headers)
        return Part("body", "body", body, content.type, content.encoding) if body else None

    def _record(self, piece: Piece, texts: _Texts) -> _Masked:
        try:
            named = self._masker(piece.header.connection, piece.header.registry)
        except RulesMissing as missing:  # what only they hide may stand anywhere in it
            return _Masked(
                MaskedRecord(piece.header, stub_meta(piece.meta), None, str(missing), 0, {}, NO_RULES)
            )
        try:
            return _masked_record(piece, named, texts)
        except Unmaskable as refusal:
            return _stub(piece, named, f"{_STUB}{refusal.reason}")
        except Exception:  # noqa: BLE001  fail closed: whatever it was, nothing unmasked may pass
            return self._without_body(
                piece, named, replace(texts, body=None, withheld=texts.withheld or MASKER_ERROR)
            )

    def _without_body(self, piece: Piece, named: Named, texts: _Texts) -> _Masked:
        try:
            return _masked_record(piece, named, texts)
        except Exception:  # noqa: BLE001  the header alone keeps the session without a hole
            return _stub(piece, named, f"{_STUB}{MASKER_ERROR}")

    def _masker(self, connection: str | None, registry: str | None) -> Named:
        masker = self._by_registry(connection, registry) or self._masker_for(connection)
        place = (connection, registry)
        named = self._named.get(place)
        if named is None or named.masker is not masker:
            if len(self._named) >= MAX_NAMED:
                self._named.clear()
            named = self._named[place] = Named(masker, masker.digest)
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


def _with_injected(ready: Ready, known: Carried) -> Carried:
    """What a record is masked by, and the credential that a request's own record names."""
    meta = ready.piece.meta
    if not isinstance(meta, RequestMeta) or not meta.injected:
        return known
    return replace(known, injected=tuple(value.encode() for value in meta.injected))


def _for_the_answer(ready: Ready, request: _Masked) -> Carried:
    """What was found in a request, or why an answer may not be masked by that alone."""
    found, record = _with_injected(ready, request.found), request.record
    if record.withheld is None or found.refused is not None:
        return found
    if record.withheld in _TEXTLESS:
        return replace(found, unread=True)
    stub = record.withheld.startswith(_STUB) or record.ruleset == NO_RULES
    return replace(found, refused=REQUEST_UNKNOWN if stub else REQUEST_WITHHELD)


def _shown(known: Carried, chunk: Piece) -> Carried:
    """The values that stand in a chunk's few facts: mostly none, and a long body has many chunks."""
    facts = [part.data for part in meta_parts(chunk.meta)]
    shown = tuple(one for one in known.secrets if any(one.value in data for data in facts))
    return replace(known, secrets=shown)


def _masked_record(piece: Piece, named: Named, texts: _Texts) -> _Masked:
    parts = [*meta_parts(piece.meta), *([texts.body] if texts.body else ())]
    told = named.masker.mask_with(parts, texts.known) if parts else Masked(())
    masked = {part.name: part for part in told.parts}
    body = masked.pop("body", None)
    if body is None and texts.body is not None:
        raise Unmaskable("body-missing")
    withheld = texts.withheld or (body.withheld if body else None)
    meta = without_phrase(with_masked(piece.meta, _data(masked)), withheld)
    spans = Counter(
        span.rule for part in (*masked.values(), *([body] if body else ())) for span in part.spans
    )
    record = MaskedRecord(
        header=piece.header,
        meta=meta,
        body=_text(piece, body, texts.withheld),
        withheld=withheld,
        decoded_len=body.decoded_len if body else 0,
        masked=dict(sorted(spans.items())),
        ruleset=named.digest,
        removed=_commitments(piece, told),
    )
    return _Masked(record, body.spans if body else (), told.found, _taken(piece, told))


def _commitments(piece: Piece, told: Masked) -> dict[str, Any]:
    if piece.salt_key is None:
        return {}
    found = [(one.type, one.pseudonym, one.value) for one in told.removed]
    return removed_block(found, piece.salt_key, str(piece.header.uid))


def _taken(piece: Piece, told: Masked) -> Taken | None:
    if piece.salt_key is None or not told.removed:
        return None
    values = tuple(one.value for one in told.removed)
    return Taken(str(piece.header.session), str(piece.header.uid), piece.salt_key, values)


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
    yield replace(smaller, meta=stub_meta(record.meta), removed={})
