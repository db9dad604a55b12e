"""A masker that raises, is late, has no memory or is killed: the record is withheld, the worker goes on."""

import signal
from collections.abc import Callable
from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.engines

BOUND_S = 180.0
SECRET = "zq7-survivor-hunter"
_PATCH = """
import ctypes, os, signal, sys
from tachograph.processors.maskers import MASK_SECONDS
from tachograph.processors.masking.masker import Masker

read = Masker._read

def broken(self, work, deadline):
    body = work.part.data if work.part.kind == "body" else b""
    if b"RAISE" in body:
        raise RuntimeError(body)
    if b"FULL" in body:
        bytearray(sys.maxsize)  # no machine has as much
    if b"LATE" in body:
        deadline.at -= MASK_SECONDS  # as if all its time had passed
    if b"KILL" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"HELD" in body:
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        signal.setitimer(signal.ITIMER_REAL, min(left, 1))  # as if most of it had passed
        ctypes.PyDLL(None).sleep(600)  # C that keeps the interpreter to itself
    return read(self, work, deadline)

Masker._read = broken
"""


def withheld(messages: list[Any]) -> dict[str, str | None]:
    """Why the body of each told record is missing, by uid."""
    told = {}
    for message in messages:
        headers = {name: value.decode() for name, value in message.headers()}
        assert SECRET.encode() not in message.value()
        told[headers["uid"]] = _reason(orjson.loads(message.value()))
    return told


def _reason(event: dict[str, Any]) -> str | None:
    return event["unmapped"]["tacho"].get("withheld")


def holds(wanted: set[str]) -> Callable[[list[Any]], bool]:
    return lambda messages: set(withheld(messages)) >= wanted


def body(what: str) -> bytes:
    return orjson.dumps({"do": what, "password": SECRET})


def test_what_can_be_caught_costs_one_body(site: Any) -> None:
    """An exception, no memory left, time over: each withholds its own record; the process is the same one."""
    strand = site.strand()
    site.publish_key(strand)
    records = {what: strand.request(body(what), exchange=strand.new_exchange())
               for what in ("RAISE", "FULL", "LATE", "fine")}  # fmt: skip
    site.publish([strand.open(), *records.values()])
    worker = site.start(patch=_PATCH)
    uids = {what: str(record.header.uid) for what, record in records.items()}
    told = withheld(site.read(site.topics.masked, holds(set(uids.values()))))
    assert {what: told[uid] for what, uid in uids.items()} == {
        "RAISE": "error", "FULL": "memory", "LATE": "timeout", "fine": None
    }  # fmt: skip
    assert worker.poll() is None
    assert SECRET not in site.log(worker)


@pytest.mark.parametrize(("what", "ends"), [("KILL", signal.SIGKILL), ("HELD", signal.SIGALRM)])
def test_what_cannot_be_caught_costs_two_restarts(site: Any, what: str, ends: int) -> None:
    """SIGKILL as the kernel sends it, C that never returns: the third process withholds the body, goes on."""
    strand = site.strand()
    site.publish_key(strand)
    bad = strand.request(body(what), exchange=strand.new_exchange())
    after = strand.request(body("fine"), exchange=strand.new_exchange())
    site.publish([strand.open(), bad, after])
    for _ in range(2):
        assert site.start(patch=_PATCH).wait(BOUND_S) == -ends
    worker = site.start(patch=_PATCH)
    wanted = {str(bad.header.uid), str(after.header.uid)}
    told = withheld(site.read(site.topics.masked, holds(wanted)))
    assert told[str(bad.header.uid)] == "masker-killed"
    assert told[str(after.header.uid)] is None
    assert worker.poll() is None
    assert "a process ended while it masked this record" in site.log(worker)
