"""What can go wrong between us and the approvals topic.

ApprovalsError
`-- LogFull            the Kafka client takes no more just now: nothing was said
"""

from __future__ import annotations

__all__ = ["ApprovalsError", "LogFull"]


class ApprovalsError(Exception):
    """Base of every error that this room raises."""


class LogFull(ApprovalsError):
    """The Kafka client takes no more events just now; the one at hand was not said."""
