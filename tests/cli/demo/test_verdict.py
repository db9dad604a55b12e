"""The judge: one good run, and one test for each thing that can be wrong with it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tachograph.cli.demo.verdict import Verdict, judge, linked, readable
from tachograph.cli.demo.witness import Exchange, Seen

SEEN = Seen(
    Counter([Exchange("model", "POST", "/v1/messages", 200), Exchange("mcp", "POST", "/mcp", 200)]),
    frozenset({"t1"}),
)
Documents = list[dict[str, Any]]


def _pair(first: int, connection: str, path: str, **more: dict[str, Any]) -> Documents:
    made = []
    for seq, kind in ((first, "request"), (first + 1, "response")):
        tacho = {
            "uid": f"uid-{seq}",
            "type": kind,
            "session": "s",
            "epoch": "e",
            "seq": seq,
            "exchange": f"exchange-{connection}",
            "connection": connection,
            "origin": "upstream",
            **more.get(kind, {}),
        }
        request = {"http_method": "POST", "url": {"path": path}}
        made.append({"unmapped": {"tacho": tacho}, "http_request": request, "http_response": {"code": 200}})
    return made


def _good() -> Documents:
    opened = {
        "unmapped": {
            "tacho": {"uid": "uid-0", "type": "session.open", "session": "s", "epoch": "e", "seq": 0}
        }
    }
    model = _pair(1, "model", "/v1/messages", response={"tool_calls": [{"id": "t1", "name": "n"}]})
    return [opened, *model, *_pair(3, "mcp", "/mcp", request={"tool_use_id": "t1"})]


def _judge(documents: Documents, *, refused: int = 0) -> Verdict:
    stored = {document["unmapped"]["tacho"]["uid"]: orjson.dumps(document) for document in documents}
    masked = {uid: [value] for uid, value in stored.items()}
    return judge(SEEN, refused, documents, masked=masked, stored=stored)


def test_a_good_run_has_its_figures_and_no_problem() -> None:
    """Two exchanges, one link, five documents."""
    assert _judge(_good()) == Verdict(2, 5, 1, ())


def _lose_response(documents: Documents) -> None:
    del documents[2]


def _lose_exchange(documents: Documents) -> None:
    del documents[3:]


def _twice(documents: Documents) -> None:
    documents.append({**documents[1], "unmapped": {"tacho": {**documents[1]["unmapped"]["tacho"], "seq": 5}}})


def _wrong_status(documents: Documents) -> None:
    documents[2]["http_response"]["code"] = 500


def _unlink(documents: Documents) -> None:
    documents[3]["unmapped"]["tacho"]["tool_use_id"] = "another"


def _gap(documents: Documents) -> None:
    documents[4]["unmapped"]["tacho"]["seq"] = 9


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_lose_response, "exactly one request and one response"),
        (_lose_exchange, "2 exchanges took place, 1 are on record"),
        (_twice, "exactly one request and one response"),
        (_wrong_status, "served but not on record: model POST /v1/messages -> 200"),
        (_unlink, "not linked"),
        (_gap, "gap-free"),
    ],
)
def test_whatever_is_wrong_is_said(spoil: Callable[[Documents], None], said: str) -> None:
    """One sentence for each."""
    documents = _good()
    spoil(documents)
    assert any(said in problem for problem in _judge(documents).problems)


def test_a_refused_exchange_is_expected_too() -> None:
    """The servers never saw it, so it is counted apart."""
    assert any("3 exchanges took place" in problem for problem in _judge(_good(), refused=1).problems)


@pytest.mark.parametrize(
    ("masked", "stored", "said"),
    [
        ({"a": [b"1"]}, {"a": b"2"}, "differ from their masked event"),
        ({"a": [b"1", b"2"]}, {"a": b"1"}, "in different bytes"),
        ({"a": [b"1"]}, {}, "are not indexed"),
        ({}, {"a": b"1"}, "are on no topic"),
    ],
)
def test_topic_and_index_hold_the_same_bytes(
    masked: dict[str, list[bytes]], stored: dict[str, bytes], said: str
) -> None:
    """One byte of difference is one too many; the same bytes twice on the topic are allowed."""
    none = Seen(Counter(), frozenset())
    assert any(said in problem for problem in judge(none, 0, [], masked=masked, stored=stored).problems)
    assert judge(none, 0, [], masked={"a": [b"1", b"1"]}, stored={"a": b"1"}).problems == ()


def test_a_link_needs_both_ends() -> None:
    """Asked for by the model, and called."""
    assert linked(_good()) == {"t1"}
    assert linked(_good()[:3]) == set()


def test_chunks_of_one_body_are_read_together() -> None:
    """In their own order, whatever order they come in."""
    chunks = [
        {
            "unmapped": {
                "tacho": {
                    "type": "chunk",
                    "exchange": "x",
                    "direction": "response",
                    "body": body,
                    "chunk": {"index": index},
                }
            }
        }
        for index, body in ((1, "cret"), (0, "se"))
    ]
    assert "secret" in list(readable(chunks))
