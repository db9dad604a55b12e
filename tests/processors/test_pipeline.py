"""The pipeline: pure, and closed in every way in which masking or enrichment can fail."""

import base64
import uuid
from collections.abc import Callable, Container, Sequence
from typing import Any

import orjson
import pytest

from tachograph.processors.assemble import Piece, Ready
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.errors import Poisoned
from tachograph.processors.masking.carried import Carried, Masked, Secret
from tachograph.processors.masking.masker import MaskedPart, Masker, Part, PseudonymKey, Span
from tachograph.processors.masking.ruleset import Ruleset
from tachograph.processors.pipeline import MAX_EVENT_BYTES, Enrich, Pipeline, RulesMissing
from tachograph.processors.record import Emitted, MaskedRecord
from tachograph.processors.unseal import open_piece
from tachograph.schemas.commitments import MAX_REMOVED, commitment, salt_key, value_salt
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Direction, Protocol
from tachograph.schemas.payload import RequestMeta, decode_payload

SECRET = b"hunter2"
EXCHANGE = uuid.UUID(int=7)
MASKER = Masker(Ruleset((), ()), PseudonymKey("k1", b"k" * 32), prefilter=False)


class Plain:
    """A masker that knows one secret, and fails for the parts that it is told to."""

    digest = "f" * 64

    def __init__(self, *, withhold: Sequence[str] = (), crash: Sequence[str] = ()) -> None:
        self.withhold, self.crash = withhold, crash

    def mask(self, parts: Sequence[Part]) -> Sequence[MaskedPart]:
        if any(part.name in self.crash for part in parts):
            raise RuntimeError("a bug that holds hunter2")
        return tuple(self._one(part) for part in parts)

    def mask_with(self, parts: Sequence[Part], known: Carried) -> Masked:
        found = (
            (Secret("rule", "PASSWORD", 60, SECRET),) if any(SECRET in part.data for part in parts) else ()
        )
        return Masked(tuple(self.mask(parts)), Carried((*found, *known.secrets)))

    def _one(self, part: Part) -> MaskedPart:
        if part.name in self.withhold:
            return MaskedPart(part.name, None, "binary", 0, ())
        spans = (Span("rule", "PASSWORD", 0, 1),) * part.data.count(SECRET)
        return MaskedPart(part.name, part.data.replace(SECRET, b"[PASSWORD]"), None, len(part.data), spans)


def piece(strand: Any, record: Any, offset: int = 0) -> Piece:
    sealed = parse_sealed(record.value)
    payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
    return Piece(offset, sealed.header, payload.meta, payload.body)


def request(strand: Any, body: bytes = b'{"p":"hunter2"}', **facts: Any) -> Ready:
    return Ready(piece(strand, strand.request(body, exchange=strand.new_exchange(), **facts)))


def pipeline(masker: Plain, told: Enrich = enrich) -> Pipeline:
    return Pipeline(lambda _: masker, told)


def one(masker: Plain, ready: Ready) -> MaskedRecord:
    (record,) = pipeline(masker).masked(ready)
    return record


def test_body_and_facts_are_masked_and_counted(new_strand: Callable[..., Any]) -> None:
    """The record carries masked text, masked facts, how often which rule hit, and the rules' digest."""
    record = one(Plain(), request(new_strand(), target="/x?p=hunter2"))
    assert record.body == b'{"p":"[PASSWORD]"}'
    assert isinstance(record.meta, RequestMeta)
    assert record.meta.line.target == "/x?p=[PASSWORD]"
    assert record.masked == {"rule": 2}
    assert (record.ruleset, record.withheld, record.decoded_len) == ("f" * 64, None, 15)


def test_a_withheld_body_keeps_its_facts_and_says_why(new_strand: Callable[..., Any]) -> None:
    """Fail closed: no body, a reason, and everything else."""
    record = one(Plain(withhold=["body"]), request(new_strand()))
    assert (record.body, record.withheld) == (None, "binary")
    assert isinstance(record.meta, RequestMeta)
    assert record.meta.headers


def test_a_masker_that_raises_withholds_the_body(new_strand: Callable[..., Any]) -> None:
    """Whatever it raised, the facts are masked without the body, and its text goes nowhere."""
    record = one(Plain(crash=["body"]), request(new_strand()))
    assert (record.body, record.withheld) == (None, "masker-error")
    assert isinstance(record.meta, RequestMeta)
    assert record.meta.line.target


@pytest.mark.parametrize("reason", ["registry-unknown", "registry-unusable"])
def test_a_record_whose_rules_are_missing_is_told_by_its_header_alone(
    new_strand: Callable[..., Any], reason: str
) -> None:
    """No other registry's rules take their place: what only they hide may stand anywhere in the record."""
    asked: list[tuple[str | None, str | None]] = []
    withheld: list[str] = []

    def missing(connection: str | None, registry: str | None) -> Plain:
        asked.append((connection, registry))
        raise RulesMissing(reason)

    flow = Pipeline(lambda _: Plain(), enrich, by_registry=missing, count_withheld=withheld.append)
    ready = request(new_strand(registry="a" * 16), target="/x?p=hunter2", headers=[("x-p", "hunter2")])
    told = flow.run(ready)
    (event,) = told.events
    assert SECRET not in event.value
    tacho = orjson.loads(event.value)["unmapped"]["tacho"]
    assert (tacho["withheld"], tacho["ruleset"], tacho["registry"]) == (reason, "none", "a" * 16)
    assert (asked, withheld) == ([("api", "a" * 16)], [reason])
    assert told.carried.refused == "request-unknown"  # so its answer is not masked by half of what it held


@pytest.mark.parametrize(
    ("masker", "reason"),
    [(Plain(withhold=["headers"]), "meta:binary"), (Plain(crash=["target"]), "meta:masker-error")],
)
def test_facts_that_cannot_be_masked_leave_a_stub(
    new_strand: Callable[..., Any], masker: Plain, reason: str
) -> None:
    """The session keeps a record without a hole: header, lengths, and the reason."""
    ready = request(new_strand(), target="/x?p=hunter2")
    record = one(masker, ready)
    assert (record.header, record.body, record.withheld) == (ready.piece.header, None, reason)
    assert isinstance(record.meta, RequestMeta)
    assert (record.meta.headers, record.meta.line.target) == ((), "")
    (event,) = pipeline(masker).run(ready).events
    assert event.uid == ready.piece.header.uid
    assert SECRET not in event.value


def test_a_long_body_is_masked_whole_and_cut_into_its_chunks(new_strand: Callable[..., Any]) -> None:
    """A secret over two chunks is seen; the slices together are the masked text."""
    strand = new_strand()
    *chunks, end = [
        piece(strand, record)
        for record in strand.chunked(
            [b"say hun", b"ter2 and ", "größe".encode()], exchange=strand.new_exchange()
        )
    ]
    *slices, closing = pipeline(Plain()).masked(Ready(end, tuple(chunks)))
    assert closing.body == "say [PASSWORD] and größe".encode()
    assert b"".join(record.body or b"" for record in slices) == closing.body
    assert [record.header.uid for record in slices] == [chunk.header.uid for chunk in chunks]
    assert all((record.body or b"").decode() for record in slices)


def long_request(strand: Any, body: bytes, target: str) -> Ready:
    """A request in three chunks."""
    third = len(body) // 3
    pieces = [body[:third], body[third : 2 * third], body[2 * third :]]
    *chunks, end = [
        piece(strand, record)
        for record in strand.chunked(
            pieces, exchange=strand.new_exchange(), direction=Direction.REQUEST, target=target
        )
    ]
    return Ready(end, tuple(chunks))


def tacho(event: Emitted) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(event.value)["unmapped"]["tacho"]
    return found


CONVERSATION = orjson.dumps(
    {
        "model": "m",
        "messages": [
            {"role": "user", "content": "say hunter2"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": "please"},
        ],
    }
)


def test_what_stands_in_messages_is_not_said_again_by_chunks(new_strand: Callable[..., Any]) -> None:
    """A long LLM request is stored once: its messages, the rest of its body, and chunks without text."""
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    events = pipeline(Plain()).run(long_request(strand, CONVERSATION, "/v1/messages")).events
    assert [event.type for event in events] == ["chunk"] * 3 + ["request"] + ["message"] * 3
    blocks = [tacho(event) for event in events]
    assert [block["chunk"]["text_in"] for block in blocks[:3]] == ["messages"] * 3
    assert not any("body" in block for block in blocks[:3])
    assert orjson.loads(blocks[3]["body"]) == {"model": "m"}
    assert [orjson.loads(block["body"])["role"] for block in blocks[4:]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("target", ["/v1/messages", "/v1/unknown"])
def test_chunks_keep_the_text_that_stands_nowhere_else(new_strand: Callable[..., Any], target: str) -> None:
    """A body that was not taken apart stays in its chunks, whatever it was meant to be."""
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    body = b'{"messages": "none of that ' + b"x" * 90
    events = pipeline(Plain()).run(long_request(strand, body, target)).events
    assert "".join(tacho(event)["body"] for event in events if event.type == "chunk").encode() == body


def test_a_mistake_of_ours_leaves_the_text_in_the_chunks(
    new_strand: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what really was told in messages leaves the chunks."""

    def explode(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tachograph.processors.enrichment.enrich.read", explode)
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    events = pipeline(Plain()).run(long_request(strand, CONVERSATION, "/v1/messages")).events
    text = "".join(tacho(event)["body"] for event in events if event.type == "chunk")
    assert text == CONVERSATION.decode().replace("hunter2", "[PASSWORD]")


def test_known_messages_are_left_out_and_nothing_else_changes(new_strand: Callable[..., Any]) -> None:
    """What is known saves work; it is never seen in a byte of what is told."""
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    ready = long_request(strand, CONVERSATION, "/v1/messages")
    everything = pipeline(Plain()).run(ready).events
    known = {everything[4].uid, everything[5].uid}
    assert pipeline(Plain()).run(ready, known=known).events == (*everything[:4], everything[6])


def test_a_long_body_that_is_withheld_withholds_its_chunks(new_strand: Callable[..., Any]) -> None:
    """No slice of a body that could not be masked gets out."""
    strand = new_strand()
    *chunks, end = [
        piece(strand, r) for r in strand.chunked([b"hun", b"ter2"], exchange=strand.new_exchange())
    ]
    records = list(pipeline(Plain(withhold=["body"])).masked(Ready(end, tuple(chunks))))
    assert [(record.body, record.withheld) for record in records] == [(None, "binary")] * 3


def test_a_released_chunk_keeps_its_reason(new_strand: Callable[..., Any]) -> None:
    """What the assembler withheld is never given to the masker."""
    strand = new_strand()
    chunk = piece(strand, strand.chunked([b"hunter2"], exchange=strand.new_exchange())[0])
    record = one(Plain(), Ready(chunk, withheld="stream-too-long"))
    assert (record.body, record.withheld) == (None, "stream-too-long")


def test_an_empty_body_is_empty_and_not_withheld(new_strand: Callable[..., Any]) -> None:
    """No body sent is no body withheld."""
    assert (
        one(Plain(), request(new_strand(), b"")).body,
        one(Plain(), request(new_strand(), b"")).withheld,
    ) == (b"", None)


def test_an_event_too_large_for_the_topic_is_told_without_its_body(new_strand: Callable[..., Any]) -> None:
    """Nothing waits forever behind a record that Kafka refuses."""

    def told(record: MaskedRecord, *, known: Container[uuid.UUID]) -> tuple[Emitted, ...]:
        assert not known
        value = b"x" * (MAX_EVENT_BYTES + 1 if record.body else 5)
        said = (record.withheld or "").encode()
        return (Emitted(record.header.uid, record.header.session, "request", "2026.11.23", value + said),)

    (event,) = pipeline(Plain(), told).run(request(new_strand())).events
    assert event.value == b"xxxxxdocument-too-large"


def test_enrichment_that_always_fails_is_poison(new_strand: Callable[..., Any]) -> None:
    """Our own bug sends the record to the dead letter, with a reason that holds nothing of it."""

    def broken(record: MaskedRecord, *, known: Container[uuid.UUID]) -> tuple[Emitted, ...]:
        assert not known
        raise KeyError(record.body)

    with pytest.raises(Poisoned) as caught:
        pipeline(Plain(), broken).run(request(new_strand()))
    assert caught.value.reason == "enrichment-error:KeyError"
    assert "hunter2" not in str(caught.value)


def test_the_same_records_give_the_same_bytes(new_strand: Callable[..., Any]) -> None:
    """Two pipelines, one input: byte-equal events that are JSON under the record's uid."""
    ready = request(new_strand())
    first, second = (pipeline(Plain()).run(ready).events for _ in range(2))
    assert first == second
    assert orjson.loads(first[0].value)["metadata"]["uid"] == str(ready.piece.header.uid)


def test_what_is_withheld_is_counted_by_reason(new_strand: Callable[..., Any]) -> None:
    """An operator sees how much is not shown, and why."""
    reasons: list[str] = []
    counting = Pipeline(lambda _: Plain(withhold=["body"]), enrich, count_withheld=reasons.append)
    counting.run(request(new_strand()))
    counting.run(request(new_strand(), b""))
    assert reasons == ["binary"]


def answer(strand: Any, body: bytes = b"I set hunter2 for you", **facts: Any) -> Ready:
    return Ready(piece(strand, strand.response(body, exchange=strand.new_exchange(), **facts)))


def test_a_request_tells_what_its_answer_is_masked_by(new_strand: Callable[..., Any]) -> None:
    """With its events, and alone where it is read again."""
    ready = request(new_strand())
    told = pipeline(Plain()).run(ready)
    assert [secret.value for secret in told.carried.secrets] == [SECRET]
    assert pipeline(Plain()).carried(ready) == told.carried


@pytest.mark.parametrize("reason", ["request-unknown", "propagation-limit"])
def test_an_answer_is_not_told_without_knowledge(new_strand: Callable[..., Any], reason: str) -> None:
    """Its body is withheld with the reason; its facts stay, and an empty body has nothing to withhold."""
    refused = Carried(refused=reason)
    (event,) = pipeline(Plain()).run(answer(new_strand()), carried=refused).events
    tacho = orjson.loads(event.value)["unmapped"]["tacho"]
    assert (tacho.get("body"), tacho["withheld"]) == (None, reason)
    (event,) = pipeline(Plain()).run(answer(new_strand(), b""), carried=refused).events
    assert "withheld" not in orjson.loads(event.value)["unmapped"]["tacho"]


def test_a_request_that_could_not_be_read_holds_back_its_answer(new_strand: Callable[..., Any]) -> None:
    """Nobody knows what the answer repeats of it; of an image or a recording it can repeat no text."""
    ready = request(new_strand())
    too_large = Ready(ready.piece, withheld="body-too-large")
    assert pipeline(Plain()).carried(too_large) == Carried(refused="request-withheld")
    assert pipeline(Plain(withhold=["headers"])).carried(ready) == Carried(refused="request-unknown")
    assert pipeline(Plain(withhold=["body"])).carried(ready).refused is None  # it is binary


@pytest.mark.parametrize(
    "spelling",
    [b"Zq9-foo77", b"%5aq9-foo77", b"Zq9-foo77".hex().encode(), base64.b64encode(b"user:Zq9-foo77")],
)
def test_what_the_record_says_was_injected_is_masked_in_both(
    new_strand: Callable[..., Any], spelling: bytes
) -> None:
    """Whatever the masker knows of the registry: by the name of known credentials, in every spelling."""
    strand = new_strand()
    flow = Pipeline(lambda _: MASKER, enrich)
    ready = request(strand, b"is it " + spelling, injected=("user:Zq9-foo77", "Zq9-foo77"))
    asked = flow.run(ready)
    assert asked.carried.injected == (b"user:Zq9-foo77", b"Zq9-foo77")
    assert flow.carried(ready) == asked.carried
    facts: dict[str, Any] = {"reason": "no " + spelling.decode(), "headers": (("X", spelling.decode()),)}
    told = flow.run(answer(strand, b"you sent " + spelling, **facts), carried=asked.carried)
    for event in (*asked.events, *told.events):
        assert spelling not in event.value
        assert b"injected" not in event.value
        assert "[CREDENTIAL:k1." in orjson.loads(event.value)["unmapped"]["tacho"]["body"]


def test_what_was_injected_survives_a_request_that_could_not_be_read(new_strand: Callable[..., Any]) -> None:
    """Then too the answer is masked by it."""
    ready = request(new_strand(), injected=("Zq9-foo77",))
    told = pipeline(Plain()).carried(Ready(ready.piece, withheld="body-too-large"))
    assert (told.refused, told.injected) == ("request-withheld", (b"Zq9-foo77",))


def test_a_value_of_the_request_is_masked_in_every_piece_of_its_answer(
    new_strand: Callable[..., Any],
) -> None:
    """With the real masker: in prose cut over two chunks, under the pseudonym that the request shows."""
    strand = new_strand()
    flow = Pipeline(lambda _: MASKER, enrich)
    asked = flow.run(Ready(piece(strand, strand.request(b'{"password":"Zq9Pfoo77"}', exchange=EXCHANGE))))
    *cut, end = [
        piece(strand, record)
        for record in strand.chunked([b"I set Zq9P", b"foo77 for you"], exchange=EXCHANGE)
    ]
    told = flow.run(Ready(end, tuple(cut)), carried=asked.carried).events
    bodies = [orjson.loads(event.value)["unmapped"]["tacho"]["body"] for event in (*asked.events, *told)]
    marker = orjson.loads(bodies[0])["password"]
    assert marker.startswith("[PASSWORD:")
    assert bodies[1] + bodies[2] == bodies[3] == f"I set {marker} for you"


def test_a_message_masked_otherwise_is_another_document(new_strand: Callable[..., Any]) -> None:
    """A message's identity follows from its masked text, so one identity never stands for two contents.

    The same message is sent in two requests of one session and day; only one holds the secret's name.
    """
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    flow = Pipeline(lambda _: MASKER, enrich)
    said = b'{"role":"user","content":"call me Zq9Pfoo77"}'
    plain, named = (
        flow.run(Ready(piece(strand, strand.request(body, exchange=EXCHANGE, target="/v1/messages")))).events
        for body in (
            b'{"model":"m","messages":[%s]}' % said,
            b'{"model":"m","messages":[%s],"metadata":{"password":"Zq9Pfoo77"}}' % said,
        )
    )
    (clear,), (masked,) = ([e for e in events if e.type == "message"] for events in (plain, named))
    assert b"Zq9Pfoo77" in clear.value
    assert b"Zq9Pfoo77" not in masked.value
    assert clear.uid != masked.uid


def opened(strand: Any, record: Any) -> Piece:
    """As the worker opens one: with the key of its salts."""
    return open_piece(parse_sealed(record.value), 0, lambda _: strand.cipher)


def told_of(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(event.value)["unmapped"]["tacho"]
    return found


def salted(message_secret: bytes = b"m" * 32) -> Pipeline:
    return Pipeline(lambda _: MASKER, enrich, message_secret=message_secret)


def test_every_document_has_a_salt_of_its_own(new_strand: Callable[..., Any]) -> None:
    """Records, parts of long bodies and messages; the same on every run."""
    strand = new_strand(connection="llm", protocol=Protocol.LLM)
    said = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"x":"%s"}' % (b"y " * 600_000)
    record = strand.request(said, exchange=EXCHANGE, target="/v1/messages")
    events = salted().run(Ready(opened(strand, record))).events
    assert {event.type for event in events} == {"request", "part", "message"}
    salts = [told_of(event)["salt"] for event in events]
    assert len(set(salts)) == len(events)
    assert salted().run(Ready(opened(strand, record))).events == events


def test_a_messages_salt_does_not_follow_from_who_carried_it(new_strand: Callable[..., Any]) -> None:
    """Two strands of one session tell it in the same bytes; another key of the pseudonyms in others."""
    one = new_strand(connection="llm", protocol=Protocol.LLM)
    two = new_strand(connection="llm", protocol=Protocol.LLM)
    two.session = one.session
    said = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    asked = [
        (strand, strand.request(said, exchange=EXCHANGE, target="/v1/messages")) for strand in (one, two)
    ]
    first, second = (salted().run(Ready(opened(*item))).events for item in asked)
    assert first[1] == second[1]
    assert told_of(first[0])["salt"] != told_of(second[0])["salt"]
    (_, other) = salted(b"o" * 32).run(Ready(opened(*asked[0]))).events
    assert told_of(other)["salt"] != told_of(first[1])["salt"]


def test_each_removed_value_is_committed_to_once(new_strand: Callable[..., Any]) -> None:
    """Who has the strand's key can prove one value; its pseudonym is the one that its marker shows."""
    strand = new_strand()
    ready = Ready(
        opened(strand, strand.request(b'{"password":"Zq9Pfoo77","again":"Zq9Pfoo77"}', exchange=EXCHANGE))
    )
    tacho = told_of(salted().run(ready).events[0])
    (removed,) = tacho["removed"]
    assert f"[{removed['type']}:{removed['pseudonym']}]" in tacho["body"]
    salt = value_salt(salt_key(strand.cipher), tacho["uid"], 0)
    assert removed["commit"] == commitment(salt, b"Zq9Pfoo77")
    assert "removed_more" not in tacho


def test_what_was_removed_is_told_apart_from_the_events(new_strand: Callable[..., Any]) -> None:
    """For the escrow, in the order of the commitments, of chunks too; again the same, and in no event."""
    strand = new_strand()
    body = b'{"password":"Zq9Pfoo77","secret":"Xk4Tbar88"}'
    asked = strand.chunked(
        [body[:23], body[23:]],
        exchange=EXCHANGE,
        direction=Direction.REQUEST,
        target="/x?password=Wm5Rbaz99",
    )
    *chunks, closing = (opened(strand, record) for record in asked)
    ready = Ready(closing, tuple(chunks))
    told, again = salted().run(ready), salted().run(ready)
    assert told == again
    (taken,) = told.taken
    assert set(taken.values) == {b"Zq9Pfoo77", b"Xk4Tbar88", b"Wm5Rbaz99"}
    removed = next(told_of(event)["removed"] for event in told.events if str(event.uid) == taken.uid)
    for index, value in enumerate(taken.values):
        salt = value_salt(taken.salt_key, taken.uid, index)
        assert removed[index]["commit"] == commitment(salt, value)
    assert not any(value in event.value for value in taken.values for event in told.events)
    assert "Zq9Pfoo77" not in repr(told)


def test_very_many_removed_values_have_a_root(new_strand: Callable[..., Any]) -> None:
    """The document stays bounded and commits to all."""
    strand = new_strand()
    body = orjson.dumps([{"password": f"Zq9Pfoo{number}x"} for number in range(MAX_REMOVED + 50)])
    tacho = told_of(salted().run(Ready(opened(strand, strand.request(body, exchange=EXCHANGE)))).events[0])
    assert len(tacho["removed"]) == MAX_REMOVED
    assert tacho["removed_more"]["count"] == MAX_REMOVED + 50


def test_what_is_not_opened_by_its_key_has_no_commitments(new_strand: Callable[..., Any]) -> None:
    """A trial run tells nothing that could be guessed from."""
    strand = new_strand()
    tacho = told_of(salted().run(request(strand, b'{"password":"Zq9Pfoo77"}')).events[0])
    assert {"salt", "removed"} & set(tacho) == set()
