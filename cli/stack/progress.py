"""How the start tells what it does: a bar on a terminal, plain lines in a pipe, or nothing at all."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

Advance = Callable[[int], None]  # takes bytes


class Progress(Protocol):
    """What the start of the engines tells, and in which words."""

    def say(self, text: str) -> None:
        """One step is done or begins."""

    def downloading(self, files: int, size: int) -> AbstractContextManager[Advance]:
        """A download of `size` bytes begins; the context's value is told of each chunk, from any thread."""


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def downloading(self, files: int, size: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's shape
        yield lambda _: None


class Plain:
    """Plain lines, one a step: for pipes and logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    @contextmanager
    def downloading(self, files: int, size: int) -> Iterator[Advance]:
        self.say(f"downloading {files} files, {size / 1e6:.0f} MB")
        yield lambda _: None
        self.say("downloaded and verified")


class Terminal:
    """Lines and one progress bar, through rich."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def downloading(self, files: int, size: int) -> Iterator[Advance]:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(f"downloading {files} files", total=size)
            yield lambda count: bars.update(task, advance=count)


def for_stream(stream: TextIO) -> Progress:
    """The fitting progress: a bar when `stream` is a terminal, else plain lines."""
    return Terminal(Console(file=stream)) if stream.isatty() else Plain(stream)
