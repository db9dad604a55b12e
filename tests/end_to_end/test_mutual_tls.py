"""Agents that show a certificate: who they are at the door of a whole gateway, and on its records."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AGENT = "spiffe://acme.test/agents/builder"
SECONDS = 120.0
PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(self.name, _certificate(self.name, key, issuer=self.name, signer=key, ca=True), key)

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.crt"

    def issue(self, name: str, alternative: x509.GeneralName | None = None, *, ended: bool = False) -> None:
        """A certificate and its key, named so in the folder."""
        signer = serialization.load_pem_private_key((self.folder / f"{self.name}.key").read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, key, issuer=self.name, signer=signer, alternative=alternative, ended=ended)
        self._write(name, made, key)

    def _write(self, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{name}.crt").write_bytes(made.public_bytes(PEM))
        clear = serialization.NoEncryption()
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, clear)
        (self.folder / f"{name}.key").write_bytes(private)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    alternative: x509.GeneralName | None = None,
    ca: bool = False,
    ended: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC) - (2 * DAY if ended else 0 * DAY)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if alternative is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """What the gateway trusts: itself, an agent with a SPIFFE id, one with a name, one whose time is over."""
    made = Authority(tmp_path_factory.mktemp("authority"), "ca")
    made.issue("gateway", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made.issue("workload", x509.UniformResourceIdentifier(AGENT))
    made.issue("stranger")
    made.issue("ended", x509.UniformResourceIdentifier(AGENT), ended=True)
    return made


@pytest.fixture(scope="module")
def gateway(
    stack: Any,
    authority: Authority,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A site that asks for certificates, where one workload and one key may use a connection."""
    tls = {
        "cert_file": str(authority.folder / "gateway.crt"),
        "key_file": str(authority.folder / "gateway.key"),
        "client_ca_file": str(authority.file),
    }
    more = {"ingress": {"listen": {"port": 0, "tls": tls}}}
    with open_site(tmp_path_factory.mktemp("site"), stack, more, allow=[AGENT, "agent"]) as site:
        yield site


def ask(site: Any, authority: Authority, who: str | None, *, path: str = "x", key: str | None = None) -> int:
    """One request over TLS, with a certificate or without; its status."""
    context = ssl.create_default_context(cafile=authority.file)
    if who is not None:
        context.load_cert_chain(authority.folder / f"{who}.crt", authority.folder / f"{who}.key")
    host, _, port = site.url.removeprefix("https://").partition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=SECONDS)
    try:
        connection.request("GET", f"/c/api/{path}", headers={"x-tacho-key": key} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_workloads_certificate_is_its_identity_on_record(gateway: Any, authority: Authority) -> None:
    """Its SPIFFE id, as the connection allows it and as the documents have it."""
    path = f"seen-{secrets.token_hex(4)}"
    assert ask(gateway, authority, "workload", path=path) == 200
    for document in gateway.told(path):
        principal = document["unmapped"]["tacho"]["principal"]
        assert (principal["id"], principal["kind"], principal["issuer"]) == (AGENT, "mtls", "commonName=ca")


def test_who_shows_none_needs_a_credential(gateway: Any, authority: Authority) -> None:
    """Certificates are asked for, not demanded; a key decides before a certificate."""
    assert ask(gateway, authority, None) == 401
    assert ask(gateway, authority, None, key=gateway.key) == 200
    assert ask(gateway, authority, "workload", key="tacho_abcd2345_" + "b" * 43) == 401


def test_a_known_name_that_is_not_allowed_is_refused(gateway: Any, authority: Authority) -> None:
    """Known is not the same as allowed."""
    assert ask(gateway, authority, "stranger") == 403


@pytest.mark.parametrize("who", ["ended", "forged"])
def test_a_certificate_that_does_not_verify_is_no_connection(
    gateway: Any, authority: Authority, who: str
) -> None:
    """One whose time is over, and the right name from another authority: nothing of a request is read."""
    if who == "forged":
        other = Authority(authority.folder, "other")
        other.issue("forged", x509.UniformResourceIdentifier(AGENT))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(gateway, authority, who)
