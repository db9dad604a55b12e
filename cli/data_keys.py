"""`tacho keys rewrap|shred`: the wrapped data keys of the raw records, under a new key or gone."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.errors import PartDown, Refused
from tachograph.cli.interrupt import interruptible
from tachograph.cli.output import note, print_json
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:  # a command that is not run loads nothing
    from tachograph.forensics.key_topic import KeyTopic, Rewrapping
    from tachograph.schemas.key_ring import KeyRing

__all__ = ["register"]

PASSES = 5
"""Readings of the topic: two are enough unless keys are shredded, or made under an old key, meanwhile."""
_AGAIN = "run the same command again"
SETTLED_SECONDS = 3_600
"""A session without a close is taken for ended after this long without a record."""


def register(group: typer.Typer) -> None:
    """Add the commands to the group of keys."""
    group.command("rewrap")(rewrap)
    group.command("shred")(shred)


def rewrap(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Wrap every data key anew by what `keys.kek_provider` names: the key file, or Vault's newest version.

    It opens what `keys.kek_previous` and `keys.transit` have wrapped. Run it again after it was interrupted,
    and at once after it was killed: a key that was shredded in that moment may be back until then. When it
    has ended well, the previous keys, and earlier versions in Vault, can go.
    """
    told = settings.load(config)
    from tachograph.cli.up import interruptible as terminable
    from tachograph.forensics.key_topic import KeyTopic
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.processors.keyfile import open_keys

    kafka = told.configuration.kafka
    keys = open_keys(told.configuration, base=told.base)
    topic = KeyTopic(rdkafka_settings(kafka, base=told.base), kafka.topics.keys)
    written: set[bytes] = set()
    try:
        with interruptible(lambda: f"{len(written)} data keys were rewrapped so far: {_AGAIN}"), terminable():
            found = _rewrapped(topic, keys, written)
    finally:
        topic.close()
        keys.close()
    if json_output:
        print_json(
            {"kek": found.kek, "rewrapped": len(written), "current": found.current, "unknown": found.unknown}
        )
    note(f"{len(written)} data keys were rewrapped; {found.current} are wrapped by key {found.kek}.")
    if found.unknown:
        raise Refused(
            f"{found.unknown} are wrapped by a key that is not here: name its file under `keys.kek_previous`,"
            " or the key in Vault under `keys.transit`"
        )


def _rewrapped(topic: KeyTopic, keys: KeyRing, written: set[bytes]) -> Rewrapping:
    """Read and write until nothing is left to do. However it ends, nothing it wrote was not read again."""
    from tachograph.forensics.key_topic import rewrapping

    unread = False
    try:
        for _ in range(PASSES):
            found = rewrapping(topic.read(), keys)
            unread = bool(found.writes)
            if not unread:
                return found
            topic.write(found.writes)
            written |= {name for name, value in found.writes.items() if value is not None}
    finally:
        if unread:
            _settle(topic)
    raise PartDown("keys are still made under a previous key: restart every gateway, then run it again")


def _settle(topic: KeyTopic) -> None:
    """Shred again what was shredded while it was rewrapped; tombstones alone bring nothing back."""
    from tachograph.forensics.errors import LogUnreachable
    from tachograph.forensics.key_topic import revived

    try:
        for _ in range(PASSES):
            again = revived(topic.read())
            if not again:
                return
            topic.write(again)
    except LogUnreachable as error:
        raise PartDown(f"{error}; a key that was shredded meanwhile may be back: {_AGAIN}") from None
    raise PartDown(f"another rewrapping runs at the same time: {_AGAIN}")


def shred(
    session: Annotated[str, typer.Argument(help="The session's id, or how it begins.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a session's raw records unreadable for ever, wherever copies are; its documents stay.

    `tacho erase` does that and takes the documents out, with a statement.
    """
    told = settings.load(config)
    from tachograph.cli.documents import Documents
    from tachograph.cli.evidence.store import Store
    from tachograph.forensics.deletion.ledger import Ledger
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.sinks.client import Cluster

    kafka, search = told.configuration.kafka, told.configuration.opensearch
    documents = Documents.open(told)
    store = Store(Cluster(search, base=told.base), prefix=search.index_prefix)
    ledger = Ledger(rdkafka_settings(kafka, base=told.base), kafka.topics)
    try:
        documents.refresh()
        name = documents.resolve(session)
        newest = store.open_since(name)
        if newest is not None and newest / 1000 > time.time() - SETTLED_SECONDS:
            raise Refused(f"session {name} is still being recorded: shred it once it is closed")
        names = ledger.keys_of([uuid.UUID(name)])
        if not names:
            raise Refused(f"session {name} has no data keys any more")
        if not yes:
            typer.confirm(
                f"Shred {len(names)} data keys of {name}? This cannot be undone.", abort=True, err=True
            )
        ledger.shred(names)
    finally:
        ledger.close()
        store.close()
        documents.close()
    note(f"{len(names)} data keys of session {name} are shredded.")
