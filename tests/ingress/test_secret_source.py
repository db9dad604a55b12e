"""The engines' passwords as this room refuses them."""

from pathlib import Path

import pytest

from tachograph.ingress.errors import CredentialMissing
from tachograph.ingress.secret_source import read_secret
from tachograph.schemas.secret_source import PlainSource


def test_a_password_comes_from_environment_or_file(tmp_path: Path) -> None:
    """White space around it does not count; the path is relative to the configuration."""
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "key").chmod(0o600)
    assert read_secret(PlainSource(env="KEY"), base=tmp_path, environ={"KEY": " s3cret\n"}) == "s3cret"
    assert read_secret(PlainSource(file="key"), base=tmp_path) == "s3cret"


def test_what_is_no_password_is_an_operators_error(tmp_path: Path) -> None:
    """With the place, and without the value."""
    (tmp_path / "key").write_text("s3cret")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(CredentialMissing, match="chmod 600") as refusal:
        read_secret(PlainSource(file="key"), base=tmp_path)
    assert "s3cret" not in str(refusal.value)
    with pytest.raises(CredentialMissing, match="variable MISSING is not set"):
        read_secret(PlainSource(env="MISSING"), base=tmp_path, environ={})
