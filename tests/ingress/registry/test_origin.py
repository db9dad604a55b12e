"""Where a worker's registry comes from."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.following import FollowedFile
from tachograph.ingress.registry.origin import Origin, serving_by
from tachograph.schemas.config import Configuration


def with_key(folder: Path) -> None:
    (folder / "keys").mkdir()
    key = folder / "keys" / "control"
    key.touch(mode=0o600)
    key.write_bytes(b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")


async def test_a_file_is_followed_where_there_is_a_control_key(tmp_path: Path) -> None:
    """Without the key, or without a file, what is registered stays; records name it all the same."""
    config, file = Configuration(), tmp_path / "tacho.yaml"
    compiler = Compiler(
        config, base=tmp_path, keeper=keeper_of(config, base=tmp_path), loop=asyncio.get_running_loop()
    )
    async with contextlib.AsyncExitStack() as opened:
        for origin in (Origin(config, tmp_path, file), Origin(config, tmp_path, None)):
            assert not origin.followed
            standing, registered = await serving_by(origin, compiler, opened)
            assert (standing, registered.registry is None) == (None, False)
        with_key(tmp_path)
        assert not Origin(config, tmp_path, None).followed
        standing, _ = await serving_by(Origin(config, tmp_path, file), compiler, opened)
        assert isinstance(standing, FollowedFile)


async def test_what_has_no_name_is_not_followed(tmp_path: Path) -> None:
    """A file of masking rules is not here: whoever masks could not look up what was changed."""
    with_key(tmp_path)
    config = Configuration.model_validate({"masking": {"rules": ["gone.toml"]}})
    compiler = Compiler(
        config, base=tmp_path, keeper=keeper_of(config, base=tmp_path), loop=asyncio.get_running_loop()
    )
    async with contextlib.AsyncExitStack() as opened:
        standing, registered = await serving_by(
            Origin(config, tmp_path, tmp_path / "t.yaml"), compiler, opened
        )
        assert (standing, registered.registry) == (None, None)


async def test_a_worker_that_starts_later_serves_by_the_file_of_now(tmp_path: Path) -> None:
    """Not by what its supervisor read; but by that where the file is broken, or has lost the last policy."""
    with_key(tmp_path)
    file, policy = tmp_path / "t.yaml", tmp_path / "p.cedar"
    policy.write_text('@id("p") permit(principal, action, resource);')
    read = Configuration.model_validate({"policy": {"contact": "then", "files": ["p.cedar"]}})
    compiler = Compiler(
        read, base=tmp_path, keeper=keeper_of(read, base=tmp_path), loop=asyncio.get_running_loop()
    )
    for text, served in (
        ("policy: {contact: now, files: [p.cedar]}", "now"),
        ("policy: {contact: now}", "then"),
        ("policy: {contact: now, files: [", "then"),
    ):
        file.write_text(text)
        async with contextlib.AsyncExitStack() as opened:
            _, registered = await serving_by(Origin(read, tmp_path, file), compiler, opened)
        assert registered.contact == served
        assert registered.judge is not None
