"""Certificates for tests."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_BEGIN: Final = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """An authority that everybody of a test trusts."""

    def __init__(self, name: str = "authority", hosts: Iterable[str] = ()) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.certificate = self._sign(self._name, self._key.public_key(), hosts, authority=True)

    @property
    def own(self) -> Mapping[str, str]:
        """The authority's certificate and key themselves, under the names of a `kubernetes.io/tls` Secret."""
        return {"tls.crt": self.certificate, "tls.key": _secret(self._key), "ca.crt": self.certificate}

    def issue(self, name: str, hosts: Iterable[str]) -> Mapping[str, str]:
        """A certificate with a common name for these hosts, and its key, under the same names."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_named(name), key.public_key(), hosts, authority=False)
        return {"tls.crt": certificate, "tls.key": _secret(key), "ca.crt": self.certificate}

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, hosts: Iterable[str], *, authority: bool
    ) -> str:
        names = [x509.DNSName(host) for host in hosts]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(_BEGIN.replace(year=2120))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def self_signed(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A certificate for localhost under a common name, its own authority, and its key, as PEM files."""
    texts = Authority(name, ["localhost"]).own
    for file in ("tls.crt", "tls.key"):
        (folder / file).write_text(texts[file], encoding="utf-8")
    return folder / "tls.crt", folder / "tls.key"


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _secret(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
