"""How commands speak: results on standard output, all else on standard error, colours only on a terminal.

`--json` prints one JSON document and nothing else. In a pipe tables are plain columns, wide enough to grep.
What others wrote cannot steer the terminal: characters that hide or move text are shown by their number.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tachograph.console.views import visible

__all__ = ["console", "note", "one_line", "print_json", "ready", "say", "table"]

PIPE_WIDTH = 200
# What JSON may hold and a terminal may obey: C1 controls, what is invisible, what turns the writing.
_STEERING = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def console() -> Console:
    """Standard output; NO_COLOR and pipes are respected."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else PIPE_WIDTH, highlight=False)


def one_line(text: str) -> str:
    """`text` as `visible` shows it, and ends of lines by their number: what others wrote begins no line."""
    return visible(text).replace("\n", "⟨U+000A⟩")


def say(text: str) -> None:
    """One line of a result on standard output, whatever others have put into it."""
    console().print(one_line(text), markup=False, soft_wrap=True)


def note(text: str) -> None:
    """One line for the person at the terminal."""
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(visible(text), markup=False)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    sys.stdout.write(_STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n")
    sys.stdout.flush()


def ready(value: object) -> None:
    """The one line that says that a long-running command serves."""
    sys.stdout.write(f"ready {json.dumps(value, default=str)}\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns, or what to do when there are none."""
    rows = list(rows)
    out = console()
    if not rows:
        out.print(visible(empty), markup=False)
        return
    shown = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(visible(str(cell))) for cell in row))
    out.print(shown)
