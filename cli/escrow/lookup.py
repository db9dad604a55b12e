"""Where a removed value is looked up: its document in OpenSearch or in a bundle, its record in the escrow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tachograph.cli.documents import Documents
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.escrow.files import read_file
from tachograph.cli.settings import Settings

if TYPE_CHECKING:
    from tachograph.forensics.verify.report import Report
    from tachograph.schemas.escrow import EscrowRecord

__all__ = ["bundled", "escrowed", "stored"]


def stored(told: Settings, uid: str) -> Mapping[str, Any]:
    """The document as OpenSearch has it. Raises `Refused`, `PartDown`."""
    documents = Documents.open(told)
    try:
        documents.refresh()
        found = list(documents.scan(documents.everything, {"term": {"metadata.uid": uid}}))
    finally:
        documents.close()
    if not found:
        raise Refused(f"no document {uid}: `tacho search` finds documents; of one deleted nothing is proven")
    source: Mapping[str, Any] = found[0]["_source"]
    return source


def bundled(file: Path, trust: Path | None, uid: str) -> tuple[Mapping[str, Any], Report]:
    """The document as a bundle has it, and what is to be thought of that bundle. Raises `Refused`."""
    from tachograph.cli.bundle_file import read_bundle_file
    from tachograph.forensics.bundle.reader import Exporters, read_bundle
    from tachograph.forensics.bundle.reader import Refused as BundleRefused
    from tachograph.forensics.verify.policy import MAX_POLICY_BYTES, TrustPolicy
    from tachograph.forensics.verify.verify import verify_bundle

    if trust is None:
        raise WrongUse("a bundle needs --trust FILE, the policy that says whose bundles are believed")
    text = read_file(trust, most=MAX_POLICY_BYTES).decode("utf-8", "replace")
    policy, data = TrustPolicy.parse(text, file=str(trust)), read_bundle_file(file)
    if data is None:
        raise Refused(f"{file}: bundle-too-large; `tacho verify` says more")
    keys = tuple(item.parsed for item in policy.exporters if not item.revoked)
    try:
        opened = read_bundle(data, Exporters(keys))
    except BundleRefused as refused:
        raise Refused(f"{file}: {refused.verdict.word} at {refused}; `tacho verify` says more") from None
    for line in opened.lines:
        if line.document is not None and uid.encode() in line.document:
            document = _document(line.document)
            if document.get("unmapped", {}).get("tacho", {}).get("uid") == uid:
                return document, verify_bundle(data, policy)
    raise Refused(f"{file}: holds no document {uid}")


def escrowed(told: Settings, uid: str, index: int) -> EscrowRecord:
    """The escrow's record with a value. Raises `Refused`, `LogUnreachable`."""
    from tachograph.forensics.escrow_source import EscrowSource
    from tachograph.processors.brokers import rdkafka_settings

    kafka = told.configuration.kafka
    source = EscrowSource(rdkafka_settings(kafka, base=told.base), kafka.topics.escrow)
    try:
        found = source.record(uid, index)
    finally:
        source.close()
    if found is None:
        raise Refused(
            f"the escrow has no value {index} of {uid}: it was masked before `escrow.keys` was set, is larger"
            " than an escrow takes, or was erased"
        )
    return found


def _document(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) and isinstance(value.get("unmapped"), dict) else {}
