"""Which logs a session's leaves lie in; test_command.py collects from real engines."""

from collections.abc import Collection, Iterator

from world import LOG, SESSION, sealed, story

from tachograph.cli.evidence.collect import logs_of, unrefused
from tachograph.forensics.log_source import DeadLetter
from tachograph.forensics.published import Published
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.note import open_note


class Source:
    """Two partitions, of which the second holds the session."""

    def __init__(self) -> None:
        self.log = sealed(story())
        self.asked: list[str] = []

    def checkpoints(self) -> dict[str, list[Published]]:
        notes = self.log.notes()
        said = [Checkpoint.parse(open_note(note, [LOG.key]).text) for note in notes]
        return {"log/1": [Published(note, item) for note, item in zip(notes, said, strict=True)]}

    def partitions(self) -> int:
        return 2

    def leaves(
        self, partition: int, session: str, also: Collection[str]
    ) -> tuple[list[bytes], tuple[Leaf, ...]]:
        assert (session, also) == (str(SESSION), ())
        hashes = [bytes.fromhex(leaf.leaf) for leaf in self.log.leaves]
        return hashes, tuple(self.log.leaves[:1] if partition else ())

    def dead_letters(self, uids: Collection[str]) -> Iterator[DeadLetter]:
        self.asked = sorted(uids)
        for doc in self.log.documents:
            for value in (b"another", doc.value, doc.value):  # one may come twice, and be of another time
                if doc.uid in uids:
                    yield DeadLetter(doc.uid, value, None, {})


STUB = b'{"unmapped":{"tacho":{"stub":{"reason":"too-deep"}}}}'


def test_what_was_refused_comes_from_the_dead_letters() -> None:
    """Only where a stub stands for it, and only what was sealed."""
    source = Source()
    one, two, three = source.log.documents[1:4]
    stored = {one.uid: STUB, two.uid: two.value, three.uid: b"edited"}
    found = unrefused(source, source.log.leaves, stored)  # type: ignore[arg-type]  # of the same shape
    assert (found, source.asked) == ({one.uid: one.value}, [one.uid])
    source.asked = ["unasked"]
    assert unrefused(source, source.log.leaves, {two.uid: two.value}) == {}  # type: ignore[arg-type]  # likewise
    assert source.asked == ["unasked"]


def test_only_logs_that_hold_the_session_are_taken() -> None:
    """With every checkpoint that was published of them, and progress told for each that is read."""
    told: list[str] = []
    found = logs_of(Source(), str(SESSION), lambda number: f"log/{number}", told.append)  # type: ignore[arg-type]  # of the same shape
    assert [(part.origin, len(part.hashes), len(part.notes)) for part in found] == [("log/1", 10, 2)]
    assert told == ["reading log/0", "reading log/1"]
