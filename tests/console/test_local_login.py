"""One-time links for this machine; how they are used stands in the login pages' tests."""

import uuid

import pytest

from tachograph.console import local_login
from tachograph.console.errors import Forbidden
from tachograph.console.links import LinkKey
from tachograph.console.local_login import LocalLinks, local_link


def test_used_links_are_remembered_as_long_as_they_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more of them than there may be."""
    now, key = [1000], LinkKey(bytes(32))
    links = LocalLinks(key, wall_ms=lambda: now[0])
    monkeypatch.setattr(local_login, "MAX_USED", 1)

    def link(number: int) -> str:
        return local_link(key, "p", (), now_ms=now[0], uid=uuid.UUID(int=number)).removeprefix("/local/")

    links.use(link(1))
    with pytest.raises(Forbidden, match="Too many"):
        links.use(link(2))
    now[0] += local_login.LINK_MINUTES * 60_000
    assert links.use(link(3)).name == "p"
