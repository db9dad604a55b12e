"""Documents as a person reads them; pure."""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.console import views
from tachograph.console.views import event_view, request_view, span, visible

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text())
def test_no_character_steers_or_hides(text: str) -> None:
    """What is left are visible ones, line feeds and tabs."""
    shown = visible(text)
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cf"} and char not in "\n\t"]
    assert visible(shown) == shown


@given(
    st.dictionaries(st.sampled_from(["unmapped", "http_request", "ai_model", "message_context"]), JSON), JSON
)
def test_any_document_can_be_shown(source: dict[str, Any], tacho: object) -> None:
    """Also one that is not what it should be."""
    for document in (source, {"unmapped": {"tacho": tacho}}):
        request_view(document)
        event_view(document)


def test_a_body_is_put_together_and_made_readable() -> None:
    """Head and further parts; JSON on lines of its own, anything else as it is."""
    head = {"unmapped": {"tacho": {"body": '{"a":'}}}
    assert request_view(head, [{"unmapped": {"tacho": {"body": "1}"}}}]).body == '{\n  "a": 1\n}'
    assert request_view({"unmapped": {"tacho": {"body": "{x"}}}).body == "{x"


@pytest.mark.parametrize(
    "body",
    [
        '{"scope":"all","scope":"one"}',
        '[{"a":{"scope":"all","sc\\u006fpe":"one"}}]',
        '{"amount":0.10000000000000000001}',
        '{"amount":1e400}',
        '{"amount":12345678901234567890123}',
        '{"amount":9007199254740992}',
        '{"amount":-0}',
    ],
)
def test_json_with_two_readings_is_shown_as_it_came(body: str) -> None:
    """A target may take the one that a reader of JSON would leave out; reviewers see both, and are told."""
    view = request_view({"unmapped": {"tacho": {"body": body}}})
    assert view.body == body
    assert ["as it came" in note for note in view.notes] == [True]


@pytest.mark.parametrize(("body", "shown"), [('{"a":1.50}', "1.5"), ('{"a":1e2}', "100.0"), ('{"a":7}', "7")])
def test_a_number_written_in_another_way_is_the_same(body: str, shown: str) -> None:
    """Nobody reads it differently."""
    assert request_view({"unmapped": {"tacho": {"body": body}}}).body == f'{{\n  "a": {shown}\n}}'


@given(JSON)
def test_json_with_one_reading_loses_nothing(value: object) -> None:
    """What stands on lines of its own says the same."""
    body = orjson.dumps([value]).decode()
    view = request_view({"unmapped": {"tacho": {"body": body}}})
    assert orjson.loads(view.body) == orjson.loads(body)
    assert view.notes == ()


def test_what_is_cut_is_said() -> None:
    """Nobody takes a part for the whole."""
    long = "x" * (views.MAX_SHOWN + 1)
    view = request_view({"unmapped": {"tacho": {"body": long, "incomplete": True, "withheld": "why"}}})
    assert len(view.notes) == 3
    assert len(view.body) == views.MAX_SHOWN + 1


def test_times_are_said_plainly() -> None:
    """Seconds, minutes, hours."""
    assert [span(each) for each in (-5, 59_000, 61_000, 3_700_000)] == ["0 s", "59 s", "1 min", "1 h 1 min"]
