"""What an analyst follows a call by stays readable, and hides nothing: under a secret's name it is masked."""

import orjson
import pytest

from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load
from tachograph.processors.masking.samples import filled

MASKER = Masker(load(), PseudonymKey("k1", bytes(32)))
IDS = [
    "toolu_01{alnum:22}", "srvtoolu_01{alnum:22}", "toolu_bdrk_01{alnum:22}", "toolu_vrtx_01{alnum:22}",
    "tooluse_{alnum:22}", "msg_01{alnum:22}", "msgbatch_01{alnum:22}", "req_011C{alnum:20}", "req_{hex:32}",
    "call_{alnum:24}", "chatcmpl-{alnum:29}", "resp_{hex:48}", "msg_{hex:48}", "fc_{hex:48}", "rs_{hex:48}",
    "run_{alnum:24}", "thread_{alnum:24}", "asst_{alnum:24}", "file-{alnum:22}", "fp_{hex:10}", "{uuid}",
]  # fmt: skip


def masked(body: bytes, kind: str = "application/json") -> bytes:
    (part,) = MASKER.mask([Part("body", "body", body, kind)])
    assert part.data is not None
    return part.data


@pytest.mark.parametrize("template", IDS)
def test_ids_of_the_protocols_stand_clear(template: str) -> None:
    """Where the protocols put them: in bodies, streams, headers and the prose of an error."""
    for seed in range(5):
        value = filled(template, seed)
        body = orjson.dumps({
            "id": value, "tool_use_id": value, "tool_call_id": value, "previous_response_id": value,
            "error": f"no tool result for {value}.", "_meta": {"progressToken": value},
            "prompt_cache_key": value,
        })  # fmt: skip
        assert masked(body) == body
        stream = b"event: e\ndata: " + orjson.dumps({"type": "e", "item_id": value}) + b"\n\n"
        assert masked(stream, "text/event-stream") == stream
        headers = orjson.dumps([["request-id", value], ["x-request-id", value], ["idempotency-key", value]])
        (part,) = MASKER.mask([Part("headers", "headers", headers)])
        assert part.data == headers


@pytest.mark.parametrize("template", IDS)
@pytest.mark.parametrize("name", ["password", "client_secret", "access_token", "X-Api-Key"])
def test_under_a_secrets_name_an_id_is_masked(template: str, name: str) -> None:
    """The field rules win over every format."""
    value = filled(template)
    assert value.encode() not in masked(orjson.dumps({"id": "1", name: value}))


@pytest.mark.parametrize(
    "key", ["ghp_{alnum:36}", "sk-ant-api03-{b64url:93}AA", "sk_live_{alnum:24}", "{alnum:40}"]
)
def test_a_protocols_prefix_hides_no_key(key: str) -> None:
    """Only the ids' own lengths stand clear."""
    value = filled(key)
    assert value.encode() not in masked(orjson.dumps({"id": "call_" + value}))


@pytest.mark.parametrize("count", [4111111111111111, 5555555555554444, 378282246310005, 4539578763621486])
def test_a_count_is_no_card(count: int) -> None:
    """Where the JSON key of a bare number says that it counts."""
    usage = {"input_tokens": count, "cache_read_input_tokens": count, "completion_tokens": count}
    gemini = {"promptTokenCount": count, "totalTokenCount": count, "tool_count": count, "bytes": count}
    body = orjson.dumps({"usage": usage, "usageMetadata": gemini})
    assert masked(body) == body


@pytest.mark.parametrize("template", [
    '{"input_tokens": "%d"}', '{"account": %d}', '{"discount": %d}', '{"id": %d}', "count=%d", "tokens: %d",
    '{"text": "input_tokens: %d"}', '{"text": "a count of %d"}', '{"input_tokens": 7, "card": %d}',
    '{"count": [1, %d]}',
])  # fmt: skip
def test_anywhere_else_a_card_is_one(template: str) -> None:
    """A word of counting in free text, or a string, changes nothing."""
    for card in (4111111111111111, 5555555555554444, 4539578763621486):
        assert str(card).encode() not in masked((template % card).encode(), "text/plain")


def test_a_card_found_elsewhere_is_masked_under_a_count_too() -> None:
    """What is secret in one place of a record is secret in all of them."""
    card = b"4539578763621486"
    assert card not in masked(b'{"note": "card ' + card + b'", "usage": {"input_tokens": ' + card + b"}}")
