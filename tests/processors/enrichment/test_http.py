"""HTTP in OCSF's words, whatever masking left of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.bounds import HEADERS_BYTES
from tachograph.processors.enrichment.http import (
    http_request,
    http_response,
    request_line,
    small,
    source,
    target,
    url,
    wire_headers,
)
from tachograph.schemas.payload import RequestLine

EXCHANGE = uuid.UUID(int=3)


def line(path: str, upstream: str = "https://api.example.com/base", method: str = "GET") -> RequestLine:
    return RequestLine(method=method, target=path, upstream=upstream)


@pytest.mark.parametrize(
    ("request_target", "upstream", "expected"),
    [
        (
            "/a/b?x=1#f",
            "https://api.example.com/base/",
            {
                "url_string": "https://api.example.com/base/a/b?x=1#f",
                "path": "/a/b",
                "query_string": "x=1",
                "scheme": "https",
                "hostname": "api.example.com",
                "port": 443,
            },
        ),
        (
            "http://other.example/p?q",
            "http://127.0.0.1:81",
            {
                "url_string": "http://other.example/p?q",
                "path": "/p",
                "query_string": "q",
                "scheme": "http",
                "hostname": "127.0.0.1",
                "port": 81,
            },
        ),
        ("*", "", {"url_string": "*", "path": "*"}),
        ("", "", {"url_string": "/", "path": ""}),
        ("/x", "https://[HOST:ab12]/", {"url_string": "https://[HOST:ab12]/x", "path": "/x"}),
        ("/x", "https://h:notaport", {"url_string": "https://h:notaport/x", "path": "/x"}),
    ],
)
def test_urls(request_target: str, upstream: str, expected: dict[str, Any]) -> None:
    """Origin and target together; a masked or broken origin stays text and names no host."""
    assert url(line(request_target, upstream)) == expected


@given(st.text(), st.text())
def test_any_target_has_a_url(request_target: str, upstream: str) -> None:
    """Nothing that masking can leave makes a URL fail."""
    found = url(line(request_target, upstream))
    assert found["url_string"]
    assert isinstance(found["path"], str)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("192.0.2.7:51234", {"ip": "192.0.2.7", "port": 51234}),
        ("[2001:db8::1]:9", {"ip": "2001:db8::1", "port": 9}),
        ("fe80::1%eth0:80", {"ip": "fe80::1", "port": 80}),
        ("192.0.2.7:99999", {"ip": "192.0.2.7"}),
        ("192.0.2.7:x", {"ip": "192.0.2.7"}),
        ("[IP:ab12]:80", {}),
        ("somewhere:80", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_the_source_is_named_by_who_it_is(client: str | None, expected: dict[str, Any]) -> None:
    """The verified principal always, its address where it is one."""
    assert source("builder", client) == {"name": "builder"} | expected


def test_the_destination_is_the_connection() -> None:
    """Named by its connection, addressed by its origin; nothing where nothing was routed."""
    assert target(line("/"), "crm") == {
        "name": "crm",
        "hostname": "api.example.com",
        "port": 443,
        "svc_name": "crm",
    }
    assert target(line("/", "http://10.0.0.1:81"), None) == {"name": "10.0.0.1", "ip": "10.0.0.1", "port": 81}
    assert target(line("/", ""), None) is None


@pytest.mark.parametrize(
    ("method", "kept"), [("POST", "POST"), ("PROPFIND", "PROPFIND"), ("BREW", None), ("get", None)]
)
def test_only_methods_that_ocsf_numbers(method: str, kept: str | None) -> None:
    """Methods are case-sensitive, and OCSF's field is an enumeration."""
    assert request_line(line("/", method=method), EXCHANGE).get("http_method") == kept


def test_a_request_carries_what_it_sent(records: Any) -> None:
    """Headers in order with duplicates, agent, referrer, length on the wire."""
    headers = (("X-A", "1"), ("User-Agent", "ua"), ("x-a", "2"), ("Referer", "r"))
    meta = records.request(None, "/x", b"12345", headers=headers).meta
    found = http_request(meta, EXCHANGE)
    assert [(item["name"], item["value"]) for item in found["http_headers"]] == list(headers)
    assert (found["user_agent"], found["referrer"], found["body_length"]) == ("ua", "r", 5)
    assert (found["version"], found["uid"]) == ("1.1", str(EXCHANGE))


def test_a_response_carries_its_status_and_latency(records: Any) -> None:
    """Latency is in milliseconds to the first byte; the request is repeated by its line only."""
    meta = records.response(None, "/x", b"12345", content_type="text/plain").meta
    found = http_response(meta)
    assert (found["code"], found["status"], found["content_type"], found["latency"]) == (
        200,
        "OK",
        "text/plain",
        250,
    )
    assert http_request(meta, None).keys() == {"url", "http_method"}


@given(st.lists(st.tuples(st.text(), st.text())))
def test_small_heads_are_kept_whole(headers: list[tuple[str, str]]) -> None:
    """Every field, in order."""
    assert [(item["name"], item["value"]) for item in wire_headers(headers)] == headers


def test_heads_are_bounded() -> None:
    """Many fields and long ones stop at the bound together."""
    found = wire_headers([("x" * 10_000, "y" * 50_000)] * 100)
    assert sum(len(item["name"]) + len(item["value"]) for item in found) <= HEADERS_BYTES


@pytest.mark.parametrize(("number", "kept"), [(-1, None), (0, 0), (2**31 - 1, 2**31 - 1), (2**31, None)])
def test_ocsf_integers_have_31_bits(number: int, kept: int | None) -> None:
    """What does not fit is left out, not wrapped."""
    assert small(number) == kept
