"""Everything that can be wrong with what is on the wire or in a configuration file.

SchemaError
|-- RecordError            a record that cannot be taken as it is
|   |-- UnknownVersion     written by a newer Tachograph, or not by one at all
|   |-- MalformedRecord    cut short, or its parts contradict each other
|   |-- SealBroken         the key does not open it: altered, or sealed for somebody else
|   |-- SignatureBroken    no known key has signed it, or one has signed something else
|   `-- ProofBroken        a Merkle proof that does not lead to the root
`-- ConfigurationError     the operator's file: names file, line, key, what was expected and what came
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ConfigurationError",
    "ConfigurationProblem",
    "MalformedRecord",
    "ProofBroken",
    "RecordError",
    "SchemaError",
    "SealBroken",
    "SignatureBroken",
    "UnknownVersion",
]


class SchemaError(Exception):
    """Base of every error that this room raises."""


class RecordError(SchemaError):
    """A record that cannot be taken as it is. Its text never holds a byte of the payload."""


class UnknownVersion(RecordError):
    """The record names a version or magic that this release does not know."""


class MalformedRecord(RecordError):
    """The record is cut short, or its parts contradict each other."""


class SealBroken(RecordError):
    """Authenticated decryption failed: altered bytes, another header, or the wrong key."""


class SignatureBroken(RecordError):
    """No known key has signed it, or the signature is over other bytes."""


class ProofBroken(RecordError):
    """The proof does not lead from what is claimed to the root."""


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """One thing wrong with a configuration file. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigurationError(SchemaError):
    """The configuration is refused as a whole; `problems` says all that is wrong with it, not the first."""

    def __init__(self, problems: tuple[ConfigurationProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
