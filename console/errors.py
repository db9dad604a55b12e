"""Why the console does not do what it was asked, named by whose fault it is; `detail` may be shown.

ConsoleError
|-- Refusal                a person or program asked for what it may not have, or too late; `status` says how
|   |-- NotProven          401  nobody knows who asks
|   |-- Forbidden          403  the request did not come from our own page, or is not for this person
|   |-- NotThere           404  no such thing, or not for these eyes: the two are not told apart
|   |-- Conflict           409  the log says otherwise by now
|   |-- BadRequest         400
|   `-- TooMuch            413
|-- Away                   503  Kafka, OpenSearch or an issuer does not answer
`-- OperatorError          the configuration or a file of the operator's; ends the process, exit code 2
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "Away",
    "BadRequest",
    "Conflict",
    "ConsoleError",
    "Forbidden",
    "NotProven",
    "NotThere",
    "OperatorError",
    "Refusal",
    "TooMuch",
]


class ConsoleError(Exception):
    """Base of every error that this room raises."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "That went wrong"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class Refusal(ConsoleError):
    """Asked for what may not be had."""


class NotProven(Refusal):
    """Nobody knows who asks."""

    status = 401
    title = "Please log in"


class Forbidden(Refusal):
    """Not from our own page, or not for this person."""

    status = 403
    title = "That is not allowed"


class NotThere(Refusal):
    """No such thing for whoever asks."""

    status = 404
    title = "Nothing is here"


class Conflict(Refusal):
    """The log says otherwise by now: look again."""

    status = 409
    title = "This has changed"


class BadRequest(Refusal):
    """It cannot be read."""

    status = 400
    title = "That cannot be read"


class TooMuch(Refusal):
    """Longer than anything that a person types."""

    status = 413
    title = "That is too much"


class Away(ConsoleError):
    """Something that is needed does not answer; what was asked may be asked again."""

    status = 503
    title = "Not just now"


class OperatorError(ConsoleError):
    """The operator must mend something first."""

    exit_code: ClassVar[int] = 2
