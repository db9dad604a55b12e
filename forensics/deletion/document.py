"""A statement as the document that is published: an OCSF event of its own type around what is signed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tachograph.schemas import ocsf
from tachograph.schemas.deletion import DELETION_TYPES, ERASURE, Statement, statement_text
from tachograph.schemas.errors import MalformedRecord, SignatureBroken
from tachograph.schemas.note import NoteKey, NoteSigner, open_note

__all__ = ["StatementDocument", "read_statement", "said_in", "statement_document"]

_LIFECYCLE, _OTHER, _INFORMATIONAL, _SUCCESS = 6002, ocsf.OTHER, 1, 1
_PRODUCT = {"name": "Tachograph", "vendor_name": "Tachograph"}


@dataclass(frozen=True, slots=True)
class StatementDocument:
    """What goes onto the masked topic: its value, and what its headers and key say."""

    uid: uuid.UUID
    session: uuid.UUID
    type: str
    day: str
    value: bytes


def statement_document(statement: Statement, signer: NoteSigner) -> StatementDocument:
    """Signed, and the same bytes for the same statement and key."""
    at = datetime.fromisoformat(statement.at)
    tacho = {
        "v": 1,
        "uid": str(statement.uid),
        "type": statement.type,
        "session": str(statement.session),
        "deletion": statement.said(),
        "deletion_note": signer.sign(statement_text(statement.canonical())),
    }
    value = orjson.dumps(_event(statement, int(at.timestamp() * 1000)) | {"unmapped": {"tacho": tacho}})
    return StatementDocument(statement.uid, statement.session, statement.type, f"{at:%Y.%m.%d}", value)


def read_statement(document: bytes, key: NoteKey) -> Statement | None:
    """The statement in a stored document, None where there is none or this key did not sign it."""
    try:
        tacho = orjson.loads(document)["unmapped"]["tacho"]
        statement = Statement.parse(tacho["deletion"])
        signed = open_note(tacho["deletion_note"], [key])
    except (ValueError, KeyError, TypeError, AttributeError, MalformedRecord, SignatureBroken):
        return None
    whole = signed.text == statement_text(statement.canonical()) and tacho.get("type") in DELETION_TYPES
    return statement if whole and tacho.get("uid") == str(statement.uid) else None


def said_in(document: bytes) -> Statement | None:
    """What a document states, whoever signed it; None where it states nothing in form."""
    try:
        return Statement.parse(orjson.loads(document)["unmapped"]["tacho"]["deletion"])
    except (ValueError, KeyError, TypeError, MalformedRecord):
        return None


def _event(statement: Statement, time: int) -> dict[str, Any]:
    why = "were erased on request" if statement.type == ERASURE else "grew old"
    message = f"{len(statement.records)} records of session {statement.session} are deleted: they {why}"
    return {
        "category_uid": _LIFECYCLE // 1000,
        "category_name": ocsf.CATEGORIES[_LIFECYCLE // 1000],
        "class_uid": _LIFECYCLE,
        "class_name": ocsf.CLASSES[_LIFECYCLE],
        "activity_id": _OTHER,
        "activity_name": ocsf.LIFECYCLE_ACTIVITIES[_OTHER],
        "type_uid": ocsf.type_uid(_LIFECYCLE, _OTHER),
        "type_name": ocsf.type_name(_LIFECYCLE, _OTHER),
        "time": time,
        "severity_id": _INFORMATIONAL,
        "severity": ocsf.SEVERITIES[_INFORMATIONAL],
        "status_id": _SUCCESS,
        "status": ocsf.STATUSES[_SUCCESS],
        "message": message,
        "app": _PRODUCT,
        "metadata": {
            "version": ocsf.OCSF_VERSION,
            "product": _PRODUCT,
            "uid": str(statement.uid),
            "log_name": "tachograph",
            "log_version": "1",
        },
    }
