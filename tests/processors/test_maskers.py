"""Maskers by connection."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog.testing

from tachograph.processors.errors import OperatorError
from tachograph.processors.maskers import build_maskers
from tachograph.processors.masking.masker import Masker, Part
from tachograph.schemas.document import load_configuration

_CONFIG = """
connections:
  - {name: one, protocol: http, upstream: 'https://one.example.com', masking: {json_keys: [shoe_size]},
     credential: {source: {env: TACHO_TEST_TARGET_SECRET}}}
  - {name: two, protocol: http, upstream: 'https://two.example.com',
     credential: {type: basic, source: {env: TACHO_TEST_BASIC_SECRET}}}
  - {name: three, protocol: http, upstream: 'https://three.example.com'}
masking: {json_keys: [hat_size]}
"""


@pytest.fixture(scope="module")
def maskers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], Masker]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TACHO_TEST_TARGET_SECRET", "plainwords")
        patch.setenv("TACHO_TEST_BASIC_SECRET", "service:openthedoor")
        config = load_configuration(_CONFIG, file="test")
        return build_maskers(config, base=tmp_path_factory.mktemp("base"), pseudonym_key=bytes(32))


def masked(masker: Masker, text: bytes) -> bytes | None:
    return masker.mask([Part("body", "body", text, "application/json")])[0].data


def test_a_connections_own_fields_are_its_own(maskers: Callable[[str | None], Masker]) -> None:
    """A name that is secret for one target is not for another; the operator's are for all."""
    body = b'{"shoe_size":"forty","hat_size":"fifty","size":"ten"}'
    assert b"forty" not in (masked(maskers("one"), body) or b"")
    assert b"forty" in (masked(maskers("two"), body) or b"")
    for name in ("one", "two", None):
        data = masked(maskers(name), body) or b""
        assert b"fifty" not in data
        assert b"ten" in data


def test_an_unknown_connection_gets_every_rule(maskers: Callable[[str | None], Masker]) -> None:
    """A connection taken out of the configuration keeps what protected it."""
    assert b"forty" not in (masked(maskers("gone"), b'{"shoe_size":"forty"}') or b"")


def test_the_targets_own_credentials_are_known(maskers: Callable[[str | None], Masker]) -> None:
    """A credential that no rule would find is masked, for every connection."""
    assert b"plainwords" not in (masked(maskers("two"), b'{"note":"it is plainwords here"}') or b"")


@pytest.mark.parametrize("text", ["service:openthedoor", "openthedoor", "c2VydmljZTpvcGVudGhlZG9vcg=="])
def test_the_password_in_basic_credentials_is_known(
    maskers: Callable[[str | None], Masker], text: str
) -> None:
    """However the target repeats it: as the pair, alone, or as it was sent."""
    assert text.encode() not in (masked(maskers("two"), f'{{"note":"not {text} again"}}'.encode()) or b"")


def test_connections_with_the_same_rules_share_a_masker(maskers: Callable[[str | None], Masker]) -> None:
    """A hundred connections do not compile a hundred rule sets."""
    assert maskers("two") is maskers("three")
    assert maskers("one") is not maskers("two")


def test_a_rule_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """It is named, and nothing is masked by half."""
    config = load_configuration("masking: {rules: [nowhere.toml]}\n", file="test")
    with pytest.raises(OperatorError, match=r"nowhere\.toml"):
        build_maskers(config, base=tmp_path, pseudonym_key=bytes(32))


def test_a_credential_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The masker goes on, and its log names the connection whose credential is not known by value."""
    config = load_configuration(
        "connections: [{name: far, protocol: http, upstream: 'https://far.example.com',"
        " credential: {source: {file: keys/far}}}]\n",
        file="test",
    )
    with structlog.testing.capture_logs() as logs:
        build_maskers(config, base=tmp_path, pseudonym_key=bytes(32))
    assert [(entry["connection"], entry["log_level"]) for entry in logs] == [("far", "warning")]
