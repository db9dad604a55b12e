"""Every record gives valid events, the same on every run, whatever its content is."""

from __future__ import annotations

import json
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.processors.enrichment import enrich as module
from tachograph.processors.enrichment.bounds import BODY_BYTES, RECORD_BYTES
from tachograph.processors.enrichment.clock import day_of
from tachograph.processors.enrichment.enrich import enrich
from tachograph.schemas.derived import Naming
from tachograph.schemas.event import Protocol, event_uid
from tachograph.schemas.payload import RequestContext

MESSAGES = [
    {"role": "user", "content": "What is in /a and /b?"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "/a"}},
            {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {"path": "/b"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "[SECRET:ab12]"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "nothing", "is_error": True},
        ],
    },
]
REQUEST = {"model": "claude-opus-5-5", "system": "Be brief.", "stream": True, "messages": MESSAGES}
ANSWER = {
    "type": "message",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Done."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "output_tokens": 5},
}
EVENTS = [
    {"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 9}}},
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "n"},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]
CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
COMPLETION = {
    "model": "gpt-5",
    "choices": [{"message": {"content": "ho"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}
RESPONSES = {"model": "gpt-5", "input": "hi", "instructions": "x"}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "read", "arguments": {"path": "/a"}, "_meta": {"claudecode/toolUseId": "toolu_1"}},
}
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "x"}], "isError": True}}
ERROR = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such tool"}}
SHAPES = [
    ("/v1/messages", REQUEST),
    ("/v1/messages", ANSWER),
    ("/v1/chat/completions", CHAT),
    ("/v1/chat/completions", COMPLETION),
    ("/v1/responses", RESPONSES),
    ("/mcp", CALL),
    ("/mcp", RESULT),
    ("/mcp", [CALL, ERROR]),
]


def sse(events: Any) -> str:
    several = events if isinstance(events, list) else [events]
    return "".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in several)


def real_world(records: Any) -> list[Any]:
    """Exchanges as agents really have them."""
    context = RequestContext(rpc_method="tools/call", rpc_id="1", tool="read", tool_use_id="toolu_1")
    found = [records.request(Protocol.LLM, "/v1/messages?beta=true", REQUEST)]
    found += [
        records.response(Protocol.LLM, "/v1/messages", body, content_type=kind)
        for body, kind in [
            (ANSWER, "application/json"),
            (sse(EVENTS), "text/event-stream"),
            (sse(EVENTS[:3]), "text/event-stream"),
            (sse(EVENTS), "application/json"),
            ({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, "application/json"),
            ({"input_tokens": 3}, "application/json"),
        ]
    ]
    for path, body in [
        ("/v1/chat/completions", CHAT),
        ("/v1/responses", RESPONSES),
        ("/v1/embeddings", CHAT),
    ]:
        found.append(records.request(Protocol.LLM, path, body))
        found.append(records.response(Protocol.LLM, path, COMPLETION))
    for body in (CALL, [CALL, CALL], {"jsonrpc": "2.0", "method": "notifications/initialized"}, b""):
        found.append(records.request(Protocol.MCP, "/mcp", body))
    for body in (RESULT, ERROR, [RESULT, ERROR], b"", b"<html>"):
        found.append(records.response(Protocol.MCP, "/mcp", body, context=context))
    found.append(
        records.response(Protocol.MCP, "/mcp", sse([CALL, RESULT]), content_type="text/event-stream")
    )
    return found


def told(found: list[dict[str, Any]]) -> None:
    """No event came only from a fallback: those are for our own mistakes, not for any content."""
    for event in found:
        error = event["unmapped"]["tacho"].get("enrichment_error", "")
        assert "could" not in error, error


# --- valid, always ---------------------------------------------------------------------------------------


def test_every_kind_of_record_gives_valid_events(all_kinds: Any, events: Any) -> None:
    """Each event fits our models, our JSON Schema and Kafka's limit."""
    for record in all_kinds:
        found = events(record)
        told(found)
        assert found[0]["unmapped"]["tacho"]["type"] == record.header.type.value


def test_real_exchanges_give_valid_events(records: Any, events: Any) -> None:
    """Streams, errors, batches, notifications and lies about the content type."""
    for record in real_world(records):
        told(events(record))


def test_every_event_is_valid_ocsf(all_kinds: Any, records: Any, events: Any, ocsf: Any) -> None:
    """Each event fits OCSF 1.9: types, requirements, enums and their siblings, constraints, profiles."""
    for record in [*all_kinds, *real_world(records)]:
        for event in events(record):
            assert ocsf.problems(event) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("status_id",), "1"),
        (("status",), "Fine"),
        (("class_name",), "Another"),
        (("metadata", "profiles"), ["host"]),
        (("metadata", "nonsense"), 1),
        (("nonsense",), 1),
        (("src_endpoint", "ip"), "300.1.1.1"),
        (("src_endpoint", "port"), 70_000),
        (("http_request", "url"), {}),
        (("http_request", "http_method"), "BREW"),
        (("actor",), {}),
    ],
)
def test_the_judge_has_teeth(records: Any, events: Any, ocsf: Any, path: tuple[str, ...], value: Any) -> None:
    """One wrong value anywhere, and the OCSF validator says so."""
    (event, *_) = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))
    place = event
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert ocsf.problems(event)


def test_the_judge_misses_what_is_required(records: Any, events: Any, ocsf: Any) -> None:
    """Each required attribute that is taken out is missed."""
    (event, *_) = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))
    for name in ("time", "src_endpoint", "type_uid", "severity_id", "activity_id"):
        assert ocsf.problems({key: value for key, value in event.items() if key != name})


@given(st.binary(max_size=300), st.sampled_from(Protocol), st.sampled_from([path for path, _ in SHAPES]))
def test_any_bytes_give_valid_events(
    records: Any, events: Any, body: bytes, protocol: Protocol, path: str
) -> None:
    """Arbitrary bytes as request, answer, events and slices."""
    told(events(records.request(protocol, path, body)))
    for kind in ("application/json", "text/event-stream", "image/png"):
        told(events(records.response(protocol, path, body, content_type=kind)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


def _mutated(data: st.DataObject, value: Any) -> Any:
    """The same shape with some places replaced, dropped or doubled."""
    if data.draw(st.integers(0, 12)) == 0:
        return data.draw(JSON)
    if isinstance(value, dict):
        found = {key: _mutated(data, item) for key, item in value.items() if data.draw(st.integers(0, 15))}
        return found | data.draw(st.dictionaries(st.sampled_from([*value, "x"]), JSON, max_size=1))
    if isinstance(value, list):
        return [
            _mutated(data, item) for item in value for _ in range(data.draw(st.sampled_from([1, 1, 1, 0, 2])))
        ]
    return value


UNHASHABLE = {
    "type": {},
    "service_tier": [],
    "role": {},
    "usage": {"service_tier": {}},
    "content": [{"type": []}],
}


@pytest.mark.parametrize("path", [path for path, _ in SHAPES])
def test_names_that_are_no_text_are_no_names(records: Any, events: Any, path: str) -> None:
    """Objects and lists stand where an API puts a name; looking them up once raised."""
    for body in (UNHASHABLE, {"messages": [UNHASHABLE], "input": [UNHASHABLE], "output": [UNHASHABLE]}):
        for protocol in (Protocol.LLM, Protocol.MCP):
            told(events(records.request(protocol, path, body)))
            told(events(records.response(protocol, path, body)))
            told(events(records.response(protocol, path, sse(body), content_type="text/event-stream")))


@settings(max_examples=100)
@given(st.data())
def test_mutated_real_shapes_give_valid_events(records: Any, events: Any, data: st.DataObject) -> None:
    """What almost is an LLM or MCP exchange is told as far as it is one."""
    path, shape = data.draw(st.sampled_from(SHAPES))
    protocol = Protocol.MCP if path == "/mcp" else Protocol.LLM
    body = json.dumps(_mutated(data, shape))
    told(events(records.request(protocol, path, body)))
    told(events(records.response(protocol, path, body)))
    streamed = sse(_mutated(data, EVENTS if protocol is Protocol.LLM else [CALL, RESULT]))
    cut = streamed[: data.draw(st.integers(0, len(streamed)))]
    told(events(records.response(protocol, path, cut, content_type="text/event-stream")))


# --- the same, always ------------------------------------------------------------------------------------


def test_a_second_run_gives_the_same_bytes(all_kinds: Any, records: Any) -> None:
    """Enrichment is a pure function of the record."""
    for record in [*all_kinds, *real_world(records)]:
        assert enrich(record) == enrich(record)


def test_a_message_is_the_same_whichever_request_carries_it(records: Any) -> None:
    """Another exchange, sequence, time of day, principal's claim or connection setting changes no byte."""
    one = records.request(Protocol.LLM, "/v1/messages", REQUEST | {"messages": MESSAGES[:1]})
    later = records.with_header(
        exchange=uuid.UUID(int=9),
        seq=99,
        uid=event_uid(one.header.session, one.header.epoch, 99),
        ts="2026-11-23T23:59:59.999999999Z",
    )
    other = later.request(Protocol.LLM, "/v1/messages", REQUEST | {"model": "another"}, masked={}, client="")
    assert enrich(one)[1:] == enrich(other)[1:2]


def test_another_day_has_its_own_messages(records: Any) -> None:
    """A daily index is complete in itself."""
    tomorrow = records.with_header(ts="2026-11-24T00:00:00.000000000Z")
    one, other = (enrich(item.request(Protocol.LLM, "/v1/messages", REQUEST)) for item in (records, tomorrow))
    assert {item.uid for item in one[1:]}.isdisjoint(item.uid for item in other[1:])
    assert {item.day for item in other} == {"2026.11.24"}


def test_known_messages_are_not_built_again(records: Any) -> None:
    """The record's own document always comes; of its messages only those that are not known."""
    record = records.request(Protocol.LLM, "/v1/messages", REQUEST)
    everything = enrich(record)
    assert [item.type for item in everything] == ["request", "message", "message", "message"]
    assert enrich(record, known={item.uid for item in everything[:3]}) == (everything[0], everything[3])
    assert enrich(record, known={item.uid for item in everything}) == everything[:1]


def test_whoever_has_a_document_knows_the_names_of_others(all_kinds: Any, records: Any, events: Any) -> None:
    """Each message's and part's uid follows from its content, and what any document names is among them."""
    long = {"messages": [{"role": "user", "content": "x" * (2 * BODY_BYTES)}, *MESSAGES]}
    further = [records.request(Protocol.LLM, "/v1/messages", long)]
    further.append(records.response(Protocol.HTTP, "/", "y" * (3 * BODY_BYTES)))
    for record in [*all_kinds, *real_world(records), *further]:
        names, found = set(), {event["metadata"]["uid"]: event for event in events(record)}
        for uid, event in found.items():
            naming = Naming.of(event["unmapped"]["tacho"])
            day = day_of(event["time"]).isoformat()
            own = naming.own(day)
            assert str(own) == uid if own else uid == str(record.header.uid)
            names |= {str(naming.message_named(day)), *map(str, naming.parts_named(uid))} - {"None"}
        assert names == set(found) - {str(record.header.uid)}


# --- what analysts find ----------------------------------------------------------------------------------


def test_a_request_is_told_without_its_history(records: Any, events: Any) -> None:
    """The document keeps the rest, the new turn's text and the results; messages lie in their own."""
    request, *messages = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))
    tacho = request["unmapped"]["tacho"]
    assert json.loads(tacho["body"]) == {key: value for key, value in REQUEST.items() if key != "messages"}
    assert request["message_context"]["prompt_text"] == "[SECRET:ab12]\nnothing"
    assert tacho["tool_results"] == ["toolu_1", "toolu_2"]
    assert tacho["conversation"]["head"] == messages[-1]["unmapped"]["tacho"]["message"]["hash"]
    assert tacho["conversation"]["previous"] == messages[0]["unmapped"]["tacho"]["message"]["hash"]
    parents = [item["unmapped"]["tacho"]["message"]["parent"] for item in messages]
    hashes = [item["unmapped"]["tacho"]["message"]["hash"] for item in messages]
    assert parents[1:] == hashes[:-1]
    assert json.loads(messages[1]["unmapped"]["tacho"]["body"])["content"] == MESSAGES[1]["content"]


def test_a_tool_call_is_joined_by_its_id(records: Any, events: Any) -> None:
    """The model's wish, the MCP call, its answer and the result that went back share one id."""
    tool = {"type": "tool_use", "id": "toolu_1", "name": "mcp__files__read", "input": {"path": "/a"}}
    asked = events(records.response(Protocol.LLM, "/v1/messages", ANSWER | {"content": [tool]}))[0]
    call = events(records.request(Protocol.MCP, "/mcp", CALL))[0]
    context = RequestContext(tool="read", tool_use_id="toolu_1", rpc_id="1")
    done = events(records.response(Protocol.MCP, "/mcp", RESULT, context=context))[0]
    back = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))[0]
    ids = [event["unmapped"]["tacho"] for event in (asked, call, done, back)]
    assert ids[0]["tool_calls"] == [{"id": "toolu_1", "name": "mcp__files__read"}]
    assert ids[1]["tool_use_id"] == ids[2]["tool_use_id"] == "toolu_1"
    assert "toolu_1" in ids[3]["tool_results"]
    assert (ids[1]["arguments"], ids[2]["is_error"]) == ({"path": "/a"}, True)


def test_an_answer_tells_model_tokens_and_cost(records: Any, events: Any) -> None:
    """One document answers what it cost."""
    (event,) = events(
        records.response(Protocol.LLM, "/v1/messages", sse(EVENTS), content_type="text/event-stream")
    )
    tacho = event["unmapped"]["tacho"]
    assert event["ai_model"] == {"ai_provider": "anthropic", "name": "claude-opus-5-5"}
    assert tacho["usage"] == {"input_tokens": 9, "output_tokens": 7}
    assert tacho["cost_usd"] == 0.000176
    assert (tacho["stop_reason"], event["status"]) == ("tool_use", "Success")


def test_a_body_that_lies_is_kept_as_text(records: Any, events: Any) -> None:
    """Not what its content type says: the text, and the reason."""
    (event,) = events(records.response(Protocol.LLM, "/v1/messages", "<html>oops</html>"))
    assert event["unmapped"]["tacho"]["body"] == "<html>oops</html>"
    assert "expected a JSON object" in event["unmapped"]["tacho"]["enrichment_error"]


# --- bounds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["x", "é", "\x00", "\U0001f600"])
def test_a_long_body_goes_on_in_parts(records: Any, events: Any, character: str) -> None:
    """Head and parts together are the body, and each of them fits."""
    text = character * (3 * BODY_BYTES // (len(orjson.dumps(character)) - 2) + 5)
    head, *parts = events(records.response(Protocol.HTTP, "/", text, content_type="text/plain"))
    tacho = head["unmapped"]["tacho"]
    assert tacho["body_parts"] == len(parts) > 1
    assert (tacho["truncated"], head["metadata"]["is_truncated"]) == (["body"], True)
    assert head["metadata"]["untruncated_size"] == len(text.encode())
    blocks = [part["unmapped"]["tacho"] for part in parts]
    assert "".join([tacho["body"], *(block["body"] for block in blocks)]) == text
    assert [block["part"] for block in blocks] == [
        {"of": tacho["uid"], "index": index, "count": len(parts)} for index in range(1, len(parts) + 1)
    ]


def test_a_chunked_body_has_no_parts(records: Any, events: Any) -> None:
    """Its chunk documents hold the whole already; the closing document holds the head."""
    (event,) = events(records.response(Protocol.HTTP, "/", "x" * (2 * BODY_BYTES), chunks=8))
    assert len(event["unmapped"]["tacho"]["body"]) == BODY_BYTES
    assert "body_parts" not in event["unmapped"]["tacho"]


def test_a_long_message_goes_on_in_messages(records: Any, events: Any) -> None:
    """Its pieces are of type message, so that they are stored once like their head."""
    long = {"messages": [{"role": "user", "content": "x" * (2 * BODY_BYTES)}]}
    _, *messages = events(records.request(Protocol.LLM, "/v1/messages", long))
    blocks = [item["unmapped"]["tacho"] for item in messages]
    assert {block["type"] for block in blocks} == {"message"}
    assert blocks[0]["body_parts"] == len(blocks) - 1 == 2
    assert json.loads("".join(block["body"] for block in blocks))["role"] == "user"


def test_everything_at_its_bound_still_fits(records: Any, events: Any) -> None:
    """Headers, URL, texts, ids, arguments and body, all hostile at once."""
    evil, small = "\x00" * 300_000, "\x00" * 3_000
    tools = [
        {"type": "tool_use", "id": small, "name": f"{index}{small}", "input": {small: small}}
        for index in range(300)
    ]
    text = {"type": "text", "text": evil}
    answer = ANSWER | {"content": [*tools, text], "model": small, "stop_reason": small}
    record = records.response(
        Protocol.LLM,
        "/v1/messages?" + evil,
        answer,
        trailers=tuple((evil, evil) for _ in range(20)),
        masked={f"{index}{evil[:1000]}": 1 for index in range(700)},
    )
    head, *_ = found = events(record)
    told(found)
    assert len(orjson.dumps(head)) <= RECORD_BYTES
    assert head["unmapped"]["tacho"]["body"]


def test_json_without_a_bottom_is_text(records: Any, events: Any) -> None:
    """Too deep to be written again: kept whole as text, nothing taken out, and the reason told."""
    deep = '{"model":"m","messages":[{"role":"user","content":' + "[" * 500 + "]" * 500 + "}]}"
    (event,) = events(records.request(Protocol.LLM, "/v1/messages", deep))
    assert event["unmapped"]["tacho"]["body"] == deep
    assert "too deep" in event["unmapped"]["tacho"]["enrichment_error"]


# --- our own mistakes ------------------------------------------------------------------------------------


def test_a_mistake_with_facts_keeps_the_text(
    records: Any, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If facts cannot be told, the document comes without them, body and all."""

    def explode(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "read", explode)
    (event,) = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))
    assert json.loads(event["unmapped"]["tacho"]["body"]) == REQUEST
    assert "kept as text" in event["unmapped"]["tacho"]["enrichment_error"]


def test_a_mistake_with_the_frame_keeps_the_header(
    records: Any, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If not even the frame can be told, the record is still in its session, by its header."""

    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "wire_event", explode)
    (event,) = events(records.request(Protocol.LLM, "/v1/messages", REQUEST))
    assert event["unmapped"]["tacho"]["seq"] == 7
    assert (
        event["unmapped"]["tacho"]["enrichment_error"] == "only the header could be told (ZeroDivisionError)"
    )
