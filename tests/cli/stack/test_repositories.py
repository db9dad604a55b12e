"""repositories.py: a mirror set for jgo is a mirror for us."""

import ssl
import sys
from pathlib import Path

import pytest

from tachograph.cli.stack.errors import RuntimeMissing
from tachograph.cli.stack.repositories import repositories, trust


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "jgo.conf").write_text(text)
    monkeypatch.setenv("JGO_CONFIG_FILE", str(folder / "jgo.conf"))


def test_without_settings_maven_central_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One repository, over TLS."""
    configure(monkeypatch, tmp_path, "")
    found = repositories()
    assert list(found) == ["central"]
    assert found["central"].startswith("https://")


def test_a_mirror_replaces_central(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A repository named `central` takes its place; others are asked after it."""
    text = "[repositories]\ncentral = https://mirror.example/maven/\nown = https://own.example\n"
    configure(monkeypatch, tmp_path, text)
    assert repositories() == {"central": "https://mirror.example/maven", "own": "https://own.example"}


def test_without_jgo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is told with the command that installs it."""
    monkeypatch.setitem(sys.modules, "jgo.config", None)
    with pytest.raises(RuntimeMissing, match=r"pip install 'tachograph\[stack\]'"):
        repositories()


def test_the_systems_authorities_add_to_the_public_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Certificates are always checked, and a system store without any authority takes none away."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    assert trust().verify_mode is ssl.CERT_REQUIRED
    assert trust().check_hostname
    assert trust().cert_store_stats()["x509_ca"] > 50
