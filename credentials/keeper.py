"""The values in use, for every source of a configuration: read again when they change, and never longer than
`stale_seconds` after they could last be read.

Local places are looked at when a value is asked for, once a second at most. Vault is asked by a thread of its
own, three times within `refresh_seconds`, so that nobody waits for it. Who injects (`cautious`) uses a new
version of Vault's only two rounds after it was seen: until then every masker has had a round to learn it too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from tachograph.credentials.errors import CredentialsError, SecretUnreadable
from tachograph.credentials.provider import Provider, Remote
from tachograph.credentials.secret import Secret
from tachograph.schemas.secret_source import SecretSource

__all__ = ["LOOK_SECONDS", "MAX_EARLIER", "ROUNDS", "Keeper"]

LOOK_SECONDS = 1.0
"""How often a local place is looked at, at most."""
MAX_EARLIER = 16
"""Values before the current one that are remembered for each source, for the masker."""
ROUNDS = 3
"""How often Vault is asked within `refresh_seconds`."""
FIRST_SECONDS = 10.0
"""How long the start waits for Vault's first answers."""
STOP_SECONDS = 1.0
"""How long the end waits for a question under way."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of one source. `repr` does not show values."""

    secret: Secret | None = None
    coming: Secret | None = None
    """A new version that is not used yet."""
    coming_at: float = 0.0
    good_at: float = 0.0
    looked_at: float = float("-inf")
    stamp: Hashable = None
    earlier: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    """All of them; the same object until one changes."""
    problem: str = "not read yet"
    """Why it could not be read the last time; empty when it could."""

    def __repr__(self) -> str:
        return f"_Held(problem={self.problem!r})"


class Keeper:
    """Knows the secrets of many sources. Any thread may ask for `value` and `values`, which do not wait."""

    def __init__(  # noqa: PLR0913  times and caution are one setting each
        self,
        sources: Iterable[SecretSource],
        local: Provider,
        vault: Remote | None = None,
        *,
        stale_seconds: float,
        refresh_seconds: float = 30.0,
        cautious: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads nothing yet. `local` serves every source but Vault's."""
        self._local = local
        self._vault = vault
        self._stale_seconds = stale_seconds
        self._round_seconds = refresh_seconds / ROUNDS
        self._cautious = cautious
        self._monotonic = monotonic
        self._held: dict[SecretSource, _Held] = {source: _Held() for source in dict.fromkeys(sources)}
        self._lock = threading.Lock()
        self._remote = tuple(source for source in self._held if source.vault is not None)
        self._stopped = threading.Event()
        self._first = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"Keeper(sources={len(self._held)})"

    def start(self) -> None:
        """Begin to ask Vault, if anything lies there; returns after its first answers, or `FIRST_SECONDS`."""
        if self._remote and self._thread is None:
            self._thread = threading.Thread(target=self._ask_forever, name="vault", daemon=True)
            self._thread.start()
            self._first.wait(FIRST_SECONDS)

    def add(self, sources: Iterable[SecretSource]) -> None:
        """Know these too from now on, and ask for them once. May wait for Vault; none is ever forgotten."""
        with self._lock:
            new = [source for source in dict.fromkeys(sources) if source not in self._held]
            self._held.update((source, _Held()) for source in new)
            remote = tuple(source for source in new if source.vault is not None)
            self._remote = (*self._remote, *remote)
        for source in remote:
            self._look(source, self._vault)
        if remote:
            self.start()

    def stop(self) -> None:
        """Ask Vault no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        if self._vault is not None:
            self._vault.close()

    def value(self, source: SecretSource) -> str:
        """The secret to use now. Raises `SecretUnreadable` where there is none, or none young enough."""
        held = self._current(source)
        if held.secret is None:
            raise SecretUnreadable(held.problem)
        if self._monotonic() - held.good_at > self._stale_seconds:
            reason = held.problem or "no answer"
            raise SecretUnreadable(f"{reason}; the last good value is older than {self._stale_seconds:g} s")
        return held.secret.text

    def values(self) -> Mapping[SecretSource, frozenset[str]]:
        """Every value by its source that must stay hidden: in use, coming, and used before."""
        return {source: self.known(source) for source in tuple(self._held)}

    def look(self, source: SecretSource) -> None:
        """Look at a place on this machine now, however lately it was: before what may hold its secret."""
        if source.vault is None:
            self._look(source, self._local)

    def known(self, source: SecretSource) -> frozenset[str]:
        """Those of one source."""
        return self._current(source).texts

    def problem(self, source: SecretSource) -> str:
        """Why a source could not be read the last time; empty when it could."""
        return self._current(source).problem

    def ask(self) -> None:
        """One round of questions to Vault; the thread does it, and so may whoever has none."""
        for source in self._remote:
            self._look(source, self._vault)

    def _ask_forever(self) -> None:
        while not self._stopped.is_set():
            try:
                self.ask()
            except Exception as error:  # noqa: BLE001  a defect here must not end the rotation of everything
                _log.error("vault_round_failed", kind=type(error).__name__)
            self._first.set()
            self._stopped.wait(self._round_seconds)

    def _current(self, source: SecretSource) -> _Held:
        held = self._held[source]
        if source.vault is None:
            if self._monotonic() - held.looked_at < LOOK_SECONDS:
                return held
            self._look(source, self._local)
        elif held.coming is None or self._monotonic() < held.coming_at:
            return held
        else:
            self._change(source, _adopted)
        return self._held[source]

    def _look(self, source: SecretSource, provider: Provider | None) -> None:
        held, now = self._held[source], self._monotonic()
        if provider is None:
            self._change(source, partial(_missed, problem="credentials.vault is not set", now=now))
            return
        stamp = provider.stamp(source)
        if not held.problem and stamp == held.stamp:
            self._change(source, partial(replace, looked_at=now, good_at=now))
            return
        try:
            secret = provider.read(source)
        except CredentialsError as error:
            if held.secret is not None and error.detail != held.problem:
                _log.error("credential_kept", reason=error.detail, seconds=self._stale_seconds)
            self._change(source, partial(_missed, problem=error.detail, now=now))
            return
        wait = self._round_seconds * (ROUNDS - 1) if self._cautious and source.vault is not None else 0.0
        self._change(source, partial(_read, secret=secret, stamp=stamp, now=now, wait=wait))

    def _change(self, source: SecretSource, step: Callable[[_Held], _Held]) -> None:
        """One step at a time: two threads may look at the same source."""
        with self._lock:
            held = step(self._held[source])
            texts = frozenset(_texts(held))
            self._held[source] = held if texts == held.texts else replace(held, texts=texts)


def _read(held: _Held, *, secret: Secret, stamp: Hashable, now: float, wait: float) -> _Held:
    """After a reading: the same value, one that is coming already, or a new one, in use after `wait`."""
    held = replace(held, stamp=stamp, looked_at=now, good_at=now, problem="")
    if held.secret is not None and held.secret.text == secret.text:
        return replace(_remembering(held, held.coming), secret=secret, coming=None)
    if held.coming is not None and held.coming.text == secret.text:
        return held
    held = replace(_remembering(held, held.coming), coming=secret, coming_at=now + wait)
    return held if held.secret is not None and wait else _adopted(held)


def _missed(held: _Held, *, problem: str, now: float) -> _Held:
    """After a reading that failed: the old value is the best there is, for a while."""
    return replace(held, problem=problem, looked_at=now)


def _adopted(held: _Held) -> _Held:
    if held.coming is None:
        return held
    return replace(_remembering(held, held.secret), secret=held.coming, coming=None)


def _remembering(held: _Held, secret: Secret | None) -> _Held:
    if secret is None:
        return held
    earlier = dict.fromkeys((secret.text, *held.earlier))
    return replace(held, earlier=tuple(earlier)[:MAX_EARLIER])


def _texts(held: _Held) -> Iterable[str]:
    yield from held.earlier
    for secret in (held.secret, held.coming):
        if secret is not None:
            yield secret.text
            yield from secret.earlier
