"""Judge what was decided: a pure function of what the target was really asked and what is on record.

The target counts for itself, by the model's id of each call, so a call that went on without its decision, or
twice, shows here whatever the record says.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tachograph.cli.demo.witness import Seen
from tachograph.cli.story import line

__all__ = ["HELD", "UNPERMITTED", "Decisions", "decided", "told"]

HELD = ("refund_order", "delete_customer")
"""Tools for which policy.cedar wants people to agree; the agent calls each once."""
UNPERMITTED = "export_customers"
"""A tool that no policy permits."""
_YES = {"approved", "granted"}
_KINDS = {"request": 0, "decision": 1, "response": 2}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decisions:
    """The figures, a sentence for everything that does not hold, and the documents that tell it."""

    held: int
    approved: int
    denied: int
    """By people, or by nobody in time."""
    forwarded_without_decision: int
    problems: tuple[str, ...]
    story: tuple[Document, ...] = ()

    @property
    def session(self) -> str:
        """The session in which it happened."""
        return str(_tacho(self.story[0])["session"]) if self.story else ""


@dataclass(frozen=True, slots=True)
class _Held:
    """One exchange that was held."""

    tool: str
    call: str
    """The model's id of the call."""
    request: Document
    decision: Document
    """What was decided about it; empty where that is not on record."""

    @property
    def said(self) -> Mapping[str, Any]:
        """The approval as the decision document tells it."""
        return _tacho(self.decision).get("approval") or {}

    @property
    def approved(self) -> bool:
        return self.said.get("outcome") in _YES


def decided(seen: Seen, documents: Sequence[Document], stored: Mapping[str, bytes]) -> Decisions:
    """`stored` are the documents' bytes by uid: what was shown must be what is there."""
    held = list(_held(documents))
    arrived = Counter({call: count for call, count in seen.calls.items() if call.tool in HELD})
    allowed = Counter(each.call for each in held if each.approved)
    undecided = sum(max(count - allowed[call.tool_use_id], 0) for call, count in arrived.items())
    approved = sum(each.approved for each in held)
    ended = sum(bool(each.said) for each in held)
    problems = (
        *_calls(held, seen, undecided),
        *_on_record(held, stored),
        *_unpermitted(seen, documents),
    )
    story = tuple(told(documents, (*HELD, UNPERMITTED)))
    return Decisions(len(held), approved, ended - approved, undecided, problems, story)


def told(documents: Sequence[Document], tools: Sequence[str]) -> Iterator[Document]:
    """Request, decision and response of every call of these tools, tool by tool."""
    for tool in tools:
        found = {_tacho(d)["exchange"] for d in documents if _tacho(d).get("tool") == tool}
        mine = (d for d in documents if _tacho(d).get("exchange") in found and _tacho(d)["type"] in _KINDS)
        yield from sorted(mine, key=lambda d: (_tacho(d)["exchange"], _KINDS[_tacho(d)["type"]]))


def _held(documents: Sequence[Document]) -> Iterator[_Held]:
    decisions = {
        _tacho(d)["exchange"]: d
        for d in documents
        if _tacho(d).get("type") == "decision" and _tacho(d).get("approval")
    }
    for document in documents:
        tacho = _tacho(document)
        if tacho.get("type") == "request" and (tacho.get("policy") or {}).get("effect") == "approval":
            call = str(tacho.get("tool_use_id"))
            yield _Held(str(tacho.get("tool")), call, document, decisions.get(tacho["exchange"], {}))


def _calls(held: Sequence[_Held], seen: Seen, undecided: int) -> Iterator[str]:
    if tools := sorted(each.tool for each in held):
        if tools != sorted(HELD):
            yield f"expected one held call of each of {', '.join(sorted(HELD))}, got {', '.join(tools)}"
    else:
        yield "no call was held"
    if undecided:
        yield f"{undecided} calls reached the target without a decision that let them"
    for each in held:
        count = sum(number for call, number in seen.calls.items() if call.tool_use_id == each.call)
        if each.approved and count != 1:
            yield f"{each.tool} was approved, and reached the target {count} times"
        if each.call not in seen.returned:
            yield f"the model was never told what came of {each.tool}"


def _on_record(held: Sequence[_Held], stored: Mapping[str, bytes]) -> Iterator[str]:
    for each in held:
        if not each.said:
            yield f"{each.tool}: what was decided is not on record"
            continue
        asker = (_tacho(each.request).get("principal") or {}).get("id")
        shown = hashlib.sha256(stored.get(str(_tacho(each.request)["uid"]), b"")).hexdigest()
        for one in each.said.get("decisions") or ():
            reviewer = one.get("reviewer")
            if not one.get("at") or reviewer in {None, asker}:
                yield f"{each.tool}: expected another person than {asker}, and when, got {reviewer}"
            if not {str(asker), str(reviewer)} <= set(line(each.decision).text.split()):
                yield f"{each.tool}: `tacho show` does not say who asked and who decided"
            if one.get("shown") != shown:
                yield f"{each.tool}: what {reviewer} was shown is not what is on record"


def _unpermitted(seen: Seen, documents: Sequence[Document]) -> Iterator[str]:
    effects = {
        (_tacho(d).get("policy") or {}).get("effect")
        for d in documents
        if _tacho(d).get("tool") == UNPERMITTED and _tacho(d).get("type") == "request"
    }
    if effects != {"deny"}:
        yield f"{UNPERMITTED}: expected a denial since no policy permits it, got {effects or 'no call'}"
    if any(call.tool == UNPERMITTED for call in seen.calls):
        yield f"{UNPERMITTED} reached the target although no policy permits it"


def _tacho(document: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get("unmapped", {}).get("tacho", {})
    return found
