"""Routes: only what is registered can be reached, and what is left of a target is left as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.routing import Route, Routes
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Protocol

UP = Connection(name="up", protocol=Protocol.HTTP, upstream="http://a")
HOSTED = Connection(name="hosted", protocol=Protocol.HTTP, upstream="http://b", hosts=("Api.Example",))
ROUTES = Routes((UP, HOSTED))


@pytest.mark.parametrize(
    ("target", "host", "route"),
    [
        ("/c/up/x", "g", Route(UP, "/x")),
        ("/c/up", "g", Route(UP, "")),
        ("/c/up?x", "g", Route(UP, "?x")),
        ("/c/up#x", "g", Route(UP, "#x")),
        ("/c/UP/x", "g", Route(None, "/c/UP/x")),
        ("/c//x", "g", Route(None, "/c//x")),
        ("//c/up/x", "g", Route(None, "//c/up/x")),
        ("/a/../c/up/x", "g", Route(None, "/a/../c/up/x")),
        ("*", "g", Route(None, "*")),
        ("", "g", Route(None, "")),
        ("/c/up/x", "api.example", Route(HOSTED, "/c/up/x")),
        ("/x", "API.EXAMPLE:443", Route(HOSTED, "/x")),
        ("/x", "api.example.evil", Route(None, "/x")),
        ("http://api.example/x", "api.example", Route(None, "/x")),
        ("HTTPS://z/c/up/x?y", "api.example", Route(UP, "/x?y")),
        ("/x", "[::1]:80", Route(None, "/x")),
    ],
)
def test_routes(target: str, host: str, route: Route) -> None:
    """Name, host and absolute form, one line each."""
    assert ROUTES.find(target, host) == route


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255)))
def test_the_rest_is_byte_exact(rest: str) -> None:
    """Whatever follows the name is left alone."""
    assert ROUTES.find(f"/c/up/{rest}", "g") == Route(UP, f"/{rest}")


@given(st.text(), st.text())
def test_nothing_else_is_reached(target: str, host: str) -> None:
    """No target and no host makes a connection that is not registered, and none raises."""
    assert ROUTES.find(target, host).connection in (None, UP, HOSTED)
