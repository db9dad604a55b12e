"""What is in force in one worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.errors import RegistryAway, RegistryUnusable
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.copy_file import CopyFile
from tachograph.ingress.registry.in_force import InForce, _check_nothing_gone, follow_topic
from tachograph.ingress.relay import Registered
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import CURRENT, RELEASE, ControlBook, ControlKey, Release, version_key
from tachograph.schemas.registry import Registry
from tachograph.schemas.topics import Topics

KEY = ControlKey(b"k" * 32)


def released(version: int, **fields: Any) -> tuple[Release, bytes]:
    registry = Registry.model_validate(fields)
    at = "2026-01-01T00:00:00.000000000Z"
    return Release(version=version, digest=registry.digest, at=at, by="x"), registry.canonical()


BAD = {"policies": ({"file": "p", "text": "permit("},)}


def compiler(folder: Path, config: Configuration | None = None) -> Compiler:
    config = config or Configuration()
    return Compiler(
        config, base=folder, keeper=keeper_of(config, base=folder), loop=asyncio.get_running_loop()
    )


def control_key(folder: Path) -> None:
    key_file = folder / "keys" / "control"
    key_file.parent.mkdir()
    key_file.touch(mode=0o600)
    key_file.write_bytes(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")


def never() -> Registered:
    raise AssertionError("the file's own registry is for a topic that says nothing")


async def until(holds: Callable[[], bool]) -> None:
    """Compiling happens in a thread."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  a bounded wait; nothing tells of a refusal
            await asyncio.sleep(0.01)


async def swapped(seen: list[Registered], count: int) -> None:
    await until(lambda: len(seen) >= count)


async def test_a_release_replaces_what_was_in_force(tmp_path: Path) -> None:
    """One that came before anybody served, too; an older one or the same never does."""
    in_force, seen = InForce(compiler(tmp_path)), []
    in_force.released(*released(2, contact="two"))
    in_force.serve(seen.append)
    await swapped(seen, 1)
    in_force.released(*released(1, contact="one"))
    in_force.released(*released(2, contact="other"))
    in_force.released(*released(3, contact="three"))
    await swapped(seen, 2)
    assert [one.contact for one in seen] == ["two", "three"]
    assert in_force.version == 3


async def test_a_bad_release_is_refused_and_said(tmp_path: Path) -> None:
    """What was in force stays; the next good one takes over."""
    in_force, seen = InForce(compiler(tmp_path)), []
    in_force.serve(seen.append)
    in_force.released(*released(1, **BAD))
    await until(lambda: in_force.refused > 0)
    assert "version 1 is refused" in str(in_force.details()["registry_problem"])
    assert in_force.gauges() == {"tacho_ingress_registry_version": 0, "tacho_ingress_registry_refused": 1}
    in_force.released(*released(2))
    await swapped(seen, 1)
    assert in_force.details() == {"registry_version": 2, "registry_problem": ""}


async def test_a_worker_starts_with_the_first_that_can_be_used(tmp_path: Path) -> None:
    """A bad release and a good copy: the copy. Only bad ones: not at all."""
    in_force = InForce(compiler(tmp_path))
    made = await in_force.first_of(iter([released(2, **BAD), released(1, contact="copy")]))
    assert made is not None
    assert (made.contact, in_force.version) == ("copy", 1)
    assert await InForce(compiler(tmp_path)).first_of(iter([])) is None
    with pytest.raises(RegistryUnusable):
        await InForce(compiler(tmp_path)).first_of(iter([released(2, **BAD)]))


async def test_without_kafka_a_copy_says_what_was_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without either nobody is served: an older registry could permit what is forbidden."""
    monkeypatch.setattr("tachograph.ingress.registry.in_force.START_SECONDS", 0.1)
    monkeypatch.setattr("tachograph.ingress.registry.in_force.COPY_SECONDS", 0.1)
    control_key(tmp_path)
    config = Configuration.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}})
    with pytest.raises(RegistryAway):
        async with follow_topic(config, compiler(tmp_path), never, base=tmp_path):
            pass
    CopyFile(tmp_path / "registry.copy", KEY).write(*released(7, contact="kept"))
    async with follow_topic(config, compiler(tmp_path), never, base=tmp_path) as (in_force, made):
        assert (made.contact, in_force.version) == ("kept", 7)


def book_of(*versions: int, lost: bool = False) -> ControlBook:
    book = ControlBook(KEY)
    for version in versions:
        release, data = released(version, contact=str(version))
        book.put_release(KEY.seal(RELEASE, release.encode()))
        if not lost:
            book.put(release.digest, KEY.seal(release.digest, data))
    return book


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("book", "cut", "says"),
    [
        (book_of(), False, ""),
        (book_of(1, 2), False, ""),
        (book_of(5, 6), True, "registry.copy"),
        (book_of(1, 3), False, "registry.copy"),
        (book_of(), True, "registry.copy"),
    ],
    ids=["none", "whole", "cut", "gap", "all gone"],
)
def test_a_worker_that_knows_nothing_takes_no_part_for_the_whole(
    book: ControlBook, *, cut: bool, says: str, known: bool
) -> None:
    """What was deleted may have been newer. One with a copy knows which version was reached."""
    refused = contextlib.nullcontext() if known or not says else pytest.raises(RegistryAway, match=says)
    with refused:
        _check_nothing_gone(book, Topics(), known=known, cut=cut)


@pytest.mark.parametrize("known", [True, False])
def test_a_snapshot_that_is_gone_brings_back_nothing_older(*, known: bool) -> None:
    """Neither the copy nor the file decides where something newer was released."""
    with pytest.raises(RegistryAway, match=r"version 2 .* `tacho apply`"):
        _check_nothing_gone(book_of(1, 2, lost=True), Topics(), known=known, cut=False)


async def test_who_may_write_makes_no_new_worker_serve_by_an_older_release(
    tmp_path: Path, stack: Any, registry_topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By tombstones, old releases said again, or by deleting from the topic, which takes other rights."""
    monkeypatch.setattr("tachograph.ingress.registry.in_force.COPY_SECONDS", 30.0)
    control_key(tmp_path)
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    kafka = {"bootstrap_servers": stack.bootstrap_servers, "topic_prefix": registry_topics.prefix}
    config, producer = Configuration.model_validate({"kafka": kafka}), Producer(settings)
    releases = {version: released(version, contact=str(version)) for version in (1, 2, 3)}
    for release, data in (*releases.values(), releases[1]):
        producer.produce(registry_topics.control, key=release.digest, value=KEY.seal(release.digest, data))
        producer.produce(registry_topics.releases, value=KEY.seal(RELEASE, release.encode()))
    for key in (CURRENT, version_key(3), releases[1][0].digest):
        producer.produce(registry_topics.control, key=key, value=None)
    assert producer.flush(30) == 0

    async def served() -> str:
        async with follow_topic(config, compiler(tmp_path, config), never, base=tmp_path) as (_, made):
            return made.contact

    assert await served() == "3"
    (tmp_path / "registry.copy").unlink()
    admin, ends = AdminClient(settings), [TopicPartition(registry_topics.releases, 0, 1)]
    for deleted in admin.delete_records(ends).values():
        deleted.result(30)
    with pytest.raises(RegistryAway, match="were deleted"):
        await served()
    CopyFile(tmp_path / "registry.copy", KEY).write(*releases[2])
    assert await served() == "3"


def test_a_copy_is_what_was_written_or_nothing(tmp_path: Path) -> None:
    """As signed as the topic."""
    copy, book = CopyFile(tmp_path / "copy", KEY), ControlBook(KEY)
    copy.read_into(book)
    assert book.current is None
    copy.write(*released(3))
    CopyFile(tmp_path / "copy", ControlKey(b"x" * 32)).read_into(book)
    assert book.current is None
    copy.read_into(book)
    assert book.current == released(3)[0]
