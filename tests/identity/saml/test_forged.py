"""Both tables of forgeries together: tokens and assertions, each tried once more, none taken."""

import contextlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from tachograph.identity.errors import IdentityError

HERE = Path(__file__).parent


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"forged_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tokens = load(HERE.parent / "test_oidc.py")
assertions = load(HERE / "test_service_provider.py")
issuer = tokens.issuer


async def test_of_all_forgeries_none_is_accepted(issuer: Any, make: Any, idp: Any, tmp_path: Path) -> None:
    """At least sixty in all, at least twenty-four of them assertions."""
    accepted = []
    for name, (forge, _) in tokens.FORGED.items():
        verifier = tokens.World(issuer).verifier
        try:
            accepted.append((name, await verifier.verify(forge(issuer))))
        except IdentityError:
            await verifier.close()
    for name, (forge, _) in assertions.FORGED.items():
        world = await make.world(make.idp(), tmp_path).begin()
        world.at, world.other, world.certificate = make.at, make.other, make.certificate
        with contextlib.suppress(IdentityError):
            accepted.append((name, await world.finish(forge(world))))
    assert accepted == []
    assert len(assertions.FORGED) >= 24
    assert len(tokens.FORGED) + len(assertions.FORGED) >= 60
