"""No planted secret in any log or metric of the test run: a pytest plugin that collects both and looks.

What it reads: every line that structlog or logging passes on, what pytest captured, the standard error and
the log files of processes that tests start, and every metrics exposition (scraped, or of a registry made in a
test). What it looks for: module constants of tests named PLANTED, PLANTS, SECRET or SECRETS, what a test
hands to the fixture `planted`, and what the generators plant; plain, as base64, hex, percent codes and JSON.
One found fails the run and is named by where it was planted, never by its value. In a run of several
processes (pytest-xdist) each hands over what it collected, and the first looks for everything in all of it.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
import re
import subprocess
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ahocorasick_rs
import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

MIN_VALUE = 6
"""Shorter ones would be found in every text."""
MIN_ENCODED = 8
MAX_PER_TEST = 200
"""Generated plants of one test that are looked for in everything; in the test's own log all of them are."""
BATCH_BYTES = 256 * 1024
SMALL = 8 * 1024
MAX_FILE = 16 << 20
_NAMED = re.compile(r"_?(PLANT(S|ED)?|SECRETS?)")
_SEGMENT = re.compile(r"\d{20}")  # Kafka's own data are called .log too
_BETWEEN = b"\n\0\n"


@dataclass(frozen=True)
class Leak:
    """One value where it must not be."""

    planted: str
    form: str
    place: str

    def __str__(self) -> str:
        return f"{self.place} holds a value planted by {self.planted} ({self.form})"


def forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    """The value as it may be written."""
    yield "plain", value
    yield "hex", value.hex().encode()
    yield "hex", value.hex().upper().encode()
    yield "percent", quote(value, safe="").encode()
    text = value.decode("utf-8", "replace")
    yield "JSON", json.dumps(text)[1:-1].encode()
    yield "JSON", json.dumps(text, ensure_ascii=False)[1:-1].encode()
    for lead in range(3):  # what stands before it decides where its groups begin
        coded = base64.b64encode(bytes(lead) + value)
        inner = coded[-(-lead * 4 // 3) : (lead + len(value)) // 3 * 4]
        if len(inner) >= MIN_ENCODED:
            yield "base64", inner
            yield "base64", inner.replace(b"+", b"-").replace(b"/", b"_")


def values_in(what: Any) -> Iterator[bytes]:
    """Every secret in a constant: text, or what holds some, or an object that says which of it is secret."""
    if isinstance(what, str | bytes):
        value = what.encode("utf-8", "surrogatepass") if isinstance(what, str) else what
        if len(value) >= MIN_VALUE:
            yield value
    elif isinstance(what, Mapping):
        for one in what.values():
            yield from values_in(one)
    elif isinstance(what, Sequence | set | frozenset):
        for one in what:
            yield from values_in(one)
    else:
        yield from values_in(getattr(what, "secret", getattr(what, "value", ())))


def leaks(values: Mapping[bytes, str], texts: Sequence[tuple[str, bytes]]) -> set[Leak]:
    """Where any of `values` (value: who planted it) stands in `texts` (place, text)."""
    corpus = _BETWEEN.join(text for _, text in texts)
    starts, at = [], 0
    for _, text in texts:
        starts.append(at)
        at += len(text) + len(_BETWEEN)
    found = set()
    for batch in _batches(values) if corpus else ():
        for written, start in _places(batch, corpus):
            planted, form = batch[written]
            found.add(Leak(planted, form, texts[bisect_right(starts, start) - 1][0]))
    return found


def _places(wanted: Mapping[bytes, Any], corpus: bytes) -> Iterator[tuple[bytes, int]]:
    if len(corpus) < SMALL:  # building an automaton would take longer than looking
        for one in filter(corpus.__contains__, wanted):
            yield from ((one, match.start()) for match in re.finditer(re.escape(one), corpus))
        return
    keys = list(wanted)
    search = ahocorasick_rs.BytesAhoCorasick(keys)
    for index, start, _ in search.find_matches_as_indexes(corpus, overlapping=True):
        yield keys[index], start


def _batches(values: Mapping[bytes, str]) -> Iterator[dict[bytes, tuple[str, str]]]:
    batch: dict[bytes, tuple[str, str]] = {}
    size = 0
    for value, planted in values.items():
        for form, written in forms(value):
            size += len(written) if written not in batch else 0
            batch.setdefault(written, (planted, form))
        if size > BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


@dataclass(eq=False)
class LeakWatch:
    """Collects through the run, looks after each test and at the end."""

    values: dict[bytes, str] = field(default_factory=dict)
    texts: list[tuple[str, bytes]] = field(default_factory=list)
    found: set[Leak] = field(default_factory=set)
    test: str = "the run"
    own_values: dict[bytes, str] = field(default_factory=dict)
    own_since: int = 0
    generated: int = 0
    streams: dict[Path, str] = field(default_factory=dict)
    """Files that took standard error which a test did not want, and the test."""
    registries: list[weakref.ref[CollectorRegistry]] = field(default_factory=list)
    patches: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    shares: bool = False
    """Whether the tests run in other processes, and this one only looks."""

    def take(self, place: str, text: str | bytes | None) -> None:
        """Something that was logged, or exposed as a metric."""
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if data:
            self.texts.append((f"{place} of {self.test}", data))

    def take_folder(self, folder: Path, *, of: str = "") -> None:
        """The log files under a folder."""
        found = (Path(base, name) for base, _, names in os.walk(folder) for name in names)
        for path in sorted(path for path in found if path.suffix == ".log"):
            if path.is_file() and not _SEGMENT.fullmatch(path.stem):
                with suppress(FileNotFoundError), path.open("rb") as file:
                    self.texts.append(
                        (f"{path.relative_to(folder)} of {of or self.test}", file.read(MAX_FILE))
                    )

    def plant(self, what: Any) -> None:
        """A secret of the test that runs now."""
        for value in values_in(what):
            self.own_values[value] = self.test

    # The hooks.

    def pytest_configure(self, config: pytest.Config) -> None:
        self.shares = bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")
        _watch_logs(self)
        _watch_processes(self)
        _watch_metrics(self)
        _watch_generators(self)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        modules = {item.module for item in session.items if isinstance(item, pytest.Function)}
        for module in modules:
            for name, what in vars(module).items():
                if _NAMED.fullmatch(name) and not callable(what):
                    self.values |= dict.fromkeys(values_in(what), f"{module.__name__}.{name}")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.test, self.own_values, self.own_since = nodeid, {}, len(self.texts)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown" and not self.shares:  # its sections are those of all phases
            for title, text in report.sections:
                self.take(title, text)
            self._end_test()

    def _end_test(self) -> None:
        for registry in filter(None, (ref() for ref in self.registries)):
            self.take("metrics", generate_latest(registry))
        self.registries.clear()
        self.found |= leaks(self.own_values, self.texts[self.own_since :])
        self.generated += max(0, len(self.own_values) - MAX_PER_TEST)
        self.values |= dict(list(self.own_values.items())[:MAX_PER_TEST])
        self.test, self.own_values = "the run", {}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        factory = getattr(session.config, "_tmp_path_factory", None)
        if factory is not None and factory._basetemp is not None and not self.shares:
            self.take_folder(factory.getbasetemp(), of="a test")
        for path, test in self.streams.items():
            self.texts.append((f"standard error of a process of {test}", path.read_bytes()[:MAX_FILE]))
            path.unlink()
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["leak_watch"] = self._collected()
            return
        self.found |= leaks(self.values, self.texts)
        if self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _collected(self) -> dict[str, Any]:
        """What another process needs to look: of nothing but built-in types."""
        found = [(leak.planted, leak.form, leak.place) for leak in self.found]
        return {"values": self.values, "texts": self.texts, "found": found, "generated": self.generated}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Take over what a process of pytest-xdist collected; one that crashed has failed the run already."""
        collected = getattr(node, "workeroutput", {}).get("leak_watch")
        if collected is None:
            assert error, "a process of the run ended without what it collected"
            return
        self.values |= collected["values"]
        self.texts += collected["texts"]
        self.found |= {Leak(*one) for one in collected["found"]}
        self.generated += collected["generated"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for leak in sorted(map(str, self.found)):
            terminalreporter.write_line(f"LEAK: {leak}", red=True)
        size = sum(len(text) for _, text in self.texts)
        values = len(self.values) + self.generated
        terminalreporter.write_line(
            f"planted values in logs and metrics: {values} values, {size} bytes, {len(self.found)} found"
        )

    def pytest_unconfigure(self) -> None:
        self.patches.undo()

    @pytest.fixture
    def planted(self) -> Callable[[Any], None]:
        """Says that a value is secret: it may be in no log and no metric of the run."""
        return self.plant


def _after(watch: LeakWatch, owner: Any, name: str, then: Callable[..., None]) -> None:
    """Have `then(result, *arguments)` called after each call of a function."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        then(result, *args, **kwargs)
        return result

    watch.patches.setattr(owner, name, wrapped)


def _watch_logs(watch: LeakWatch) -> None:
    """Every line, whatever handler it goes to and whoever reads what it wrote."""
    formatter = logging.Formatter()
    _after(
        watch,
        logging.Logger,
        "handle",
        lambda _, __, record: watch.take("log", formatter.format(record)),
    )
    _after(
        watch,
        structlog._base.BoundLoggerBase,
        "_process_event",
        lambda line, *_: watch.take("log", repr(line)),
    )


def _watch_processes(watch: LeakWatch) -> None:
    """Standard error of child processes, that which nobody reads too."""
    original = subprocess.Popen.__init__

    @functools.wraps(original)
    def started(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("stderr") != subprocess.DEVNULL:
            original(self, *args, **kwargs)
            return
        with tempfile.NamedTemporaryFile(prefix="tacho-stderr-", delete=False) as file:
            watch.streams[Path(file.name)] = watch.test
            original(self, *args, **{**kwargs, "stderr": file})

    def read(result: tuple[Any, Any], *_: Any, **__: Any) -> None:
        watch.take("standard error of a process", result[1])

    watch.patches.setattr(subprocess.Popen, "__init__", started)
    _after(watch, subprocess.Popen, "communicate", read)


def _watch_metrics(watch: LeakWatch) -> None:
    """What is scraped, and every registry that a test makes."""

    def scraped(response: httpx.Response, *_: Any, **__: Any) -> None:
        if response.request.url.path.endswith("/metrics") and response.is_closed:
            watch.take("metrics", response.content)

    _after(watch, httpx.Client, "send", scraped)
    _after(
        watch,
        CollectorRegistry,
        "__init__",
        lambda _, registry, *__, **___: watch.registries.append(weakref.ref(registry)),
    )


def _watch_generators(watch: LeakWatch) -> None:
    """What is planted by the generators of the masker's tests, the canary and the demo."""
    from tachograph.cli.demo.plant import Planted
    from tachograph.processors.masking.canaries import Plant

    for kind in (Plant, Planted):
        _after(watch, kind, "__init__", lambda _, plant, *__, **___: watch.plant(plant))
