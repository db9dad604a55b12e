"""Where a removed value is looked up: its document in OpenSearch or in a bundle, its record in the escrow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tachograph.cli.documents import Documents
from tachograph.cli.errors import Refused
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
    from tachograph.cli.judged_bundle import judged_bundle

    judged = judged_bundle(file, trust)
    for line in judged.opened.lines:
        if line.document is not None and uid.encode() in line.document:
            document = _document(line.document)
            if document["unmapped"]["tacho"].get("uid") == uid:
                return document, judged.report
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
    """What a document says, nothing where it is none: in a bundle there may be anything."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    unmapped = value.get("unmapped") if isinstance(value, dict) else None
    tacho = unmapped.get("tacho") if isinstance(unmapped, dict) else None
    return value if isinstance(value, dict) and isinstance(tacho, dict) else {"unmapped": {"tacho": {}}}
