"""Facts: all that others wrote goes through the masker, nothing of ours is lost on the way."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.facts import Unmaskable, content_of, meta_parts, stub_meta, with_masked
from tachograph.schemas.payload import (
    ApprovalMeta,
    ApprovalNeeded,
    BodyTotals,
    ChunkMeta,
    DecisionMeta,
    ExchangeError,
    Meta,
    PolicyDecision,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    ReviewerDecision,
    SessionCloseMeta,
    Timing,
    ToolDecision,
)

SECRET = "s3cr3t"
LINE = RequestLine(method=f"M-{SECRET}", target=f"/a?k={SECRET}", upstream="https://up.example.com")
CONTEXT = RequestContext(
    model=SECRET, stream=True, rpc_method=SECRET, rpc_id=SECRET, tool=SECRET, tool_use_id=SECRET
)
BODY = BodyTotals(length=7, sha256="a" * 64, chunks=2)
FIELDS = (("X-Key", SECRET), ("accept", "*/*"))
JUDGED = PolicyDecision(
    effect="deny", policies=("no-rm",), reason=f"never {SECRET}", digest="c" * 64, inputs="d" * 64, micros=90
)
REQUEST = RequestMeta(
    line=LINE,
    http_version="1.1",
    headers=FIELDS,
    client="10.0.0.1:9",
    context=CONTEXT,
    body=BODY,
    decision=JUDGED,
)
RESPONSE = ResponseMeta(
    status=500,
    reason=f"Broken {SECRET}",
    http_version="1.1",
    headers=FIELDS,
    trailers=FIELDS,
    origin="upstream",
    request=LINE,
    context=CONTEXT,
    body=BODY,
    timing=Timing(start=1, end=2),
    error=ExchangeError(code="upstream-reset", detail=f"after {SECRET}"),
)
CHUNK = ChunkMeta(index=3, offset=9, sha256="b" * 64, content_type=f"x/{SECRET}", content_encoding=SECRET)
SAID = ReviewerDecision(
    verdict="deny",
    reviewer="ruth",
    groups=("ops",),
    via="console",
    comment=f"the key is {SECRET}",
    at="2026-11-23T00:00:00.000000000Z",
)
APPROVAL = ApprovalMeta(
    id="1",
    outcome="denied",
    request_digest="d" * 64,
    asked="2026-11-23T00:00:00.000000000Z",
    needs=(ApprovalNeeded(group="ops", reviewers=1, policy="no-rm"),),
    decisions=(SAID.model_copy(update={"comment": "", "verdict": "approve"}), SAID),
    waited_ms=7,
)
DECISION = DecisionMeta(decision="deny", reason=f"because {SECRET}", line=LINE, approval=APPROVAL)
CALLED = DecisionMeta(
    decision="deny",
    reason=f"because {SECRET}",
    line=LINE,
    tool=ToolDecision(id=SECRET, name=SECRET, arguments=f'{{"k": "{SECRET}"}}', replacement=f"no {SECRET}"),
    policy=JUDGED,
)
CLOSE = SessionCloseMeta(records=4, reason="idle")
ALL: tuple[Meta, ...] = (REQUEST, RESPONSE, CHUNK, DECISION, CALLED, CLOSE)


def masked(meta: Meta) -> Meta:
    """A masker that finds exactly our secret."""
    return with_masked(
        meta, {part.name: part.data.replace(SECRET.encode(), b"[X]") for part in meta_parts(meta)}
    )


@pytest.mark.parametrize("meta", ALL, ids=lambda meta: meta.kind)
def test_every_foreign_fact_is_masked(meta: Meta) -> None:
    """A secret in any fact that a client or a target writes is gone afterwards."""
    assert SECRET not in masked(meta).model_dump_json()


@pytest.mark.parametrize("meta", ALL, ids=lambda meta: meta.kind)
def test_a_stub_holds_no_foreign_fact(meta: Meta) -> None:
    """What is left when nothing can be masked is only our own."""
    assert SECRET not in stub_meta(meta).model_dump_json()


@pytest.mark.parametrize("make", [masked, stub_meta])
def test_the_hash_of_what_a_policy_read_stays_behind(make: Any) -> None:
    """A short secret could be guessed from it; which policies decided, and how, goes on."""
    told = make(REQUEST).decision
    assert told.inputs == ""
    assert (told.effect, told.policies, told.digest, told.micros) == ("deny", ("no-rm",), "c" * 64, 90)


@pytest.mark.parametrize("make", [masked, stub_meta])
def test_a_reviewers_comment_is_masked_and_who_said_it_stays(make: Any) -> None:
    """People paste what they look at; the stub of a record that cannot be masked has no comment at all."""
    told = make(DECISION).approval
    assert [said.comment for said in told.decisions] == ["", "the key is [X]" if make is masked else ""]
    bare = [said.model_copy(update={"comment": ""}) for said in told.decisions]
    assert bare == [said.model_copy(update={"comment": ""}) for said in APPROVAL.decisions]
    assert told.model_copy(update={"decisions": ()}) == APPROVAL.model_copy(update={"decisions": ()})


def test_our_own_facts_stay() -> None:
    """Status, timing, upstream, client, lengths and places come out as they went in."""
    response = masked(RESPONSE)
    assert isinstance(response, ResponseMeta)
    assert (response.status, response.timing, response.origin) == (500, RESPONSE.timing, "upstream")
    assert response.request == RequestLine(method="M-[X]", target="/a?k=[X]", upstream=LINE.upstream)
    assert response.headers == (("X-Key", "[X]"), ("accept", "*/*"))
    assert response.error == ExchangeError(code="upstream-reset", detail="after [X]")
    assert response.context.stream is True
    chunk = masked(CHUNK)
    assert isinstance(chunk, ChunkMeta)
    assert (chunk.index, chunk.offset, chunk.content_encoding) == (3, 9, "[X]")
    assert masked(CLOSE) == CLOSE


@pytest.mark.parametrize("meta", [REQUEST, RESPONSE, CHUNK], ids=lambda meta: meta.kind)
def test_the_hash_of_raw_bytes_stays_behind(meta: Meta) -> None:
    """A short secret could be guessed from an unsalted hash of the body."""
    for after in (masked(meta), stub_meta(meta)):
        assert "a" * 64 not in after.model_dump_json()
        assert "b" * 64 not in after.model_dump_json()


def test_ordinary_methods_and_phrases_cost_nothing() -> None:
    """GET and OK are known words: no part is made for them."""
    line = RequestLine(method="GET", target="/", upstream="https://up.example.com")
    meta = RESPONSE.model_copy(
        update={"request": line, "status": 200, "reason": "OK", "error": None, "context": RequestContext()}
    )
    assert [part.name for part in meta_parts(meta)] == ["target", "headers", "trailers"]


@pytest.mark.parametrize("name", ["target", "headers", "trailers", "texts"])
@pytest.mark.parametrize("data", [None, b"nonsense", b"[[1]]", b"[1]", b'"text"', b"{}"])
def test_facts_that_come_back_wrong_are_refused(name: str, data: bytes | None) -> None:
    """A part that is missing or of another shape is an `Unmaskable`, never a fact let through."""
    parts: dict[str, Any] = {part.name: part.data for part in meta_parts(RESPONSE)}
    if data is None:
        del parts[name]
    else:
        parts[name] = data
    if name == "target" and data is not None:
        assert SECRET not in with_masked(RESPONSE, parts).model_dump()["request"]["target"]
        return
    with pytest.raises(Unmaskable):
        with_masked(RESPONSE, parts)


def test_content_is_named_by_its_headers() -> None:
    """The first Content-Type counts, every Content-Encoding does, names without case."""
    headers = [
        ("CONTENT-TYPE", "a/b"),
        ("content-type", "c/d"),
        ("Content-Encoding", "gzip"),
        ("content-encoding", "br"),
    ]
    assert content_of(headers) == ("a/b", "gzip, br")
    assert content_of([]) == (None, None)


@given(
    target=st.text(st.characters(max_codepoint=255), max_size=40),
    headers=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20)), max_size=4),
)
def test_facts_without_secrets_come_back_as_they_were(target: str, headers: list[tuple[str, str]]) -> None:
    """Through the parts and back again changes nothing but the hashes."""
    encodable = [(name, value) for name, value in headers if _encodable(name) and _encodable(value)]
    line = LINE.model_copy(update={"target": target})
    meta = REQUEST.model_copy(update={"line": line, "headers": tuple(encodable)})
    back = with_masked(meta, {part.name: part.data for part in meta_parts(meta)})
    decision = JUDGED.model_copy(update={"inputs": ""})
    hashless = {"body": BODY.model_copy(update={"sha256": ""}), "decision": decision}
    assert back == meta.model_copy(update=hashless)


def _encodable(text: str) -> bool:
    try:
        orjson.dumps(text)
    except TypeError:
        return False
    return True
