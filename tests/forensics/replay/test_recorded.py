"""Exchanges out of documents: what went in comes out, and what is not there is named."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.errors import NotReplayable
from tachograph.forensics.replay import recorded
from tachograph.forensics.replay.recorded import exchanges_of, requests_of

_TEXT = st.text(max_size=40)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "content": _TEXT.map(lambda text: [{"type": "text", "text": text}]),
        }
    ),
    min_size=1,
    max_size=6,
)


@given(body=st.binary(max_size=300).map(lambda data: data.hex().encode()), cut=st.integers(1, 50))
def test_a_body_in_chunks_comes_back_whole(make_recording: Any, body: bytes, cut: int) -> None:
    """However the gateway cut it, and whichever document comes first."""
    recording = make_recording()
    recording.request(body, headers=[("Content-Type", "text/plain")])
    recording.response(body, headers=[("Content-Type", "text/plain")], pieces=[(cut, 3_000), (cut, 5_000)])
    (found,) = exchanges_of(recording.documents[::-1])
    assert found.missing is None
    assert found.request.body.text.encode() == body
    assert found.response is not None
    assert found.response.body.text.encode() == body
    assert "".join(piece.text for piece in found.response.pieces).encode() == body


@given(messages=_MESSAGES, system=_TEXT)
def test_a_conversation_comes_back_from_its_messages(
    make_recording: Any, messages: list[dict[str, Any]], system: str
) -> None:
    """A request to a model has its messages in documents of their own, in their normal form."""
    recording = make_recording(protocol="llm")
    body = {"model": "m", "system": system, "messages": messages}
    recording.request(orjson.dumps(body), line=("POST", "/v1/messages"))
    (request,) = requests_of(recording.documents)
    assert request.body.missing is None
    assert orjson.loads(request.body.text) == body


def test_openai_responses_have_their_input_back(recording: Any) -> None:
    """There what was said stands under `input`, a text as one message of the user."""
    recording.protocol = "llm"
    recording.request(b'{"model":"m","input":"hello"}', line=("POST", "/v1/responses"))
    (request,) = requests_of(recording.documents)
    said = [{"role": "user", "content": "hello"}]
    assert orjson.loads(request.body.text) == {"model": "m", "input": said}


def test_a_lost_message_is_named(recording: Any) -> None:
    """The request cannot be told then."""
    recording.protocol = "llm"
    messages = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    recording.request(orjson.dumps({"messages": messages}), line=("POST", "/v1/messages"))
    kept = [
        one for one in recording.documents if one["unmapped"]["tacho"].get("message", {}).get("index") != 0
    ]
    (request,) = requests_of(kept)
    assert request.body.missing == "message 1 of its 2 is not on record"
    assert request.body.text == ""


def test_a_long_body_comes_back_from_its_parts(recording: Any) -> None:
    """Or says how many of them there are."""
    body = b'"' + b"x" * 2_500_000 + b'"'
    recording.request(body)
    (request,) = requests_of(recording.documents)
    assert request.body.text.encode() == body
    kept = [one for one in recording.documents if one["unmapped"]["tacho"].get("part", {}).get("index") != 1]
    assert requests_of(kept)[0].body.missing == "1 of 2 further parts of its body are on record"


def test_a_long_stream_comes_back_from_its_chunks(recording: Any) -> None:
    """Or says how many of them there are."""
    body = b"y" * 1_300_000
    recording.request().response(
        body, headers=[("Content-Type", "text/plain")], pieces=[(1_200_000, 3_000), (0, 5_000)]
    )
    (found,) = recording.exchanges
    assert found.response.body.text.encode() == body
    kept = [one for one in recording.documents if one["unmapped"]["tacho"].get("chunk", {}).get("index") != 1]
    assert exchanges_of(kept)[0].missing == "1 of 2 pieces of its body are on record"


def test_what_was_withheld_is_not_there(recording: Any) -> None:
    """And says why."""
    recording.withhold = "binary"
    recording.request(b"\x00", headers=[("Content-Type", "image/png")]).response(b"\x00")
    (found,) = recording.exchanges
    assert found.request.body.missing == found.missing == "its body is withheld (binary)"


def test_an_open_exchange_and_one_that_nobody_answered_have_no_answer(recording: Any) -> None:
    """Each says which it is."""
    recording.request()
    recording.request().response(status=0, error="upstream-refused")
    first, second = recording.exchanges
    assert first.missing is not None
    assert first.missing.startswith("its answer is not on record")
    assert second.missing == "nobody answered then (upstream-refused)"


def test_an_answer_with_a_call_replaced_is_not_given_again(recording: Any) -> None:
    """The record has what the target sent, and the agent got something else."""
    recording.request().response(b"{}")
    exchange = recording.exchanges[0].id
    facts = {
        "type": "decision",
        "uid": "d",
        "exchange": exchange,
        "tool": "wipe",
        "replacement": "Not allowed.",
    }
    recording.documents.append({"unmapped": {"tacho": facts}})
    assert "in place of the call of wipe" in str(recording.exchanges[0].missing)


def test_it_tells_the_line_and_the_time(recording: Any) -> None:
    """Method, path and query apart; times in microseconds after the beginning."""
    recording.request(line=("GET", "/a%20b?x=1&y=2")).response(b"{}", times=(100, 250, 900))
    (found,) = recording.exchanges
    assert found.request.lane == ("target", "GET", "/a%20b")
    assert found.request.query == "x=1&y=2"
    assert (found.asked, found.response.first_byte, found.response.end) == (100, 250, 900)
    assert "x=1&y=2" in found.texts


def test_nothing_is_shown_of_a_body(recording: Any) -> None:
    """Its `repr` shows its length."""
    recording.request(b'"a customer"')
    assert "customer" not in repr(requests_of(recording.documents))


def conversation(recording: Any) -> list[dict[str, Any]]:
    """A request with two messages; the documents, for the test to change."""
    recording.protocol = "llm"
    messages = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    recording.request(orjson.dumps({"messages": messages}), line=("POST", "/v1/messages"))
    documents: list[dict[str, Any]] = recording.documents
    return documents


def test_a_conversation_that_comes_back_to_itself_is_malformed(recording: Any) -> None:
    """Its text would be repeated as often as it says."""
    documents = conversation(recording)
    for document in documents:
        facts = document["unmapped"]["tacho"]
        if "message" in facts:
            facts["message"]["parent"] = facts["message"]["hash"]
        if "conversation" in facts:
            facts["conversation"]["count"] = 100_000
    with pytest.raises(NotReplayable, match="comes before itself"):
        requests_of(documents)


def test_a_conversation_of_too_many_messages_is_not_put_together(recording: Any) -> None:
    """And says so; a beginning left out would be another request."""
    documents = conversation(recording)
    for document in documents:
        if talk := document["unmapped"]["tacho"].get("conversation"):
            talk["count"] = recorded.MAX_MESSAGES + 1
    (request,) = requests_of(documents)
    assert request.body.missing == "its conversation has more than 100000 messages"


def test_all_bodies_together_have_a_bound(recording: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests may name the same long message."""
    documents = conversation(recording)
    monkeypatch.setattr(recorded, "MAX_TEXT", 2 * (recorded.PIECE + 100))
    assert requests_of(documents)[0].body.missing is None
    monkeypatch.setattr(recorded, "MAX_TEXT", 2 * recorded.PIECE)
    with pytest.raises(NotReplayable, match="put together"):
        requests_of(documents)
