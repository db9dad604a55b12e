"""Nothing that may repeat a request is told where nobody knows what it held."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.carried import NOTHING, Carried
from tachograph.processors.masking.masker import Masker, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset
from tachograph.processors.pipeline import Pipeline
from tachograph.processors.unknown_request import without_request
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.payload import (
    ApprovalMeta,
    BodyTotals,
    DecisionMeta,
    ExchangeError,
    PolicyDecision,
    RequestContext,
    RequestLine,
    ResponseMeta,
    ReviewerDecision,
    ToolDecision,
    decode_payload,
)

SECRET = "Zq9Pfoo77"
LINE = RequestLine(method="POST", target=f"/x/{SECRET}", upstream="https://api.example.com")
TOLD = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("content-length", "17"),
    ("Date", "Mon, 23 Nov 2026 11:00:00 GMT"),
)
FLOW = Pipeline(lambda _: Masker(Ruleset((), ()), PseudonymKey("k1", b"k" * 32), prefilter=False), enrich)
REASONS = ["request-unknown", "request-withheld", "propagation-limit", "masker-killed"]


def ready(strand: Any, record: Any) -> Ready:
    sealed = parse_sealed(record.value)
    payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
    return Ready(Piece(0, sealed.header, payload.meta, payload.body))


def answer(strand: Any, body: bytes = SECRET.encode(), **facts: Any) -> Ready:
    return ready(strand, strand.response(body, exchange=strand.new_exchange(), **facts))


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("body", [SECRET.encode(), b""])
def test_an_answers_head_is_told_by_a_closed_list(
    new_strand: Callable[..., Any], reason: str, body: bytes
) -> None:
    """Status, lengths and safe fields stay; phrase, names, values and trailers of the target's do not."""
    free = (("X-Echo", SECRET), (f"X-{SECRET}", "1"), ("Content-Type", f"text/{SECRET}"), ("Date", SECRET))
    one = answer(
        new_strand(),
        body,
        reason=f"set {SECRET}",
        headers=(*TOLD, *free),
        trailers=(("X-Sum", SECRET),),
        error=ExchangeError(code="upstream-reset", detail=SECRET),
        context=RequestContext(tool="t"),
    )
    (event,) = FLOW.run(one, carried=Carried(refused=reason)).events
    assert SECRET.encode() not in event.value
    meta = without_request(one, Carried(refused=reason)).piece.meta
    assert isinstance(meta, ResponseMeta)
    marker = f"[withheld:{reason}]"
    assert meta.headers == (
        *((name.lower(), value) for name, value in TOLD),
        ("[withheld]", marker),
        ("[withheld]", marker),
        ("content-type", marker),
        ("date", marker),
    )
    assert (meta.status, meta.reason, meta.trailers) == (200, marker, (("[withheld]", marker),))
    assert meta.error == ExchangeError(code="upstream-reset", detail=marker)
    assert meta.body == BodyTotals.model_validate(one.piece.meta.body)  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", REASONS)
def test_a_decision_keeps_its_outcome(new_strand: Callable[..., Any], reason: str) -> None:
    """Comments, reasons and a tool's arguments may repeat anything that their writers saw."""
    said = ReviewerDecision(
        verdict="approve",
        reviewer="joe",
        via="console",
        comment=f"{SECRET} is right",
        at="2026-11-23T00:00:00Z",
    )
    policy = PolicyDecision(effect="deny", policies=("p",), reason=SECRET, digest="", inputs="", micros=1)
    meta = DecisionMeta(
        decision="allow",
        reason=SECRET,
        line=LINE,
        approval=ApprovalMeta(
            id="a", outcome="approved", request_digest="", asked="", needs=(), decisions=(said,), waited_ms=1
        ),
        tool=ToolDecision(id="t", name=SECRET, arguments=SECRET),
        policy=policy,
    )
    strand = new_strand()
    whole = answer(strand)
    piece = Piece(0, whole.piece.header, meta, b"")
    left = without_request(Ready(piece), Carried(refused=reason)).piece.meta
    assert isinstance(left, DecisionMeta)
    told = left.model_copy(update={"line": LINE.model_copy(update={"target": ""})}).model_dump_json()
    assert SECRET not in told
    assert (left.decision, left.approval.outcome if left.approval else "") == ("allow", "approved")
    assert (left.line.target == LINE.target) == (reason == "request-withheld")
    assert without_request(Ready(piece), NOTHING).piece.meta is meta


def test_an_injected_credential_is_masked_in_what_is_left(new_strand: Callable[..., Any]) -> None:
    """Of a request that was withheld the answer's line stays, without what the record says was injected."""
    known = Carried(refused="request-withheld", injected=(SECRET.encode(),))
    (event,) = FLOW.run(answer(new_strand(), target=f"/x/{SECRET}"), carried=known).events
    assert SECRET.encode() not in event.value
    assert "[CREDENTIAL:" in orjson.loads(event.value)["message"]


PICTURE = b"\x89PNG\r\n\xff\xfe\0" + b"\xff\xc0" * 30
TYPED = (("Content-Type", "image/png"),)


@pytest.mark.parametrize(
    ("body", "status", "phrase", "shown"),
    [
        (PICTURE, 400, f"no {SECRET}", "[withheld:binary]"),
        (PICTURE, 404, "Not Found", "Not Found"),
        (PICTURE, 599, "", None),
        (b"text", 400, "Nope", "Nope"),
    ],
)
def test_the_phrase_of_a_withheld_answer_is_not_told(
    new_strand: Callable[..., Any], body: bytes, status: int, phrase: str, shown: str | None
) -> None:
    """A status line has room for what nobody could read; the status's own phrase says nothing."""
    kind = TYPED if body == PICTURE else (("Content-Type", "text/plain"),)
    (event,) = FLOW.run(answer(new_strand(), body, status=status, reason=phrase, headers=kind)).events
    assert SECRET.encode() not in event.value
    assert orjson.loads(event.value)["http_response"].get("status") == shown


def test_the_answer_to_a_picture_says_no_phrase_and_nothing_read_in_it(
    new_strand: Callable[..., Any],
) -> None:
    """What can be read in a request that is no text is masked in its answer; the phrase goes all the same."""
    strand = new_strand()
    body = PICTURE + b'{"password": "%s"}' % SECRET.encode() + PICTURE
    asked = ready(strand, strand.request(body, exchange=strand.new_exchange(), headers=TYPED))
    known = FLOW.carried(asked)
    assert known.unread
    assert [secret.value for secret in known.secrets] == [SECRET.encode()]
    one = answer(
        strand, b"I set %s." % SECRET.encode(), reason="so be it, bob", headers=(("X-Echo", SECRET),)
    )
    (event,) = FLOW.run(one, carried=known).events
    assert SECRET.encode() not in event.value
    told = orjson.loads(event.value)
    assert told["http_response"]["status"] == "[withheld:request-withheld]"
    assert told["unmapped"]["tacho"]["body"].startswith("I set [PASSWORD:")
