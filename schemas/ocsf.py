"""The words of OCSF 1.9.0 that we speak: classes, activities and captions, each number with its name.

An OCSF event carries both halves of an enumeration (`status_id` and `status`); they come from one table
here, so they cannot disagree.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTIONS",
    "AI_ROLES",
    "API_ACTIVITIES",
    "CATEGORIES",
    "CLASSES",
    "CLASS_ACTIVITIES",
    "DISPOSITIONS",
    "FINDING_ACTIVITIES",
    "FINDING_STATUSES",
    "HTTP_ACTIVITIES",
    "HTTP_METHODS",
    "LIFECYCLE_ACTIVITIES",
    "OCSF_VERSION",
    "OTHER",
    "SEVERITIES",
    "STATUSES",
    "UNKNOWN",
    "USER_TYPES",
    "type_name",
    "type_uid",
]

OCSF_VERSION: Final = "1.9.0"
UNKNOWN: Final = 0
OTHER: Final = 99

CATEGORIES: Final = {2: "Findings", 4: "Network Activity", 6: "Application Activity"}
CLASSES: Final = {
    2004: "Detection Finding",
    4002: "HTTP Activity",
    6002: "Application Lifecycle",
    6003: "API Activity",
}

API_ACTIVITIES: Final = {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
FINDING_ACTIVITIES: Final = {0: "Unknown", 1: "Create", 2: "Update", 3: "Close", 99: "Other"}
LIFECYCLE_ACTIVITIES: Final = {0: "Unknown", 3: "Start", 4: "Stop", 99: "Other"}
HTTP_METHODS: Final = {
    "CONNECT": 1,
    "DELETE": 2,
    "GET": 3,
    "HEAD": 4,
    "OPTIONS": 5,
    "POST": 6,
    "PUT": 7,
    "TRACE": 8,
    "PATCH": 9,
    "COPY": 15,
    "LOCK": 18,
    "MKCOL": 22,
    "MOVE": 25,
    "PROPFIND": 28,
    "PROPPATCH": 29,
    "REPORT": 32,
    "SEARCH": 33,
    "UNLOCK": 37,
}
"""The methods of RFC 9110, RFC 5789 and WebDAV that OCSF numbers; any other one is `OTHER`."""

HTTP_ACTIVITIES: Final = {
    0: "Unknown",
    1: "Connect",
    2: "Delete",
    3: "Get",
    4: "Head",
    5: "Options",
    6: "Post",
    7: "Put",
    8: "Trace",
    9: "Patch",
    15: "Copy",
    18: "Lock",
    22: "Make Collection",
    25: "Move",
    28: "Property Find",
    29: "Property Patch",
    32: "Report",
    33: "Search",
    37: "Unlock",
    99: "Other",
}
CLASS_ACTIVITIES: Final = {
    2004: FINDING_ACTIVITIES,
    4002: HTTP_ACTIVITIES,
    6002: LIFECYCLE_ACTIVITIES,
    6003: API_ACTIVITIES,
}

SEVERITIES: Final = {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
FINDING_STATUSES: Final = {0: "Unknown", 1: "New", 4: "Resolved"}
STATUSES: Final = {0: "Unknown", 1: "Success", 2: "Failure"}
ACTIONS: Final = {0: "Unknown", 1: "Allowed", 2: "Denied"}
DISPOSITIONS: Final = {0: "Unknown", 1: "Allowed", 2: "Blocked"}
AI_ROLES: Final = {0: "Unknown", 1: "User", 2: "Assistant", 3: "Tool", 99: "Other"}
USER_TYPES: Final = {0: "Unknown", 3: "System", 4: "Service"}


def type_uid(class_uid: int, activity_id: int) -> int:
    """`class_uid * 100 + activity_id`, as OCSF defines it."""
    return class_uid * 100 + activity_id


def type_name(class_uid: int, activity_id: int) -> str:
    """`API Activity: Create` and so on."""
    return f"{CLASSES[class_uid]}: {CLASS_ACTIVITIES[class_uid][activity_id]}"
