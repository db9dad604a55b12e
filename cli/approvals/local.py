"""Approvals without a console: the topic read and written from here, signed with the approvals key file."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from tachograph.approvals.errors import LogFull
from tachograph.approvals.pen import Pen
from tachograph.approvals.tail import Entry, Tail
from tachograph.approvals.view import Stored, approval_view, grant_view
from tachograph.cli.documents import Documents
from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.settings import Settings
from tachograph.ingress.keyfile import read_key
from tachograph.ingress.recording.kafka_settings import client_settings
from tachograph.schemas.approval import ApprovalKey, Decided, Reviewer, Revoked
from tachograph.schemas.approval_book import Approval, ApprovalBook, Void
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["LocalDesk", "operator"]

MAX_WORD = 256
WAIT_SECONDS = 20.0
"""The longest that Kafka may take to show the log, or to show what was written."""


def operator(name: str, groups: Sequence[str]) -> Reviewer:
    """Whoever holds the key, by the name that they give. No issuer vouches for it, so it has none.

    Raises WrongUse for what is no name.
    """
    for word in (name, *groups):
        if not 0 < len(word) <= MAX_WORD or not word.isprintable() or word != word.strip():
            raise WrongUse(f"--as and --group: expected names of 1 to {MAX_WORD} printable characters")
    who = Principal(id=name, kind=PrincipalKind.GATEWAY)
    return Reviewer(principal=who, groups=tuple(dict.fromkeys(groups)), via="local")


class LocalDesk:
    """The approvals topic as of now. `reviewer` is who decides; None may only look."""

    def __init__(self, settings: Settings, reviewer: Reviewer | None) -> None:
        config, base = settings.configuration, settings.base
        key = ApprovalKey(read_key(base / config.keys.approvals_file))
        topic = config.kafka.topics.approvals
        self._reviewer = reviewer
        self._documents = Documents.open(settings)
        self._changed = threading.Condition()
        self._book = ApprovalBook()
        self._said: dict[uuid.UUID, Void | None] = {}
        self._fresh = False
        self._tail = Tail(self, topic=topic, key=key, settings=client_settings(config.kafka, base=base))
        self._pen = Pen(
            topic=topic,
            key=key,
            settings=client_settings(config.kafka, base=base),
            give_up_seconds=WAIT_SECONDS,
        )
        self._tail.start()

    def close(self) -> None:
        self._tail.stop()
        self._pen.close()
        self._documents.close()

    # -- for the commands (`Desk`) -----------------------------------------------------------------

    def pending(self) -> list[dict[str, Any]]:
        self._wait(lambda: self._fresh)
        with self._changed:
            waiting = list(self._book.pending(_now_ms()))
        return [self._view(approval) for approval in waiting]

    def find(self, approval: str) -> dict[str, Any]:
        return self._view(self._find(approval))

    def decide(self, view: Mapping[str, Any], verdict: str, *, comment: str, minutes: int) -> dict[str, Any]:
        if self._reviewer is None:
            raise Refused("nobody decides without a name: --as NAME --group GROUP")
        found = self._find(view["id"])
        event = Decided(
            approval=found.id,
            at=_now_ms(),
            decision=uuid.uuid4(),
            verdict="approve" if verdict == "approve" else "deny",
            reviewer=self._reviewer,
            comment=comment,
            request_digest=view["request_digest"],
            shown=view["shown"],
            grant_minutes=minutes,
        )
        self._say(event)
        return self._view(self._find(view["id"]))

    def grants(self) -> list[dict[str, Any]]:
        self._wait(lambda: self._fresh)
        with self._changed:
            return [grant_view(grant) for grant in self._book.grants(_now_ms())]

    def revoke(self, approval: str) -> dict[str, Any]:
        if self._reviewer is None:
            raise Refused("nobody revokes without a name: --as NAME --group GROUP")
        found = self._find(approval)
        self._say(Revoked(approval=found.id, at=_now_ms(), reviewer=self._reviewer))
        return {"approval": str(found.id), "revoked": True}

    # -- for the tail (`Reader`), from its thread --------------------------------------------------

    def begun(self) -> None:
        with self._changed:
            self._book, self._fresh = ApprovalBook(), False

    def read(self, entries: Sequence[Entry]) -> None:
        with self._changed:
            for entry in entries:
                void = self._book.add(entry.event, entry.log_ms)
                if isinstance(entry.event, Decided):
                    self._said[entry.event.decision] = void
                elif isinstance(entry.event, Revoked):
                    self._said[entry.event.approval] = void
            self._changed.notify_all()

    def fresh(self, asked: float) -> None:
        del asked
        with self._changed:
            self._fresh = True
            self._changed.notify_all()

    # -- inside ------------------------------------------------------------------------------------

    def _say(self, event: Decided | Revoked) -> None:
        """Write it, wait until it is on the log, and raise Refused if it is void there."""
        uid = event.decision if isinstance(event, Decided) else event.approval
        with self._changed:
            self._said.pop(uid, None)
        try:
            self._pen.write(event)
        except LogFull as full:
            raise PartDown(f"{full}; try again") from None
        self._wait(lambda: uid in self._said)
        void = self._said[uid]
        if void is not None:
            raise Refused(f"it does not count: {void.value}")

    def _find(self, approval: str) -> Approval:
        self._wait(lambda: self._fresh)
        with self._changed:
            begins = [each for each in self._book.approvals() if str(each.id).startswith(approval.lower())]
        if not begins:
            raise Refused(f"no approval {approval}: `tacho approvals` shows which wait")
        if len(begins) > 1:
            raise Refused(f"{approval} begins {len(begins)} approvals: say more of it")
        return begins[0]

    def _view(self, approval: Approval) -> dict[str, Any]:
        uid = str(approval.requested.record)
        hits = list(self._documents.scan(self._documents.events, {"ids": {"values": [uid]}}))
        data = self._documents.source(hits[0]["_index"], uid) if hits else None
        document = None if data is None else Stored(hashlib.sha256(data).hexdigest(), orjson.loads(data))
        return approval_view(approval, now_ms=_now_ms(), document=document)

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(ready, WAIT_SECONDS):
                raise PartDown(self._tail.problem or "the approvals topic does not answer")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
