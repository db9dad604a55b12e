"""A path has one reading, or it is not judged."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.paths import view


@pytest.mark.parametrize(
    "target",
    [
        "/a/../admin",
        "/a/./b",
        "/..",
        "/a/%2e%2e/admin",
        "/a/.%2E/admin",
        "/a/%252e%252e/admin",
        "/a%2fb",
        "/a%5Cb",
        "/a\\..\\b",
        "/a/..;/admin",
        "/a/..;x=1/admin",
        "/a/%2e%2e;x/admin",
        "/a/.../b",
        "/a/.. /b",
        "/a/..%20/b",
        "/;x/admin",
        "/a/\uff0e\uff0e/b".encode().decode("latin-1"),
        "/a\uff0fb".encode().decode("latin-1"),
        "/a/%ef%bc%8e%ef%bc%8e/b",
        "/a%00b",
        "/a%0ab",
        "/a%zz",
        "/a%2",
        "/%ff",
        "/%c0%ae%c0%ae/",
        "/a#b",
        "a/b",
        "",
        "*",
        "/a?%ff=1",
        "/a?x%0a=1",
    ],
)
def test_what_servers_read_differently_is_refused(target: str) -> None:
    """Dot segments in any writing, coded slashes, double codings, control characters, bad escapes."""
    with pytest.raises(Unclear) as caught:
        view(target)
    assert "admin" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "path", "folded"),
    [
        ("/v1/users", "/v1/users", "/v1/users"),
        ("/V1/Users/", "/V1/Users/", "/v1/users"),
        ("//v1///users", "//v1///users", "/v1/users"),
        ("/admin.", "/admin.", "/admin"),
        ("/admin%20", "/admin ", "/admin"),
        ("/admin;jsessionid=1/x", "/admin;jsessionid=1/x", "/admin/x"),
        ("/%61dmin", "/admin", "/admin"),
        ("/caf%C3%A9", "/café", "/café"),
        ("/100%25", "/100%", "/100%"),
        ("/STRASSE", "/STRASSE", "/strasse"),
        ("/", "/", "/"),
    ],
)
def test_what_servers_fold_stands_in_a_second_form(target: str, path: str, folded: str) -> None:
    """Permits read what was written, forbids read what a lenient server would make of it."""
    seen = view(target)
    assert (seen.path, seen.folded) == (path, folded)


def test_query_names_are_decoded_once_and_sorted() -> None:
    """Values are not kept: policies see which parameters there are."""
    assert view("/a?b=secret&a%5B%5D=1&b=2&c&x+y=").query == ("a[]", "b", "c", "x y")
    assert view("/a?").query == ()


def test_a_semicolon_in_a_query_has_both_readings() -> None:
    """Some servers split there: a forbid sees the name that they see, a permit the one that others see."""
    assert view("/a?x=1;_method=DELETE&y").query == ("_method", "x", "y")
    assert view("/a?x;z=1").query == ("x", "x;z", "z")


@given(st.text(alphabet="/.%25efcEFC;\\ aA?=&#", max_size=40))
def test_no_judged_path_climbs(text: str) -> None:
    """Whatever is sent, a view that exists has no segment of dots only, and nothing that decodes to one."""
    with contextlib.suppress(Unclear):
        seen = view("/" + text)
        segments = seen.path.split("/")
        assert not any(part and not part.partition(";")[0].strip(". ") for part in segments)
        assert "%2e" not in seen.path.lower()
        assert "%2f" not in seen.path.lower()
        assert view("/" + text) == seen
