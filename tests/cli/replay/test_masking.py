"""A request as it comes becomes what its document would say, also where it carries what was masked."""

from functools import cache
from typing import Any

import orjson
import pytest

from tachograph.cli.replay.masking import Answered, Masking
from tachograph.forensics.replay.recorded import Body, Exchange, Piece, Request, Response
from tachograph.forensics.replay.server import Came
from tachograph.forensics.replay.tape import Found, Tape
from tachograph.processors.masking.masker import Masker
from tachograph.processors.masking.pseudonyms import PseudonymKey
from tachograph.processors.masking.ruleset import load

KEY = PseudonymKey.named(b"k" * 32)
JSON = (("Content-Type", "application/json"),)
PASSWORD = "hunter2-hunter2"


@cache
def masker() -> Masker:
    return Masker(load(), KEY)


def masking(*exchanges: Exchange) -> Masking:
    return Masking(lambda _: masker(), KEY, exchanges, clock=lambda: 1_790_000_000_000_000_000)


def came(value: object, **other: Any) -> Came:
    return Came(
        **{
            "connection": "api",
            "method": "POST",
            "target": "/x",
            "headers": JSON,
            "body": orjson.dumps(value),
        }
        | other
    )


def recorded(body: str, answer: str = "{}") -> Exchange:
    request = Request("u", "api", "http", "POST", "/x", "", JSON, Body(body))
    response = Response("v", 200, JSON, Body(answer), (Piece(answer, 1),), 1, 1, "upstream")
    return Exchange("e", request, response)


def test_a_secret_is_masked_as_it_was_recorded() -> None:
    """Pseudonyms make equal secrets equal."""
    body = masking(recorded("")).request(came({"password": PASSWORD})).body.text
    assert PASSWORD not in body
    assert orjson.loads(body) == {"password": KEY.marker("PASSWORD", PASSWORD.encode()).decode()}


def test_a_marker_that_the_agent_was_told_stays_that_marker() -> None:
    """It would be masked a second time under that name."""
    marker = KEY.marker("PASSWORD", PASSWORD.encode()).decode()
    told = recorded("", f'{{"password":"{marker}"}}')
    assert orjson.loads(masking(told).request(came({"password": marker})).body.text) == {"password": marker}
    fresh = masking(recorded("")).request(came({"password": marker})).body.text
    assert orjson.loads(fresh) != {"password": marker}


def test_a_text_with_a_marker_in_it_is_the_recorded_one() -> None:
    """A database's URL is masked whole by its name; what the agent was told had only its password masked."""
    dsn = f"postgres://desk:{PASSWORD}@db/desk"
    whole = KEY.marker("SECRET", dsn.encode()).decode()
    part = dsn.replace(PASSWORD, KEY.marker("PASSWORD", PASSWORD.encode()).decode())
    exchange = recorded(f'{{"dsn":"{whole}"}}', f'"connect to {part}"')
    request = masking(exchange).request(came({"dsn": part}))
    assert isinstance(Tape([exchange]).ask(request), Found)


def test_a_fresh_secret_beside_a_marker_does_not_show() -> None:
    """What is put back stands in the record already."""
    marker = KEY.marker("PASSWORD", PASSWORD.encode()).decode()
    body = (
        masking(recorded("", marker)).request(came({"dsn": f"postgres://u:opensesame9@h/{marker}"})).body.text
    )
    assert "opensesame9" not in body


def test_the_gateways_key_is_taken_out_as_the_gateway_does() -> None:
    """It is never compared, told or shown."""
    key = "tacho_k1_" + "a" * 43
    request = masking(recorded("")).request(came({}, headers=(*JSON, ("X-Tacho-Key", key))))
    assert dict(request.headers)["X-Tacho-Key"] in masking(recorded("")).placeholders("api")
    other = masking(recorded("")).request(came({}, headers=(*JSON, ("X-Tacho-Key", key.replace("a", "b")))))
    assert request.headers == other.headers


@pytest.mark.parametrize("protocol", ["http", "llm", "mcp"])
def test_it_reads_what_the_connection_speaks(protocol: str) -> None:
    """As the record does: messages apart, methods named."""
    exchange = recorded("")
    from dataclasses import replace

    exchange = replace(exchange, request=replace(exchange.request, protocol=protocol))
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping", "messages": [{"role": "user", "content": "hi"}]}
    request = masking(exchange).request(came(body, target="/v1/messages?a=1"))
    assert (request.protocol, request.path, request.query) == (protocol, "/v1/messages", "a=1")
    assert request.rpc_method == ("ping" if protocol == "mcp" else None)
    said = orjson.loads(request.body.text)["messages"]
    assert said == (
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
        if protocol == "llm"
        else body["messages"]
    )


def test_an_answer_is_masked_by_what_its_request_held() -> None:
    """A value that the operator supplied may come back in prose."""
    exchange = masking(recorded("")).exchange(
        came({"password": PASSWORD}),
        Answered(200, (("Content-Type", "text/plain"),), f"ok {PASSWORD}".encode()),
    )
    assert exchange.response is not None
    assert exchange.response.status == 200
    assert PASSWORD not in exchange.response.body.text
    assert exchange.response.body.text.startswith("ok [PASSWORD:")


def test_an_answer_does_not_show() -> None:
    """Its `repr` has its length."""
    assert "secret" not in repr(Answered(200, (), b"secret"))
