"""TLS to targets: verified or not at all."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tachograph.ingress.errors import KeysUnreadable
from tachograph.ingress.upstream.tls import Contexts, client_context
from tachograph.schemas.connection import UpstreamTls

PEM = serialization.Encoding.PEM


def _certificate(path: Path, name: str) -> None:
    """A self-signed certificate for an IP address or a host name, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.with_suffix(".crt").write_bytes(certificate.public_bytes(PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _server(path: Path, *, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path.with_suffix(".crt"), path.with_suffix(".key"))
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca.with_suffix(".crt"))
    return context


def test_verified_target_is_reached(make_world: Any, tmp_path: Path) -> None:
    """With the right CA the request goes through, over TLS."""
    _certificate(tmp_path / "up", "127.0.0.1")
    world = make_world(scheme="https", context=_server(tmp_path / "up"), tls={"ca_file": "up.crt"})
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    assert target.sock.version() in {"TLSv1.2", "TLSv1.3"}
    target.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert agent.response()[1] == b"ok"


def test_client_certificate_is_shown(make_world: Any, tmp_path: Path) -> None:
    """A target that asks for a certificate gets the configured one; the server's name may be given."""
    _certificate(tmp_path / "up", "target.example")
    _certificate(tmp_path / "us", "gateway.example")
    tls = {
        "ca_file": "up.crt",
        "client_cert_file": "us.crt",
        "client_key_file": "us.key",
        "server_name": "target.example",
    }
    context = _server(tmp_path / "up", client_ca=tmp_path / "us")
    world = make_world(scheme="https", context=context, tls=tls)
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    assert target.sock.getpeercert()["subject"] == ((("commonName", "gateway.example"),),)
    target.send("HTTP/1.1 204 No Content\r\n\r\n")
    assert agent.head().status == 204


@pytest.mark.parametrize(("name", "ca"), [("127.0.0.1", None), ("other.example", "up.crt")])
def test_unverified_target_is_refused(make_world: Any, tmp_path: Path, name: str, ca: str | None) -> None:
    """An unknown issuer or another name ends in 502, and no byte of the request leaves."""
    _certificate(tmp_path / "up", name)
    world = make_world(scheme="https", context=_server(tmp_path / "up"), tls={"ca_file": ca})
    agent = world.get()
    with pytest.raises((ssl.SSLError, ConnectionError)):  # an alert, or the end without one
        world.upstream.accept()
    head, body = agent.response()
    assert head.status == 502
    assert b"upstream-tls" in body
    assert world.recorder.ended()[0].error.code == "upstream-tls"


def test_clear_text_target_is_no_tls_target(make_world: Any) -> None:
    """A server that does not speak TLS is named as such."""
    world = make_world(scheme="https")
    agent = world.get()
    target = world.upstream.accept()
    target.send("HTTP/1.1 400 Bad Request\r\n\r\n")
    head, body = agent.response()
    assert (head.status, b"upstream-tls" in body) == (502, True)


def _pem(path: Path) -> str:
    return path.with_suffix(".crt").read_text() + path.with_suffix(".key").read_text()


def _exchange(world: Any) -> Any:
    """One exchange on a new connection; what the target knows of the gateway."""
    agent = world.get()
    target = world.upstream.accept()
    target.head()
    shown = target.sock.getpeercert()["subject"]
    target.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert agent.head().status == 204
    return shown


def test_a_rotated_client_certificate_is_shown_on_the_next_connection(
    make_world: Any, tmp_path: Path
) -> None:
    """It comes from where secrets come from, and was never in a file of the gateway's."""
    for name in ("first.example", "second.example"):
        _certificate(tmp_path / name.partition(".")[0], name)
    _certificate(tmp_path / "up", "127.0.0.1")
    context = _server(tmp_path / "up", client_ca=tmp_path / "first")
    context.load_verify_locations(tmp_path / "second.crt")
    tls = {"ca_file": "up.crt", "client_identity": {"store": "gateway"}}
    world = make_world(scheme="https", context=context, tls=tls)
    for name in ("first", "second"):
        world.gateway.credentials.pem = _pem(tmp_path / name)
        assert _exchange(world) == ((("commonName", f"{name}.example"),),)


def test_a_client_certificate_that_will_not_do_is_the_operators(make_world: Any, tmp_path: Path) -> None:
    """The agent gets a 502 that shows nothing of it, and the target hears nothing."""
    _certificate(tmp_path / "up", "127.0.0.1")
    tls = {"ca_file": "up.crt", "client_identity": {"store": "gateway"}}
    world = make_world(scheme="https", context=_server(tmp_path / "up"), tls=tls)
    world.gateway.credentials.pem = "-----BEGIN CERTIFICATE-----\ns3cret"
    head, body = world.get().response()
    assert head.status == 502
    assert b"credential-missing" in body
    assert b"s3cret" not in body


def test_a_context_is_made_once_for_a_certificate(tmp_path: Path) -> None:
    """And anew for another."""
    _certificate(tmp_path / "a", "a.example")
    _certificate(tmp_path / "b", "b.example")
    shown = [_pem(tmp_path / "a")]
    contexts = Contexts(UpstreamTls(), base=tmp_path, identity=lambda: shown[0])
    first = contexts()
    assert contexts() is first
    shown[0] = _pem(tmp_path / "b")
    assert contexts() is not first
    assert "BEGIN" not in repr(contexts)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """A CA file that is not there, or is no PEM, is refused at start by its name."""
    (tmp_path / "bad.crt").write_text("no pem")
    for name in ("none.crt", "bad.crt"):
        with pytest.raises(KeysUnreadable, match=name):
            client_context(UpstreamTls(ca_file=name), base=tmp_path)


def test_verification_cannot_be_turned_off(tmp_path: Path) -> None:
    """Every context verifies chain and name."""
    context = client_context(UpstreamTls(), base=tmp_path)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
