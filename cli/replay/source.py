"""A session to be replayed: from OpenSearch by its id, or from a bundle by its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tachograph.cli.documents import TACHO, Documents
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.settings import Settings
from tachograph.forensics.replay.recorded import Exchange, exchanges_of

__all__ = ["Recording", "from_bundle", "from_store", "is_bundle"]

SUFFIX = ".tacho"


@dataclass(frozen=True, slots=True)
class Recording:
    """A session's exchanges, and where they were read."""

    session: str
    exchanges: Sequence[Exchange]
    origin: str


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


def from_bundle(file: Path, trust: Path | None) -> Recording:
    """Read a bundle whose exporter the policy trusts. Raises `Refused`, `WrongUse`."""
    from tachograph.cli.bundle_file import read_bundle_file
    from tachograph.forensics.bundle.reader import Exporters, read_bundle
    from tachograph.forensics.bundle.reader import Refused as BundleRefused
    from tachograph.forensics.verify.policy import MAX_POLICY_BYTES, TrustPolicy

    if trust is None:
        raise WrongUse("a bundle needs --trust FILE, the policy that says whose bundles are believed")
    policy = TrustPolicy.parse(_read(trust, MAX_POLICY_BYTES).decode("utf-8", "replace"), file=str(trust))
    data = read_bundle_file(file)
    if data is None:
        raise Refused(f"{file}: bundle-too-large; `tacho verify` says more")
    keys = tuple(item.parsed for item in policy.exporters if not item.revoked)
    try:
        opened = read_bundle(data, Exporters(keys))
    except BundleRefused as refused:
        raise Refused(f"{file}: {refused.verdict.word} at {refused}; `tacho verify` says more") from None
    documents = [orjson.loads(line.document) for line in opened.lines if line.document is not None]
    return _recording(opened.session, exchanges_of(documents), str(file))


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > most:
        raise WrongUse(f"{path}: expected at most {most} bytes")
    return data


def _recording(session: str, exchanges: Sequence[Exchange], origin: str) -> Recording:
    if not exchanges:
        raise Refused(f"session {session} has no requests on record: `tacho show {session[:8]}` tells it")
    return Recording(session, exchanges, origin)
