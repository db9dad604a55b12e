"""What is changed in the configuration file is in force in every worker, and masks what names it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tachograph.schemas.envelope import parse_sealed
from tachograph.schemas.registry import short

WORKERS = 2
FORCE_SECONDS = 20.0
"""In force within one second of an idle machine; the bound leaves room for a busy one."""


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def put(file: Path, text: str) -> None:
    """In one step, as an editor does: nobody reads half of it."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    new.replace(file)


def logged(site: Any, event: str) -> list[dict[str, Any]]:
    text = (Path(site.folder) / "logs" / "ingress.log").read_text()
    lines = text[: text.rfind("\n") + 1].splitlines()  # the last may be on its way
    return [orjson.loads(line) for line in lines if f'"{event}"' in line]


def test_a_changed_file_is_in_force_and_a_broken_one_changes_nothing(
    stack: Any,
    tmp_path_factory: pytest.TempPathFactory,
    open_site: Callable[..., AbstractContextManager[Any]],
) -> None:
    """Policies, connections and masking rules, without a restart; each record names what decided it."""
    more = {"ingress": {"listen": {"port": 0}, "workers": WORKERS}}
    with open_site(tmp_path_factory.mktemp("file"), stack, more) as site:
        file = Path(site.folder) / "tacho.yaml"
        before = yaml.safe_load(file.read_text())
        assert status(site.ask("/c/api/one/plain", head="X-Hide: plainword\r\n")) == 200

        policy = '@id("only-two") permit(principal, action, resource) when { context.path like "/two*" };\n'
        put(file.parent / "p.cedar", policy)
        changed = {**before, "masking": {"headers": ["x-hide"]}, "policy": {"files": ["p.cedar"]}}
        began = time.monotonic()
        put(file, yaml.safe_dump(changed))
        site.eventually(lambda: len(logged(site, "registry_in_force")) == WORKERS)
        took = time.monotonic() - began
        print(f"in force in {WORKERS} workers {took:.2f} s after the file was written")
        assert took < FORCE_SECONDS
        digests = {one["digest"] for one in logged(site, "registry_in_force")}
        assert len(digests) == 1
        assert status(site.ask("/c/api/one")) == 403
        assert status(site.ask("/c/api/two/hidden", head="X-Hide: plainword\r\n")) == 200

        put(file.parent / "p.cedar", "permit(")
        site.eventually(lambda: len(logged(site, "registry_refused")) == WORKERS)
        assert "p.cedar" in logged(site, "registry_refused")[0]["reason"]
        assert status(site.ask("/c/api/two")) == 200

        one, _ = site.told("/one/plain")
        two, _ = site.told("/two/hidden")
        headers = [parse_sealed(value).header for value in site.topic(site.config.kafka.topics.raw)]
    assert "plainword" in orjson.dumps(one).decode()
    assert "plainword" not in orjson.dumps(two).decode()
    named = [header.registry for header in headers if header.exchange is not None]
    assert len(set(named)) == 2
    assert set(named) > {short(digests.pop())}
