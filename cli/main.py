"""`tacho`: every command by its name, and one place where errors become a message and an exit code.

0 good, 1 a bad verdict or refused, 2 wrong use, 3 a part that is needed is down, 130 interrupted. `verify`
ends with its verdict's own: 4 and from 10 on.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from tachograph.cli import canary, console, credentials, doctor, keys, login, parts, provision, sessions, up
from tachograph.cli.approvals import command as approvals
from tachograph.cli.demo import command as demo
from tachograph.cli.errors import Interrupted, WrongUse
from tachograph.cli.escrow import command as escrow
from tachograph.cli.evidence import command as evidence
from tachograph.cli.lazy import LazyGroup
from tachograph.cli.output import note
from tachograph.cli.policy import command as policy
from tachograph.cli.registry import command as registry
from tachograph.cli.replay import command as replay

__all__ = ["app", "main"]

DEBUG = "--debug"
_EXIT_CODES = {"ConfigurationError": 2, "OperatorError": 2, "StackError": 3, "BrokerFault": 3, "VaultDown": 3}
"""Of errors of other rooms, which know no exit codes, by the name of a class in their tree."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What an output says that takes no more."""

app = typer.Typer(
    name="tacho",
    cls=LazyGroup,
    help="The flight log of AI agents: a gateway that records, masks and proves every call an agent makes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 good, 1 bad verdict or refused, 2 wrong use, 3 a part that is needed is down, "
    "130 interrupted; `verify` ends with its verdict's own, 4 and from 10 on.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tacho {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version_asked: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    _debug: Annotated[bool, typer.Option(DEBUG, metavar="", help="Show tracebacks of errors.")] = False,
) -> None:
    pass


def installed_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("tachograph")
    except PackageNotFoundError:
        return "unknown"


def exit_code(error: BaseException) -> int:
    """What the shell is told about an error: its own word, else that of the nearest class that has one."""
    told = getattr(error, "exit_code", None)
    if isinstance(told, int):
        return told
    return next((_EXIT_CODES[kind.__name__] for kind in type(error).mro() if kind.__name__ in _EXIT_CODES), 1)


def explain(error: BaseException) -> str:
    """One message for one error; a defect of ours shows its kind only, it could quote what it worked on."""
    if isinstance(error, Interrupted):
        return f"interrupted: {error}"
    if type(error).__module__.startswith("tachograph."):
        return f"error: {error}"
    kind = type(error).__name__
    return f"error: {kind}, a defect of tacho: run it again as `tacho {DEBUG} ...` and report what it shows"


def main() -> None:
    """The console command `tacho`."""
    _need_an_output()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError as error:  # `tacho show | head`: whoever read has had enough
        _write_no_more()
        ended = error.__context__
        sys.exit(ended.code if isinstance(ended, SystemExit) else 0)
    except Exception as error:
        unwritten = _unwritten(error)
        if DEBUG in sys.argv and not unwritten:
            raise
        note(unwritten or explain(error))
        sys.exit(1 if unwritten else exit_code(error))


def _need_an_output() -> None:
    """A verdict that nobody can read is none; and a file must not take the place of a closed output."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  as long as the process
    if sys.stdout is None:
        note("error: standard output is closed: give it a file; >/dev/null where only the exit code counts")
        sys.exit(WrongUse.exit_code)


def _unwritten(error: Exception) -> str | None:
    """What keeps the output from being written, where that is what went wrong."""
    if not isinstance(error, OSError) or error.errno not in _FULL or error.filename is not None:
        return None
    _write_no_more()
    return f"error: standard output or a file cannot be written ({error.strerror})"


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_GROUPS = (
    up,
    demo,
    parts,
    console,
    provision,
    keys,
    login,
    credentials,
    registry,
    policy,
    sessions,
    approvals,
    evidence,
    escrow,
    replay,
    doctor,
    canary,
)
for group in _GROUPS:
    group.register(app)


if __name__ == "__main__":
    main()
