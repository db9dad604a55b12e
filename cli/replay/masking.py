"""What a document of this request would say: the processors' own masking and enrichment, on one exchange.

An agent that is run again sends back what it was told, and that was masked: a found value that stands in the
record as a marker already stays the marker that it is, else it would be masked a second time.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tachograph.forensics.replay.markers import MARKER, again, markers_in
from tachograph.forensics.replay.recorded import Exchange, Field, Request, exchanges_of
from tachograph.forensics.replay.server import Came
from tachograph.ingress.identity.presented import PLACEHOLDER, PLACES, parted, presented
from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.carried import NOTHING, Carried, Masked
from tachograph.processors.masking.masker import MaskedPart, Part, Span
from tachograph.processors.masking.pseudonyms import PseudonymKey
from tachograph.processors.pipeline import Masks, Pipeline
from tachograph.schemas.event import (
    GENESIS,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
    rfc3339_ns,
)
from tachograph.schemas.payload import BodyTotals, Meta, RequestLine, RequestMeta, ResponseMeta, Timing

__all__ = ["Answered", "Masking"]

_MARKER = re.compile(MARKER.pattern.encode())
_WHO = Principal(id="tacho-replay", kind=PrincipalKind.GATEWAY)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it came."""

    status: int
    headers: tuple[Field, ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Answered(status={self.status}, body=<{len(self.body)} bytes>)"


class _Once:
    """A masker that leaves markers of the record as they are."""

    def __init__(self, masker: Masks, known: Set[bytes], key: PseudonymKey) -> None:
        self._masker, self._known, self._key = masker, known, key
        self.digest = masker.digest

    def mask(self, parts: Sequence[Part]) -> Sequence[MaskedPart]:
        return self.mask_with(parts, NOTHING).parts

    def mask_with(self, parts: Sequence[Part], known: Carried) -> Masked:
        told = self._masker.mask_with(parts, known)
        pairs = zip(parts, told.parts, strict=True)
        return replace(told, parts=tuple(self._once(part, masked) for part, masked in pairs))

    def _once(self, part: Part, masked: MaskedPart) -> MaskedPart:
        data = masked.data
        if data is None or part.content_encoding:
            return masked
        for twice, once in self._twice(part.data, masked.spans).items():
            data = data.replace(twice, once)
        return replace(masked, data=data)

    def _twice(self, data: bytes, spans: Sequence[Span]) -> Mapping[bytes, bytes]:
        """What was made of texts with markers of the record in them, and what stands for them here."""
        places = [found.span() for found in _MARKER.finditer(data) if found[0] in self._known]
        names: dict[bytes, bytes] = {}
        for span in spans:
            over = [place for place in places if place[0] < span.end and span.start < place[1]]
            if over:
                made = self._key.marker(span.type, data[span.start : span.end])
                inside = len(over) == 1 and over[0][0] <= span.start and span.end <= over[0][1]
                names[made] = data[span.start : span.end] if inside else again(span.type).encode()
        return names


class Masking:
    """Exchanges as they come, put into the form in which they would be read back from the record."""

    def __init__(
        self,
        maskers: Callable[[str | None], Masks],
        key: PseudonymKey,
        exchanges: Sequence[Exchange],
        *,
        clock: Callable[[], int],
    ) -> None:
        """`clock` gives Unix nanoseconds."""
        texts = (text for exchange in exchanges for text in exchange.texts)
        known = frozenset(marker.encode() for marker in markers_in(texts))
        self._clock = clock
        self._protocols = {item.request.connection: item.request.protocol for item in exchanges}
        self._pipeline = Pipeline(lambda name: _Once(maskers(name), known, key), enrich)

    def request(self, came: Came) -> Request:
        """The masked request."""
        return self.exchange(came, None).request

    def placeholders(self, connection: str) -> frozenset[str]:
        """What the record has in the fields in which an agent shows its gateway key."""
        values = ("", "Bearer ", "Basic ")
        headers = tuple((place, scheme + PLACEHOLDER) for place in PLACES for scheme in values)
        return frozenset(
            value for _, value in self.request(Came(connection, "GET", "/", headers, b"")).headers
        )

    def exchange(self, came: Came, answered: Answered | None) -> Exchange:
        """The masked exchange; its answer is masked by what its request held, too."""
        scope = _Scope(came.connection, self._protocols.get(came.connection, ""), self._clock())
        shown = presented(came.headers)
        _, headers = parted(came.headers, shown[0].text if shown else None)
        line = RequestLine(method=came.method, target=came.target, upstream="http://replay")
        body = BodyTotals(length=len(came.body), sha256="")
        asked = RequestMeta(line=line, http_version="1.1", headers=headers, client="", body=body)
        told = self._pipeline.run(Ready(scope.piece(0, asked, came.body)))
        events = [*told.events]
        if answered is not None:
            meta = _answer_meta(answered, line)
            ready = Ready(scope.piece(1, meta, answered.body))
            events += self._pipeline.run(ready, carried=told.carried).events
        documents: list[dict[str, Any]] = [orjson.loads(event.value) for event in events]
        return exchanges_of(documents)[0]


def _answer_meta(answered: Answered, line: RequestLine) -> ResponseMeta:
    return ResponseMeta(
        status=answered.status,
        http_version="1.1",
        headers=answered.headers,
        origin="upstream",
        request=line,
        body=BodyTotals(length=len(answered.body), sha256=""),
        timing=Timing(start=0, end=0),
    )


class _Scope:
    """The two records of one exchange."""

    def __init__(self, connection: str, protocol: str, now: int) -> None:
        self._connection, self._protocol, self._ts = connection, protocol, rfc3339_ns(now)
        self._session, self._epoch, self._exchange = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()

    def piece(self, seq: int, meta: Meta, body: bytes) -> Piece:
        kind = EventType(meta.kind)
        header = Header(
            uid=event_uid(self._session, self._epoch, seq),
            type=kind,
            ts=self._ts,
            session=self._session,
            epoch=self._epoch,
            seq=seq,
            prev=GENESIS,
            exchange=self._exchange,
            connection=self._connection or None,
            protocol=Protocol(self._protocol) if self._protocol else None,
            direction=Direction(kind.value),
            principal=_WHO,
            raw_commit=GENESIS,
            raw_len=len(body),
        )
        return Piece(seq, header, meta, body)
