"""What keeps a request from waiting for people, or from going on afterwards; nobody's fault but the last.

Overload
|-- ApprovalsAway      the approvals topic does not answer in time, so nothing can be asked or claimed
`-- ApprovalsFull      as many wait as may
"""

from __future__ import annotations

from typing import ClassVar

from tachograph.ingress.errors import Overload
from tachograph.schemas.payload import ErrorCode

__all__ = ["ApprovalsAway", "ApprovalsFull"]


class ApprovalsAway(Overload):
    """The approvals topic does not answer in time. The request was not forwarded."""

    code: ClassVar[ErrorCode] = "approval-unavailable"


class ApprovalsFull(Overload):
    """As many requests wait as may. The request was not forwarded."""

    code: ClassVar[ErrorCode] = "approval-unavailable"
    retry_after = 30
