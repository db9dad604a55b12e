"""Everything that can go wrong in the processor, named by whose fault it is.

ProcessorError
|-- Poisoned               the record's: it goes to the dead letter with `reason`, and the stream goes on
|   `-- KeyMissing         ... its key is not there yet: worth waiting for, within a bound
|-- BrokerFault            the infrastructure's: wait and retry within a bound, then end the process
|   `-- KeysAway           ... of what opens data keys: it does not answer, or refuses to open any
|-- AnchorFault            a witness's or time-stamp authority's: the next checkpoint is anchored instead
|   `-- HistoryDisputed    ... a witness has seen another history of a log: somebody must look
|-- DeadLetterFlood        the deployment's: so many poisoned records mean that we are wrong, not they
`-- OperatorError          the operator's: say what to do, and do not start

No message holds a byte of a payload.
"""

from __future__ import annotations

__all__ = [
    "AnchorFault",
    "BrokerFault",
    "DeadLetterFlood",
    "HistoryDisputed",
    "KeyMissing",
    "KeysAway",
    "OperatorError",
    "Poisoned",
    "ProcessorError",
]


class ProcessorError(Exception):
    """Base of every error that this room raises on purpose."""


class Poisoned(ProcessorError):
    """This record will never be processed; `reason` is a short code, safe to store, count and show."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class KeyMissing(Poisoned):
    """The keys topic has not (yet) shown the key of this record's strand."""

    def __init__(self, strand: str) -> None:
        super().__init__("key-unavailable", f"strand {strand}: its key is not on the keys topic")
        self.strand = strand


class BrokerFault(ProcessorError):
    """Kafka refused or did not answer in time."""


class KeysAway(BrokerFault):
    """What opens data keys does not answer, or refuses to open any: no record is at fault."""


class AnchorFault(ProcessorError):
    """A witness or time-stamp authority gave no anchor for a checkpoint; the log does not wait for it."""


class HistoryDisputed(AnchorFault):
    """What a log says of itself now is not what it said to a witness before."""


class DeadLetterFlood(ProcessorError):
    """The dead letter took its fill; stopping keeps the rest of the topic where it is."""


class OperatorError(ProcessorError):
    """Something must be provided or provisioned before the worker can run."""
