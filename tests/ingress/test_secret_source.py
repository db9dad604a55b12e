"""Secrets from environment and file, and refusals that do not show them."""

from pathlib import Path

import pytest

from tachograph.ingress.errors import CredentialMissing
from tachograph.ingress.secret_source import MAX_SECRET_BYTES, read_secret
from tachograph.schemas.connection import SecretSource

NOWHERE = Path("/nonexistent")


def test_a_secret_comes_from_the_environment() -> None:
    """White space around it does not count."""
    assert read_secret(SecretSource(env="KEY"), base=NOWHERE, environ={"KEY": " s3cret\n"}) == "s3cret"


def test_a_secret_comes_from_a_private_file(tmp_path: Path) -> None:
    """The path is relative to the configuration."""
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "key").chmod(0o600)
    assert read_secret(SecretSource(file="key"), base=tmp_path) == "s3cret"


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        ("s3cret", 0o644, "chmod 600"),
        ("", 0o600, "empty"),
        (" \n", 0o600, "empty"),
        ("s3cret\r\ninjected: header", 0o600, "one line"),
        ("s3cr\u00e9t", 0o600, "printable ASCII"),
        ("x" * (MAX_SECRET_BYTES + 1), 0o600, "at most"),
    ],
    ids=["readable", "empty", "blank", "two lines", "not ASCII", "too long"],
)
def test_a_file_that_will_not_do_is_refused(tmp_path: Path, content: str, mode: int, reason: str) -> None:
    """The reason names the file; the secret is not in it."""
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(CredentialMissing, match=reason) as refusal:
        read_secret(SecretSource(file="key"), base=tmp_path)
    assert "s3cr" not in str(refusal.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """Variable or file, the operator reads which."""
    with pytest.raises(CredentialMissing, match="variable MISSING is not set"):
        read_secret(SecretSource(env="MISSING"), base=tmp_path, environ={})
    with pytest.raises(CredentialMissing, match="gone: No such file"):
        read_secret(SecretSource(file="gone"), base=tmp_path)
