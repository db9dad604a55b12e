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


class Rotating:
    """A target's credential in a file, and a clock that stands still."""

    def __init__(self, home: Path) -> None:
        self.home, self.now = home, 0.0
        self.write("one", "the first word")
        self.write("two", "another word")
        text = "".join(
            f"  - {{name: {name}, protocol: http, upstream: 'https://{name}.example.com',"
            f" credential: {{source: {{file: {name}}}}}}}\n"
            for name in ("one", "two")
        )
        config = load_configuration(f"connections:\n{text}", file="test")
        self.maskers = build_maskers(config, base=home, pseudonym_key=bytes(32), monotonic=lambda: self.now)

    def write(self, name: str, secret: str) -> None:
        new = self.home / f"{name}.new"
        new.touch(0o600)
        new.write_text(secret)
        new.replace(self.home / name)

    def told(self, connection: str, text: bytes) -> bytes:
        data = masked(self.maskers(connection), b'{"note":"%s"}' % text)
        assert data is not None
        return data


def test_a_rotated_credential_is_known_before_what_may_hold_it(tmp_path: Path) -> None:
    """At the next record of its connection, without a second's wait; the old one stays known."""
    site = Rotating(tmp_path)
    assert b"the second word" in site.told("one", b"the second word")
    site.write("one", "the second word")
    assert b"the second word" not in site.told("one", b"so: the second word")
    assert b"the first word" not in site.told("one", b"so: the first word")


def test_the_other_connections_know_it_within_a_second(tmp_path: Path) -> None:
    """What one target uses may turn up at another."""
    site = Rotating(tmp_path)
    site.write("two", "the second word")
    site.now = 1.0
    assert b"the second word" not in site.told("one", b"so: the second word")


def test_nothing_new_makes_no_new_masker(tmp_path: Path) -> None:
    """A look that finds what is known costs a file's status."""
    site = Rotating(tmp_path)
    before = site.maskers("one")
    site.now = 5.0
    assert site.maskers("one") is before


def test_a_credential_that_comes_later_is_learned(tmp_path: Path) -> None:
    """A file that was not there at the start, as where the gateway's machine is set up last."""
    site = Rotating(tmp_path)
    (tmp_path / "one").unlink()
    assert b"the first word" not in site.told("one", b"so: the first word")  # what was known stays known
    site.write("one", "the third word")
    assert b"the third word" not in site.told("one", b"so: the third word")


def test_many_rotations_keep_a_bounded_number_of_old_values(tmp_path: Path) -> None:
    """The last sixteen; and the log says that something was learned, never what."""
    site = Rotating(tmp_path)
    with structlog.testing.capture_logs() as logs:
        for number in range(20):
            site.write("one", f"word number {number:04}")
            site.told("one", b"x")
    shown = [
        number for number in range(20) if b"word number" in site.told("one", b"word number %04d" % number)
    ]
    assert shown == [0, 1, 2]
    assert "word" not in repr(logs)
    assert len(logs) == 20
