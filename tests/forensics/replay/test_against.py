"""What is sent to a test target, and what is not."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.replay.against import (
    Prepared,
    Skipped,
    Values,
    chosen,
    compared_answers,
    kind_of,
    prepared,
)
from tachograph.forensics.replay.recorded import Body

MARKER = "[PASSWORD:ab12.0123456789abcdef]"
NONE = Values()


def test_without_a_word_only_what_is_harmless_is_sent(made: Any) -> None:
    """GET, HEAD and tools/list; all else must be named."""
    exchanges = [
        made.exchange(method="GET"),
        made.exchange(method="POST"),
        made.exchange(protocol="mcp", rpc_method="tools/list"),
        made.exchange(protocol="mcp", rpc_method="tools/call"),
        made.exchange(protocol="mcp", method="GET"),
    ]
    kinds = [kind_of(item) for item in exchanges]
    assert kinds == ["GET", "POST", "tools/list", "tools/call", "listen"]
    assert chosen(exchanges, (), None) == (exchanges[0], exchanges[2])
    assert chosen(exchanges, ["post", "tools/call"], "target") == (exchanges[1], exchanges[3])
    with pytest.raises(OperatorError, match="there are: GET, POST"):
        chosen(exchanges, ["DELETE"], None)


def test_a_marker_without_a_value_keeps_its_request_back(made: Any) -> None:
    """Wherever it stands; the reason names it."""
    for request in (
        made.request(f'{{"a":"{MARKER}"}}'),
        made.request(query=f"key={MARKER}"),
        made.request(headers=(("Authorization", f"Bearer {MARKER}"),)),
        made.request('{"a":"[PIN]"}'),
    ):
        found = prepared(request, NONE)
        assert isinstance(found, Skipped)
        assert found.why.startswith("no value was given for [P")


@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_value_comes_back_as_it_is_written_there(make_made: Any, value: str) -> None:
    """In JSON escaped, in a query percent-encoded."""
    values = Values.of({MARKER: value}, file="f")
    request = make_made().request(f'{{"a":"{MARKER}"}}', query=f"key={MARKER}")
    found = prepared(request, values)
    assert isinstance(found, Prepared)
    assert orjson.loads(found.body) == {"a": value}
    assert found.target.startswith("/things?key=")
    assert not set(found.target) & set(" \r\n#")


def test_a_value_may_be_named_by_its_pseudonym_alone(made: Any) -> None:
    """As it stands in the marker."""
    found = prepared(made.request(f'{{"a":"{MARKER}"}}'), Values.of({"ab12.0123456789abcdef": "x"}, file="f"))
    assert isinstance(found, Prepared)
    assert found.body == b'{"a":"x"}'


def test_a_value_that_would_split_a_header_is_not_sent(made: Any) -> None:
    """The request is kept back."""
    request = made.request(headers=(("X-Key", MARKER),))
    assert isinstance(prepared(request, Values.of({MARKER: "a\r\nb: c"}, file="f")), Skipped)


def test_fields_of_the_hop_and_of_the_gateway_stay_out(made: Any) -> None:
    """All others go along."""
    headers = (
        ("Host", "gateway"),
        ("X-Tacho-Key", "[gateway-credential]"),
        ("Authorization", "Bearer [gateway-credential]"),
        ("Content-Length", "2"),
        ("Accept", "*/*"),
    )
    found = prepared(made.request("{}", headers=headers), NONE, frozenset({"Bearer [gateway-credential]"}))
    assert isinstance(found, Prepared)
    assert found.headers == (("Accept", "*/*"),)


def test_no_value_shows(made: Any) -> None:
    """Neither in the values' `repr` nor in the request's."""
    values = Values.of({MARKER: "opensesame"}, file="f")
    found = prepared(made.request(f'{{"a":"{MARKER}"}}', query=f"k={MARKER}"), values)
    assert "opensesame" not in repr(values) + repr(found)


def test_a_body_that_is_not_on_record_is_not_sent(made: Any) -> None:
    """Nor one that broke off."""
    gone = replace(made.request(), body=Body(missing="its body is withheld (binary)"))
    assert prepared(gone, NONE) == Skipped("its body is withheld (binary)")
    assert isinstance(prepared(replace(gone, body=Body("x", complete=False)), NONE), Skipped)


@pytest.mark.parametrize("given_", [[], {"a": 1}, {1: "a"}, None, "text"])
def test_a_file_of_something_else_is_refused(given_: object) -> None:
    """Without a word of what stands in it."""
    with pytest.raises(OperatorError, match="expected at most"):
        Values.of(given_, file="values.yaml")


def test_answers_are_compared_in_their_masked_form(made: Any) -> None:
    """By status and body."""
    recorded, came = made.exchange(answer='{"a":1}'), made.exchange(answer='{"a":2}')
    assert compared_answers(recorded, recorded, frozenset()) == ()
    (line,) = compared_answers(recorded, came, frozenset())
    assert line.text == "body.a: [-1-]{+2+}"
    assert compared_answers(replace(recorded, response=None), came, frozenset())
