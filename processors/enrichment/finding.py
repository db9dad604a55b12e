"""A leak that the canary proved, as analysts get it: OCSF Detection Finding 2004, critical, once a stop.

It names the partition that stands still, the canary's session and the places of the plants, never a value.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from tachograph.processors.enrichment import ocsf
from tachograph.processors.record import Emitted
from tachograph.schemas.ocsf import FINDING_STATUSES, SEVERITIES
from tachograph.schemas.stops import Stop

__all__ = ["DETECTION_FINDING", "finding"]

DETECTION_FINDING = 2004
_CREATE = 1
_NEW = 1
_CRITICAL = 5
_TITLE = "Planted secrets can be read behind the masker"
_REMEDY = (
    "Find out what masked them by the session's events and their ruleset, mend it, restart the processors,"
    " then let the partition go on: tacho canary acknowledge"
)


def finding(stop: Stop) -> Emitted:
    """The event of a stop that was raised; its identity is the stop's finding."""
    raised = datetime.fromisoformat(stop.raised)
    time = int(raised.timestamp() * 1000)
    event: dict[str, Any] = ocsf.frame(DETECTION_FINDING, _CREATE, time=time, message=_message(stop))
    event |= ocsf.named("status", _NEW, FINDING_STATUSES) | ocsf.named("severity", _CRITICAL, SEVERITIES)
    event |= {
        "is_alert": True,
        "finding_info": {
            "uid": str(stop.finding),
            "title": _TITLE,
            "desc": _message(stop),
            "types": [stop.reason],
            "created_time": time,
        },
        "remediation": {"desc": _REMEDY},
        "metadata": ocsf.metadata(str(stop.finding)) | {"profiles": ["security_control"]},
        "unmapped": {
            "tacho": {
                "v": 1,
                "type": "finding",
                "uid": str(stop.finding),
                "session": str(stop.session),
                "reason": stop.reason,
                "partition": stop.partition,
                "leaks": stop.leaks,
                "places": list(stop.places),
            }
        },
    }
    return Emitted(stop.finding, stop.session, "finding", f"{raised:%Y.%m.%d}", orjson.dumps(event))


def _message(stop: Stop) -> str:
    return (
        f"{stop.leaks} planted secrets of session {stop.session} can be read on the masked topic; partition"
        f" {stop.partition} of the raw topic stands still until that is acknowledged"
    )
