"""A session to be replayed: from OpenSearch by its id, or from a bundle by its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tachograph.cli.documents import TACHO, Documents
from tachograph.cli.errors import BadEvidence, Refused
from tachograph.cli.judged_bundle import judged_bundle
from tachograph.cli.settings import Settings
from tachograph.console.views import visible
from tachograph.forensics.errors import NotReplayable
from tachograph.forensics.replay.recorded import Exchange, exchanges_of
from tachograph.forensics.verify.documents import Unreadable, read_document

__all__ = ["UNALTERED", "Recording", "from_bundle", "from_store", "is_bundle"]

SUFFIX = ".tacho"
UNALTERED = frozenset({"complete", "reduced", "session-open", "session-cut"})
"""Verdicts of bundles that are replayed unasked: all that is there is proven, and nothing was taken out."""
MAX_NAME = 300
"""Characters of a bundle's path, from its end, in what is recorded."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A session's exchanges, and where they were read. `verdict` is the bundle's."""

    session: str
    exchanges: Sequence[Exchange]
    origin: str
    verdict: str | None = None


def is_bundle(name: str) -> bool:
    """Whether a file is named, not a session."""
    return name.endswith(SUFFIX) or Path(name).is_file()


def from_store(settings: Settings, name: str) -> Recording:
    """Read every document of a session. Raises `Refused`, `PartDown`."""
    documents = Documents.open(settings)
    try:
        documents.refresh()
        session = documents.resolve(name)
        query = {"term": {f"{TACHO}.session": session}}
        found = [hit["_source"] for hit in documents.scan(documents.everything, query)]
    finally:
        documents.close()
    if len(found) >= documents.max_hits:
        raise Refused(
            f"session {session} has {documents.max_hits} documents or more: take it out with `tacho export`,"
            " and replay the file"
        )
    return _recording(session, exchanges_of(found), "OpenSearch")


def from_bundle(file: Path, trust: Path | None, *, anyway: bool = False) -> Recording:
    """Verify a bundle and read it; one of a bad verdict only `anyway`, which its origin says then.

    Raises `BadEvidence` with the verdict's exit code, `NotReplayable`, `Refused`, `WrongUse`.
    """
    judged = judged_bundle(file, trust)
    verdict = judged.report.verdict
    if verdict.word not in UNALTERED and not anyway:
        raise BadEvidence(
            f"{file}: {verdict.word}, {verdict.meaning}; `tacho verify` says where, --anyway replays it and"
            " says so on record",
            verdict.code,
        )
    lines = (line.document for line in judged.opened.lines)
    documents = [_document(data) for data in lines if data is not None]
    said = verdict.word if verdict.word in UNALTERED else f"{verdict.word}, replayed anyway"
    told = f"{visible(str(file))[-MAX_NAME:]} ({said})"
    return _recording(judged.opened.session, exchanges_of(documents), told, verdict.word)


def _document(data: bytes) -> Any:
    """One that can be read in one way only: with `--anyway` nobody has seen to that yet."""
    try:
        read_document(data)
        return orjson.loads(data)
    except (Unreadable, orjson.JSONDecodeError) as error:
        raise NotReplayable(f"a document of the bundle cannot be read: {error}") from None


def _recording(
    session: str, exchanges: Sequence[Exchange], origin: str, verdict: str | None = None
) -> Recording:
    if not exchanges:
        raise Refused(f"session {session} has no requests on record: `tacho show {session[:8]}` tells it")
    return Recording(session, exchanges, origin, verdict)
