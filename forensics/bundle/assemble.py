"""From what the system has of a session to its bundle: which checkpoints, which proofs, and what is missing.

Nothing is judged and nothing is made up: a document without a leaf, a leaf without a document, and a leaf
that no checkpoint covers go into the bundle as what they are, for the verifier to name.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from tachograph.forensics.bundle.content import Bundle, Consistency, Custody, Inclusion, Line
from tachograph.forensics.deletion.document import said_in
from tachograph.forensics.published import Published
from tachograph.schemas.deletion import DELETION_TYPES
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import Tree, leaf_hash

__all__ = ["LogPart", "Taken", "assemble", "chosen", "once"]


_NONE: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LogPart:
    """One log: every leaf hash that could be read from its beginning on, the leaves of the session and of
    what else its bundle needs, and its notes in the order in which they were published."""

    origin: str
    hashes: Sequence[bytes]
    leaves: tuple[Leaf, ...]
    notes: tuple[Published, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """Who takes what out, when (RFC 3339), with which release and which query."""

    session: str
    at: str
    tool: str
    by: str
    query: str


def assemble(
    taken: Taken,
    logs: Sequence[LogPart],
    documents: Mapping[str, bytes],
    keys: Sequence[str],
    heartbeats: Mapping[str, bytes] = _NONE,
) -> Bundle:
    """The bundle of a session from its logs and its documents by uid; `heartbeats` are those documents of
    gateways that name its strands or certify who does."""
    lines: list[Line] = []
    notes: list[str] = []
    steps: list[Consistency] = []
    tokens: list[tuple[int, bytes]] = []
    for log in logs:
        tree, first = Tree(log.hashes), len(notes)
        picked = chosen(log)
        notes += [item.note for item in picked]
        tokens += [(first + n, item.token) for n, item in enumerate(picked) if item.token is not None]
        sizes = [item.said.size for item in picked]
        steps += [
            Consistency(first + n, first + n + 1, _step(tree, one, two))
            for n, (one, two) in enumerate(pairwise(sizes))
        ]
        for leaf in once(log.leaves, _stated(log, documents)):
            proof = _proof(tree, leaf, sizes, first)
            beat = heartbeats.get(str(leaf.uid))
            if beat is None:
                lines.append(_line(log, leaf, documents, proof))
            elif leaf_hash(beat).hex() == leaf.leaf:
                lines.append(Line(log.origin, leaf, beat, proof, "heartbeats"))
    named = {str(line.leaf.uid) for line in lines if line.leaf is not None}
    for folder, there in (("records", documents), ("heartbeats", heartbeats)):
        unsealed = sorted(item for item in there.items() if item[0] not in named)
        lines += [Line(document=document, folder=folder) for _, document in unsealed]
    found = {
        "documents": sum(line.document is not None for line in lines),
        "documents_missing": sum(line.document is None for line in lines),
        "leaves": sum(line.leaf is not None for line in lines),
        "unsealed": sum(line.proof is None for line in lines),
    }
    custody = Custody(by=taken.by, at=taken.at, query=taken.query, tool=taken.tool, found=found)
    return Bundle(
        session=taken.session,
        created=taken.at,
        tool=taken.tool,
        lines=tuple(lines),
        checkpoints=tuple(notes),
        consistency=tuple(steps),
        keys=tuple(keys),
        custody=(custody,),
        timestamps=tuple(tokens),
    )


def chosen(log: LogPart) -> tuple[Published, ...]:
    """The first checkpoint that covers every leaf of the session, and the last one there is.

    Between them, from the first on, the one that most signed, and the first that was time-stamped: the last
    one may be so young that nobody has had the time.
    """
    if not log.notes:
        return ()
    end = max((leaf.index for leaf in log.leaves), default=-1)
    last = len(log.notes) - 1
    covering = next((number for number, item in enumerate(log.notes) if item.said.size > end), last)
    later = range(covering, len(log.notes))
    signed = max(later, key=lambda number: (log.notes[number].note.count("\n\u2014 "), -number))
    stamped = next((number for number in later if log.notes[number].token is not None), last)
    return tuple(log.notes[number] for number in sorted({covering, signed, stamped, last}))


def once(leaves: Sequence[Leaf], stated: Container[int] = ()) -> list[Leaf]:
    """A record that Kafka holds twice is sealed twice; one leaf of its bytes is enough, the first.

    But each whose index is `stated`, that is named by a statement of deletion: all these have to be there.
    """
    first = {(leaf.uid, leaf.leaf): leaf.index for leaf in reversed(leaves)}
    return [leaf for leaf in leaves if leaf.index == first[leaf.uid, leaf.leaf] or leaf.index in stated]


def _stated(log: LogPart, documents: Mapping[str, bytes]) -> set[int]:
    """What statements of this log name; whether they count is for the verifier to say."""
    kept = [leaf for leaf in log.leaves if leaf.type in DELETION_TYPES]
    found = [said_in(documents.get(str(leaf.uid), b"")) for leaf in kept]
    ours = [item for item in found if item is not None and item.log == log.origin]
    return {entry[0] for item in ours for entry in item.records}


def _line(log: LogPart, leaf: Leaf, documents: Mapping[str, bytes], proof: Inclusion | None) -> Line:
    document = documents.get(str(leaf.uid))
    rivals = [other for other in log.leaves if other.uid == leaf.uid and other.leaf != leaf.leaf]
    if document is not None and rivals:
        # Of two leaves with one uid, the document is the one's whose bytes it has; else the first's.
        digest = leaf_hash(document).hex()
        known = {leaf.leaf, *(other.leaf for other in rivals)}
        owner = digest if digest in known else min((leaf, *rivals), key=lambda item: item.index).leaf
        document = document if leaf.leaf == owner else None
    stated = document is not None and leaf.type in DELETION_TYPES
    return Line(log.origin, leaf, document, proof, "deletions" if stated else "records")


def _proof(tree: Tree, leaf: Leaf, sizes: Sequence[int], first: int) -> Inclusion | None:
    for number, size in enumerate(sizes):
        if leaf.index < size <= len(tree):
            return Inclusion(first + number, tree.inclusion(leaf.index, size))
    return None


def _step(tree: Tree, one: int, two: int) -> tuple[bytes, ...]:
    return tree.consistency(one, two) if one <= two <= len(tree) else ()
