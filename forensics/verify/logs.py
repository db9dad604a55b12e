"""The logs of a bundle: who signed each checkpoint, whether they are of one history, and whether time runs.

Trust comes from the policy alone; `keys.json` only helps to say what is wrong with a key that is not in it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tachograph.forensics.bundle.reader import Note, Opened
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.policy import TrustedLog, TrustPolicy
from tachograph.forensics.verify.report import Findings
from tachograph.schemas.errors import ProofBroken, SignatureBroken
from tachograph.schemas.merkle import check_consistency
from tachograph.schemas.note import NoteKey, SignatureKind, open_note

__all__ = ["CLOCK_SKEW_SECONDS", "check_logs", "check_signature", "ends", "seconds"]

CLOCK_SKEW_SECONDS = 300
"""How far the clocks of gateways, logs and witnesses may differ."""


def check_logs(opened: Opened, policy: TrustPolicy, findings: Findings) -> dict[str, Note]:
    """Judge every checkpoint; returns the last one of each log, by origin."""
    logs = _by_origin(policy)
    last: dict[str, Note] = {}
    for number, item in enumerate(opened.checkpoints):
        check_signature(item, f"checkpoint {number}", logs.get(item.said.origin, ()), opened.keys, findings)
        before = last.get(item.said.origin)
        if before is not None and seconds(item.said.time or "") < seconds(before.said.time or ""):
            findings.add(Verdict.CHECKPOINT_BACKDATED, f"checkpoint {number}", "earlier than the one before")
        last[item.said.origin] = item
    _check_history(opened, findings)
    for origin, numbers in ends(opened).items():
        _check_seen(origin, opened.checkpoints, logs.get(origin, ()), findings)
        _check_witnesses(origin, [opened.checkpoints[number] for number in numbers], policy, findings)
    return last


def ends(opened: Opened) -> dict[str, list[int]]:
    """By origin, the checkpoints that hold all that the bundle proves: who vouches for one vouches for that.

    They are those from the last one on that a proof of a leaf leads to; all where no proof leads to any.
    """
    proven = {line.proof.checkpoint for line in opened.lines if line.proof is not None}
    found: dict[str, list[int]] = {}
    for number, item in enumerate(opened.checkpoints):
        before = found.setdefault(item.said.origin, [])
        if number in proven:
            before.clear()
        before.append(number)
    return found


def seconds(time: str) -> int:
    """Unix seconds of an RFC 3339 time in UTC; 0 for a day that no calendar has."""
    try:
        return int(datetime.fromisoformat(time[:19]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _by_origin(policy: TrustPolicy) -> Mapping[str, tuple[TrustedLog, ...]]:
    found: dict[str, tuple[TrustedLog, ...]] = {}
    for item in policy.logs:
        name = item.parsed.name
        found[name] = (*found.get(name, ()), item)
    return found


def check_signature(
    item: Note, where: str, trusted: Sequence[TrustedLog], keys: Sequence[str], findings: Findings
) -> None:
    good = [log.parsed for log in trusted if not log.revoked]
    try:
        open_note(item.note, good)
    except SignatureBroken:
        findings.add(_why_unsigned(item.note, trusted, keys), where, f"not as {item.said.origin} signs")


def _why_unsigned(note: str, trusted: Sequence[TrustedLog], keys: Sequence[str]) -> Verdict:
    names = _signer_ids(note)
    ids = {(log.parsed.name, f"{log.parsed.id:08x}"): log.revoked for log in trusted}
    if any(name in names and not revoked for name, revoked in ids.items()):
        return Verdict.CHECKPOINT_FORGED
    if names & set(ids):
        return Verdict.KEY_REVOKED
    return Verdict.ALGORITHM_REFUSED if any(_other(text, names) for text in keys) else Verdict.KEY_UNKNOWN


def _signer_ids(note: str) -> set[tuple[str, str]]:
    lines = note.rpartition("\n\n")[2].splitlines()
    parts = [line.split(" ") for line in lines]
    return {(part[1], base64.b64decode(part[2])[:4].hex()) for part in parts}


def _other(vkey: str, names: set[tuple[str, str]]) -> bool:
    name, number, encoded = vkey.split("+", 2)
    try:
        kind = base64.b64decode(encoded)[0]
    except (binascii.Error, IndexError):
        return False
    return (name, number) in names and kind != SignatureKind.ED25519


def _check_history(opened: Opened, findings: Findings) -> None:
    for step in opened.consistency:
        first, second = opened.checkpoints[step.first].said, opened.checkpoints[step.second].said
        where = f"checkpoint {step.second}"
        if second.size < first.size:
            findings.add(Verdict.LOG_ROLLBACK, where, f"from {first.size} leaves to {second.size}")
            continue
        try:
            check_consistency(
                first.size, first.root, second=second.size, second_root=second.root, proof=step.path
            )
        except ProofBroken as error:
            findings.add(Verdict.LOG_FORK, where, str(error))


def _check_seen(
    origin: str, checkpoints: Sequence[Note], trusted: Sequence[TrustedLog], findings: Findings
) -> None:
    """Against what the verifier remembers, where a checkpoint of that size, or a shorter log, shows it."""
    ours = [item.said for item in checkpoints if item.said.origin == origin]
    for seen in (item.seen for item in trusted if item.seen is not None):
        if ours[-1].size < seen.size:
            findings.add(Verdict.LOG_ROLLBACK, origin, f"it had {seen.size} leaves, now {ours[-1].size}")
        if any(item.size == seen.size and item.root.hex() != seen.root for item in ours):
            findings.add(Verdict.LOG_FORK, origin, f"at {seen.size} leaves it had another root")


def _check_witnesses(origin: str, end: Sequence[Note], policy: TrustPolicy, findings: Findings) -> None:
    keys = [NoteKey.parse(text) for text in dict.fromkeys(policy.witnesses.keys)]
    where = f"the end of {origin}"
    most = max(_cosigned(item, keys, where, findings) for item in end)
    if most < policy.witnesses.required:
        findings.add(
            Verdict.WITNESS_MISSING, where, f"cosigned by {most} of {policy.witnesses.required} witnesses"
        )


def _cosigned(item: Note, keys: Sequence[NoteKey], where: str, findings: Findings) -> int:
    names, seen = _signer_ids(item.note), 0
    for key in keys:
        if (key.name, f"{key.id:08x}") not in names:
            continue
        try:
            times = [at for _, at in open_note(item.note, [key]).cosigned]
        except SignatureBroken:
            findings.add(Verdict.CHECKPOINT_FORGED, where, f"the cosignature of {key.name} does not fit")
            continue
        seen += 1
        if any(abs(at - seconds(item.said.time or "")) > CLOCK_SKEW_SECONDS for at in times):
            findings.add(
                Verdict.CHECKPOINT_BACKDATED, where, f"{key.name} saw it at another time than it says"
            )
    return seen
