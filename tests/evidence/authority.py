"""A time-stamp authority on paper: RFC 3161 answers at any time, the same bytes on every run.

Every certificate and token follows from constants (ECDSA after RFC 6979). It sends only its own certificate.
A real `openssl ts` stamps in tests/processors/sealing and tests/cli/evidence.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

CURVE = ec.SECP256R1()
SHA256 = "2.16.840.1.101.3.4.2.1"
IMPRINTS = {"sha1": "1.3.14.3.2.26", "sha256": SHA256, "sha512": "2.16.840.1.101.3.4.2.3"}
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
STAMPING_POLICY = "1.2.3.4.1"
SEQUENCE, SET, OCTETS = 0x30, 0x31, 0x04
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2039, 1, 1, tzinfo=UTC)


def der(tag: int, *parts: bytes) -> bytes:
    """One value of DER (X.690)."""
    body = b"".join(parts)
    size = len(body)
    length = (
        bytes([size])
        if size < 128
        else bytes([0x80 | (n := (size.bit_length() + 7) // 8)]) + size.to_bytes(n)
    )
    return bytes([tag]) + length + body


def number(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = b""
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        body += bytes(reversed(digits))
    return der(0x06, body)


def _attribute(kind: str, value: bytes) -> bytes:
    return der(SEQUENCE, oid(kind), der(SET, value))


@dataclass(frozen=True)
class Authority:
    """One authority: a root, and the certificate that it gave for stamping. `seed` makes another one."""

    seed: int

    def _key(self, which: int) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(10 * self.seed + which, CURVE)

    @property
    def root(self) -> x509.Certificate:
        name = self._name("root")
        return self._certificate(name, name, 1, (x509.BasicConstraints(ca=True, path_length=None), True))

    @property
    def certificate(self) -> x509.Certificate:
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        return self._certificate(self._name("stamps"), self._name("root"), 2, (usage, True))

    @property
    def pem(self) -> str:
        """The root, as a trust policy has it."""
        return self.root.public_bytes(Encoding.PEM).decode()

    def stamp(self, text: str, *, at: datetime, granted: int = 0, imprint_by: str = "sha256") -> bytes:
        """The answer (TimeStampResp, RFC 3161 2.4.2) that says: `text` was there at this time."""
        digest = hashlib.new(imprint_by, text.encode()).digest()
        imprint = der(SEQUENCE, der(SEQUENCE, oid(IMPRINTS[imprint_by])), der(OCTETS, digest))
        time = der(0x18, f"{at:%Y%m%d%H%M%SZ}".encode())
        info = der(SEQUENCE, number(1), oid(STAMPING_POLICY), imprint, number(7), time)
        token = der(SEQUENCE, oid(SIGNED_DATA), der(0xA0, self._signed(info)))
        return der(SEQUENCE, der(SEQUENCE, number(granted)), token)

    def _signed(self, info: bytes) -> bytes:
        """SignedData of RFC 5652, 5.1."""
        own = self.certificate.public_bytes(Encoding.DER)
        digest = hashlib.sha256(own).digest()
        which = der(SEQUENCE, der(SEQUENCE, der(SEQUENCE, der(OCTETS, digest))))
        attributes = b"".join(
            sorted(
                (
                    _attribute(CONTENT_TYPE, oid(TST_INFO)),
                    _attribute(MESSAGE_DIGEST, der(OCTETS, hashlib.sha256(info).digest())),
                    _attribute(SIGNING_CERTIFICATE_V2, which),
                )
            )
        )
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        signature = self._key(2).sign(der(SET, attributes), algorithm)
        issuer = self.certificate.issuer.public_bytes()
        signer = der(
            SEQUENCE,
            number(1),
            der(SEQUENCE, issuer, number(self.certificate.serial_number)),
            self._sha256(),
            der(0xA0, attributes),
            der(SEQUENCE, oid(ECDSA_SHA256)),
            der(OCTETS, signature),
        )
        content = der(SEQUENCE, oid(TST_INFO), der(0xA0, der(OCTETS, info)))
        return der(SEQUENCE, number(3), der(SET, self._sha256()), content, der(0xA0, own), der(SET, signer))

    def _sha256(self) -> bytes:
        return der(SEQUENCE, oid(SHA256))

    def _name(self, role: str) -> x509.Name:
        text = f"Paper authority {self.seed}, {role}"
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def _certificate(
        self, name: x509.Name, issuer: x509.Name, serial: int, extension: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            issuer_name=issuer,
            subject_name=name,
            public_key=self._key(serial).public_key(),
            serial_number=serial,
            not_valid_before=BEGIN,
            not_valid_after=END,
        ).add_extension(extension[0], critical=extension[1])
        return builder.sign(self._key(1), hashes.SHA256(), ecdsa_deterministic=True)
