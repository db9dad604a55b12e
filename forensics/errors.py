"""Everything that can go wrong for those who look back, named by whose fault it is.

ForensicsError
|-- OperatorError          whoever runs the command must change something
|-- LogUnreachable         Kafka, where the seal log lies, does not answer
|-- NotSealed              nothing is sealed within the time that there was: the sealing worker's
|-- NotProven              a value is not what a document commits to: whoever claims it
`-- NotReplayable          documents cannot be put together again: whoever wrote them

What is wrong with evidence is no error but a verdict.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["ForensicsError", "LogUnreachable", "NotProven", "NotReplayable", "NotSealed", "OperatorError"]


class ForensicsError(Exception):
    """Base of every error that this room raises."""


class OperatorError(ForensicsError):
    """A file, a key or an address must be provided or corrected first."""


class LogUnreachable(ForensicsError):
    """The log cannot be read now."""

    exit_code: ClassVar[int] = 3


class NotSealed(ForensicsError):
    """What must be in the log before anything goes on is not covered by a checkpoint yet."""

    exit_code: ClassVar[int] = 3


class NotProven(ForensicsError):
    """A value, a salt and a document do not belong together. Its text never holds a byte of the value."""


class NotReplayable(ForensicsError):
    """A session's documents contradict themselves, or are more than is put together; it quotes none."""
