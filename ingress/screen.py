"""Tool calls in a model's answer, judged on their way: allowed ones go on as they came, others are replaced.

A call that needs people is held here, with what comes behind it; what came before it is out already. Nothing
is read from the target meanwhile beyond its connection's buffer, and the client hears a ping now and then.
What was denied or held is on record, durable, before anything of it, or in its place, goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self
from urllib.parse import quote
from uuid import UUID

from tachograph.ingress.admission import KEEPALIVE_SECONDS, Asked, Decision, Effect, ToolUse
from tachograph.ingress.errors import (
    AgentError,
    ApprovalDenied,
    ClientGone,
    IngressError,
    JudgementFull,
    Overload,
    Unauthenticated,
    UpstreamGarbage,
)
from tachograph.ingress.gate import Gate
from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.stream import Filter
from tachograph.ingress.recording.recorder import ExchangeRecord
from tachograph.ingress.refusals import sentence
from tachograph.schemas.payload import ApprovalMeta, PolicyDecision, ToolDecision

__all__ = ["MAX_SHOWN_ARGUMENTS", "Client", "Screen"]

MAX_SHOWN_ARGUMENTS = 48 << 10
"""Bytes of a call's arguments in its decision's record; people are asked about nothing longer."""
MAX_NAME_CHARS = 100
"""Of a tool's name in the text that takes the call's place."""
TOOL_METHOD = "llm.tool_use"
"""Stands for the method where a tool call is held: no HTTP request has it."""


@dataclass(frozen=True, slots=True)
class Client:
    """What a screen asks of the agent's side."""

    send: Callable[[bytes], None]
    """Bytes of the body that may come at once: a ping."""
    alive: Callable[[], None]
    """A sign of life where nothing of the answer is out yet."""
    gone: Callable[[], bool]


@dataclass(slots=True)
class _Held:
    """A tool call that waits for people. See `admission.OnRecord`."""

    record: ExchangeRecord
    tool: ToolDecision
    policy: PolicyDecision
    request_uid: UUID | None
    denied: tuple[str, ApprovalMeta] | None = None
    """What people said no with; it is recorded with the text that takes the call's place."""

    async def decided(
        self, decision: Literal["allow", "deny"], *, reason: str, approval: ApprovalMeta
    ) -> None:
        if decision == "deny":
            self.denied = (reason, approval)
            return
        await self.record.decided_tool(
            "allow", reason=reason, tool=self.tool, policy=self.policy, approval=approval
        )


class Screen:
    """One answer. Use it in a `with`, which gives back the room that it took."""

    def __init__(self, filter_: Filter, gate: Gate, record: ExchangeRecord, client: Client) -> None:
        self.error: IngressError | None = None
        """Why the answer ended before its end, once it has."""
        self._filter = filter_
        self._gate = gate
        self._record = record
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._said = self._loop.time()
        self._used = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.waiting.used -= self._used
        self._used = 0

    @property
    def streams(self) -> bool:
        """Whether bytes go on before the answer is complete."""
        return bool(self._filter.ping)

    async def feed(self, data: bytes, *, end: bool, out: Callable[[bytes], Awaitable[None]]) -> None:
        """Take the next bytes from the target, and give on by `out` what may go on. See `error`."""
        self._filter.feed(data, end=end)
        try:
            self._account()
            while (item := self._filter.next()) is not None:
                if isinstance(item, ToolCall):
                    self._filter.answer(await self._judged(item))
                elif item:
                    self._said = self._loop.time()
                    await out(item)
            self._account()
        except Overload as error:
            self.error = error
            await out(self._filter.fail(sentence(error), "overloaded_error"))
        if self._filter.broken is not None:
            self.error = self.error or UpstreamGarbage(self._filter.broken)
        elif self._filter.kept and self._loop.time() - self._said >= KEEPALIVE_SECONDS:
            self._ping()

    def _account(self) -> None:
        waiting, kept = self._gate.waiting, self._filter.kept
        waiting.used += kept - self._used
        self._used = kept
        if waiting.used > waiting.most:
            raise JudgementFull(f"{waiting.used} bytes wait for decisions")

    # -- one call ----------------------------------------------------------------------------------

    async def _judged(self, call: ToolCall) -> str | None:
        """None to release it, or what takes its place. Raises `Overload`, `ClientGone`."""
        decision, facts = self._gate.decide_tool(ToolUse(call.name, call.arguments, call.model), call.problem)
        if decision.effect is Effect.ALLOW:
            return None
        told = ToolDecision(id=call.id, name=call.name, arguments=_shown(call.arguments))
        held = None
        try:
            self._gate.obey(decision)
            held = await self._held(call, decision, facts, told)
            await self._wait(call, decision, held)
        except ClientGone:
            raise
        except AgentError as error:
            said = held.denied if held is not None else None
            why = "" if isinstance(error, Unauthenticated) else decision.reason
            reason, approval = said or (why or error.detail, None)
            text = f"The call of the tool `{_name(call.name)}` was not passed on. {sentence(error)}"
            told = told.model_copy(update={"replacement": text})
            await self._record.decided_tool("deny", reason=reason, tool=told, policy=facts, approval=approval)
            return text
        return None

    async def _held(
        self, call: ToolCall, decision: Decision, facts: PolicyDecision, told: ToolDecision
    ) -> _Held:
        """Put on record what people are to be asked about. Raises `ApprovalDenied`, `RecorderFull`."""
        if len(call.arguments) > MAX_SHOWN_ARGUMENTS:
            raise ApprovalDenied(f"people are asked about arguments of at most {MAX_SHOWN_ARGUMENTS} bytes")
        uid = await self._record.decided_tool("hold", reason=decision.reason, tool=told, policy=facts)
        return _Held(self._record, told, facts, uid)

    async def _wait(self, call: ToolCall, decision: Decision, held: _Held) -> None:
        with self._pinging():
            await self._gate.holder.hold(
                _asked_for(self._gate.asked, call),
                decision,
                held,
                alive=(lambda: None) if self.streams else self._client.alive,
                gone=self._client.gone,
            )
        self._gate.still()
        if self._client.gone():
            raise ClientGone("the client left while a tool call of its answer waited")

    # -- meanwhile ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _pinging(self) -> Iterator[None]:
        timer: asyncio.TimerHandle

        def beat() -> None:
            nonlocal timer
            timer = self._loop.call_later(KEEPALIVE_SECONDS, beat)
            self._ping()

        timer = self._loop.call_later(KEEPALIVE_SECONDS, beat)
        try:
            yield
        finally:
            timer.cancel()

    def _ping(self) -> None:
        if self.streams and not self._client.gone():
            self._said = self._loop.time()
            self._client.send(self._filter.ping)


def _asked_for(asked: Asked, call: ToolCall) -> Asked:
    """What an approval of the call is bound to: who, through what, which tool, with which arguments.

    Not the call's id, which is another in each answer, so that a retry joins.
    """
    arguments = json.dumps(json.loads(call.arguments), sort_keys=True, separators=(",", ":"))
    return replace(
        asked, method=TOOL_METHOD, target=quote(call.name, safe=""), headers=(), body=arguments.encode()
    )


def _shown(arguments: bytes) -> str:
    text = arguments[:MAX_SHOWN_ARGUMENTS].decode("utf-8", "replace")
    return text if len(arguments) <= MAX_SHOWN_ARGUMENTS else f"{text}\u2026"


def _name(name: str) -> str:
    plain = "".join(char if char.isprintable() and char != "`" else " " for char in name)
    return plain if len(plain) <= MAX_NAME_CHARS else f"{plain[:MAX_NAME_CHARS]}\u2026"
