"""A log asks a witness: from the size that it names, and only a cosignature that fits is taken."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.forensics.witness.judgement import Known, Refused, judge
from tachograph.processors.errors import AnchorFault, HistoryDisputed
from tachograph.processors.sealing.asking import Caller
from tachograph.processors.sealing.cosigning import Witness
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.merkle import Tree, leaf_hash
from tachograph.schemas.note import NoteSigner, SignatureKind, open_note
from tachograph.schemas.tlog_witness import SIZE_TYPE

ORIGIN = "tachograph/test/0"


def signer(seed: int, name: str = ORIGIN, kind: SignatureKind = SignatureKind.ED25519) -> NoteSigner:
    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), kind)


LOG, OTHER_LOG = signer(1), signer(2)
WITNESS = signer(9, "w.example", SignatureKind.COSIGNATURE)
Handle = Callable[[httpx.Request], httpx.Response]


class Desk:
    """The witness's judgement without its disk, counting what it was asked."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.asked = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        try:
            answer = judge(request.content.decode(), logs={ORIGIN: LOG.key}, known=self.known)
        except Refused as refused:
            kind = {} if refused.size is None else {"content-type": SIZE_TYPE}
            return httpx.Response(refused.status, headers=kind, text=f"{refused.size}\n")
        self.known[ORIGIN] = Known(answer.checkpoint.size, answer.checkpoint.root)
        return httpx.Response(200, text=WITNESS.cosignature(answer.text, at=1_700_000_000))


class Growing:
    """A log, and how it is asked about at a size."""

    def __init__(self, handle: Handle, *, first: int = 0) -> None:
        self.tree = Tree(leaf_hash(b"%d" % (number + first)) for number in range(50))
        self.handle = handle
        self.witness = self.fresh()

    def fresh(self) -> Witness:
        """As a process that has just started would have it."""
        http = httpx.Client(transport=httpx.MockTransport(self.handle))
        return Witness(Caller(http, "http://w/add-checkpoint", wait=lambda _: True), WITNESS.key)

    def cosigned(self, size: int, *, by: NoteSigner = LOG) -> str:
        said = Checkpoint(ORIGIN, size, self.tree.root(size), time="2026-01-02T03:04:05Z")
        note = by.sign(said.text())
        return note + self.witness.cosign(note, said, self.tree.consistency)


def test_it_is_cosigned_step_by_step() -> None:
    """One question a checkpoint, also where nothing came; the line opens with the witness's key."""
    desk = Desk()
    log = Growing(desk.handle)
    for size in (0, 3, 3, 20):
        assert open_note(log.cosigned(size), [LOG.key, WITNESS.key]).cosigned == (
            (WITNESS.key, 1_700_000_000),
        )
    assert desk.asked == 4


def test_after_a_restart_the_witness_says_where_it_is() -> None:
    """409 with a size, and the proof from there: two questions."""
    desk = Desk()
    log = Growing(desk.handle)
    log.cosigned(7)
    log.witness = log.fresh()
    log.cosigned(31)
    assert (desk.asked, desk.known[ORIGIN].size) == (3, 31)


def test_a_fork_and_a_rollback_are_disputed() -> None:
    """422 for another history, and a size beyond ours where leaves were lost: both by their own name."""
    desk = Desk()
    Growing(desk.handle).cosigned(7)
    fork = Growing(desk.handle, first=1)
    with pytest.raises(HistoryDisputed, match="FORK"):
        fork.cosigned(9)
    short = Growing(desk.handle)
    with pytest.raises(HistoryDisputed, match="leaves were lost"):
        short.cosigned(6)
    with pytest.raises(AnchorFault, match="has cosigned 7 leaves"):
        short.cosigned(6)


def test_whose_key_the_witness_does_not_have_is_told_what_to_do() -> None:
    """403 and 404 name the remedy."""
    desk = Desk()
    log = Growing(desk.handle)
    with pytest.raises(AnchorFault, match=r"403: it has another key.*tacho trust"):
        log.cosigned(3, by=OTHER_LOG)
    with pytest.raises(AnchorFault, match="404: it does not know"):
        Growing(lambda _: httpx.Response(404)).cosigned(3)


def _text(text: str, status: int = 200, kind: str = "text/plain") -> Handle:
    return lambda _: httpx.Response(status, headers={"content-type": kind}, text=text)


STRANGER = signer(8, "w.example", SignatureKind.COSIGNATURE)


@pytest.mark.parametrize(
    "handle",
    [
        _text(""),
        _text("\u2014 w.example !!!!\n\u2014 w.example\n"),
        _text(STRANGER.cosignature("another\n", at=1)),
        _text(WITNESS.cosignature("another\n", at=1)),
        _text("many\n", 409, SIZE_TYPE),
        _text("7\n", 409),
        _text("3\n", 409, SIZE_TYPE),
        _text("no", 500),
    ],
)
def test_what_is_no_cosignature_is_not_taken(handle: Handle) -> None:
    """Nothing, another key's, one over another text, a size that is none or always another: no anchor."""
    with pytest.raises(AnchorFault):
        Growing(handle).cosigned(9)


def test_further_lines_are_left_out() -> None:
    """A witness may have several keys; only the line of the configured one is published."""
    said = Checkpoint(ORIGIN, 0, Tree().root(), time="2026-01-02T03:04:05Z").text()
    lines = [who.cosignature(said, at=1) for who in (STRANGER, WITNESS)]
    found = Growing(_text("".join(lines))).cosigned(0)
    assert found == LOG.sign(said) + lines[1]
