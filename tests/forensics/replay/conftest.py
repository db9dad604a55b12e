"""Documents as the processors write them, of exchanges that a test makes up; nothing is masked in them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from tachograph.forensics.replay.recorded import Body, Exchange, Piece, Request, Response, exchanges_of
from tachograph.processors import assemble
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.carried import NOTHING, Carried, Masked
from tachograph.processors.masking.masker import MaskedPart, Part
from tachograph.processors.pipeline import Pipeline
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
from tachograph.schemas.payload import (
    BodyTotals,
    ChunkMeta,
    ExchangeError,
    Meta,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    Timing,
)

START = 1_790_000_000_000_000_000


class _Unmasked:
    """A masker that finds nothing, and lets nothing through that it is told to withhold."""

    digest = "rules"
    withhold: str | None = None

    def mask(self, parts: Sequence[Part]) -> Sequence[MaskedPart]:
        return [self._part(part) for part in parts]

    def mask_with(self, parts: Sequence[Part], known: Carried = NOTHING) -> Masked:
        return Masked(tuple(self.mask(parts)))

    def _part(self, part: Part) -> MaskedPart:
        gone = self.withhold if part.name == "body" else None
        return MaskedPart(part.name, None if gone else part.data, gone, len(part.data), ())


@dataclass
class Recording:
    """A session in the making; `documents` is what stands in the index."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    protocol: str = "http"
    withhold: str | None = None
    _session: uuid.UUID = field(default_factory=uuid.uuid4)
    _epoch: uuid.UUID = field(default_factory=uuid.uuid4)
    _seq: int = 0
    _exchange: uuid.UUID = field(default_factory=uuid.uuid4)

    def __post_init__(self) -> None:
        self._masker = _Unmasked()
        self._pipeline = Pipeline(lambda _: self._masker, enrich)

    def request(
        self,
        body: bytes = b"",
        *,
        line: tuple[str, str] = ("POST", "/things"),
        headers: Sequence[tuple[str, str]] = (("Content-Type", "application/json"),),
        cuts: Sequence[int] = (),
    ) -> Recording:
        """An agent's request; `cuts` are lengths of its chunks."""
        self._exchange = uuid.uuid4()
        meta = RequestMeta(
            line=RequestLine(method=line[0], target=line[1], upstream="http://target"),
            http_version="1.1",
            headers=tuple(headers),
            client="127.0.0.1:1",
            body=BodyTotals(length=len(body), sha256="", chunks=len(cuts)),
        )
        return self._add(meta, body, [(length, 0) for length in cuts])

    def response(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (("Content-Type", "application/json"),),
        pieces: Sequence[tuple[int, int]] = (),
        times: tuple[int, int, int] = (1_000, 2_000, 9_000),
        error: str | None = None,
        target: str = "/things",
    ) -> Recording:
        """Its answer; `pieces` are lengths and microseconds, `times` request end, first byte and end."""
        meta = ResponseMeta(
            status=status,
            http_version="1.1",
            headers=tuple(headers),
            origin="upstream" if status else "none",
            request=RequestLine(method="POST", target=target, upstream="http://target"),
            body=BodyTotals(length=len(body), sha256="", chunks=len(pieces), complete=error is None),
            timing=Timing(start=START, request_end=times[0], first_byte=times[1], end=times[2]),
            error=ExchangeError.model_validate({"code": error}) if error else None,
        )
        return self._add(meta, body, pieces)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        return exchanges_of(self.documents)

    def _add(self, meta: Meta, body: bytes, cuts: Sequence[tuple[int, int]]) -> Recording:
        self._masker.withhold = self.withhold
        chunks = []
        direction = Direction(meta.kind)
        at = 0
        for index, (length, micros) in enumerate(cuts):
            chunk = ChunkMeta(index=index, offset=at, sha256="")
            piece = body[at:] if index == len(cuts) - 1 else body[at : at + length]
            chunks.append(self._piece(chunk, direction, piece, micros))
            at += len(piece)
        closing = self._piece(meta, direction, b"" if cuts else body, 0)
        told = self._pipeline.run(assemble.Ready(closing, tuple(chunks)))
        self.documents += [orjson.loads(event.value) for event in told.events]
        return self

    def _piece(self, meta: Meta, direction: Direction, body: bytes, micros: int) -> assemble.Piece:
        self._seq += 1
        header = Header(
            uid=event_uid(self._session, self._epoch, self._seq),
            type=EventType(meta.kind),
            ts=rfc3339_ns(START + self._seq * 1_000 if not micros else START + micros * 1_000),
            session=self._session,
            epoch=self._epoch,
            seq=self._seq,
            prev=GENESIS,
            exchange=self._exchange,
            connection="target",
            protocol=Protocol(self.protocol),
            direction=direction,
            principal=Principal(id="agent", kind=PrincipalKind.API_KEY),
            raw_commit=GENESIS,
            raw_len=len(body),
        )
        return assemble.Piece(self._seq, header, meta, body)


@pytest.fixture
def recording() -> Recording:
    """An empty session on the connection `target`."""
    return Recording()


@pytest.fixture(scope="session")
def make_recording() -> type[Recording]:
    """For a test that makes many."""
    return Recording


@dataclass
class Made:
    """Exchanges made up directly, without documents."""

    count: int = 0

    def request(self, body: str = "", path: str = "/things", **other: Any) -> Request:
        headers = (("Content-Type", "application/json"),)
        request = Request("uid", "target", "http", "POST", path, "", headers, Body(body))
        return replace(request, **other)

    def exchange(self, body: str = "", answer: str = "{}", path: str = "/things", **other: Any) -> Exchange:
        self.count += 1
        pieces = (Piece(answer, 10),) if answer else ()
        headers = (("Content-Type", "application/json"),)
        response = Response("uid", 200, headers, Body(answer), pieces, 5, 10, "upstream")
        return Exchange(f"exchange-{self.count}", self.request(body, path, **other), response)


@pytest.fixture
def made() -> Made:
    """A maker of exchanges."""
    return Made()


@pytest.fixture(scope="session")
def make_made() -> type[Made]:
    """For a test that makes many."""
    return Made
