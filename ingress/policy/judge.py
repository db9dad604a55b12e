"""Decides by Cedar: default deny, forbid wins, every error is a deny, equal inputs are decided once.

One immutable object holds policies, connections and what was compiled from them. A reload makes a new one;
whoever still has the old one goes on with it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cedarpy
import orjson
import structlog

from tachograph.ingress.admission import ApprovalNeed, Asked, Decision, Effect, ToolUse
from tachograph.ingress.policy.calls import Action, Call, calls, tool_call
from tachograph.ingress.policy.cedar_schema import CONTEXT
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.inputs import BODY_TOPS, Leaf, Plan, context_of, key_of, plan_of, written
from tachograph.ingress.policy.policies import Policy
from tachograph.ingress.upstream.target import parse_target
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

__all__ = ["CACHED_DECISIONS", "CedarJudge", "Verdict"]

CACHED_DECISIONS = 4096
"""Of each action; the least recently used goes first."""
CACHED_PRINCIPALS = 1024
_FAILED = re.compile(r"policy `([^`]*)`")
_JUDGES_TOOLS = ("Action", Action.LLM_TOOL_USE.value)
"""The entity that a policy must name so that answers are looked into: that costs, and some permit all."""
_STRICTNESS = {Effect.ALLOW: 0, Effect.APPROVAL: 1, Effect.DENY: 2}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one call, with what it was decided from. `context` holds content: only to explain."""

    call: Call
    decision: Decision
    context: dict[str, Any]
    failed: tuple[str, ...] = ()
    """`@id` of policies that could not be evaluated."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """One action: how its inputs are read, what was decided on them, and by which policies."""

    plan: Plan
    reads_body: bool
    """Whether a policy looks into the body of a call to a model."""
    sets: dict[str, cedarpy.PolicySet] = field(default_factory=dict)
    """By connection, made when the first request for it comes."""
    decisions: OrderedDict[tuple[Leaf, ...], Decision] = field(default_factory=OrderedDict)


class CedarJudge:
    """Implements `admission.Judge`. For the event loop; nothing in it waits."""

    def __init__(
        self,
        policies: Sequence[Policy],
        connections: Iterable[Connection],
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.policies = {policy.id: policy for policy in policies}
        ests = {policy.id: policy.est for policy in policies}
        self.digest = sha256_hex(json.dumps(ests, sort_keys=True, separators=(",", ":")).encode())
        self._order = {id_: place for place, id_ in enumerate(self.policies)}
        self._clock_ns = clock_ns
        known = tuple(connections)
        self._targets = {connection.name: parse_target(connection.upstream) for connection in known}
        self._entities = cedarpy.Entities.from_json_str(json.dumps([_connection(item) for item in known]))
        self._lanes = {action: _lane(action, policies) for action in Action}
        self._tools = tuple(policy for policy in policies if _JUDGES_TOOLS in policy.entities)
        self._principals: OrderedDict[tuple[Leaf, ...], cedarpy.Entities] = OrderedDict()

    # -- admission.Judge ---------------------------------------------------------------------------

    def reads_body(self, connection: Connection) -> bool:
        """MCP says in its body what is called; a model's body is read where a policy looks at it."""
        if connection.protocol is Protocol.LLM:
            return self._lanes[Action.LLM_MESSAGE].reads_body
        return connection.protocol is Protocol.MCP

    def decide(self, asked: Asked) -> Decision:
        """Never raises: what goes wrong is a deny that says so."""
        try:
            found = calls(asked, self._targets[asked.connection.name])
            if len(found) == 1:
                return self._cached(found[0])
            return _strictest([self._cached(call) for call in found])
        except Unclear as error:
            return self._refusal(str(error), malformed=True)
        except Exception as error:  # noqa: BLE001 - what cannot be decided is denied, whatever the reason
            _log.error("decision_failed", error=type(error).__name__)
            return self._refusal("the policies could not be applied; the gateway's log says more")

    def reads_tools(self, connection: Connection) -> bool:
        """Only where a policy that names the action may apply."""
        return connection.protocol is Protocol.LLM and any(
            policy.concerns(Action.LLM_TOOL_USE, connection.name) for policy in self._tools
        )

    def decide_tool(self, asked: Asked, use: ToolUse) -> Decision:
        """As `decide`, on one tool call in the answer."""
        try:
            return self._cached(tool_call(asked, self._targets[asked.connection.name], use))
        except Unclear as error:
            return self._refusal(str(error), malformed=True)
        except Exception as error:  # noqa: BLE001 - what cannot be decided is denied, whatever the reason
            _log.error("decision_failed", error=type(error).__name__)
            return self._refusal("the policies could not be applied; the gateway's log says more")

    # -- for explaining ----------------------------------------------------------------------------

    def explain(self, asked: Asked, use: ToolUse | None = None) -> tuple[Verdict, ...]:
        """The verdict on each call, or on the tool call in the answer, uncached. Raises `Unclear`."""
        found = self._calls(asked, use)
        return tuple(self._evaluated(call, self._lanes[call.action].plan.leaves(call)) for call in found)

    def satisfied(self, asked: Asked, use: ToolUse | None = None) -> tuple[dict[str, bool | None], ...]:
        """For each of them, whether each policy by itself applies to it; None where it cannot be evaluated.

        Slow: every policy is evaluated alone. Raises `Unclear`.
        """
        found = self._calls(asked, use)
        return tuple({id_: self._alone(id_, call) for id_ in self.policies} for call in found)

    def _calls(self, asked: Asked, use: ToolUse | None) -> tuple[Call, ...]:
        target = self._targets[asked.connection.name]
        return calls(asked, target) if use is None else (tool_call(asked, target, use),)

    def _alone(self, id_: str, call: Call) -> bool | None:
        plan = self._lanes[call.action].plan
        context = context_of(plan.paths, plan.leaves(call))
        result = self._ask(call, context, _compiled([self.policies[id_]]))
        return None if result.diagnostics.errors else id_ in result.diagnostics.reasons

    def reads(self, action: Action) -> tuple[str, ...]:
        """The inputs that policies read of an action, as policies write them."""
        plan = self._lanes[action].plan
        names = [".".join(("context", *path)) for path in plan.paths]
        return (*names, *(f'Group::"{name}"' for name in sorted(plan.groups)))

    # -- one call ----------------------------------------------------------------------------------

    def _cached(self, call: Call) -> Decision:
        lane, asked = self._lanes[call.action], call.asked
        if lane.reads_body and call.llm is None:
            raise Unclear("expected the body to be read before it is judged")
        plan, decisions = lane.plan, lane.decisions
        leaves, who = plan.leaves(call), asked.principal
        key = (
            asked.connection.name,
            (who.kind.value, who.issuer, who.id) if plan.principal else who.kind is PrincipalKind.API_KEY,
            asked.groups & plan.groups,
            leaves if asked.body is None and call.rpc is None else key_of(leaves),
        )
        decision = decisions.get(key)
        if decision is None:
            decision = self._evaluated(call, leaves).decision
            decisions[key] = decision
            if len(decisions) > CACHED_DECISIONS:
                decisions.popitem(last=False)
        else:
            decisions.move_to_end(key)
        return decision

    def _evaluated(self, call: Call, leaves: tuple[Leaf, ...]) -> Verdict:
        begun = self._clock_ns()
        plan, asked = self._lanes[call.action].plan, call.asked
        context, groups = context_of(plan.paths, leaves), asked.groups & plan.groups
        result = self._ask(call, context, self._set(call.action, asked.connection.name))
        inputs = _inputs(call, context, groups, principal=plan.principal)
        decision, failed = self._read(call, result, inputs, begun)
        return Verdict(call, decision, context, failed)

    def _set(self, action: Action, connection: str) -> cedarpy.PolicySet:
        """The policies whose scope leaves a chance that they apply; the others cannot change the decision."""
        sets = self._lanes[action].sets
        found = sets.get(connection)
        if found is None:
            found = sets[connection] = _compiled(
                policy for policy in self.policies.values() if policy.concerns(action, connection)
            )
        return found

    def _ask(self, call: Call, context: dict[str, Any], policies: cedarpy.PolicySet) -> cedarpy.AuthzResult:
        plan, asked = self._lanes[call.action].plan, call.asked
        return cedarpy.is_authorized(
            {
                "principal": {"type": _type(asked.principal), "id": asked.principal.id},
                "action": {"type": "Action", "id": call.action.value},
                "resource": {"type": "Connection", "id": asked.connection.name},
                "context": written(context),
            },
            policies,
            self._with(asked.principal, asked.groups & plan.groups),
        )

    def _read(
        self, call: Call, result: cedarpy.AuthzResult, inputs: str, begun: int
    ) -> tuple[Decision, tuple[str, ...]]:
        matched = tuple(sorted(result.diagnostics.reasons, key=self._order.__getitem__))
        failed = tuple(sorted({id_ for text in result.diagnostics.errors for id_ in _FAILED.findall(text)}))
        if result.diagnostics.errors:
            effect, policies = Effect.DENY, failed
            reason = "could not be evaluated on this request, which is a no"
        elif not result.allowed:
            effect, policies = Effect.DENY, matched
            reason = self._reason(matched) if matched else f"no policy permits this {call.action} here"
        else:
            effect = Effect.APPROVAL if self._needs(matched) else Effect.ALLOW
            policies, reason = matched, self._reason(matched)
        micros = (self._clock_ns() - begun) // 1000
        needs = self._needs(matched) if effect is Effect.APPROVAL else ()
        return Decision(effect, policies, reason, self.digest, inputs, micros, needs), failed

    def _needs(self, matched: tuple[str, ...]) -> tuple[ApprovalNeed, ...]:
        return tuple(need for id_ in matched if (need := self.policies[id_].approval) is not None)

    def _reason(self, matched: tuple[str, ...]) -> str:
        return next((reason for id_ in matched if (reason := self.policies[id_].reason)), "")

    def _with(self, principal: Principal, groups: frozenset[str]) -> cedarpy.Entities:
        key = (principal.kind, principal.issuer, principal.id, groups)
        found = self._principals.get(key)
        if found is None:
            found = self._entities.with_added_json_str(json.dumps([_principal(principal, groups)]))
            self._principals[key] = found
            if len(self._principals) > CACHED_PRINCIPALS:
                self._principals.popitem(last=False)
        return found

    def _refusal(self, reason: str, *, malformed: bool = False) -> Decision:
        return Decision(Effect.DENY, (), reason, self.digest, sha256_hex(b""), 0, malformed=malformed)


def _compiled(policies: Iterable[Policy]) -> cedarpy.PolicySet:
    ests = {policy.id: policy.est for policy in policies}
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": ests, "templates": {}, "templateLinks": []})
    )


def _lane(action: Action, policies: Iterable[Policy]) -> _Lane:
    plan = plan_of((policy.reads for policy in policies if action in policy.actions), CONTEXT[action])
    return _Lane(plan, reads_body=any(path[0] in BODY_TOPS for path in plan.paths))


def _type(principal: Principal) -> str:
    return "Agent" if principal.kind is PrincipalKind.API_KEY else "User"


def _principal(principal: Principal, groups: frozenset[str]) -> dict[str, Any]:
    issuer = {} if principal.issuer is None else {"issuer": principal.issuer}
    return {
        "uid": {"type": _type(principal), "id": principal.id},
        "attrs": {"id": principal.id, "kind": principal.kind.value, **issuer},
        "parents": [{"type": "Group", "id": name} for name in sorted(groups)],
    }


def _connection(connection: Connection) -> dict[str, Any]:
    return {
        "uid": {"type": "Connection", "id": connection.name},
        "attrs": {
            "name": connection.name,
            "protocol": connection.protocol.value,
            "labels": connection.labels,
        },
        "parents": [],
    }


def _inputs(call: Call, context: dict[str, Any], groups: frozenset[str], *, principal: bool) -> str:
    who = call.asked.principal
    return sha256_hex(
        orjson.dumps(
            {
                "action": call.action.value,
                "connection": call.asked.connection.name,
                "principal": [who.kind.value, who.issuer, who.id] if principal else _type(who),
                "groups": sorted(groups),
                "context": context,
            },
            option=orjson.OPT_SORT_KEYS,
        )
    )


def _strictest(decisions: Sequence[Decision]) -> Decision:
    """One decision for a whole batch: what is denied or held in one element is so for all."""
    first = max(decisions, key=lambda item: _STRICTNESS[item.effect])
    same = [item for item in decisions if item.effect is first.effect]
    return Decision(
        effect=first.effect,
        policies=tuple(dict.fromkeys(id_ for item in same for id_ in item.policies)),
        reason=first.reason,
        digest=first.digest,
        inputs=hashlib.sha256("".join(item.inputs for item in decisions).encode()).hexdigest(),
        micros=sum(item.micros for item in decisions),
        needs=tuple(dict.fromkeys(need for item in same for need in item.needs)),
    )
