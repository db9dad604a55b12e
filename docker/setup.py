"""What must exist once before the containers start: keys of the gateway, certificates of OpenSearch.

Runs as the one-shot service `setup`; nothing that exists is replaced, so it may run at every start. To renew
the certificates, remove the volumes `certificates` and `trust`. The authority's own key is never written.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tachograph.cli.home import make_key_files

GATEWAY_UID = 10001
"""The user of our own image."""
OPENSEARCH_UID = 1000
"""The user of OpenSearch's image."""
NODE = "opensearch"
"""The node's name on the compose network, and in its certificate."""
VALID = timedelta(days=5 * 365)

Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def authority(now: datetime) -> Issued:
    """A certificate authority for this installation alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("tachograph authority")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, key, now).add_extension(usage, critical=True)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(constraints, critical=True).add_extension(subject, critical=False)
    return builder.sign(key, hashes.SHA256()), key


def node(issuer: Issued, now: datetime) -> Issued:
    """The node's certificate: it serves HTTPS and speaks to itself on the transport layer."""
    certificate, signer = issuer
    key = ec.generate_private_key(ec.SECP256R1())
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    names = x509.SubjectAlternativeName([x509.DNSName(NODE), x509.DNSName("localhost")])
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = _builder(_name(NODE), certificate.subject, key, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(uses, critical=False).add_extension(names, critical=False)
    return builder.add_extension(authority_id, critical=False).sign(signer, hashes.SHA256()), key


def make_certificates(certificates: Path, trust: Path, now: datetime) -> bool:
    """Write `ca.pem`, `node.pem` and `node.key` unless they are there; whether anything was made."""
    if all((folder / name).exists() for folder, name in _expected(certificates, trust)):
        return False
    issuer = authority(now)
    certificate, key = node(issuer, now)
    ca = issuer[0].public_bytes(serialization.Encoding.PEM)
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _write(certificates / "node.key", key.private_bytes(serialization.Encoding.PEM, pem, plain), 0o400)
    _write(certificates / "node.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o444)
    _write(certificates / "ca.pem", ca, 0o444)
    _write(trust / "ca.pem", ca, 0o444)
    return True


def make_keys(folder: Path) -> None:
    """The gateway's key files and an empty list of API keys, each readable by its owner only."""
    make_key_files(folder, randomness=os.urandom)
    keys = folder / "api-keys.yaml"
    if not keys.exists():
        _write(keys, b"[]\n", 0o600)


def own(folder: Path, uid: int) -> None:
    """Give a folder and what lies in it to a container's user."""
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid, uid)


def main(root: Path) -> None:
    """`root` holds the mounted volumes: certificates, trust, keys, spool, worker."""
    made = make_certificates(root / "certificates", root / "trust", datetime.now(UTC))
    make_keys(root / "keys")
    own(root / "certificates", OPENSEARCH_UID)
    for name in ("keys", "spool", "worker"):
        own(root / name, GATEWAY_UID)
    print("certificates made" if made else "certificates kept", "and keys in place")


def _expected(certificates: Path, trust: Path) -> list[tuple[Path, str]]:
    return [(certificates, name) for name in ("ca.pem", "node.pem", "node.key")] + [(trust, "ca.pem")]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + VALID)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(number, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
