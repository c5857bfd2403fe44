"""Signing keys of the look-alike: made on first use, published as a JWKS."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _integer(value: int) -> str:
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """One RSA key with a self-signed certificate, as Microsoft publishes its keys."""

    @cached_property
    def _private(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def _certificate(self) -> bytes:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import NameOID

        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox, not Microsoft")])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
            .sign(self._private, hashes.SHA256())
            .public_bytes(serialization.Encoding.DER)
        )

    @cached_property
    def kid(self) -> str:
        """Key id; like Microsoft's it is also the certificate's SHA-1 thumbprint (`x5t`)."""
        return b64url(hashlib.sha1(self._certificate, usedforsecurity=False).digest())

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact RS256 JWT of `claims`."""
        import jwt

        return jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": self.kid, "x5t": self.kid})

    def jwk(self, issuer: str) -> dict[str, Any]:
        """The public half (RFC 7517) with Microsoft's additional `issuer` member."""
        numbers = self._private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _integer(numbers.n),
            "e": _integer(numbers.e),
            "x5c": [base64.b64encode(self._certificate).decode()],
            "issuer": issuer,
        }


@cache
def _first_keys() -> tuple[SigningKey, SigningKey]:
    """The keys that every sandbox of this process starts with: making one takes longer than a whole test."""
    return SigningKey(), SigningKey()


class SigningKeys:
    """The key of organizations and the key of personal accounts; `roll` replaces both without notice."""

    def __init__(self) -> None:
        self.organizations, self.consumers = _first_keys()

    def roll(self) -> None:
        """Start to sign with new keys; the old ones leave the JWKS."""
        self.organizations = SigningKey()
        self.consumers = SigningKey()

    def for_tenant(self, *, personal: bool) -> SigningKey:
        """The key that signs tokens of this kind of account."""
        return self.consumers if personal else self.organizations
