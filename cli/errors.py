"""Everything that a command tells its user instead of a traceback, by what the exit code means.

CliError
├── Refused        1  the question was understood, the answer is no
│   └── BadEvidence     a bundle is not what it should be: its verdict's own code
├── WrongUse       2  the command line or the configuration must change
│   └── NoConfiguration
├── PartDown       3  something that the command needs is not there
│   └── PartDied        a child process of `tacho up` ended when it should not
└── Interrupted  130  Ctrl-C, as shells have it: 128 and the signal's number

A message says what was expected, what came, and what to do next.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadEvidence",
    "CliError",
    "Interrupted",
    "NoConfiguration",
    "PartDied",
    "PartDown",
    "Refused",
    "WrongUse",
]


class CliError(Exception):
    """A command cannot do what it was asked; `exit_code` says of which kind that is."""

    exit_code: int = 1


class Refused(CliError):
    """A bad verdict, or something that may not or cannot be done."""


class BadEvidence(Refused):
    """A bundle whose verdict forbids what was asked; it ends as `tacho verify` does."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class WrongUse(CliError):
    """The user must say it differently."""

    exit_code = 2


class NoConfiguration(WrongUse):
    """No configuration file was named, and none lies where one is looked for."""

    def __init__(self, looked: tuple[Path, ...]) -> None:
        places = ", ".join(str(path) for path in looked)
        super().__init__(
            f"no configuration found (looked at {places}): run `tacho up`, which makes one, or name yours "
            "with --config FILE or TACHO_CONFIG"
        )


class PartDown(CliError):
    """Kafka, OpenSearch or a process of ours does not answer."""

    exit_code = 3


class PartDied(PartDown):
    """A child process ended before it served, or again and again."""

    def __init__(self, name: str, ending: str, log: Path, last_lines: tuple[str, ...]) -> None:
        tail = "".join(f"\n    {line}" for line in last_lines)
        super().__init__(
            f"`tacho {name}` ended ({ending}); correct what its log says and run again: {log}{tail}"
        )


class Interrupted(CliError):
    """The user had enough; the text says what stands, and how to go on."""

    exit_code = 130
