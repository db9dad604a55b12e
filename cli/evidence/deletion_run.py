"""What `tacho erase` and `tacho retention` share: the way to engines and key, and how a run is told."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from tachograph.cli.evidence.deleting import Deleter, Done, Plan
from tachograph.cli.evidence.deletion_key import deletion_signer
from tachograph.cli.evidence.store import Store
from tachograph.cli.interrupt import interruptible
from tachograph.cli.output import note, print_json
from tachograph.cli.settings import Settings
from tachograph.forensics.deletion.ledger import Ledger
from tachograph.forensics.deletion.plan import About, SealedLog
from tachograph.forensics.deletion.reading import Wanted, read_logs
from tachograph.forensics.log_source import DeadLetter, LogSource
from tachograph.forensics.verdict import Verdict
from tachograph.processors.brokers import rdkafka_settings
from tachograph.processors.sealing.worker import origin_of
from tachograph.schemas.deletion import DeletionType
from tachograph.sinks.client import Cluster

__all__ = ["about", "exit_code", "logs", "open_deleter", "planned", "tell", "to_be_run_again"]

SHOWN = 20
"""So many altered documents are named to people; programs get all."""


@contextmanager
def open_deleter(told: Settings, wait: float | None) -> Iterator[Deleter]:
    """Everything that a deletion needs; `wait` bounds how long a checkpoint may take, in seconds."""
    signer, kafka, search = deletion_signer(told), told.configuration.kafka, told.configuration.opensearch
    store = Store(Cluster(search, base=told.base), prefix=search.index_prefix)
    ledger = Ledger(rdkafka_settings(kafka, base=told.base), kafka.topics)
    seconds = wait or 60 + 2 * told.configuration.sealing.checkpoint_seconds
    try:
        store.refresh()
        yield Deleter(store, ledger, signer, note, seconds, letters=lambda uids: _letters(told, uids))
    finally:
        ledger.close()
        store.close()


def to_be_run_again(*, dry_run: bool) -> AbstractContextManager[None]:
    """Ctrl-C in it says how to go on; that it does so from every point is the `Deleter`'s promise."""
    if dry_run:
        return interruptible("nothing was changed.")
    return interruptible(
        "nothing went that no sealed statement names, but for what was altered. Run the same command again: "
        "it goes on where it stood."
    )


def logs(told: Settings, wanted: Wanted) -> list[SealedLog]:
    """The wanted leaves of every log."""
    kafka, sealing = told.configuration.kafka, told.configuration.sealing
    source = LogSource(rdkafka_settings(kafka, base=told.base), kafka.topics)
    try:
        note("reading the logs")
        published = source.checkpoints()

        def size(origin: str) -> int:
            return max((item.said.size for item in published.get(origin, ())), default=0)

        return list(read_logs(source, size, lambda number: origin_of(sealing, kafka.topics, number), wanted))
    finally:
        source.close()


def _letters(told: Settings, uids: Collection[str]) -> Iterator[DeadLetter]:
    kafka = told.configuration.kafka
    source = LogSource(rdkafka_settings(kafka, base=told.base), kafka.topics)
    try:
        yield from source.dead_letters(uids)
    finally:
        source.close()


def about(kind: DeletionType, rule: str, reason: str | None) -> About:
    """Who runs the command deletes, now."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return About(kind, at, f"{getpass.getuser()}@{socket.gethostname()}", rule, reason)


def planned(plan: Plan) -> Done:
    """What a run of this plan would come to."""
    records = sum(len(item.statement.records) for item in plan.drafts)
    return Done(
        statements=len(plan.drafts),
        records=records,
        documents=len(plan.present) + len(plan.altered),
        altered=[item.uid for item in plan.altered],
        missing=plan.missing,
        unsealed=plan.unsealed,
    )


def tell(done: Done, *, sessions: list[str], dry_run: bool, json_output: bool) -> None:
    """To programs on standard output, to people on the other."""
    if json_output:
        print_json(asdict(done) | {"sessions": sessions, "dry_run": dry_run})
    would = "would be " if dry_run else ""
    note(f"{done.records} records {would}stated, {done.documents} documents {would}deleted.")
    if done.keys:
        note(f"{done.keys} data keys of raw records are shredded.")
    if done.missing:
        note(f"{done.missing} records had no document already; no statement names them, they stay MISSING.")
    for uid in done.altered[:SHOWN]:
        note(f"record {uid}: its document was altered")
    if done.altered:
        note(
            f"{len(done.altered)} documents were altered; no statement names them, their records are MISSING."
        )
    if done.unsealed:
        note(f"{done.unsealed} documents have no leaf and were left: run it again once they are sealed.")


def exit_code(done: Done) -> int:
    """0, or that of the gravest verdict on what no statement could name, as an audit has it."""
    if done.altered:
        return Verdict.RECORD_ALTERED.code
    return Verdict.DOCUMENT_MISSING.code if done.missing else int(done.unsealed > 0)
