"""The decision on one exchange, as the passage meets it: what it may look at, what it says, what follows.

A gate asks the judge once, from the head alone where that is enough, and turns its answer into the refusal
that the agent gets and the facts that the record keeps. Bodies that wait for a decision are counted, so that
all of them together stay within a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

from tachograph.ingress.admission import MAX_JUDGED_BODY, Asked, Decision, Effect, Holder, Judge, ToolUse
from tachograph.ingress.errors import Ambiguous, BadRequest, JudgementFull, PolicyDenied
from tachograph.schemas.connection import Connection
from tachograph.schemas.payload import PolicyDecision

__all__ = ["MAX_GROUPS", "MAX_WAITING_BYTES", "Counted", "Gate", "Room", "Waiting", "check_length"]

MAX_GROUPS = 128
"""Groups of one principal that the record of a decision names."""
MAX_WAITING_BYTES = 256 << 20
"""Bodies that one worker holds in memory for a decision or an approval, all together."""

Counted = Callable[[Connection, Literal["request", "tool_use"], Effect], None]
"""Told of each decision of the policies: on which connection, on what, and which."""


@dataclass(slots=True)
class Waiting:
    """The bytes of one worker that wait for decisions."""

    used: int = 0
    most: int = MAX_WAITING_BYTES

    def room(self) -> Room:
        return Room(self)


@dataclass(slots=True)
class Room:
    """The part of them that one exchange holds, given back at the end of a `with`."""

    waiting: Waiting
    used: int = 0

    def take(self, count: int) -> None:
        """Raises `BadRequest`, 413, for more than may be judged, and `JudgementFull`."""
        check_length(self.used + count)
        if self.waiting.used + count > self.waiting.most:
            raise JudgementFull(f"{self.waiting.used} bytes of other requests wait for decisions")
        self.used += count
        self.waiting.used += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.waiting.used -= self.used
        self.used = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """One exchange's way through the policies."""

    judge: Judge
    holder: Holder
    waiting: Waiting
    asked: Asked
    """Without its body."""
    ask: str
    """Whom an agent that is refused may ask; empty where nobody is named."""
    clock_ns: Callable[[], int] = time.perf_counter_ns
    counted: Counted = lambda *_: None
    still: Callable[[], None] = lambda: None
    """Raises where who asks has lost what proved them, such as a key revoked while people decided."""

    @property
    def needs_body(self) -> bool:
        return self.judge.reads_body(self.asked.connection)

    def with_body(self, body: bytes) -> Gate:
        """The same gate, once the body is there."""
        return replace(self, asked=replace(self.asked, body=body))

    def decide(self) -> tuple[Decision, PolicyDecision]:
        """The decision, and what the record says about it."""
        begun = self.clock_ns()
        decision = self.judge.decide(self.asked)
        self.counted(self.asked.connection, "request", decision.effect)
        return decision, self._facts(decision, begun)

    @property
    def reads_tools(self) -> bool:
        return self.judge.reads_tools(self.asked.connection)

    def decide_tool(self, use: ToolUse, problem: str | None) -> tuple[Decision, PolicyDecision]:
        """The same for a tool call in the answer; one with a `problem` is denied unread."""
        begun = self.clock_ns()
        if problem is not None:
            decision = Decision(Effect.DENY, (), problem, "", "", 0, malformed=True)
        else:
            decision = self.judge.decide_tool(self.asked, use)
        self.counted(self.asked.connection, "tool_use", decision.effect)
        return decision, self._facts(decision, begun)

    def _facts(self, decision: Decision, begun: int) -> PolicyDecision:
        return PolicyDecision(
            effect=decision.effect.value,
            policies=decision.policies,
            reason=decision.reason,
            digest=decision.digest,
            inputs=decision.inputs,
            micros=(self.clock_ns() - begun) // 1000,
            groups=tuple(sorted(self.asked.groups)[:MAX_GROUPS]),
        )

    def obey(self, decision: Decision) -> None:
        """Raises what a denied request is answered with."""
        if decision.effect is not Effect.DENY:
            return
        if decision.malformed:
            raise Ambiguous(decision.reason)
        raise PolicyDenied(_why(decision), policies=decision.policies, ask=self.ask)


def check_length(length: int) -> None:
    """Raises `BadRequest`, 413, for a body that is too long to be judged."""
    if length > MAX_JUDGED_BODY:
        detail = f"expected at most {MAX_JUDGED_BODY} bytes where policies look at the body"
        raise BadRequest(detail, status=413)


def _why(decision: Decision) -> str:
    names = ", ".join(f"`{id_}`" for id_ in decision.policies)
    if not names:
        return decision.reason
    said = f": {decision.reason}" if decision.reason else ""
    return f"denied by the policy {names}{said}"
