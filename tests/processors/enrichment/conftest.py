"""Masked records to enrich, and the judges of what comes out: our models, our JSON Schema, OCSF's own."""

from __future__ import annotations

import base64
import gzip
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonschema
import orjson
import pytest

from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.record import Emitted, MaskedRecord
from tachograph.schemas.event import (
    GENESIS,
    Agent,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    Trace,
    event_uid,
)
from tachograph.schemas.heartbeat import BootCertificate, Heartbeat
from tachograph.schemas.masked import masked_event_adapter
from tachograph.schemas.payload import (
    ApprovalMeta,
    ApprovalNeeded,
    BodyTotals,
    ChunkMeta,
    DecisionMeta,
    ExchangeError,
    HeaderField,
    HeartbeatMeta,
    Meta,
    PolicyDecision,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    ReviewerDecision,
    SessionCloseMeta,
    SessionOpenMeta,
    Timing,
    ToolDecision,
)
from tachograph.schemas.topics import MAX_RECORD_BYTES

OCSF_FILE = Path(__file__).parents[4] / "shared" / "data" / "ocsf-1.9-dev.json.gz"
SESSION = uuid.UUID("11111111-1111-4111-8111-111111111111")
EPOCH = uuid.UUID("22222222-2222-4222-8222-222222222222")
EXCHANGE = uuid.UUID("33333333-3333-4333-8333-333333333333")
TS = "2026-11-23T10:20:30.123456789Z"
START_NS = 1_795_429_230_123_456_789
UPSTREAM = "https://api.example.com:8443/base"

_KINDS = {
    RequestMeta: (EventType.REQUEST, Direction.REQUEST),
    ResponseMeta: (EventType.RESPONSE, Direction.RESPONSE),
    ChunkMeta: (EventType.CHUNK, Direction.RESPONSE),
    DecisionMeta: (EventType.DECISION, Direction.REQUEST),
    SessionOpenMeta: (EventType.SESSION_OPEN, Direction.NONE),
    SessionCloseMeta: (EventType.SESSION_CLOSE, Direction.NONE),
    HeartbeatMeta: (EventType.HEARTBEAT, Direction.NONE),
}

_OWN = frozenset({EventType.SESSION_OPEN, EventType.SESSION_CLOSE, EventType.HEARTBEAT})
"""What the gateway says of itself: of no exchange."""


@dataclass(frozen=True)
class Records:
    """Builds masked records as the masker hands them over."""

    seq: int = 7
    header: Mapping[str, Any] = field(default_factory=dict)

    def with_header(self, **fields: Any) -> Records:
        return Records(self.seq, {**self.header, **fields})

    def request(
        self,
        protocol: Protocol | None,
        target: str,
        body: bytes | str | Any = b"",
        *,
        method: str = "POST",
        headers: Sequence[HeaderField] = (("Content-Type", "application/json"), ("User-Agent", "agent/1")),
        **fields: Any,
    ) -> MaskedRecord:
        data = _bytes(body)
        meta = RequestMeta(
            line=RequestLine(method=method, target=target, upstream=fields.pop("upstream", UPSTREAM)),
            http_version="1.1",
            headers=tuple(headers),
            client=fields.pop("client", "192.0.2.7:51234"),
            context=fields.pop("context", RequestContext()),
            body=BodyTotals(length=len(data), sha256="0" * 64, chunks=fields.pop("chunks", 0)),
            credential=fields.pop("credential", None),
            decision=fields.pop("decision", None),
        )
        return self.record(meta, protocol, data, **fields)

    def response(
        self,
        protocol: Protocol | None,
        target: str,
        body: bytes | str | Any = b"",
        *,
        status: int = 200,
        content_type: str = "application/json",
        **fields: Any,
    ) -> MaskedRecord:
        data = _bytes(body)
        meta = ResponseMeta(
            status=status,
            reason="OK" if status == 200 else "",
            http_version="1.1",
            headers=(("Content-Type", content_type),),
            trailers=fields.pop("trailers", ()),
            origin=fields.pop("origin", "upstream"),
            request=RequestLine(method=fields.pop("method", "POST"), target=target, upstream=UPSTREAM),
            context=fields.pop("context", RequestContext()),
            body=BodyTotals(
                length=len(data),
                sha256="0" * 64,
                chunks=fields.pop("chunks", 0),
                complete=fields.pop("complete", True),
            ),
            timing=Timing(start=START_NS, request_end=1_000, first_byte=250_000, end=1_500_000),
            error=fields.pop("error", None),
        )
        return self.record(meta, protocol, data, **fields)

    def record(
        self, meta: Meta, protocol: Protocol | None, body: bytes | None, **fields: Any
    ) -> MaskedRecord:
        kind, direction = _KINDS[type(meta)]
        exchange = None if kind in _OWN else EXCHANGE
        header: dict[str, Any] = {
            "uid": event_uid(SESSION, EPOCH, self.seq),
            "type": kind,
            "ts": TS,
            "session": SESSION,
            "epoch": EPOCH,
            "seq": self.seq,
            "prev": "ab" * 32 if self.seq else GENESIS,
            "exchange": exchange,
            "connection": "target" if protocol else None,
            "protocol": protocol,
            "direction": direction,
            "principal": Principal(id="builder", kind=PrincipalKind.API_KEY),
            "raw_commit": "cd" * 32,
            "raw_len": 1234,
        }
        return MaskedRecord(
            header=Header(**{**header, **self.header}),
            meta=meta,
            body=fields.pop("masked_body", body),
            withheld=fields.pop("withheld", None),
            decoded_len=len(body or b""),
            masked=fields.pop("masked", {"github-token": 2}),
            ruleset="ef" * 32,
        )


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


@pytest.fixture(scope="session")
def records() -> Records:
    """The builder of masked records."""
    return Records()


@pytest.fixture(scope="session")
def approved_record(records: Records) -> MaskedRecord:
    """A decision that a person made."""
    line = RequestLine(method="DELETE", target="/things/1", upstream=UPSTREAM)
    return records.record(_approved(line), Protocol.HTTP, None)


@pytest.fixture(scope="session")
def all_kinds(records: Records) -> tuple[MaskedRecord, ...]:
    """At least one record of every kind, protocol and outcome."""
    line = RequestLine(method="DELETE", target="/things/1?force=yes", upstream=UPSTREAM)
    chunk = ChunkMeta(index=3, offset=786_432, sha256="1" * 64, content_type="text/plain")
    claimed = records.with_header(
        agent=Agent(session=str(SESSION), id=str(EPOCH)),
        trace=Trace(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        principal=Principal(id="ada", kind=PrincipalKind.OIDC, issuer="https://login.example.com"),
    )
    anonymous = records.with_header(principal=Principal(id="anonymous", kind=PrincipalKind.ANONYMOUS))
    refused = ExchangeError(code="upstream-refused", detail="connection refused")
    found = [
        records.record(SessionOpenMeta(version="0.1.0", config_digest="2" * 64, basis="claimed"), None, None),
        Records(seq=0).record(
            SessionOpenMeta(version="0.1.0", config_digest="2" * 64, basis="trace"), None, None
        ),
        records.record(SessionCloseMeta(records=42, reason="idle"), None, None),
        records.record(SessionCloseMeta(records=42, reason="idle", last="ab" * 32), None, None),
        *_of_the_gateway(records),
        anonymous.response(
            None,
            "/c/nowhere/x",
            {"error": "x"},
            status=401,
            origin="gateway",
            error=ExchangeError(code="unauthenticated", detail="no key"),
        ),
        records.request(None, "*", method="BREW", upstream="", client="[2001:db8::1]:9"),
        records.request(None, "http://other.example/path?q=[EMAIL:ab12]", method="GET", client="garbage"),
    ]
    for protocol in Protocol:
        for who in (records, claimed):
            found += [
                who.request(protocol, "/v1/things?token=[SECRET:ab12]#x", b"hello", credential="key-1"),
                who.response(protocol, "/v1/things", "plain text", content_type="text/plain"),
                who.response(protocol, "/v1/things", status=0, origin="none", error=refused, complete=False),
                who.record(chunk, protocol, b"a slice"),
                who.record(DecisionMeta(decision="deny", reason="rule 7", line=line), protocol, None),
                who.record(DecisionMeta(decision="allow", reason="rule 8", line=line), protocol, None),
                who.record(_approved(line), protocol, None),
                *(who.record(_called(line, verdict), protocol, None) for verdict in ("hold", "deny")),
                *(who.request(protocol, "/x", decision=_decision(effect)) for effect in _EFFECTS),
                who.request(protocol, "/x", b"", masked_body=None, withheld="body-too-large"),
                who.response(protocol, "/x", b"\x00\xff\xfe", trailers=(("grpc-status", "0"),)),
            ]
    return tuple(found)


def _of_the_gateway(records: Records) -> tuple[MaskedRecord, MaskedRecord]:
    """The first record of a boot, and a heartbeat."""
    strand = {"session": str(SESSION), "epoch": str(EPOCH), "records": 7, "head": "ab" * 32, "open": True}
    said = {"boot": str(EPOCH), "number": 3, "at": TS, "strands": [strand], "last": True}
    certificate = {"boot": str(EPOCH), "key": base64.b64encode(bytes(32)).decode(), "issued": TS}
    who = records.with_header(principal=Principal(id="gateway", kind=PrincipalKind.GATEWAY))
    return (
        who.record(
            SessionOpenMeta(
                version="0.1.0",
                config_digest="2" * 64,
                basis="boot",
                boot=BootCertificate.model_validate(certificate),
                boot_note="tachograph/boot/v1\n",
            ),
            None,
            None,
        ),
        who.record(
            HeartbeatMeta(
                heartbeat=Heartbeat.model_validate(said), signature=base64.b64encode(bytes(64)).decode()
            ),
            None,
            None,
        ),
    )


_EFFECTS: tuple[Literal["allow", "deny", "approval"], ...] = ("allow", "deny", "approval")


def _approved(line: RequestLine) -> DecisionMeta:
    """Two were asked, one said yes with a comment, for ten minutes."""
    at = "2026-11-23T00:00:01.000000000Z"
    said = ReviewerDecision(
        verdict="approve",
        reviewer="ruth",
        issuer="https://id.example",
        groups=("ops",),
        via="console",
        comment="fine, [EMAIL:ab12]",
        at=at,
        shown="f" * 64,
        grant_minutes=10,
    )
    approval = ApprovalMeta(
        id="6f0c3b5e-5a53-4d0e-9a35-0d9a6f1c8a11",
        outcome="approved",
        request_digest="d" * 64,
        asked="2026-11-23T00:00:00.000000000Z",
        needs=(ApprovalNeeded(group="ops", reviewers=1, policy="deletions"),),
        decisions=(said,),
        waited_ms=1000,
        granted_until="2026-11-23T00:10:01.000000000Z",
    )
    return DecisionMeta(decision="allow", reason="approved by ruth", line=line, approval=approval)


def _called(line: RequestLine, verdict: Literal["hold", "deny"]) -> DecisionMeta:
    """A tool call in an answer, held for people or refused by a policy."""
    held = verdict == "hold"
    return DecisionMeta(
        decision=verdict,
        reason="deleting is final",
        line=line,
        tool=ToolDecision(
            id="toolu_1", name="rm", arguments='{"path": "/"}', replacement=None if held else "refused"
        ),
        policy=_decision("approval" if held else "deny"),
    )


def _decision(effect: Literal["allow", "deny", "approval"]) -> PolicyDecision:
    return PolicyDecision(
        effect=effect,
        policies=() if effect == "deny" else ("rule-9",),
        reason="because",
        digest="a" * 64,
        inputs="",
        micros=90,
    )


# --- judges --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ocsf:
    """A small validator for one OCSF schema dump: types, requirements, enums, constraints, profiles."""

    schema: Mapping[str, Any]

    def problems(self, event: Mapping[str, Any]) -> list[str]:
        classes = self.schema["classes"].values()
        found = [
            item for item in classes if f"{event['class_uid']}" in item["attributes"]["class_uid"]["enum"]
        ]
        if len(found) != 1:
            return [f"class_uid {event['class_uid']} names {len(found)} classes"]
        profiles = frozenset(event["metadata"].get("profiles", ()))
        strange = [f"profile {name} is not of this class" for name in profiles - set(found[0]["profiles"])]
        return strange + list(self._object(found[0], event, profiles, ""))

    def _object(
        self, kind: Mapping[str, Any], value: Mapping[str, Any], profiles: frozenset[str], path: str
    ) -> Iterator[str]:
        attributes = kind["attributes"]
        for name in value.keys() - attributes.keys():
            yield f"{path}{name}: unknown attribute"
        for name, rule in attributes.items():
            # API Activity requires `api` and `actor` itself; the dump tags them with a profile of the
            # base event, so their absence is never an error here and their presence always fine.
            counts = rule.get("profile") is None or rule["profile"] in profiles
            own = name in {"api", "actor"} and not path
            if name not in value:
                if counts and rule["requirement"] == "required":
                    yield f"{path}{name}: required"
            elif not counts and not own:
                yield f"{path}{name}: needs the profile {rule['profile']}"
            else:
                yield from self._attribute(rule, value[name], profiles, f"{path}{name}")
                yield from self._sibling(rule, value, name, path)
        yield from self._constraints(kind.get("constraints") or {}, value, path)

    def _attribute(
        self, rule: Mapping[str, Any], value: Any, profiles: frozenset[str], path: str
    ) -> Iterator[str]:
        if not rule.get("is_array"):
            yield from self._value(rule, value, profiles, path)
        elif not isinstance(value, list):
            yield f"{path}: expected an array"
        else:
            for index, item in enumerate(value):
                yield from self._value(rule, item, profiles, f"{path}[{index}]")

    def _value(
        self, rule: Mapping[str, Any], value: Any, profiles: frozenset[str], path: str
    ) -> Iterator[str]:
        if rule.get("enum") and str(value) not in rule["enum"]:
            yield f"{path}: {value!r} is not in its enumeration"
        kind = rule["type"]
        if kind in self.schema["types"]:
            yield from self._scalar(kind, value, path)
        elif not isinstance(value, dict):
            yield f"{path}: expected an object of type {kind}"
        elif kind == "object":
            return
        elif kind not in self.schema["objects"]:
            yield f"{path}: the type {kind} is not in the dump"
        else:
            yield from self._object(self.schema["objects"][kind], value, profiles, f"{path}.")

    def _scalar(self, kind: str, value: Any, path: str) -> Iterator[str]:
        base, rules = kind, []
        while base:
            rules.append(self.schema["types"][base])
            kind, base = base, rules[-1].get("type", "")
        wanted = {"string_t": str, "integer_t": int, "long_t": int, "float_t": float, "boolean_t": bool}.get(
            kind
        )
        if wanted and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            yield f"{path}: expected {kind}, got {type(value).__name__}"
            return
        for rule in rules:
            if "regex" in rule and not re.search(rule["regex"], value):
                yield f"{path}: {value!r} is not of its form"
            if "max_len" in rule and len(value) > rule["max_len"]:
                yield f"{path}: too long"
            if "range" in rule and not rule["range"][0] <= value <= rule["range"][1]:
                yield f"{path}: {value} is out of range"
        if kind == "integer_t" and not -(2**31) <= value < 2**31:
            yield f"{path}: {value} is no 32-bit integer"

    def _sibling(
        self, rule: Mapping[str, Any], value: Mapping[str, Any], name: str, path: str
    ) -> Iterator[str]:
        sibling = rule.get("sibling")
        if not sibling or not rule.get("enum") or rule.get("is_array"):
            return
        caption = rule["enum"].get(str(value[name]))
        if value.get(sibling) != caption:
            yield f"{path}{sibling}: expected {caption!r} beside {name}, got {value.get(sibling)!r}"

    @staticmethod
    def _constraints(
        rules: Mapping[str, Sequence[str]], value: Mapping[str, Any], path: str
    ) -> Iterator[str]:
        for rule, names in rules.items():
            present = [name for name in names if name in value]
            if not present or (rule == "just_one" and len(present) > 1):
                yield f"{path}: {rule} of {', '.join(names)}, got {present}"


@pytest.fixture(scope="session")
def ocsf() -> Ocsf:
    """OCSF's own schema, where it lies beside the checkout."""
    if not OCSF_FILE.is_file():
        pytest.skip("the reduced OCSF schema ../shared/data/ocsf-1.9-dev.json.gz is not beside the checkout")
    return Ocsf(json.loads(gzip.decompress(OCSF_FILE.read_bytes())))


Events = Callable[[MaskedRecord], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def events() -> Events:
    """Enrich, hold every event to our models, to our JSON Schema and to Kafka's limit, and decode it."""
    schema = jsonschema.Draft202012Validator(masked_event_adapter.json_schema())

    def run(record: MaskedRecord) -> list[dict[str, Any]]:
        emitted = enrich(record)
        assert emitted
        return [_judged(item, schema) for item in emitted]

    return run


def _judged(emitted: Emitted, schema: jsonschema.Draft202012Validator) -> dict[str, Any]:
    assert len(emitted.value) <= MAX_RECORD_BYTES - 4096
    event: dict[str, Any] = orjson.loads(emitted.value)
    assert [error.message[:200] for error in schema.iter_errors(event)] == []
    masked_event_adapter.validate_json(emitted.value)
    tacho = event["unmapped"]["tacho"]
    assert event["metadata"]["uid"] == tacho["uid"] == str(emitted.uid)
    assert tacho["type"] == emitted.type
    assert tacho["session"] == str(emitted.session)
    return event
