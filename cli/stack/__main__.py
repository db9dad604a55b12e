"""`python -m tachograph.cli.stack`: the engines in the foreground until Ctrl-C, SIGTERM or a death."""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, Never

from tachograph.cli.stack import progress
from tachograph.cli.stack.engines import Stack, StackConfig
from tachograph.cli.stack.errors import EngineDied, StackError

EXIT_WRONG_USE: Final = 2
EXIT_DOWN: Final = 3  # a part that is needed is down
_WATCH: Final = 0.5  # s between two looks at the engines


def parser() -> argparse.ArgumentParser:
    """One option for each field of StackConfig, with its default."""
    options = argparse.ArgumentParser(prog="python -m tachograph.cli.stack", description=__doc__)
    defaults = StackConfig()
    for item in fields(StackConfig):
        default: Any = getattr(defaults, item.name)
        name = f"--{item.name.replace('_', '-')}"
        if isinstance(default, bool):
            options.add_argument(name, action=argparse.BooleanOptionalAction, default=default)
        else:
            kind = _folder if isinstance(default, Path) else int
            options.add_argument(name, type=kind, default=default, help="default: %(default)s")
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the engines; exit code 0 when asked to end, 2 for wrong use, 3 when an engine cannot run."""
    try:
        config = StackConfig(**vars(parser().parse_args(argv)))
    except ValueError as error:
        return _tell(error, EXIT_WRONG_USE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        with Stack(config) as stack:
            _serve(stack)
    except KeyboardInterrupt:
        return 0
    except StackError as error:
        return _tell(error, EXIT_DOWN)


def _serve(stack: Stack) -> Never:
    endpoints = stack.start(progress.for_stream(sys.stderr))
    sys.stdout.write(f"ready {json.dumps(asdict(endpoints))}\n")
    sys.stdout.flush()
    while True:
        time.sleep(_WATCH)
        if death := stack.poll():
            raise EngineDied(death.engine, death.ending, death.log, death.last_lines)


def _end(number: int, frame: object) -> Never:  # noqa: ARG001 - a signal handler's shape
    # One signal is enough: a second must not interrupt the clean end that the first began.
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _tell(error: Exception, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code


def _folder(text: str) -> Path:
    return Path(text).absolute()


if __name__ == "__main__":
    sys.exit(main())
