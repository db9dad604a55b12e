"""Policy files are read as the configuration names them, and a bad one stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tachograph.ingress.errors import PoliciesUnusable
from tachograph.ingress.policy.load import load_judge
from tachograph.schemas.config import Configuration

GOOD = '@id("{}") permit(principal, action, resource);'


def config(*files: str, **extra: Any) -> Configuration:
    return Configuration.model_validate({"policy": {"files": files}} | extra)


def test_no_files_no_judge(tmp_path: Path) -> None:
    """Then the connections' allow lists decide alone."""
    assert load_judge(config(), base=tmp_path) is None


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """All of them make one set."""
    (tmp_path / "a.cedar").write_text(GOOD.format("a"))
    (tmp_path / "b.cedar").write_text(GOOD.format("b"))
    judge = load_judge(config("a.cedar", "b.cedar"), base=tmp_path)
    assert judge is not None
    assert list(judge.policies) == ["a", "b"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"permit;", b""])
def test_what_cannot_be_used_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    """Missing, not text, not Cedar; an empty file is a set that permits nothing."""
    if content is not None:
        (tmp_path / "a.cedar").write_bytes(content)
    if content == b"":
        assert load_judge(config("a.cedar"), base=tmp_path) is not None
        return
    with pytest.raises(PoliciesUnusable, match=r"a\.cedar"):
        load_judge(config("a.cedar"), base=tmp_path)


def test_several_issuers_make_names_ambiguous(tmp_path: Path) -> None:
    """The configuration says how many there are."""
    (tmp_path / "a.cedar").write_text('@id("a") permit(principal == User::"ada", action, resource);')
    issuers = [{"issuer": f"https://{name}.example", "audience": "tacho"} for name in "ab"]
    assert load_judge(config("a.cedar", identity={"oidc": issuers[:1]}), base=tmp_path) is not None
    with pytest.raises(PoliciesUnusable, match="issuers"):
        load_judge(config("a.cedar", identity={"oidc": issuers}), base=tmp_path)
    apart = [item | {"principal_prefix": f"{name}:"} for name, item in zip("ab", issuers, strict=True)]
    assert load_judge(config("a.cedar", identity={"oidc": apart}), base=tmp_path) is not None


def test_client_certificates_are_an_issuer_too(tmp_path: Path) -> None:
    """A certificate's name and a token's subject may be the same."""
    (tmp_path / "a.cedar").write_text('@id("a") permit(principal == User::"ada", action, resource);')
    tls = {"cert_file": "a", "key_file": "b", "client_ca_file": "c"}
    more = {"ingress": {"listen": {"tls": tls}}}
    issuer = {"issuer": "https://a.example", "audience": "tacho"}
    assert load_judge(config("a.cedar", **more), base=tmp_path) is not None
    with pytest.raises(PoliciesUnusable, match="issuers"):
        load_judge(config("a.cedar", **more, identity={"oidc": [issuer]}), base=tmp_path)
