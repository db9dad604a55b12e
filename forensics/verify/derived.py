"""Messages and parts: what a document names, or named before it was lawfully deleted, is there or has a leaf.

They are in no chain. That none is left out shows by induction: the chain has every record of the wire, each
names the last message of its conversation, each message the one before it; for one that is deleted its
statement does.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import Document
from tachograph.forensics.verify.report import Findings, RecordState, State
from tachograph.schemas.derived import MESSAGE, PART

__all__ = ["check_named"]


def check_named(
    documents: Iterable[Document],
    stated: Iterable[uuid.UUID],
    lost: Mapping[str, str],
    findings: Findings,
) -> list[RecordState]:
    """Look for all that documents and statements (`stated`) name; `lost` are leaves without a document.

    Returns those that are missing, each once. Of one document's parts it is the first: the search is linear.
    """
    there = list(documents)
    known = {item.uid for item in there} | set(lost)
    missing = {str(uid): "unknown" for uid in stated if str(uid) not in known}
    for item in there:
        missing |= dict(_missing(item, known))
    for uid, kind in missing.items():
        findings.add(Verdict.PART_MISSING, uid, f"a document names it ({kind}), and it has no leaf")
    return [RecordState(uid, kind, State.MISSING) for uid, kind in missing.items()]


def _missing(item: Document, known: Collection[str]) -> Iterator[tuple[str, str]]:
    message = item.naming.message_named(item.day)
    if message is not None and str(message) not in known:
        yield str(message), MESSAGE
    part = next((uid for uid in map(str, item.naming.parts_named(item.uid)) if uid not in known), None)
    if part is not None:
        yield part, PART
