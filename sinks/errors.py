"""What can go wrong in a sink, named by whose fault it is.

SinkError
|-- OperatorError          ours to explain, the operator's to mend; ends the process
|   |-- NotProvisioned     a topic or a template is missing or not ours: `tacho provision`
|   |-- SecretUnreadable   the password's variable or file is not there
|   `-- DeadLetterFlood    so many records are refused that it is not the records
|-- DependencyDown         Kafka or OpenSearch did not answer within the named bound at start; exit 3
|-- ClusterError           OpenSearch's answer to one call; handled by the loop, never the process's end
|   |-- Unavailable        no answer, a torn one, 429 or 5xx: the same call may succeed later
|   |   `-- Busy           503, 429 or 408: it is there, and cannot just now
|   `-- CallRefused        4xx for the call as a whole
`-- Stopping               asked to stop while waiting; nothing is lost, the offsets stay uncommitted
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Busy",
    "CallRefused",
    "ClusterError",
    "DeadLetterFlood",
    "DependencyDown",
    "NotProvisioned",
    "OperatorError",
    "SecretUnreadable",
    "SinkError",
    "Stopping",
    "Unavailable",
]


class SinkError(Exception):
    """Base of every error that this room raises; `exit_code` is what a process that it ends exits with."""

    exit_code: ClassVar[int] = 1


class OperatorError(SinkError):
    """Something that only the operator can mend; the text says what."""


class NotProvisioned(OperatorError):
    """A topic or an index template that the sink writes by is missing."""


class SecretUnreadable(OperatorError):
    """A password's environment variable or file cannot be read."""

    exit_code = 2


class DeadLetterFlood(OperatorError):
    """More refusals than bad records explain: stop instead of emptying the topic into the dead letter."""


class DependencyDown(SinkError):
    """Kafka or OpenSearch did not answer within the bound at start."""

    exit_code = 3


class ClusterError(SinkError):
    """OpenSearch answered a call with something other than its result. The text holds no document."""


class Unavailable(ClusterError):
    """No answer, a torn one, or one that says: later."""


class Busy(Unavailable):
    """It is there and cannot just now: too much to do, or an index whose first shard is only being made."""


class CallRefused(ClusterError):
    """OpenSearch refused the call as a whole."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(f"OpenSearch answered {status} {kind}")
        self.status = status
        self.kind = kind


class Stopping(SinkError):
    """The process is ending; what is not acknowledged will be read again."""
