"""Default deny, forbid wins, errors deny, and a decision is reused only where all that was read is equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachograph.ingress.admission import Effect, ToolUse
from tachograph.ingress.policy import judge as judging
from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.inputs import MAX_CONTEXT_BYTES
from tachograph.schemas.event import Principal, PrincipalKind

Make = Callable[..., Any]
READ = """
@id("read") @reason("Reading is free")
permit(principal in Group::"agents", action == Action::"http.request", resource)
when { context.method == "GET" && context.path like "/v1/*" };
"""
NO_ADMIN = """
@id("no-admin") @reason("Administration is for people")
forbid(principal is Agent, action, resource) when { context.path_folded like "*/admin*" };
"""
TOOLS = """
@id("tools") permit(principal, action == Action::"mcp.call", resource == Connection::"files")
when { context.tool == "read" || context.tool == "ls" };
@id("rm") @approval("ops") @approval_minutes("5")
permit(principal, action == Action::"mcp.call", resource) when { context.tool == "rm" };
@id("big") @approval("finance") @approval_reviewers("2")
permit(principal, action == Action::"mcp.call", resource)
when { context.tool == "rm" && context.arguments has n && context.arguments.n > 10 };
@id("ping") permit(principal, action == Action::"mcp.message", resource);
"""


def test_a_permit_allows(asked: Make, judge: Make) -> None:
    """The decision says by which policy, why, and of which set."""
    made = judge(READ, NO_ADMIN)
    decision = made.decide(asked(target="/v1/x", groups={"agents", "others"}))
    assert (decision.effect, decision.policies) == (Effect.ALLOW, ("read",))
    assert decision.reason == "Reading is free"
    assert decision.digest == made.digest
    assert len(decision.inputs) == 64


@pytest.mark.parametrize(
    "change",
    [{"groups": ()}, {"method": "POST"}, {"target": "/v2/x"}, {"target": "/V1/x"}],
)
def test_what_no_policy_permits_is_denied(asked: Make, judge: Make, change: dict[str, Any]) -> None:
    """Nothing matched, so nothing is named."""
    decision = judge(READ, NO_ADMIN).decide(asked(**{"target": "/v1/x", "groups": {"agents"}} | change))
    assert (decision.effect, decision.policies) == (Effect.DENY, ())
    assert "no policy permits" in decision.reason


@pytest.mark.parametrize("target", ["/v1/admin", "/v1/ADMIN", "/v1//admin.", "/v1/%61dmin;x=1/y"])
def test_forbid_wins(asked: Make, judge: Make, target: str) -> None:
    """Over any permit, however the path is written; it gives its own reason."""
    decision = judge(READ, NO_ADMIN).decide(asked(target=target, groups={"agents"}))
    assert (decision.effect, decision.policies) == (Effect.DENY, ("no-admin",))
    assert decision.reason == "Administration is for people"


@pytest.mark.parametrize(
    "target", ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/%252e%252e/admin", "/v1\\..\\admin"]
)
def test_tricks_are_malformed(asked: Make, judge: Make, target: str) -> None:
    """They are not judged at all: nobody knows what the target would see."""
    decision = judge('@id("all") permit(principal, action, resource);').decide(asked(target=target))
    assert (decision.effect, decision.malformed, decision.policies) == (Effect.DENY, True, ())


def test_an_empty_set_denies_everything(asked: Make, judge: Make) -> None:
    """A file of comments is a policy set too."""
    assert judge("// nothing").decide(asked()).effect is Effect.DENY


def test_an_error_is_a_deny(asked: Make, judge: Make, rpc: Make) -> None:
    """A forbid that cannot be evaluated must not be skipped, as Cedar would; no content is in the reason."""
    made = judge(
        '@id("all") permit(principal, action, resource);',
        '@id("cap") forbid(principal, action == Action::"mcp.call", resource)'
        " when { context.arguments has n && context.arguments.n > 10 };",
    )
    allowed, denied, odd = (
        made.decide(asked("files", "POST", body=rpc("pay", n=n))) for n in (1, 11, "secret")
    )
    assert (allowed.effect, denied.effect, odd.effect) == (Effect.ALLOW, Effect.DENY, Effect.DENY)
    assert (denied.policies, odd.policies) == (("cap",), ("cap",))
    assert "could not be evaluated" in odd.reason
    assert "secret" not in odd.reason


@pytest.mark.parametrize("n", [10.5, 1e300, 10**30, [11], {"n": 11}, None])
def test_a_value_that_cannot_be_read_is_not_below_a_bound(
    asked: Make, judge: Make, rpc: Make, n: object
) -> None:
    """Floats, huge numbers, lists and objects do not slip under a cap that is written for whole numbers."""
    made = judge(
        '@id("all") permit(principal, action, resource);',
        '@id("cap") forbid(principal, action == Action::"mcp.call", resource)'
        " when { context.arguments has n && context.arguments.n > 10 };",
    )
    assert made.decide(asked("files", "POST", body=rpc("pay", n=n))).effect is Effect.DENY


def test_what_is_too_long_to_be_looked_at_is_denied(asked: Make, judge: Make, rpc: Make) -> None:
    """Where a policy reads it, so that none holds up all others; and the agent is told what is too long."""
    permit = '@id("all") permit(principal, action == Action::"mcp.call", resource);'
    forbid = (
        '@id("drop") forbid(principal, action == Action::"mcp.call", resource)'
        ' when { context.arguments has sql && context.arguments.sql like "*DROP*" };'
    )
    long = rpc("query", sql="x" * MAX_CONTEXT_BYTES, other="y")
    decision = judge(permit, forbid).decide(asked("files", "POST", body=long))
    assert (decision.effect, decision.malformed) == (Effect.DENY, True)
    assert str(MAX_CONTEXT_BYTES) in decision.reason
    assert judge(permit).decide(asked("files", "POST", body=long)).effect is Effect.ALLOW
    short = rpc("query", sql="x" * (MAX_CONTEXT_BYTES - 100))
    assert judge(permit, forbid).decide(asked("files", "POST", body=short)).effect is Effect.ALLOW


def test_a_defect_is_a_deny(asked: Make, judge: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in us, nothing is let through."""
    made = judge(READ)
    monkeypatch.setattr(judging, "calls", lambda *_: 1 / 0)
    decision = made.decide(asked(target="/v1/x", groups={"agents"}))
    assert (decision.effect, decision.malformed) == (Effect.DENY, False)


# -- approvals -------------------------------------------------------------------------------------


def test_approval_is_asked_for(asked: Make, judge: Make, rpc: Make) -> None:
    """By every matching permit that wants one, even beside a permit that does not."""
    made = judge(TOOLS, '@id("all") permit(principal, action == Action::"mcp.call", resource);')
    one = made.decide(asked("files", "POST", body=rpc("rm", n=1)))
    assert (one.effect, [need.group for need in one.needs]) == (Effect.APPROVAL, ["ops"])
    both = made.decide(asked("files", "POST", body=rpc("rm", n=11)))
    assert [(need.group, need.reviewers, need.policy) for need in both.needs] == [
        ("ops", 1, "rm"),
        ("finance", 2, "big"),
    ]
    assert made.decide(asked("files", "POST", body=rpc("read"))).needs == ()


@pytest.mark.parametrize(
    ("tools", "effect"),
    [
        (("read", "ls"), Effect.ALLOW),
        (("read", "rm"), Effect.APPROVAL),
        (("rm", "format"), Effect.DENY),
        (("format", "read"), Effect.DENY),
        ((None, "read"), Effect.ALLOW),
    ],
)
def test_the_strictest_of_a_batch_wins(
    asked: Make, judge: Make, rpc: Make, tools: Any, effect: Effect
) -> None:
    """A batch goes as a whole, so it is judged as its worst element."""
    body = [rpc(tool, method="tools/call" if tool else "ping") for tool in tools]
    decision = judge(TOOLS).decide(asked("files", "POST", body=body))
    assert decision.effect is effect
    assert bool(decision.needs) == (effect is Effect.APPROVAL)


# -- what a decision depends on --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "connection", "reads"),
    [
        (READ, "crm", False),
        (READ, "model", False),
        (READ, "files", True),
        ('@id("m") permit(principal, action == Action::"llm.message", resource);', "model", False),
        (
            '@id("m") permit(principal, action == Action::"llm.message", resource) when { context.stream };',
            "model",
            True,
        ),
    ],
)
def test_when_the_body_is_read(asked: Make, judge: Make, policy: str, connection: str, reads: bool) -> None:
    """MCP says what it wants in its body; a model's body is read only where a policy looks into it."""
    assert judge(policy).reads_body(asked(connection).connection) is reads


def test_an_unread_body_is_not_an_empty_one(asked: Make, judge: Make) -> None:
    """A forbid on the model is not escaped because nobody read which model it is."""
    made = judge(
        '@id("all") permit(principal, action, resource);',
        '@id("no") forbid(principal, action == Action::"llm.message", resource)'
        ' when { context has model && context.model == "x" };',
    )
    assert made.decide(asked("model", "POST", "/v1/messages")).effect is Effect.DENY
    assert made.decide(asked("model", "POST", "/v1/messages", body={})).effect is Effect.ALLOW


def test_equal_inputs_are_decided_once(asked: Make, judge: Make) -> None:
    """Another principal, query or time makes no difference where no policy reads it."""
    made = judge(READ)
    first = made.decide(asked(target="/v1/x", groups={"agents"}))
    again = asked(target="/v1/x?page=2", groups={"agents", "more"}, who="other", started_ns=5)
    assert made.decide(again) is first
    assert made.decide(asked(target="/v1/y", groups={"agents"})) is not first


def test_the_hour_is_an_input_where_it_is_read(asked: Make, judge: Make) -> None:
    """A decision of the evening does not last into the night."""
    made = judge(
        '@id("day") permit(principal, action, resource)'
        " when { context.time.hour >= 8 && context.time.hour < 18 };"
    )
    hour = 3_600_000_000_000
    effects = [made.decide(asked(started_ns=n * hour)).effect for n in (7, 8, 17, 18, 32)]
    assert effects == [Effect.DENY, Effect.ALLOW, Effect.ALLOW, Effect.DENY, Effect.ALLOW]
    same = made.decide(asked(started_ns=8 * hour))
    assert made.decide(asked(started_ns=8 * hour + 1)) is same
    assert made.decide(asked(started_ns=9 * hour)) is not same


def test_types_are_told_apart_in_the_cache(asked: Make, judge: Make, rpc: Make) -> None:
    """In Python 1 == True; to a policy they are two things."""
    made = judge(
        '@id("one") permit(principal, action == Action::"mcp.call", resource)'
        " when { context.arguments has n && context.arguments.n == 1 };"
    )
    effects = [made.decide(asked("files", "POST", body=rpc("x", n=n))).effect for n in (1, True, "1", 1.0)]
    assert effects == [Effect.ALLOW, Effect.DENY, Effect.DENY, Effect.ALLOW]


def test_principals_are_told_apart(asked: Make, judge: Make) -> None:
    """A user of one issuer is not the user of that name of another, and neither is an agent's key."""
    made = judge(
        '@id("ada") permit(principal == User::"ada", action, resource)'
        ' when { principal has issuer && principal.issuer == "https://a" };',
        '@id("bot") permit(principal == Agent::"bot", action, resource);',
    )
    who = [
        Principal(id="ada", kind=PrincipalKind.OIDC, issuer="https://a"),
        Principal(id="ada", kind=PrincipalKind.OIDC, issuer="https://b"),
        Principal(id="ada", kind=PrincipalKind.API_KEY),
        Principal(id="bot", kind=PrincipalKind.API_KEY),
        Principal(id="bot", kind=PrincipalKind.OIDC, issuer="https://a"),
    ]
    effects = [made.decide(asked(who=item)).effect for item in who]
    assert effects == [Effect.ALLOW, Effect.DENY, Effect.DENY, Effect.ALLOW, Effect.DENY]


def test_actors_and_labels_and_sources(asked: Make, judge: Make) -> None:
    """Who acts for whom, what the operator says of the target, and where the call comes from."""
    made = judge(
        '@id("a") permit(principal, action, resource) when { context.actors.contains(Agent::"helper")'
        ' && resource.labels has env && resource.labels.env == "prod"'
        ' && context has source && context.source.isInRange(ip("10.0.0.0/8")) };'
    )
    good = asked(actors=("helper",))
    assert made.decide(good).effect is Effect.ALLOW
    for change in (
        {"actors": ()},
        {"client": "192.168.0.1:1"},
        {"connection": asked("wiki").connection},
        {"client": "nonsense"},
    ):
        assert made.decide(replace(good, **change)).effect is Effect.DENY


def test_the_cache_is_bounded(asked: Make, judge: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used goes first."""
    monkeypatch.setattr(judging, "CACHED_DECISIONS", 2)
    made = judge(READ)
    first, second = (made.decide(asked(target=f"/v1/{n}")) for n in "ab")
    assert made.decide(asked(target="/v1/a")) is first
    made.decide(asked(target="/v1/c"))
    assert made.decide(asked(target="/v1/a")) is first
    assert made.decide(asked(target="/v1/b")) is not second


def test_explaining_shows_what_was_read(asked: Make, judge: Make) -> None:
    """The context as Cedar saw it, and the names of all that the policies look at."""
    made = judge(READ, NO_ADMIN)
    (verdict,) = made.explain(asked(target="/v1/x", groups={"agents"}))
    assert verdict.context == {"method": "GET", "path": "/v1/x", "path_folded": "/v1/x"}
    assert made.reads(Action.HTTP_REQUEST) == (
        "context.method",
        "context.path",
        "context.path_folded",
        'Group::"agents"',
    )


def test_the_digest_is_of_what_the_policies_mean(judge: Make) -> None:
    """Comments and blank lines do not change it; a policy, or its reason, does."""
    assert judge(READ).digest == judge(f"// hi\n{READ}").digest
    assert judge(READ).digest != judge(READ.replace("free", "cheap")).digest


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/v1/x", "/v1/admin", "/v2/x", "/v1/%2e%2e"]),
    groups=st.frozensets(st.sampled_from(["agents", "ops"])),
    hour=st.integers(0, 23),
)
def test_a_cached_decision_is_the_uncached_one(
    asked: Make, judge: Make, method: str, path: str, groups: frozenset[str], hour: int
) -> None:
    """Whatever came before: one judge keeps its memory over all examples, the other has none."""
    night = '@id("night") forbid(principal, action, resource) when { context.time.hour > 20 };'
    warm = _WARM.setdefault("judge", judge(READ, NO_ADMIN, night))
    request = asked(method=method, target=path, groups=groups, started_ns=hour * 3_600_000_000_000)
    found, fresh = warm.decide(request), judge(READ, NO_ADMIN, night).decide(request)
    assert replace(found, micros=0) == replace(fresh, micros=0)


_WARM: dict[str, Any] = {}


CALLED = """
@id("talk") permit(principal, action == Action::"llm.message", resource);
@id("look") permit(principal, action == Action::"llm.tool_use", resource == Connection::"model")
when { context.tool == "ls" && context has model && context.model == "m-1" };
@id("small") @approval("ops") permit(principal, action == Action::"llm.tool_use", resource)
when { context.tool == "pay" && context.arguments has amount && context.arguments.amount <= 100 };
"""


@pytest.mark.parametrize(
    ("tool", "arguments", "effect", "malformed"),
    [
        ("ls", b"{}", Effect.ALLOW, False),
        ("pay", b'{"amount": 100}', Effect.APPROVAL, False),
        ("pay", b'{"amount": 101}', Effect.DENY, False),
        ("pay", b'{"amount": "1"}', Effect.DENY, False),
        ("rm", b"{}", Effect.DENY, False),
        ("ls", b'{"a": 1, "a": 2}', Effect.DENY, True),
        ("ls", b"[]", Effect.DENY, True),
        ("ls", b'{"path": "/et', Effect.DENY, True),
        ("", b"{}", Effect.DENY, True),
        ("l\u200bs", b"{}", Effect.DENY, True),
    ],
)
def test_a_tool_call_is_judged_by_name_arguments_and_model(
    judge: Any, asked: Any, tool: str, arguments: bytes, effect: Effect, malformed: bool
) -> None:
    """In the answer to a request; what can be read in two ways is a no."""
    made, request = judge(CALLED), asked("model", "POST", "/v1/messages")
    for _ in range(2):  # the second time from the cache
        decision = made.decide_tool(request, ToolUse(tool, arguments, "m-1"))
        assert (decision.effect, decision.malformed) == (effect, malformed)


def test_only_a_policy_that_names_the_action_has_answers_read(judge: Any, asked: Any) -> None:
    """One that permits every action on everything asks for no look into what models answer."""
    model, crm = asked("model").connection, asked("crm").connection
    assert not judge('@id("all") permit(principal, action, resource);').reads_tools(model)
    assert judge(CALLED).reads_tools(model)
    assert not judge(CALLED).reads_tools(crm)
