"""Hostile content is masked or withheld with a reason, in bounded time, and the masker goes on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load, parse

KEY = PseudonymKey("k1", bytes(32))
MASKER = Masker(load(), KEY)
SECONDS = 60.0
"""Far above what any of them takes alone on a slow machine; far below for ever."""

PEAK_MB = 256
"""Resident memory while any of them is masked, the process and its rules included."""


def flood(unit: bytes, size: int = 400_000) -> bytes:
    return unit * (size // len(unit))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b'{"password":"abcdefgh1"}' + b"}" * 10_000,
        b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(100_000)) + b"}",
        b"[" + b",".join(b'{"password":"zq%d"}' % i for i in range(5_000)) + b"]",
        b'{"a":"' + b"\\\\" * 100_000 + b'"}',
        b'{"a":"' + b"x" * 5_000_000 + b'"}',
        b'{"a":"' + flood(b"aB3dE5") + b'"}',
        b"\x00password=abc\x00def12345\x00",
        flood(b"1 "),
        flood(b"4 "),
        flood(b"key="),
        flood(b'"'),
        flood(b"token: abc1234567 "),
        flood(b"insert into t (password) values "),
        flood(b'"columns":["password"],'),
        flood(b'{"secrets":{'),
        flood(b'{"secrets":{"type":"string",'),
        flood(b"-----BEGIN PRIVATE KEY-----"),
        flood(b"content-disposition: form-data; x\r\n"),
        flood(b"a://b:"),
        flood(b"%41%25"),
        flood(b'data: {"index":0,"delta":{"text":"ab"}}\n\n'),
    ],
    ids=range(22),
)
def test_hostile_content_ends(data: bytes) -> None:
    """Masked or withheld, no exception, no minutes."""
    start = time.process_time()
    (out,) = MASKER.mask([Part("b", "body", data, "application/json")])
    assert time.process_time() - start < SECONDS
    assert (out.data is None) == (out.withheld is not None)
    assert b"abcdefgh1" not in (out.data or b"")
    assert b"def12345" not in (out.data or b"")


def test_the_masker_goes_on_after_a_failure() -> None:
    """A bug in one step withholds that part; the next record is masked."""

    class Broken(Masker):
        def _read(self, work, deadline):  # type: ignore[no-untyped-def]  # a stand-in for any bug
            if work.part.name == "bad":
                raise RecursionError
            return super()._read(work, deadline)

    masker = Broken(Ruleset(()), KEY)
    bad, good = masker.mask([Part("bad", "text", b"x"), Part("good", "text", b'{"password":"abcdef"}')])
    assert (bad.data, bad.withheld) == (None, "error")
    assert good.data is not None
    assert b"abcdef" not in good.data


def test_memory_that_runs_out_withholds() -> None:
    """The worker lives."""

    class Full(Masker):
        def _read(self, work, deadline):  # type: ignore[no-untyped-def]  # a stand-in for a full machine
            raise MemoryError

    (out,) = Full(Ruleset(()), KEY).mask([Part("b", "body", b"x")])
    assert out.withheld == "memory"


def test_a_rule_that_matches_every_letter_is_withheld_at_its_limit() -> None:
    """Too many spans are no content any more; all of it at once is one span."""
    letters = Masker(parse("[[rules]]\nid='a'\nregex='.'"), KEY)
    (out,) = letters.mask([Part("b", "text", b"abc " * 60_000)])
    assert out.withheld == "span-limit"
    whole = Masker(parse("[[rules]]\nid='a'\nregex='(?s).+'"), KEY)
    (out,) = whole.mask([Part("b", "text", b"all of it")])
    assert out.data is not None
    assert out.data.startswith(b"[A:k1.")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("name", ["a million keys", "backslashes", "PEM headers", "a list of secrets"])
def test_memory_stays_bounded(name: str) -> None:
    """The worst bodies, each in a process of its own: a few copies of the text and no more."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "bench.hostile", "--only", name]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True)
    assert json.loads(done.stdout)["peak_mb"] < PEAK_MB
