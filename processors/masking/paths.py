"""Values found by their place in a JSON document: `params.arguments.code`, `rows.*.3`.

For what has no telling name of its own. One pass over the document's tokens follows all paths at once; `*`
stands for any key or index. Works on whole JSON documents; in streams and inside strings, names are the way.
"""

import re
from collections.abc import Iterator, Sequence

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.named import decoded

MAX_DEPTH = 1000
_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*:)?|([-+]?[0-9][0-9.eE+-]*)|[\[\]{},]', re.DOTALL)

Path = tuple[str, ...]


def find(text: bytes, paths: Sequence[Path]) -> Iterator[Field]:
    """Every string and number at a path or below it."""
    stack: list[str | int] = []  # the key or index of each open object or list, innermost last
    for token in _TOKEN.finditer(text):
        if token[1] is None and token[3] is None:
            _step(stack, token[0])
            if len(stack) > MAX_DEPTH:
                return
        elif token[2] is not None:
            stack[-1:] = [decoded(token[1])]
        else:
            path = next((path for path in paths if _leads(path, stack)), None)
            if path is not None:
                yield _field(token, path)


def _step(stack: list[str | int], mark: bytes) -> None:
    """Follow a bracket or a comma."""
    if mark in (b"{", b"["):
        stack.append("" if mark == b"{" else 0)
    elif mark == b",":
        if stack and isinstance(stack[-1], int):
            stack[-1] += 1
    elif stack:
        stack.pop()


def _leads(path: Path, stack: Sequence[str | int]) -> bool:
    return len(path) <= len(stack) and all(
        step in ("*", str(at)) for step, at in zip(path, stack, strict=False)
    )


def _field(token: re.Match[bytes], path: Path) -> Field:
    group = 1 if token[1] is not None else 3
    return Field(".".join(path), marker_type(path[-1]), token.start(group), token.end(group))
