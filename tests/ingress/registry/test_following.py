"""The configuration file, put in force while a worker serves."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.errors import KeysUnreadable, RegistryAway
from tachograph.ingress.registry import following
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.following import FollowedFile, follow_file
from tachograph.ingress.registry.own import own_registry
from tachograph.ingress.registry.own_file import OwnFile
from tachograph.ingress.relay import Registered
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import load_configuration
from tachograph.schemas.registry import short


class Topic:
    """What was written down."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.pruned = 0
        self.away = False
        self.unreadable = False

    def write(self, data: bytes, **_: object) -> None:
        if self.away:
            raise RegistryAway("Kafka is away")
        self.written.append(short(sha256_hex(data)))

    def prune(self, **_: object) -> None:
        self.pruned += 1
        if self.unreadable:
            raise RegistryAway("Kafka is away")


class World:
    """A file, whoever follows it, and what came into force."""

    def __init__(self, folder: Path) -> None:
        self.file, self.topic, self.swapped = folder / "tacho.yaml", Topic(), list[Registered]()
        self.write("first")
        config = load_configuration(self.file.read_text(), file="f")
        keeper = keeper_of(config, base=folder)
        compiler = Compiler(config, base=folder, keeper=keeper, loop=asyncio.get_running_loop())
        first, _ = own_registry(config, base=folder)
        self.first = short(first.digest)
        self.followed = FollowedFile(OwnFile(self.file, config), compiler, self.topic, first)  # type: ignore[arg-type]
        self.followed._swap = self.swapped.append

    def write(self, contact: str, more: str = "") -> None:
        self.file.write_text(f"policy: {{contact: {contact}}}\n{more}")

    async def turns(self, count: int = 3) -> list[str]:
        for _ in range(count):
            self.followed.turn()
        await asyncio.sleep(0)  # what was swapped comes by way of the loop
        return [one.contact for one in self.swapped]


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_change_is_in_force_with_its_digest(world: World) -> None:
    """And written down before; the first one too, since records name it."""
    assert await world.turns() == []
    world.write("second")
    assert await world.turns() == ["second"]
    assert world.topic.written == [world.first, world.swapped[0].registry]
    assert world.followed.details() == {"registry_version": 1, "registry_problem": ""}
    world.file.touch()
    assert await world.turns() == ["second"]


async def test_a_broken_file_changes_nothing_and_is_said_once(world: World) -> None:
    """YAML, a policy, a connection; the next good one takes over, or the one in force put back."""
    (world.file.parent / "p.cedar").write_text("permit(")
    for count, broken in enumerate(("policy: [", "x: 1\n", "policy: {files: [p.cedar]}\n"), 1):
        world.file.write_text(broken)
        assert await world.turns(6) == []
        assert world.followed.refused == count
        assert world.followed.problem
    world.write("first")
    assert await world.turns() == []
    assert world.followed.problem == ""
    world.write("second")
    assert await world.turns() == ["second"]


async def test_the_last_policy_stays(world: World) -> None:
    """Without any nothing would be denied by default, and nobody said that. Another in its place is taken."""
    folder = world.file.parent
    (folder / "p.cedar").write_text('@id("p") permit(principal, action, resource);')
    (folder / "q.cedar").write_text('@id("q") forbid(principal, action, resource);')
    world.file.write_text("policy: {contact: second, files: [p.cedar]}\n")
    assert await world.turns() == ["second"]
    world.write("third")
    assert await world.turns() == ["second"]
    assert "policies are in force" in world.followed.problem
    assert world.followed.refused == 1
    world.file.write_text("policy: {contact: fourth, files: [q.cedar]}\n")
    assert await world.turns() == ["second", "fourth"]
    (folder / "q.cedar").write_text("")
    assert len(await world.turns()) == 3
    assert (judge := world.swapped[-1].judge) is not None
    assert not judge.policies  # type: ignore[attr-defined]  # it is Cedar's, and denies everything


async def test_without_kafka_nothing_new_is_in_force(world: World) -> None:
    """What records would name could not be looked up. It comes into force once it is written down."""
    world.topic.away = True
    world.write("second")
    assert await world.turns() == []
    assert world.followed.details()["registry_problem"] == "Kafka is away"
    world.file.write_text("policy: [")
    await world.turns()
    assert "Kafka" not in world.followed.problem
    world.write("third")
    await world.turns()
    world.topic.away = False
    assert await world.turns(1) == ["third"]
    assert world.topic.written == [world.first, world.swapped[0].registry]
    assert (world.followed.problem, world.followed.refused) == ("", 1)


async def test_what_nobody_needs_is_removed_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, and after so many changes, when it is quiet; where it fails, the change is in force."""
    monkeypatch.setattr(following, "PRUNE_WRITES", 2)
    monkeypatch.setattr(following, "PRUNE_LOOKS", 4)
    world.followed._unpruned = 1
    await world.turns(3)
    assert world.topic.pruned == 0
    await world.turns(1)
    assert world.topic.pruned == 1
    world.topic.unreadable = True
    for count, contact in enumerate(("second", "third", "fourth"), 1):
        world.write(contact)
        assert (await world.turns(9))[-1] == contact
        assert (world.topic.pruned, world.followed.problem) == (1 + count // 2, "")


async def test_its_thread_looks_by_itself(tmp_path: Path) -> None:
    """Until it is stopped; without the control key nothing is followed."""
    config, world = Configuration(), World(tmp_path)
    compiler, first = world.followed._compiler, own_registry(config, base=tmp_path)[0]
    with pytest.raises(KeysUnreadable), follow_file(config, compiler, first, file=world.file):
        pass
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "control"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(b"k" * 32))
    with follow_file(config, compiler, first, file=world.file) as followed:
        followed._snapshots = world.topic  # type: ignore[assignment]
        seen = asyncio.Event()
        followed.serve(lambda _: seen.set())
        async with asyncio.timeout(30):
            await seen.wait()
    assert not followed._thread.is_alive()
