"""The judge of decisions: one good run, and one test for each thing that can be wrong with it."""

import hashlib
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tachograph.cli.demo.decisions import Decisions, decided
from tachograph.cli.demo.witness import Call, Seen

Documents = dict[str, dict[str, Any]]
REFUND = Call("refund_order", "t1")
SEEN = Seen(Counter(), frozenset({"t1"}), Counter([REFUND]), frozenset({"t1", "t2", "t3"}))


def _request(exchange: str, tool: str, call: str, effect: str) -> dict[str, Any]:
    return _document("request", exchange) | {
        "tool": tool,
        "tool_use_id": call,
        "policy": {"effect": effect},
        "principal": {"id": "agent"},
    }


def _document(kind: str, exchange: str) -> dict[str, Any]:
    return {"uid": f"{exchange}-{kind}", "type": kind, "exchange": exchange, "session": "s"}


def _decision(exchange: str, outcome: str, request: dict[str, Any]) -> dict[str, Any]:
    shown = hashlib.sha256(_bytes(request)).hexdigest()
    said = {"reviewer": "operator", "at": "2026-01-01T00:00:00Z", "shown": shown}
    approval = {"outcome": outcome, "needs": [{"group": "operators"}], "decisions": [said]}
    return _document("decision", exchange) | {"principal": {"id": "agent"}, "approval": approval}


def _bytes(tacho: dict[str, Any]) -> bytes:
    return orjson.dumps({"unmapped": {"tacho": tacho}})


def _good() -> Documents:
    refund = _request("x1", "refund_order", "t1", "approval")
    delete = _request("x2", "delete_customer", "t2", "approval")
    export = _request("x3", "export_customers", "t3", "deny")
    made = (
        *(export, _document("response", "x3")),
        *(_document("response", "x1"), refund, _decision("x1", "approved", refund)),
        *(_document("response", "x2"), delete, _decision("x2", "denied", delete)),
        _request("x4", "notify", "t4", "allow"),
    )
    return {str(tacho["uid"]): deepcopy(tacho) for tacho in made}


def _judge(documents: Documents, seen: Seen = SEEN, stored: Documents | None = None) -> Decisions:
    held = {uid: _bytes(tacho) for uid, tacho in (stored or documents).items()}
    return decided(seen, [{"unmapped": {"tacho": tacho}} for tacho in documents.values()], held)


def test_a_good_run_has_its_figures_and_no_problem() -> None:
    """Two held, one forwarded once, one never; the third was denied by default."""
    found = _judge(_good())
    assert replace(found, story=()) == Decisions(2, 1, 1, 0, ())
    assert found.session == "s"


def test_the_story_goes_call_by_call() -> None:
    """What was asked, what was decided, what came of it; other calls are not in it."""
    told = [document["unmapped"]["tacho"]["uid"] for document in _judge(_good()).story]
    assert told == [
        *("x1-request", "x1-decision", "x1-response"),
        *("x2-request", "x2-decision", "x2-response"),
        *("x3-request", "x3-response"),
    ]


def _lose_decision(documents: Documents) -> None:
    del documents["x1-decision"]


def _not_held(documents: Documents) -> None:
    documents["x2-request"]["policy"]["effect"] = "allow"


def _none_held(documents: Documents) -> None:
    for uid in ("x1-request", "x2-request"):
        documents[uid]["policy"]["effect"] = "allow"


def _own_approval(documents: Documents) -> None:
    documents["x1-decision"]["approval"]["decisions"][0]["reviewer"] = "agent"


def _nobody_asked(documents: Documents) -> None:
    del documents["x1-decision"]["principal"]


def _other_shown(documents: Documents) -> None:
    documents["x1-decision"]["approval"]["decisions"][0]["shown"] = "f" * 64


def _permitted(documents: Documents) -> None:
    documents["x3-request"]["policy"]["effect"] = "allow"


def _timed_out(documents: Documents) -> None:
    documents["x1-decision"]["approval"] = {"outcome": "expired", "decisions": []}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_lose_decision, "refund_order: what was decided is not on record"),
        (_lose_decision, "1 calls reached the target without a decision"),
        (_not_held, "got refund_order"),
        (_none_held, "no call was held"),
        (_own_approval, "another person than agent"),
        (_nobody_asked, "`tacho show` does not say who asked and who decided"),
        (_other_shown, "was shown is not what is on record"),
        (_permitted, "export_customers: expected a denial"),
        (_timed_out, "1 calls reached the target without a decision"),
    ],
)
def test_whatever_is_wrong_with_the_record_is_said(spoil: Callable[[Documents], None], said: str) -> None:
    """One sentence for each."""
    documents = _good()
    spoil(documents)
    assert any(said in problem for problem in _judge(documents).problems)


@pytest.mark.parametrize(
    ("seen", "undecided", "said"),
    [
        (replace(SEEN, calls=Counter()), 0, "refund_order was approved, and reached the target 0 times"),
        (replace(SEEN, calls=Counter([REFUND, REFUND])), 1, "reached the target 2 times"),
        (replace(SEEN, calls=Counter([REFUND, Call("delete_customer", "t2")])), 1, "without a decision"),
        (replace(SEEN, calls=Counter([REFUND, Call("refund_order", "None")])), 1, "without a decision"),
        (replace(SEEN, calls=Counter([REFUND, Call("export_customers", "t3")])), 0, "no policy permits it"),
        (replace(SEEN, returned=frozenset({"t1", "t3"})), 0, "never told what came of delete_customer"),
    ],
)
def test_the_targets_own_count_is_believed(seen: Seen, undecided: int, said: str) -> None:
    """Whatever the record says: what arrived twice, or though it was denied, was forwarded undecided."""
    found = _judge(_good(), seen)
    assert found.forwarded_without_decision == undecided
    assert any(said in problem for problem in found.problems)


def test_what_was_shown_is_compared_with_what_is_stored() -> None:
    """Byte by byte: a document that was replaced afterwards is not the one that was shown."""
    altered = _good()
    altered["x2-request"]["tool_use_id"] = "t9"
    assert any(
        "delete_customer: what operator was shown" in p for p in _judge(_good(), stored=altered).problems
    )
