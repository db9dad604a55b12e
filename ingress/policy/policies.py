"""From policy files to policies that may be used: parsed, named, held to the schema, without ambiguity.

One bad policy refuses all of them, with every problem at its file and line: half a policy set is not a
smaller policy set, it is another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from tachograph.ingress.admission import ApprovalNeed
from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.cedar_schema import RESERVED_ACTIONS, check
from tachograph.ingress.policy.errors import PoliciesRefused, Problem
from tachograph.ingress.policy.reads import Reads, entities_of, reads_of
from tachograph.ingress.policy.statements import Statement, statements

__all__ = ["APPROVAL_MINUTES", "MAX_APPROVAL_MINUTES", "Policy", "PolicyFile", "read_policies"]

APPROVAL_MINUTES = 30
MAX_APPROVAL_MINUTES = 480
MAX_REVIEWERS = 10
MAX_FILE_CHARS = 1 << 20
MAX_POLICIES = 2000

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_GROUP = re.compile(r"\S(?:.{0,126}\S)?")
_REASON_CHARS = 500
_ANNOTATIONS = ("id", "reason", "approval", "approval_minutes", "approval_reviewers")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """Its name, as errors say it, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a set in force."""

    id: str
    file: str
    line: int
    permit: bool
    reason: str
    approval: ApprovalNeed | None
    actions: frozenset[Action]
    connections: frozenset[str] | None
    """Those that its scope names; None for all."""
    reads: Reads
    entities: frozenset[tuple[str, str]]
    """(type, id) of every entity that it names."""
    est: Mapping[str, Any]
    """Cedar's JSON format."""

    def concerns(self, action: Action, connection: str) -> bool:
        """Whether its scope leaves any chance that it applies."""
        return action in self.actions and (self.connections is None or connection in self.connections)

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def read_policies(files: Sequence[PolicyFile], *, issuers: int = 1) -> tuple[Policy, ...]:
    """The policies of all files, in order. `issuers` is how many vouch for users: with several, a user's
    name alone names nobody. Raises `PoliciesRefused` with all that is wrong.
    """
    problems: list[Problem] = []
    found: dict[str, Policy] = {}
    for file in files:
        for item in _read(file, issuers):
            if isinstance(item, Problem):
                problems.append(item)
            elif (other := found.setdefault(item.id, item)) is not item:
                problems.append(Problem(file.name, item.line, item.id, f"{other.place} has that id already"))
    if len(found) > MAX_POLICIES:
        problems.append(Problem(files[-1].name, 0, "", f"expected at most {MAX_POLICIES} policies in all"))
    if problems:
        raise PoliciesRefused(problems)
    return tuple(found.values())


def _read(file: PolicyFile, issuers: int) -> Iterator[Policy | Problem]:
    if len(file.text) > MAX_FILE_CHARS:
        yield Problem(file.name, 0, "", f"expected a file of at most {MAX_FILE_CHARS} characters")
        return
    for statement in statements(file.text):
        yield from _policy(file.name, statement, issuers)


def _policy(file: str, statement: Statement, issuers: int) -> Iterator[Policy | Problem]:
    try:
        est = _parsed(statement.text)
    except ValueError as error:
        yield Problem(file, statement.line, "", f"does not parse: {error}")
        return
    notes: dict[str, str] = {name: value or "" for name, value in est.get("annotations", {}).items()}
    id_ = notes.get("id", "")
    reads, entities = reads_of(est), entities_of(est)
    faults: Sequence[str] = [
        *_annotation_faults(notes, permit=est["effect"] == "permit"),
        *_reserved(entities),
        *_unsure(reads, entities, issuers),
    ]
    faults = faults or check(statement.text, reads)
    if faults:
        yield from (Problem(file, statement.line, id_, text) for text in faults)
        return
    yield Policy(
        id=id_,
        file=file,
        line=statement.line,
        permit=est["effect"] == "permit",
        reason=notes.get("reason", ""),
        approval=_need(notes),
        actions=_actions(est["action"]),
        connections=_connections(est["resource"]),
        reads=reads,
        entities=entities,
        est=est,
    )


def _parsed(text: str) -> Mapping[str, Any]:
    found = json.loads(cedarpy.policies_to_json_str(text))
    if found["templates"]:
        raise ValueError("expected a policy, got a template (`?principal`, `?resource`)")
    policies = list(found["staticPolicies"].values())
    if len(policies) != 1:
        raise ValueError(f"expected one policy up to the semicolon, got {len(policies)}")
    policy: Mapping[str, Any] = policies[0]
    return policy


def _annotation_faults(notes: Mapping[str, str], *, permit: bool) -> Iterator[str]:
    if _ID.fullmatch(notes.get("id", "")) is None:
        yield 'expected @id("name") of 1 to 64 letters, digits, dots, dashes or underscores'
    for name in sorted(notes.keys() - set(_ANNOTATIONS)):
        yield f"unknown annotation @{name}: expected one of @{', @'.join(_ANNOTATIONS)}"
    if len(notes.get("reason", "")) > _REASON_CHARS or not notes.get("reason", "").isprintable():
        yield f"expected @reason of at most {_REASON_CHARS} printable characters"
    asks = sorted(name for name in notes if name.startswith("approval"))
    if asks and not permit:
        yield "expected approval on a permit: a forbid is final"
    elif asks and _GROUP.fullmatch(notes.get("approval", "")) is None:
        yield 'expected @approval("group"), the group of those who may approve'
    yield from _number_fault(notes, "approval_minutes", MAX_APPROVAL_MINUTES)
    yield from _number_fault(notes, "approval_reviewers", MAX_REVIEWERS)


def _number_fault(notes: Mapping[str, str], name: str, most: int) -> Iterator[str]:
    value = notes.get(name)
    if value is not None and not (re.fullmatch(r"[0-9]{1,4}", value) and 1 <= int(value) <= most):
        yield f'expected @{name}("N") with N from 1 to {most}'


def _reserved(entities: frozenset[tuple[str, str]]) -> Iterator[str]:
    for type_, id_ in sorted(entities):
        if type_ == "Action" and id_ in RESERVED_ACTIONS:
            yield f'Action::"{id_}" is reserved: nothing is judged by it yet'


def _unsure(reads: Reads, entities: frozenset[tuple[str, str]], issuers: int) -> Iterator[str]:
    users = sorted(id_ for type_, id_ in entities if type_ == "User")
    if issuers > 1 and users and not reads.issuer:
        yield (
            f'User::"{users[0]}" may be a user of any of {issuers} issuers: '
            "say which with `principal.issuer == ...`"
        )


def _need(notes: Mapping[str, str]) -> ApprovalNeed | None:
    if "approval" not in notes:
        return None
    return ApprovalNeed(
        group=notes["approval"],
        minutes=int(notes.get("approval_minutes", APPROVAL_MINUTES)),
        reviewers=int(notes.get("approval_reviewers", 1)),
        reason=notes.get("reason", ""),
        policy=notes["id"],
    )


def _actions(scope: Mapping[str, Any]) -> frozenset[Action]:
    if scope["op"] == "All":
        return frozenset(Action)
    named = scope.get("entities") or [scope["entity"]]
    return frozenset(Action(item["id"]) for item in named)


def _connections(scope: Mapping[str, Any]) -> frozenset[str] | None:
    # Connections have no parents, so `in` is `==`; whatever else a scope says may apply to any.
    entity = scope.get("entity")
    return frozenset({entity["id"]}) if scope["op"] in {"==", "in"} and entity is not None else None
