"""What the system has of one session: its leaves and checkpoints from Kafka, its documents from OpenSearch.

Documents are asked for by the uids that the leaves name, and then by the session, so that neither a document
without a leaf nor a leaf without a document is overlooked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from tachograph.cli.documents import TACHO, Documents
from tachograph.cli.settings import Settings
from tachograph.forensics.bundle.assemble import LogPart
from tachograph.forensics.log_source import LogSource
from tachograph.forensics.refused import says_stub
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash
from tachograph.sinks.client import Cluster
from tachograph.sinks.record import Message, Record, index_of
from tachograph.sinks.stored import mget_body, read_stored

__all__ = ["documents_of", "logs_of", "unrefused"]

BATCH = 200
_NOTHING = Message("", 0, 0, 0, None, b"")
Tell = Callable[[str], None]


def logs_of(
    source: LogSource,
    session: str,
    origin: Callable[[int], str],
    tell: Tell,
    also: Collection[str] = (),
) -> list[LogPart]:
    """The logs that hold leaves of the session, or of the uids in `also`, with every hash that their proofs
    need."""
    notes = source.checkpoints()
    found: list[LogPart] = []
    for partition in range(source.partitions()):
        name = origin(partition)
        tell(f"reading {name}")
        hashes, leaves = source.leaves(partition, session, also)
        if leaves:
            found.append(LogPart(name, hashes, leaves, tuple(notes.get(name, ()))))
    return found


def documents_of(
    settings: Settings,
    documents: Documents,
    session: str,
    leaves: Sequence[Leaf],
    also: Mapping[str, str],
) -> dict[str, bytes]:
    """The stored bytes of every document of a session and of those in `also` (index by uid), by uid. Raises
    `PartDown`, `Unavailable`."""
    prefix = settings.configuration.opensearch.index_prefix
    wanted = {uid: Record(_NOTHING, uid, "", index) for uid, index in also.items()}
    wanted |= {str(leaf.uid): _record(prefix, leaf) for leaf in leaves if leaf.uid and leaf.day}
    query = {"term": {f"{TACHO}.session": session}}
    for hit in documents.scan(documents.everything, query):
        wanted.setdefault(hit["_id"], Record(_NOTHING, hit["_id"], "", hit["_index"]))
    cluster = Cluster(settings.configuration.opensearch, base=settings.base)
    try:
        return dict(_stored(cluster, list(wanted.values())))
    finally:
        cluster.close()


def unrefused(source: LogSource, leaves: Sequence[Leaf], found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of documents that OpenSearch refused, so that a stub stands for each, what was sealed, by uid.

    The dead letters have it; that it is what was sealed shows in the leaf. Raises `LogUnreachable`.
    """
    wanted: dict[str, set[str]] = {}
    for leaf in leaves:
        value = found.get(str(leaf.uid))
        if value is not None and says_stub(value) and leaf_hash(value).hex() != leaf.leaf:
            wanted.setdefault(str(leaf.uid), set()).add(leaf.leaf)
    letters = source.dead_letters(wanted) if wanted else ()
    return {item.uid: item.value for item in letters if leaf_hash(item.value).hex() in wanted[item.uid]}


def _record(prefix: str, leaf: Leaf) -> Record:
    return Record(_NOTHING, str(leaf.uid), leaf.type, index_of(prefix, leaf.type, leaf.day or ""))


def _stored(cluster: Cluster, records: Sequence[Record]) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        answer = read_stored(batch, cluster.mget(mget_body(batch)))
        yield from (
            (record.uid, value) for record, value in zip(batch, answer, strict=True) if value is not None
        )
