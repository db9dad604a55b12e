"""The verdicts: each with its name, its exit code and what it means, in one table.

1, 2 and 3 are every command's own: refused, used wrongly, a part that it needs is down. Of several findings
the one with the lowest code is the verdict of the whole: first whether the file can be believed at all, then
the log's keys, then leaves and proofs, then what the documents say, then what is missing.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Verdict"]


class Verdict(Enum):
    """(exit code, meaning); docs/spec/bundle.md repeats this table, and a test compares the two."""

    COMPLETE = 0, "everything is there, unaltered and proven"
    REDUCED = 4, "what is missing was lawfully deleted, the rest is there, unaltered and proven"

    BUNDLE_MALFORMED = 10, "the file is not a bundle in the one form that a bundle has"
    BUNDLE_TOO_LARGE = 11, "the file goes beyond a bound and was not read"
    VERSION_UNKNOWN = 12, "a newer release wrote the bundle, or none of ours"
    EXPORTER_UNKNOWN = 13, "no trusted exporter has signed the manifest"
    BUNDLE_ALTERED = 14, "a file is not the one that the manifest names, or one is missing or added"
    CONTENT_MALFORMED = 15, "a file does not hold what its place says"

    KEY_UNKNOWN = 20, "a checkpoint is signed by no key that the policy trusts for its log"
    KEY_REVOKED = 21, "a signature is by a key that the policy revokes"
    ALGORITHM_REFUSED = 22, "a checkpoint is signed with another algorithm than Ed25519"
    CHECKPOINT_FORGED = 23, "a signature or cosignature by a trusted key does not fit its checkpoint"
    LOG_FORK = 24, "two checkpoints of one log do not belong to one history"
    LOG_ROLLBACK = 25, "a log has become shorter than it was"
    CHECKPOINT_BACKDATED = 26, "the times of checkpoints, cosignatures and records contradict each other"
    WITNESS_MISSING = 27, "fewer witnesses than the policy demands have cosigned the end of a log"
    TIMESTAMP_FORGED = 28, "a time stamp is not one of this checkpoint by an authority that the policy trusts"
    TIMESTAMP_MISSING = 29, "the end of a log carries no time stamp, and the policy demands one"

    LEAF_NODE_CONFUSION = 30, "an inner node of the tree is passed off as a record"
    RECORD_ALTERED = 31, "a document's bytes are not those that its leaf was made of"
    PROOF_BROKEN = 32, "a leaf's proof does not lead to the checkpoint's root"
    RECORD_UNSEALED = 33, "a document or leaf is in no log as far as the checkpoints reach"
    LEAF_DISAGREES = 34, "a leaf and its document, or two leaves of one log, say different things"

    JSON_AMBIGUOUS = 40, "two readers could read a document differently"
    HEADER_MALFORMED = 41, "a document's capture header breaks its schema"
    UID_FORGED = 42, "a document's uid does not follow from what it says it is"
    SESSION_SPLICED = 43, "a record belongs to another session"
    SESSION_FORKED = 44, "two records claim one place in a strand"
    SAME_ID_OTHER_BODY = 45, "one record has two documents that masking rules do not explain"
    CHAIN_BROKEN = 46, "a record does not continue the one before it"
    RULESET_REFUSED = 47, "a document names no masking rules, or some that the policy does not list"
    DELETION_UNAUTHORISED = 48, "a deletion is stated by no key that the policy trusts for it, or not in form"
    HEARTBEAT_FORGED = 49, "a heartbeat is signed by no boot that a trusted gateway has certified"

    SESSION_MISSING = 50, "there is no record of the session"
    RECORD_MISSING = 51, "a place in a strand has neither a record nor a leaf"
    TAIL_MISSING = 52, "a strand has no session.close: its tail is missing, or the session is still open"
    DOCUMENT_MISSING = 53, "a leaf has no document, and no leaf says that it was lawfully deleted"
    PART_MISSING = 54, "a part of a long body or a message of a conversation is missing"

    STRAND_MISSING = 55, "a heartbeat names a strand of which there is no record"
    HEARTBEAT_MISSING = 56, "no heartbeat of a trusted gateway names a strand"
    SESSION_OPEN = 57, "nothing is missing that a heartbeat counts, and the session is still open"
    SESSION_CUT = 58, "nothing is missing that a heartbeat counts, and its gateway ended without closing it"

    def __init__(self, code: int, meaning: str) -> None:
        self.code, self.meaning = code, meaning

    @property
    def word(self) -> str:
        """The name as reports and vectors have it."""
        return self.name.lower().replace("_", "-")
