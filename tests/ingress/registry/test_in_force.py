"""What is in force in one worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.errors import RegistryAway, RegistryUnusable
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.copy_file import CopyFile
from tachograph.ingress.registry.in_force import InForce, follow_topic
from tachograph.ingress.relay import Registered
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook, ControlKey, Release
from tachograph.schemas.registry import Registry

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
    key_file = tmp_path / "keys" / "control"
    key_file.parent.mkdir()
    key_file.touch(mode=0o600)
    key_file.write_bytes(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
    config = Configuration.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}})

    def never() -> Registered:
        raise AssertionError("the file's own registry is for a topic that says nothing")

    with pytest.raises(RegistryAway):
        async with follow_topic(config, compiler(tmp_path), never, base=tmp_path):
            pass
    CopyFile(tmp_path / "registry.copy", KEY).write(*released(7, contact="kept"))
    async with follow_topic(config, compiler(tmp_path), never, base=tmp_path) as (in_force, made):
        assert (made.contact, in_force.version) == ("kept", 7)


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
