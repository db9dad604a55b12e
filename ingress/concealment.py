"""A target's credential taken out of a body as it streams by: filled up with `*`, so that every length stays.

What may be the beginning of a value is held back until the next bytes tell, less than one value's length; all
else goes on at once. It finds values as they are, percent-encoded, with JSON's escape of `/`, and as Basic
credentials; not what a target has compressed, split or spelled in another way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from urllib.parse import quote

__all__ = ["MIN_CONCEALED", "BodyConcealment", "spellings"]

MIN_CONCEALED = 8
"""A secret shorter than this is not looked for in answers: it would be found in innocent words."""
_FILL = b"*"


def spellings(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """How a target may repeat these secrets, the parts of `user:password` alone as well."""
    found: set[bytes] = set()
    for secret in {*secrets, *(value.partition(":")[2] for value in secrets)}:
        if len(secret) >= MIN_CONCEALED:
            encoded = base64.b64encode(secret.encode()).decode()
            found.update(
                form.encode()
                for form in (secret, quote(secret, safe=""), secret.replace("/", "\\/"), encoded)
            )
    return tuple(sorted(found))


class BodyConcealment:
    """One body. `repr` does not show what it looks for."""

    def __init__(self, values: tuple[bytes, ...]) -> None:
        """`values` are not empty."""
        self._values = values
        self._held = b""
        self._found: set[tuple[int, int]] = set()
        """Where in what is held values end that began before it, or lie in it."""

    def __repr__(self) -> str:
        return f"BodyConcealment(values={len(self._values)})"

    def feed(self, data: bytes, *, end: bool) -> bytes:
        """The next bytes for the agent; with `end` the last. In all, as many come out as went in."""
        whole = self._held + data if self._held else data
        kept = 0 if end else max((_begun(whole, value) for value in self._values), default=0)
        cut = len(whole) - kept
        spans = set(self._spans(whole))
        self._held = whole[cut:]
        self._found = {(max(0, start - cut), stop - cut) for start, stop in spans if stop > cut}
        return _fill(whole[:cut], spans) if spans else whole[:cut] if kept else whole

    def _spans(self, whole: bytes) -> Iterator[tuple[int, int]]:
        yield from self._found
        for value in self._values:
            at = whole.find(value)
            while at >= 0:
                yield at, at + len(value)
                at = whole.find(value, at + 1)


def _begun(data: bytes, value: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `value`."""
    tail = data[-(len(value) - 1) :] if len(value) > 1 else b""
    at = tail.find(value[:1])
    while at >= 0:
        if value.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(value[:1], at + 1)
    return 0


def _fill(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    out = bytearray(data)
    for start, stop in spans:
        stop = min(stop, len(out))  # noqa: PLW2901  the rest of it is held back
        if start < stop:
            out[start:stop] = _FILL * (stop - start)
    return bytes(out)
