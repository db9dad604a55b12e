"""The configured URL becomes address, Host field and prefix."""

from __future__ import annotations

import pytest

from tachograph.ingress.upstream.target import Target, parse_target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a.example", Target("a.example", 80, tls=False, authority="a.example", prefix="")),
        ("https://A.example/v1", Target("a.example", 443, tls=True, authority="a.example", prefix="/v1")),
        ("https://a:8443/", Target("a", 8443, tls=True, authority="a:8443", prefix="")),
        ("http://a:443/x/", Target("a", 443, tls=False, authority="a:443", prefix="/x")),
        ("http://[::1]:9/x", Target("::1", 9, tls=False, authority="[::1]:9", prefix="/x")),
    ],
)
def test_parse(url: str, target: Target) -> None:
    """No port in Host where it is the scheme's own; IPv6 in brackets there and bare in the address."""
    assert parse_target(url) == target


@pytest.mark.parametrize(
    ("prefix", "rest", "path"),
    [
        ("", "/x", "/x"),
        ("", "", "/"),
        ("", "?q", "/?q"),
        ("/p", "", "/p"),
        ("/p", "?q", "/p?q"),
        ("/p", "/", "/p/"),
    ],
)
def test_path(prefix: str, rest: str, path: str) -> None:
    """The prefix comes first; nothing is added to what the agent sent but a missing slash."""
    assert Target("a", 80, tls=False, authority="a", prefix=prefix).path(rest) == path


@pytest.mark.parametrize(
    ("rest", "escapes"),
    [
        ("/../admin", True),
        ("/a/..", True),
        ("/a/%2E%2e/b", True),
        ("/..;x=1/b", True),
        ("/a\\..\\b", True),
        ("/a%2f..%2Fb", True),
        ("/a..b/c", False),
        ("/...", False),
        ("/./a", False),
        ("/a?b=/../c", False),
        ("", False),
    ],
)
def test_a_prefix_confines(rest: str, escapes: bool) -> None:
    """However `..` is written, it is seen in the path; elsewhere, and without a prefix, it harms nobody."""
    assert Target("a", 80, tls=False, authority="a", prefix="/p").escapes(rest) is escapes
    assert not Target("a", 80, tls=False, authority="a", prefix="").escapes(rest)
