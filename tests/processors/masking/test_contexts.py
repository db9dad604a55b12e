"""The same secret is found alike wherever it is quoted: nine contexts, every rule's examples."""

from collections.abc import Callable

import orjson
import pytest

from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load
from tachograph.processors.masking.samples import filled

RULES = load(strict=False)
MASKER = Masker(RULES, PseudonymKey("k1", bytes(32)))


def dumps(value: object) -> str:
    return orjson.dumps(value).decode()


CONTEXTS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "http": lambda s: f"POST /v1/run HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\n\r\n{s}\r\n",
    "chat": lambda s: dumps(
        {"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", "content": s}}]}
    ),
    "mcp": lambda s: dumps({"jsonrpc": "2.0", "id": 4, "result": {"content": [{"type": "text", "text": s}]}}),
    "nested": lambda s: dumps(
        {"function": {"name": "w", "arguments": dumps({"path": "/x", "contents": s, "n": 4})}}
    ),
    "sse": lambda s: f"event: x\ndata: {dumps({'index': 0, 'delta': {'type': 'text_delta', 'text': s}})}\n\n",
    "rows": lambda s: dumps({"columns": ["id", "body", "ts"], "rows": [[1, s, "2026-02-11"]]}),
    "sql": lambda s: "INSERT INTO notes (id, body) VALUES (5, '{}');".format(s.replace("'", "''")),  # noqa: S608  a text to mask, no query
    "err": lambda s: dumps({"error": {"type": "e", "message": f"request failed: {s} (trace 6c6b54bc)"}}),
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_example_is_found_in_every_context(context: str) -> None:
    """The spread between contexts is nought."""
    missed = [
        rule.id
        for rule in RULES.rules
        for template in rule.examples
        for seed in range(3)
        if not MASKER.mask([Part("t", "text", CONTEXTS[context](filled(template, seed)).encode())])[0].spans
    ]
    assert missed == []
