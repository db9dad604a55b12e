"""Secrets where nobody looks for them, through the whole pipeline; each was let through once, or nearly."""

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tachograph.cli.demo.leaks import Search
from tachograph.cli.demo.plant import Planted

pytestmark = pytest.mark.engines

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Seeds:
    """Makes credentials and remembers them."""

    def __init__(self) -> None:
        self._random = random.Random(20261123)
        self.planted: list[Planted] = []

    def _one(self, prefix: str, length: int) -> str:
        body = "".join(self._random.choices(_ALNUM, k=length))
        self.planted.append(Planted(f"secret {len(self.planted)}", "", prefix + body, (body,)))
        return prefix + body

    def token(self) -> str:
        """Known by its form."""
        return self._one("ghp_", 36)

    def word(self) -> str:
        """Known by the name before it only."""
        return self._one("Zq", 18)

    def cut(self, text: str) -> list[str]:
        marks = sorted(self._random.sample(range(1, len(text)), 9))
        return [text[a:b] for a, b in zip([0, *marks], [*marks, len(text)], strict=True)]


def sse(*events: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def heads(s: Seeds) -> Iterator[tuple[str, str, bytes, str]]:
    """Method, target, body, further head: what the agent sends."""
    yield "GET", f"/a/{s.token()}/b?password={s.word()}'{s.word()}&x[token]={s.word()}", b"", ""
    yield "GET", f"/x#access_token={s.word()}", b"", f"Cookie: a={s.word()}; {s.word()}; b=1\r\n"
    yield (
        "GET",
        "/x",
        b"",
        f"{s.token()}: 1\r\nReferer: https://u:{s.word()}@h/\r\nBaggage: {s.token()}\r\n",
    )
    yield "OPTIONS", "/x", b"", f"Access-Control-Request-Headers: {s.token()}\r\n"
    yield "HEAD", f"/x?sig={s.word()}", b"", f"X-Vault-Token: {s.word()}\r\n"


def bodies(s: Seeds) -> Iterator[tuple[str, bytes]]:
    """Content type and body, either way."""
    deep = json.dumps({"arguments": json.dumps({"password": s.word(), s.token(): 1})})
    yield "application/json", json.dumps({"outer": deep, "list": [["Cookie", f"sid={s.word()}"]]}).encode()
    env = [{"name": "DB_PASSWORD", "value": s.word()}, {"value": s.word(), "key": "apiKey"}]
    yield "application/json", json.dumps({"env": env, "args": ["--token", s.word()]}).encode()
    packed = base64.b64encode(gzip.compress(f"key {s.token()}".encode())).decode()
    yield "application/json", json.dumps({"data": packed}).encode()
    yield "text/plain", json.dumps({"client_secret": s.word()}).encode("utf-16")
    yield "text/html", f"<input name='password' value='{s.word()}'><p>{s.token()}</p>".encode()
    form = f"--b\r\nContent-Disposition: form-data; name=api_key\r\n\r\n{s.word()}\r\n--b--\r\n"
    yield "multipart/form-data; boundary=b", form.encode()
    lines = f"Cookie: sid={s.word()}\nmysql -p{s.word()} app\nlogin bob password {s.word()}\n"
    yield "text/plain", lines.encode()


def streams(s: Seeds) -> Iterator[bytes]:
    """Event streams in which a secret is cut anywhere."""
    pairs = zip(s.cut(f"key {s.token()} is"), s.cut(f"password={s.word()} and"), strict=True)
    yield sse(
        *(
            {"choices": [{"index": 0, "delta": {"content": a}}, {"index": 1, "delta": {"content": b}}]}
            for a, b in pairs
        )
    )
    calls = zip(s.cut(json.dumps({"password": s.word()})), s.cut(json.dumps({"k": s.token()})), strict=True)
    yield sse(
        *(
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {
                            "tool_calls": [
                                {"index": n, "function": {"arguments": piece}} for n, piece in enumerate(pair)
                            ]
                        },
                    }
                ]
            }
            for pair in calls
        )
    )
    yield sse(
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": p},
            }
            for p in s.cut(json.dumps({"x": json.dumps({"token": s.word()}), "k": s.token()}))
        )
    )


@pytest.fixture(scope="module")
def planted(site: Any, answer: Callable[..., Any]) -> tuple[Seeds, int]:
    """Everything sent; what was planted, and how many exchanges that were."""
    s, count = Seeds(), 0
    site.target.play = answer(b"", more=f"Set-Cookie: sid={s.word()}\r\nX-Error: {s.token()}\r\n")
    for method, target, body, head in heads(s):
        site.ask(f"/c/api{target}", method=method, body=body, head=head)
        count += 1
    for kind, body in bodies(s):
        for coding, coded in (("identity", body), ("gzip", gzip.compress(body))):
            more = f"Content-Encoding: {coding}\r\n"
            site.target.play = answer(coded, kind=kind, more=more, status=f"418 {s.token()}")
            site.ask("/c/api/echo", body=coded, head=f"Content-Type: {kind}\r\n{more}")
            count += 1
    for body in streams(s):
        site.target.play = answer(body, kind="text/event-stream")
        site.ask("/c/model/v1/chat/completions", body=b'{"model":"m","stream":true}')
        count += 1
    key = site.key
    s.planted.append(Planted("the gateway's key", "", key, (key.rpartition("_")[2],)))
    site.target.play = answer(f'{{"error":"{key} is no key"}}'.encode(), status="401 No")
    site.ask(f"/c/api/{key}/?k={key}", body=f"key: {key}".encode(), head=f"X-Note: {key}\r\n")
    return s, count + 1


def test_none_is_kept_anywhere(site: Any, planted: tuple[Seeds, int]) -> None:
    """Not in the masked topic, the documents, the raw topic, the dead letter, the spool or the logs."""
    seeds, count = planted
    site.eventually(lambda: sum(len(pair) for pair in site.exchanges().values()) >= 2 * count)
    assert len(seeds.planted) == 50
    search, topics = Search(seeds.planted), site.config.kafka.topics
    places = {
        "masked": site.topic(topics.masked),
        "raw": site.topic(topics.raw),
        "dead letter": site.topic(topics.deadletter),
        "documents": [json.dumps(one, ensure_ascii=False).encode() for one in site.documents()],
        "files": [content for _, content in site.files()],
    }
    leaks = {
        place: sorted({name for value in values for name in search.found(value)})
        for place, values in places.items()
    }
    assert not any(leaks.values()), leaks
