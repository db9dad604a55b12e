"""A path finds its value and nothing beside it, in any well-formed document."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.canaries import Plant, survivors
from tachograph.processors.masking.masker import FieldRules, Masker, Part, PseudonymKey
from tachograph.processors.masking.paths import find, find_arguments, find_lines
from tachograph.processors.masking.ruleset import Ruleset

DOCUMENT = b'{"a":{"b":["x",{"c":"y\\"z"},3],"d":"n"},"b":"m","rows":[[1,"p"],[2,"q"]]}'


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a.b.0", ["x"]),
        ("a.b.1.c", ['y\\"z']),
        ("a.b", ["x", 'y\\"z', "3"]),
        ("a.*", ["x", 'y\\"z', "3", "n"]),
        ("rows.*.1", ["p", "q"]),
        ("b", ["m"]),
        ("a.b.7", []),
        ("nope", []),
    ],
)
def test_values_at_a_path(path: str, values: list[str]) -> None:
    """Keys and indices, stars, and everything below."""
    found = find(DOCUMENT, [tuple(path.split("."))])
    assert [DOCUMENT[f.start : f.end].decode() for f in found] == values


@given(
    st.recursive(
        st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=12
    )
)
def test_the_rest_of_the_document_does_not_matter(other: object) -> None:
    """Whatever stands before and after."""
    text = (
        orjson.dumps({"before": other, "k": {"v": "hit"}, "z": other})
        if not _huge(other)
        else b'{"k":{"v":"hit"}}'
    )
    assert [text[f.start : f.end] for f in find(text, [("k", "v")])] == [b"hit"]


def _huge(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def test_a_connection_names_paths() -> None:
    """The masker follows them, and a number becomes a string."""
    masker = Masker(
        Ruleset(()), PseudonymKey("k1", bytes(32)), connection_rules=FieldRules(json_paths=("rows.*.0",))
    )
    (out,) = masker.mask([Part("b", "body", DOCUMENT, "application/json")])
    rows = orjson.loads(out.data or b"")["rows"]
    assert [row[0][:9] for row in rows] == ["[SECRET:k", "[SECRET:k"]
    assert [row[1] for row in rows] == ["p", "q"]


CODE = "plumtree pie"
ARGUMENTS = orjson.dumps({"code": CODE, "note": "plain"}).decode()
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "run", "arguments": {"code": CODE}},
}


def _deltas(size: int) -> bytes:
    pieces = [ARGUMENTS[at : at + size] for at in range(0, len(ARGUMENTS), size)]
    events = (
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in pieces
    )
    return b"".join(b"event: x\ndata: " + orjson.dumps(event) + b"\n\n" for event in events)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", orjson.dumps(CALL)),
        ("application/json", orjson.dumps([{"function": {"name": "run", "arguments": ARGUMENTS}}])),
        (
            "application/json",
            orjson.dumps({"content": [{"text": orjson.dumps({"arguments": ARGUMENTS}).decode()}]}),
        ),
        ("text/event-stream", b"event: message\ndata: " + orjson.dumps(CALL) + b"\n\n"),
        ("text/event-stream", b"data:" + orjson.dumps(CALL) + b"\r\n\r\ndata: [DONE]\r\n\r\n"),
        ("application/x-ndjson", orjson.dumps({"n": 1}) + b"\n" + orjson.dumps(CALL) + b"\n"),
        ("text/event-stream", _deltas(1)),
        ("text/event-stream", _deltas(7)),
        ("application/x-ndjson", _deltas(5).replace(b"event: x\ndata: ", b"").replace(b"\n\n", b"\n")),
    ],
)
def test_arguments_are_found_however_they_are_sent(kind: str, body: bytes) -> None:
    """In a document, in a string in it, in an event, in a line, in pieces over many events."""
    rules = FieldRules(json_paths=("params.arguments.code",))
    masker = Masker(Ruleset(()), PseudonymKey("k1", bytes(32)), connection_rules=rules)
    (out,) = masker.mask([Part("b", "body", body, kind)])
    assert out.data is not None, out.withheld
    assert out.spans
    assert survivors([out], [Plant("arguments", CODE)]) == []
    assert b"note" not in body or survivors([out], [Plant("note", "plain")])


def test_a_path_begins_anew_with_each_event() -> None:
    """`a` of one line is not `a` of what lies deeper in the next."""
    rows = b'{"a":"one"}\n{"b":{"a":"two"}}\n[1]\n{"a":"three"}'
    assert [rows[f.start : f.end] for f in find_lines(rows, [("a",)])] == [b"one", b"three"]


def test_arguments_without_end_are_read_once() -> None:
    """However many calls begin in one another."""
    text = b'"arguments":"{"code":"x",' * 20_000
    assert len(list(find_arguments(text, [("arguments", "code")], whole=False))) <= 20_000
