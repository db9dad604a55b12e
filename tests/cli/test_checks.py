"""What the doctor looks at; where all is well stands in test_up, with real engines."""

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pytest

from tachograph.cli import checks, settings
from tachograph.cli.checks import SPOOL_WARNING, Check, Verdict, examine
from tachograph.cli.home import make_home
from tachograph.cli.settings import Settings
from tachograph.credentials.transit import TransitKey
from tachograph.processors.errors import BrokerFault
from tachograph.schemas.stops import Stop

AT = "2026-11-23T10:00:00Z"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine answers here; that it does not need not be waited for each time."""
    monkeypatch.setattr("tachograph.sinks.topic_admin._ASK_SECONDS", 0.2)


@pytest.fixture
def told(tmp_path: Path) -> Settings:
    """A fresh home whose engines are nowhere."""
    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    text = made.file.read_text().replace("127.0.0.1:9092", "127.0.0.1:9").replace(":9200", ":9")
    made.file.write_text(text)
    return settings.load(made.file)


def with_policies(told: Settings, text: str | None) -> Settings:
    """The same home with a policy file of this text; None where the file is missing."""
    told.file.write_text(told.file.read_text() + "\npolicy: {files: [p.cedar]}\n")
    if text is not None:
        (told.base / "p.cedar").write_text(text)
    return settings.load(told.file)


def _found(told: Settings) -> Mapping[str, Check]:
    return {check.name: check for check in examine(told)}


def test_engines_that_do_not_answer_are_bad(told: Settings) -> None:
    """Each with its address and the way on; the checks behind them are left out."""
    found = _found(told)
    assert found["Kafka"].verdict is found["OpenSearch"].verdict is Verdict.BAD
    assert "tacho up" in found["Kafka"].remedy
    assert not [name for name in found if name.startswith(("topic", "template"))]


def test_a_key_that_others_can_read_is_bad(told: Settings) -> None:
    """With the command that mends it."""
    (told.base / "keys" / "kek").chmod(0o644)
    check = _found(told)["key-encryption key"]
    assert (check.verdict, check.remedy) == (Verdict.BAD, f"chmod 600 {told.base / 'keys' / 'kek'}")


def with_transit(told: Settings, address: str = "http://127.0.0.1:9") -> Settings:
    """The same home, whose data keys a key in Vault wraps."""
    text = told.file.read_text()
    assert "\nkeys:" not in text
    text += f"""
keys: {{kek_provider: vault_transit, transit: {{key: raw}}}}
credentials: {{vault: {{address: '{address}', auth: {{method: token, secret: {{env: VAULT_T}}}}}}}}
"""
    told.file.write_text(text)
    return settings.load(told.file)


def test_a_vault_that_is_away_is_bad(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what that means; so is a token that is not there. Without a key in Vault nobody asks."""
    assert "transit key" not in _found(told)
    told = with_transit(told)
    assert _found(told)["transit key"].verdict is Verdict.BAD
    monkeypatch.setenv("VAULT_T", "t")
    check = _found(told)["transit key"]
    assert check.verdict is Verdict.BAD
    assert "cannot be reached" in check.found
    assert "no session begins" in check.remedy


@pytest.mark.parametrize(
    ("refusals", "verdict", "said"),
    [
        (("", ""), Verdict.OK, "wraps and opens"),
        (
            ("", "denied"),
            Verdict.WARNING,
            "right for a gateway; a processor needs `update` on transit/decrypt/raw",
        ),
        (
            ("denied", ""),
            Verdict.WARNING,
            "right for a processor; a gateway needs `update` on transit/encrypt/raw",
        ),
        (("denied", "denied"), Verdict.BAD, "denied"),
    ],
)
def test_what_a_login_may_do_with_the_key_is_said(
    told: Settings, monkeypatch: pytest.MonkeyPatch, refusals: tuple[str, str], verdict: Verdict, said: str
) -> None:
    """Half of it is right where half of the parts run; the doctor does not know which ones do."""
    monkeypatch.setattr(TransitKey, "refusals", lambda _: refusals)
    check = _found(with_transit(told))["transit key"]
    assert check.verdict is verdict
    assert said in f"{check.found} {check.remedy}"


def test_a_missing_key_is_bad(told: Settings) -> None:
    """Nothing can be recorded or masked without it."""
    (told.base / "keys" / "pseudonym").unlink()
    assert _found(told)["pseudonym key"].verdict is Verdict.BAD


def test_only_approvals_need_the_approvals_key(told: Settings) -> None:
    """A home from before there were approvals lacks it, and runs."""
    assert _found(told)["approvals key"].verdict is Verdict.OK
    (told.base / "keys" / "approvals").unlink()
    assert _found(told)["approvals key"].verdict is Verdict.WARNING


def test_a_policy_that_asks_for_approvals_needs_the_key(told: Settings) -> None:
    """Without it each such request is denied; the check names the policies."""
    text = '@id("rm") @approval("ops") @reason("final") permit(principal, action, resource);'
    told = with_policies(told, text)
    found = _found(told)
    assert found["registry"].verdict is found["approvals key"].verdict is Verdict.OK
    (told.base / "keys" / "approvals").unlink()
    check = _found(told)["approvals key"]
    assert (check.verdict, check.remedy) == (Verdict.BAD, "tacho up")
    assert check.found.endswith("is denied: rm")


@pytest.mark.parametrize("text", ["permit(", None])
def test_policies_that_cannot_be_used_are_bad(told: Settings, text: str | None) -> None:
    """With file and line; what runs keeps what it had, and the check says so."""
    check = _found(with_policies(told, text))["registry"]
    assert check.verdict is Verdict.BAD
    assert "p.cedar" in check.found
    assert "keeps what it had" in check.remedy


def test_without_the_control_key_a_changed_file_needs_a_restart(told: Settings) -> None:
    """A warning; where parts follow the topic nothing starts without it."""
    assert _found(told)["control key"].verdict is Verdict.OK
    (told.base / "keys" / "control").chmod(0o640)
    assert _found(told)["control key"].remedy.startswith("chmod 600")
    (told.base / "keys" / "control").unlink()
    check = _found(told)["control key"]
    assert check.verdict is Verdict.WARNING
    assert "without a restart" in check.remedy
    told.file.write_text(told.file.read_text() + "\nregistry: {source: topic}\n")
    assert _found(settings.load(told.file))["control key"].verdict is Verdict.BAD


def test_a_credential_that_is_not_set_is_a_warning(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be set elsewhere, where the ingress runs; its value is never shown."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "private")
    found = _found(told)
    assert found["credential of anthropic"].verdict is Verdict.WARNING
    assert found["credential of openai"].verdict is Verdict.OK
    assert "private" not in str(found)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{file: keys/openai}", "keys/openai: mode 0644 lets others at it; run `chmod 600"),
        ("{file: keys/gone}", "keys/gone: No such file"),
        ("{store: openai}", "has no entry openai: `tacho credentials set openai`"),
        ("{vault: {path: team/openai}}", "Vault at http://127.0.0.1:9: cannot be reached"),
    ],
    ids=["shared", "gone", "store", "vault"],
)
def test_a_credential_that_cannot_be_read_is_bad(told: Settings, source: str, reason: str) -> None:
    """The connection that lacks it, and why; the checks go on."""
    (told.base / "keys" / "openai").write_text("private")
    (told.base / "keys" / "openai").chmod(0o644)
    text = told.file.read_text().replace("{env: OPENAI_API_KEY}", source)
    vault = "credentials: {vault: {address: 'http://127.0.0.1:9', auth: {secret: {env: HOME}}}}\n"
    told.file.write_text(text + vault)
    found = _found(settings.load(told.file))
    check = found["credential of openai"]
    assert check.verdict is Verdict.BAD
    assert reason in check.found
    assert "openai answers 502" in check.remedy
    assert "private" not in str(found)
    assert "Kafka" in found


def test_a_client_certificate_is_looked_at_too(told: Settings) -> None:
    """It lies in the same places."""
    credential = "    credential: {type: bearer, source: {env: OPENAI_API_KEY}}"
    identity = "    tls: {client_identity: {file: keys/gone}}\n"
    told.file.write_text(told.file.read_text().replace(credential, identity + credential))
    check = _found(settings.load(told.file))["client certificate of openai"]
    assert (check.verdict, "No such file" in check.found) == (Verdict.BAD, True)


def test_a_spool_that_fills_up_is_a_warning(told: Settings) -> None:
    """From half of its bound on."""
    spool = told.base / "spool"
    spool.mkdir()
    with (spool / "segment").open("wb") as file:
        file.truncate(int(told.configuration.ingress.spool.max_bytes * SPOOL_WARNING) + 1)
    assert _found(told)["spool"].verdict is Verdict.WARNING


def test_no_valid_key_means_that_nobody_can_come_in(told: Settings) -> None:
    """A revoked key does not count."""
    (told.base / "keys" / "api-keys.yaml").unlink()
    assert _found(told)["API keys"].verdict is Verdict.BAD


def test_a_broken_key_file_is_said_to_be_one(told: Settings) -> None:
    """The check goes on to the next."""
    (told.base / "keys" / "api-keys.yaml").write_text("- broken")
    found = _found(told)
    assert found["API keys"].verdict is Verdict.BAD
    assert "Kafka" in found


def test_a_partition_that_stands_still_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; a topic that cannot be read is a warning."""
    stop = Stop(finding=UUID(int=1), partition=2, session=UUID(int=2), leaks=1, places=("url",), raised=AT)
    monkeypatch.setattr(checks, "read_stops", lambda *_: {2: stop})
    found = checks._stops({}, "t.stops")
    assert (found.verdict, "partition 2" in found.found) == (Verdict.BAD, True)
    assert "tacho canary acknowledge" in found.remedy
    monkeypatch.setattr(checks, "read_stops", lambda *_: {})
    assert checks._stops({}, "t.stops").verdict is Verdict.OK

    def away(*_: object) -> None:
        raise BrokerFault("no answer")

    monkeypatch.setattr(checks, "read_stops", away)
    assert checks._stops({}, "t.stops").verdict is Verdict.WARNING
