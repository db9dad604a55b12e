"""What is left of a record when what its exchange's request held is not known: nothing that may repeat it.

Of an answer: status, times, lengths, and the header fields of a closed list whose values are of a closed
form. Of a decision: its outcome. Everything else that somebody else chose gives way to a marker that says
why. Where the request's head was read, the line that the record repeats of it stays, masked by what was found
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.masking.carried import Carried
from tachograph.schemas.payload import (
    ChunkMeta,
    DecisionMeta,
    HeaderField,
    Meta,
    RequestContext,
    RequestLine,
    ResponseMeta,
)

__all__ = ["REQUEST_UNKNOWN", "REQUEST_WITHHELD", "without_phrase", "without_request"]

REQUEST_UNKNOWN = "request-unknown"
"""The request cannot be had, or not even its head: masked without its values, a secret of it could show."""
REQUEST_WITHHELD = "request-withheld"
"""The request holds text that could not be read: what is repeated of that nobody knows."""

WITHHELD_NAME = "[withheld]"
"""The name of a header field that is not told: a target may repeat anything there too."""

_TYPE = re.compile(
    r"(?:application/(?:json|x-ndjson|problem\+json|xml|pdf|octet-stream|javascript|x-www-form-urlencoded)"
    r"|text/(?:plain|html|css|csv|xml|javascript|event-stream)|image/(?:png|jpeg|gif|webp|svg\+xml))"
    r"(?: ?; ?charset=\"?(?:utf-8|us-ascii|iso-8859-1)\"?)?",
    re.IGNORECASE,
)
_CODING = re.compile(r"(?:gzip|br|zstd|deflate|identity)", re.IGNORECASE)
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" 20[0-9]{2} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT"
)
_TOLD: Final[Mapping[str, re.Pattern[str]]] = {
    "content-type": _TYPE,
    "content-encoding": _CODING,
    "content-length": re.compile(r"[0-9]{1,12}"),
    "transfer-encoding": re.compile(r"chunked", re.IGNORECASE),
    "connection": re.compile(r"close|keep-alive", re.IGNORECASE),
    "date": _DATE,
}
"""Fields that are told all the same, and what their values must look like in full."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


def without_request(ready: Ready, known: Carried) -> Ready:
    """The record without what may repeat its request, where `known` says that this is not known.

    An empty body stays empty; a request, and a record whose request is known, come back as they are.
    """
    meta, refused = ready.piece.meta, known.refused
    if refused is None and known.unread:
        return replace(ready, piece=replace(ready.piece, meta=without_phrase(meta, REQUEST_WITHHELD)))
    if refused is None or not isinstance(meta, ResponseMeta | DecisionMeta):
        return ready
    withheld = ready.withheld
    if isinstance(meta, ResponseMeta) and meta.body.length:
        withheld = withheld or refused
    chunks = tuple(_piece(chunk, refused) for chunk in ready.chunks)
    return replace(ready, piece=_piece(ready.piece, refused), chunks=chunks, withheld=withheld)


def without_phrase(meta: Meta, withheld: str | None) -> Meta:
    """The record without a phrase of the target's own, where its body or its request's is withheld.

    A status line has room for a sentence of what nobody could read; the status itself says enough.
    """
    if withheld is None or not isinstance(meta, ResponseMeta):
        return meta
    return meta.model_copy(update={"reason": _phrase(meta.status, meta.reason, f"[withheld:{withheld}]")})


def _piece(piece: Piece, refused: str) -> Piece:
    return replace(piece, meta=_bare(piece.meta, refused))


def _bare(meta: Meta, refused: str) -> Meta:
    marker = f"[withheld:{refused}]"
    if isinstance(meta, ResponseMeta):
        return _answer(meta, marker, told=refused == REQUEST_WITHHELD)
    if isinstance(meta, DecisionMeta):
        return _decision(meta, marker, told=refused == REQUEST_WITHHELD)
    if isinstance(meta, ChunkMeta):
        kind, coding = meta.content_type, meta.content_encoding
        return meta.model_copy(
            update={
                "content_type": kind if _TYPE.fullmatch(kind or "") else None,
                "content_encoding": coding if _CODING.fullmatch(coding or "") else None,
            }
        )
    return meta


def _answer(meta: ResponseMeta, marker: str, *, told: bool) -> ResponseMeta:
    update: dict[str, object] = {
        "reason": _phrase(meta.status, meta.reason, marker),
        "headers": tuple(_fields(meta.headers, marker)),
        "trailers": tuple(_fields(meta.trailers, marker)),
    }
    if meta.error is not None and meta.error.detail:
        update["error"] = meta.error.model_copy(update={"detail": marker})
    if not told:
        update |= {"request": _line(meta.request), "context": RequestContext(stream=meta.context.stream)}
    return meta.model_copy(update=update)


def _decision(meta: DecisionMeta, marker: str, *, told: bool) -> DecisionMeta:
    update: dict[str, object] = {"reason": marker if meta.reason else ""}
    if meta.approval is not None:
        said = (
            one.model_copy(update={"comment": marker if one.comment else ""})
            for one in meta.approval.decisions
        )
        update["approval"] = meta.approval.model_copy(update={"decisions": tuple(said)})
    if meta.tool is not None:
        gone = {
            name: marker for name in ("id", "name", "arguments", "replacement") if getattr(meta.tool, name)
        }
        update["tool"] = meta.tool.model_copy(update=gone)
    if meta.policy is not None and meta.policy.reason:
        update["policy"] = meta.policy.model_copy(update={"reason": marker})
    if not told:
        update["line"] = _line(meta.line)
    return meta.model_copy(update=update)


def _line(line: RequestLine) -> RequestLine:
    return line.model_copy(update={"target": "", "method": line.method if line.method in _METHODS else ""})


def _phrase(status: int, reason: str, marker: str) -> str:
    known = next((one.phrase for one in HTTPStatus if one.value == status), "")
    return reason if reason in ("", known) else marker


def _fields(fields: Iterable[HeaderField], marker: str) -> Iterator[HeaderField]:
    for name, value in fields:
        form = _TOLD.get(name.lower())
        if form is None:
            yield WITHHELD_NAME, marker
        else:
            yield name.lower(), value if form.fullmatch(value) else marker
