"""The whole audit over logs and documents on paper: each thing that somebody did is named once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from deletions import DELETER, statement, statement_document
from heartbeats import GATEWAY, Boot, state
from world import DAY, EPOCHS, LOG, ORIGIN, OTHER_LOG, START_MS, TIMES, Doc, Log, Strand, story

from tachograph.cli.evidence.live import GRACE_SECONDS, Asked, Audit
from tachograph.forensics.deletion.plan import Target
from tachograph.forensics.live.positions import Marks
from tachograph.forensics.live.report import LiveReport, Unaudited
from tachograph.forensics.log_source import DeadLetter
from tachograph.forensics.published import Published
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.report import State
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.leaf import GAP, Leaf, gap_data, pack_frontier
from tachograph.schemas.merkle import Frontier, leaf_hash
from tachograph.sinks.deadletter import headers_for
from tachograph.sinks.record import Message, Record, index_of, read_message
from tachograph.sinks.stub import stub

NOW = START_MS / 1000 + 3600
SECOND = uuid.UUID("99999999-9999-5999-8999-999999999999")
POLICY = {
    "version": 1,
    "logs": [{"key": str(LOG.key)}],
    "exporters": [],
    "gateways": [{"key": str(GATEWAY.key)}],
    "deletions": [{"key": str(DELETER.key)}],
}


@dataclass
class Site:
    """One log, its checkpoints and what OpenSearch holds; tests change what they please."""

    log: Log
    documents: dict[str, bytes] = field(default_factory=dict)
    leaves: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    elsewhere: list[tuple[str, str]] = field(default_factory=list)
    """Index and uid of a copy that lies where it does not belong."""
    marks: Marks = field(init=False)
    prefix: str = "p"

    def __post_init__(self) -> None:
        self.documents = {doc.uid: doc.value for doc in self.log.documents}
        self.leaves = [(leaf.canonical(), None) for leaf in self.log.leaves]
        self.notes = self.log.notes()
        self.marks = Marks(0, NOW, {0: 10 + len(self.leaves)}, {0: 1_000}, caught_up=True)

    def audit(self, *, policy: Mapping[str, Any] = POLICY, asked: Asked | None = None) -> LiveReport:
        trusted = TrustPolicy.model_validate(policy)
        return Audit(
            self,
            self,
            lambda: self.marks,
            lambda _: ORIGIN,
            trusted,
            asked or Asked(),
            lambda _: None,
            now=lambda: NOW,
        ).run()

    def partitions(self) -> int:
        return 1

    def checkpoints(self) -> dict[str, list[Published]]:
        texts = [note.rpartition("\n\n")[0] + "\n" for note in self.notes]
        return {
            ORIGIN: [Published(*pair) for pair in zip(self.notes, map(Checkpoint.parse, texts), strict=True)]
        }

    def values(self, _: int) -> Iterator[bytes]:
        return (value for value, _ in self.leaves)

    def values_with_frontiers(self, _: int) -> Iterator[tuple[bytes, bytes | None]]:
        return iter(self.leaves)

    def dead_letters(self, uids: Collection[str]) -> Iterator[DeadLetter]:
        return (letter for letter in self.letters if letter.uid in uids)

    def stored(self, targets: Sequence[Target]) -> dict[str, bytes]:
        return {item.uid: self.documents[item.uid] for item in targets if item.uid in self.documents}

    def counts(self, query: dict[str, Any]) -> dict[str, int]:
        return dict(Counter(index for index, _ in self._found(query)))

    def ids(self, index: str, query: dict[str, Any] | None = None) -> Iterator[str]:
        assert query is not None
        return (uid for where, uid in self._found(query) if where == index)

    def _found(self, query: dict[str, Any]) -> list[tuple[str, str]]:
        """As OpenSearch: a range holds for no document without a time that it can make something of."""
        asked, places = query["bool"], [(self._index(uid), uid) for uid in self.documents] + self.elsewhere
        values = {uid: orjson.loads(value) for uid, value in self.documents.items()}
        return [
            (index, uid)
            for index, uid in places
            if all(_matches(values[uid], one) for one in asked.get("filter", ()))
            and not any(_matches(values[uid], one) for one in asked.get("must_not", ()))
        ]

    def _index(self, uid: str) -> str:
        tacho = orjson.loads(self.documents[uid])["unmapped"]["tacho"]
        return index_of(self.prefix, tacho["type"], DAY)


def _matches(value: dict[str, Any], query: dict[str, Any]) -> bool:
    if "term" in query:
        return bool(value["unmapped"]["tacho"]["session"] == query["term"]["unmapped.tacho.session"])
    span, at = query["range"]["time"], value.get("time")
    return isinstance(at, int) and bool(span["gte"] <= at < span["lt"])


def two_sessions() -> tuple[list[Doc], list[Doc], list[Doc]]:
    """A session's story, another session, and a gateway that names both."""
    one, two, boot = Strand(), Strand(session=SECOND, epoch=EPOCHS[1]), Boot()
    ours = story(one)
    theirs = [two.record("session.open"), two.record("request", body="{}"), two.close()]
    beats = [boot.opening(), boot.beat(state(one, is_open=False), state(two, is_open=False)), boot.beat()]
    return ours, theirs, beats


@pytest.fixture
def site() -> Site:
    ours, theirs, beats = two_sessions()
    return Site(Log([*ours, *theirs, *beats]))


def found(report: LiveReport) -> list[str]:
    return [item.verdict.word for item in report.shown]


def test_what_is_whole_is_clean(site: Site) -> None:
    """Every record compared, every strand named, nothing unaudited."""
    report = site.audit()
    assert (report.word, report.exit_code, report.audited) == ("clean", 0, 13)
    assert (report.share, report.strands, report.unattested, report.uncounted) == (0, 3, 0, None)


def test_edited_deleted_and_dropped_are_three_findings(site: Site) -> None:
    """Each once, by its name; the dropped session not once for each of its documents."""
    docs = site.log.documents
    site.documents[docs[1].uid] = docs[1].value.replace(b"record", b"rec0rd")
    del site.documents[docs[4].uid]
    for doc in docs[7:10]:
        del site.documents[doc.uid]
    report = site.audit()
    assert found(report) == ["record-altered", "session-missing", "document-missing"]
    assert (report.exit_code, report.states[State.MISSING]) == (31, 5)
    assert str(SECOND) in report.shown[1].where


def refused(site: Site, doc: Doc) -> DeadLetter:
    """OpenSearch refused this document: its stub is stored, and the letter has it."""
    own = (("uid", doc.uid.encode()), ("type", doc.type.encode()), ("day", DAY.encode()))
    message = Message("masked", 0, 4, START_MS, str(doc.session).encode(), doc.value, own)
    record = read_message(message, index_prefix=site.prefix)
    assert isinstance(record, Record)
    site.documents[doc.uid] = stub(record, "mapper_parsing_exception")
    said = headers_for(message, reason="mapper_parsing_exception", uid=doc.uid)
    headers = {name: item.encode() if isinstance(item, str) else item or b"" for name, item in said}
    return DeadLetter(doc.uid, doc.value, message.key, headers)


def test_what_opensearch_refused_is_no_difference(site: Site) -> None:
    """The leaf is committed, the dead letter has what it was made of, a stub stands in its place."""
    site.letters = [refused(site, doc) for doc in site.log.documents[1:3]]
    report = site.audit()
    assert (report.word, report.exit_code, report.stubs, report.audited) == ("clean", 0, 2, 13)
    assert (report.states[State.PRESENT], report.as_json()["stubs"]) == (11, 2)


def test_a_stub_that_no_letter_proves_is_an_altered_record(site: Site) -> None:
    """Without its letter, with a letter of another content, or with anything changed in it."""
    one, two, three = site.log.documents[1:4]
    refused(site, one)
    site.letters = [replace(refused(site, two), value=b"{}"), refused(site, three)]
    site.documents[three.uid] = site.documents[three.uid].replace(b'"reason"', b'"becaus"')
    report = site.audit()
    assert (found(report), report.stubs, report.states[State.MISSING]) == (["record-altered"] * 3, 0, 3)
    assert "no dead letter proves it" in report.shown[0].text


def test_a_document_without_a_leaf_is_named(site: Site) -> None:
    """Found by the counts, then by name."""
    extra = Strand(session=SECOND, epoch=uuid.UUID(int=7)).record("session.open")
    site.documents[extra.uid] = extra.value
    report = site.audit()
    assert found(report) == ["record-unsealed"]
    assert extra.uid in report.shown[0].where
    site.marks = replace(site.marks, caught_up=False)
    assert site.audit().uncounted is not None
    site.marks = replace(site.marks, sealed_until=None)
    assert site.audit().uncounted is not None


@pytest.mark.parametrize("asked", [Asked(), Asked(since=START_MS / 1000 + 61), Asked(session=SECOND)])
@pytest.mark.parametrize(
    "at", [{"time": 4_102_444_800_000}, {"time": -1}, {"time": "2026-11-23"}, {"time": None}, {}]
)
def test_one_of_no_possible_time_is_named_whatever_the_window(
    site: Site, asked: Asked, at: dict[str, Any]
) -> None:
    """In the future, before 1970, of a form that nobody can read, or none: no window holds it."""
    value = orjson.loads(Strand(session=SECOND, epoch=uuid.UUID(int=7)).record("session.open").value)
    del value["time"]
    uid = str(uuid.UUID(int=8))
    site.documents[uid] = orjson.dumps(value | at)
    report = site.audit(asked=asked)
    assert (found(report), report.exit_code) == (["record-unsealed"], 33)
    assert uid in report.shown[0].where


def test_a_record_of_a_clock_that_is_ahead_is_none_of_these() -> None:
    """It has a leaf."""
    ours, theirs, beats = two_sessions()
    ours[1] = ours[1].edited(lambda value: value.update(time=4_102_444_800_000))
    assert Site(Log([*ours, *theirs, *beats])).audit().word == "clean"


def test_the_id_of_a_record_hides_no_document_in_another_index(site: Site) -> None:
    """A leaf stands for the one document of its day and kind."""
    uid = site.log.documents[1].uid
    site.elsewhere = [("p-events-2001.01.01", uid), (index_of(site.prefix, "message", DAY), uid)]
    report = site.audit()
    assert found(report) == ["record-unsealed"] * 2
    assert {item.where.partition(",")[0] for item in report.shown} == {name for name, _ in site.elsewhere}


def test_what_heartbeats_count_and_nobody_has_is_named() -> None:
    """A session lost before it was sealed, a tail cut off there; not while the beats are too new."""
    ours, theirs, beats = two_sessions()
    lost = Site(Log([*ours, *beats]))
    assert found(lost.audit()) == ["session-missing"]
    cut = Site(Log([*ours, *theirs[:-1], *beats]))
    assert found(cut.audit()) == ["tail-missing"]
    hole = Site(Log([*ours, theirs[0], theirs[2], *beats]))
    assert found(hole.audit()) == ["record-missing"]
    lost.marks = replace(lost.marks, sealed_until=START_MS / 1000 + GRACE_SECONDS)
    new = lost.audit()
    assert (new.word, new.unattested) == ("clean", 2)


def test_a_beat_that_no_boot_signed_proves_nothing() -> None:
    """And is named."""
    ours, theirs, _ = two_sessions()
    boot = Boot()
    assert found(Site(Log([*ours, *theirs, boot.opening(), boot.beat(seed=31)])).audit()) == [
        "heartbeat-forged"
    ]


@pytest.mark.parametrize("asked", [Asked(since=1.0), Asked(session=SECOND)])
def test_a_part_needs_the_certificates_of_before(site: Site, asked: Asked) -> None:
    """A boot's certificate is fetched where it does not come by."""
    site.notes = site.notes[-1:]
    assert site.audit(asked=asked).word == "clean"


def test_only_what_is_new_is_compared(site: Site) -> None:
    """From the last checkpoint before that time; what is older is not looked at."""
    site.notes = [Log(site.log.documents, cuts=(7, 13)).note(0), site.notes[-1]]
    del site.documents[site.log.documents[0].uid]
    report = site.audit(asked=Asked(since=START_MS / 1000 + 61))
    assert (report.word, report.audited) == ("clean", 6)


def test_a_record_that_was_sealed_twice_is_one() -> None:
    """So a document that was added does not hide behind it."""
    ours, theirs, beats = two_sessions()
    extra = Strand(session=SECOND, epoch=uuid.UUID(int=7)).record("session.open")
    site = Site(Log([*ours, ours[1], *theirs, *beats]))
    assert site.audit().word == "clean"
    site.documents[extra.uid] = extra.value
    assert found(site.audit()) == ["record-unsealed"]


Tamper = Callable[[Site], None]


def _fork(site: Site) -> None:
    leaf = Leaf.parse(site.leaves[3][0])
    site.leaves[3] = (leaf.model_copy(update={"leaf": "0" * 64}).canonical(), None)
    site.documents.clear()


def _cut(site: Site) -> None:
    del site.leaves[-1]


def _hole(site: Site) -> None:
    del site.leaves[3]


def _stranger(site: Site) -> None:
    site.notes = Log(site.log.documents, signer=OTHER_LOG).notes()


def _back(site: Site) -> None:
    site.notes.reverse()


def _torn(site: Site) -> None:
    site.leaves[2] = (b"{}", None)


@pytest.mark.parametrize(
    ("tamper", "verdict"),
    [
        (_fork, "log-fork"),
        (_cut, "log-rollback"),
        (_hole, "leaf-disagrees"),
        (_stranger, "key-unknown"),
        (_back, "log-rollback"),
        (_torn, "leaf-disagrees"),
    ],
)
def test_a_log_that_is_not_what_was_signed_is_named(site: Site, tamper: Tamper, verdict: str) -> None:
    """The tree is built again and held against every checkpoint."""
    tamper(site)
    assert verdict in found(site.audit())


def test_what_is_lawfully_gone_is_counted_and_no_finding() -> None:
    """With a statement of a key that is not trusted it is a finding, and so is what it names."""
    ours, theirs, beats = two_sessions()
    stated = statement_document(statement(ours, {number: number for number in range(7)}))
    site = Site(Log([*ours, *theirs, *beats, stated]))
    for doc in ours:
        del site.documents[doc.uid]
    report = site.audit()
    assert (report.word, report.states[State.ERASED]) == ("clean", 7), report.shown
    assert report.unaudited == {
        Unaudited.DELETED: 7,
        Unaudited.UNMASKED: 0,
        Unaudited.UNSEALED: 0,
        Unaudited.NO_LEAF: 0,
    }
    refused = site.audit(policy=POLICY | {"deletions": []})
    assert found(refused) == ["deletion-unauthorised", "session-missing"]


@pytest.mark.parametrize("unnamed", [1, 7])
def test_of_a_record_that_was_sealed_twice_one_leaf_is_named(unnamed: int) -> None:
    """Its one document was lawfully deleted: no record and no session is missing, in any window."""
    ours, theirs, beats = two_sessions()
    sealed = [*ours, ours[1]]
    stated = statement_document(statement(sealed, {at: at for at in range(8) if at != unnamed}))
    site = Site(Log([*sealed, *theirs, *beats, stated]))
    for doc in ours:
        del site.documents[doc.uid]
    report = site.audit()
    assert (report.word, report.states[State.ERASED]) == ("clean", 8), report.shown
    site.notes = [Log(site.log.documents, cuts=(7, 15)).note(0), site.notes[-1]]
    report = site.audit(asked=Asked(since=START_MS / 1000 + 61))
    assert (report.word, report.states[State.ERASED]) == ("clean", 1), report.shown


def test_what_is_not_there_yet_is_unaudited(site: Site) -> None:
    """Behind the last checkpoint, behind the sink, not masked, not sealed: said with its share."""
    site.notes, site.documents = [Log(site.log.documents, cuts=(11,)).note(0)], dict(site.documents)
    del site.documents[site.log.documents[10].uid]
    site.marks = replace(site.marks, unmasked=3, stored={0: 20}, masked={0: 25})
    report = site.audit()
    assert report.word == "clean"
    assert report.audited == 10
    expected = {Unaudited.UNINDEXED: 1, Unaudited.UNSEALED: 4, Unaudited.UNMASKED: 3, Unaudited.NO_LEAF: 0}
    assert report.unaudited == expected
    assert report.share == pytest.approx(8 / 18)


def test_a_record_that_was_masked_again_is_not_altered() -> None:
    """OpenSearch keeps its first document; the log has a leaf of both."""
    ours, theirs, beats = two_sessions()
    again = ours[1].edited(lambda value: value["unmapped"]["tacho"].update(ruleset="ruleset-2"))
    site = Site(Log([*ours, again, *theirs, *beats]))
    site.documents[again.uid] = ours[1].value
    report = site.audit()
    assert (report.word, report.remasked) == ("clean", 1)


def test_gaps_and_a_topic_that_lost_its_beginning_are_counted() -> None:
    """The tree goes on from the frontier that stands beside a leaf, and the next root proves it."""
    ours, theirs, beats = two_sessions()
    site = Site(Log([*ours, *theirs, *beats]))
    frontier = Frontier().extended(bytes.fromhex(leaf.leaf) for leaf in site.log.leaves[:4])
    site.leaves = [(site.leaves[3][0], pack_frontier(frontier)), *site.leaves[4:]]
    report = site.audit(asked=Asked(session=SECOND))
    assert (report.word, report.unaudited[Unaudited.NO_LEAF]) == ("clean", 3)
    assert site.audit().word == "clean"  # what began before is asked for from where it is known
    site.leaves[0] = (site.leaves[0][0], pack_frontier(Frontier().extended([bytes(32)] * 4)))
    assert found(site.audit()) == ["log-fork"]
    gap = Leaf(index=0, offset=5, leaf=leaf_hash(gap_data(5, 10)).hex(), type=GAP)
    moved = [leaf.model_copy(update={"index": leaf.index + 1}) for leaf in site.log.leaves]
    site.leaves = [(leaf.canonical(), None) for leaf in (gap, *moved)]
    grown = Frontier().extended(bytes.fromhex(leaf.leaf) for leaf in (gap, *moved))
    site.notes = [LOG.sign(Checkpoint(ORIGIN, grown.size, grown.root(), time=TIMES[0]).text())]
    report = site.audit()
    assert (report.word, report.unaudited[Unaudited.GAP]) == ("clean", 5)
