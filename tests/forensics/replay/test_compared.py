"""What is compared, and what differs in every run and is not: the module's table, row by row."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.replay.compared import answer_leaves, request_leaves
from tachograph.forensics.replay.recorded import Body

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def same(made: Any, one: str, other: str, **facts: Any) -> bool:
    return request_leaves(made.request(one, **facts)) == request_leaves(made.request(other, **facts))


@given(value=_JSON)
def test_the_order_of_keys_and_white_space_are_nothing(value: Any) -> None:
    """JSON is compared by value."""
    plain, other = orjson.dumps(value), orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    assert _leaves(plain.decode()) == _leaves(other.decode())


@given(one=_JSON, other=_JSON)
def test_different_values_have_different_leaves(one: Any, other: Any) -> None:
    """The text "1" and the number 1 are two, an empty list and an empty object as well."""
    texts = orjson.dumps(one).decode(), orjson.dumps(other).decode()
    assert (
        orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    ) == (_leaves(texts[0]) == _leaves(texts[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","id":"x","method":"ping"}'),
        (
            '{"method":"m","params":{"_meta":{"progressToken":1},"a":1}}',
            '{"method":"m","params":{"_meta":{"progressToken":2},"a":1}}',
        ),
        ('{"method":"m","params":{"_meta":{"progressToken":1}}}', '{"method":"m","params":{}}'),
        (
            '{"method":"initialize","params":{"clientInfo":{"name":"a","version":"1"}}}',
            '{"method":"initialize","params":{"clientInfo":{"name":"a","version":"2"}}}',
        ),
        (
            '{"method":"notifications/cancelled","params":{"requestId":1}}',
            '{"method":"notifications/cancelled","params":{"requestId":2}}',
        ),
        ('[{"id":1,"method":"a"}]', '[{"id":2,"method":"a"}]'),
    ],
)
def test_what_a_json_rpc_client_numbers_is_not_compared(made: Any, one: str, other: str) -> None:
    """Ids of requests, progress tokens, the client's version; on other connections they count."""
    assert same(made, one, other, protocol="mcp")
    assert not same(made, one, other)


def test_a_json_rpc_answer_of_the_client_keeps_its_id(made: Any) -> None:
    """The server gave it, so it is the same in every run."""
    assert not same(made, '{"id":1,"result":{}}', '{"id":2,"result":{}}', protocol="mcp")


def test_who_runs_a_model_is_not_compared(made: Any) -> None:
    """What is asked of it is."""
    assert same(made, '{"model":"m","metadata":{"user_id":"1"}}', '{"model":"m","user":"x"}', protocol="llm")
    assert not same(made, '{"model":"m"}', '{"model":"n"}', protocol="llm")


def test_headers_other_than_the_media_type_are_not_compared(made: Any) -> None:
    """Versions, dates and ids of clients differ in every run."""
    one = made.request("{}", headers=(("Content-Type", "application/json"), ("User-Agent", "a/1")))
    other = made.request("{}", headers=(("content-type", "application/json; charset=utf-8"), ("Date", "now")))
    assert request_leaves(one) == request_leaves(other)
    text = made.request("{}", headers=(("Content-Type", "text/plain"),))
    assert request_leaves(one) != request_leaves(text)


def test_the_boundary_of_a_form_is_not_compared(made: Any) -> None:
    """Clients draw it anew each time."""

    def form(boundary: str, value: str) -> Any:
        kind = f"multipart/form-data; boundary={boundary}"
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{value}\r\n--{boundary}--\r\n'
        )
        return request_leaves(made.request(body, headers=(("Content-Type", kind),)))

    assert form("x1", "v") == form("y2", "v") != form("x1", "w")


def test_queries_are_compared_whatever_their_order(made: Any) -> None:
    """Names that are to be ignored are, there and in bodies at any depth."""
    one = made.request('{"a":{"at":1}}', query="b=2&a=1&at=5")
    other = made.request('{"a":{"at":2}}', query="a=1&b=2")
    assert request_leaves(one, frozenset({"at"})) == request_leaves(other, frozenset({"at"}))
    assert request_leaves(made.request(query="a=1")) != request_leaves(made.request(query="a=2"))


def test_answers_are_compared_by_status_and_body(made: Any) -> None:
    """Of a stream, event by event."""
    exchange = made.exchange(answer='data: {"a": 1}\n\nevent: x\ndata: 2\n\n')
    answer = replace(exchange.response, headers=(("Content-Type", "text/event-stream"),))
    leaves = answer_leaves(answer, "http")
    assert leaves["status"] == "200"
    assert {"body[0].a", "body[1]"} <= set(leaves)
    assert answer_leaves(replace(answer, status=500), "http") != leaves


def test_a_body_that_is_not_on_record_has_no_leaves_but_that(made: Any) -> None:
    """So it equals none that is."""
    gone = replace(made.request(), body=Body(missing="it is withheld"))
    assert request_leaves(gone) == {"body": "(it is withheld)"}


def _leaves(text: str) -> Any:
    from tachograph.forensics.replay.recorded import Request

    headers = (("Content-Type", "application/json"),)
    return request_leaves(Request("u", "c", "http", "POST", "/", "", headers, Body(text)))
