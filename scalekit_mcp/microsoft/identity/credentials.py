"""Client authentication at the token endpoint: a secret, a certificate, or none (a public client)."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(minutes=5)


class ClientCredentials(Protocol):
    """The client authentication of a token request. Implementations never show a secret in a `repr`."""

    def token_parameters(self, *, client_id: str, token_endpoint: str, now: datetime) -> dict[str, str]:
        """Form fields for one token request."""
        ...


class ClientSecret:
    """`client_secret_post` (RFC 6749 section 2.3.1)."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def token_parameters(self, *, client_id: str, token_endpoint: str, now: datetime) -> dict[str, str]:
        """The form field `client_secret`."""
        return {"client_secret": self._secret}

    def __repr__(self) -> str:
        return "ClientSecret(...)"


class PublicClient:
    """No client authentication: a native registration, protected by PKCE alone (RFC 8252 section 8.5)."""

    def token_parameters(self, *, client_id: str, token_endpoint: str, now: datetime) -> dict[str, str]:
        """No form fields."""
        return {}

    def __repr__(self) -> str:
        return "PublicClient()"


class ClientCertificate:
    """`private_key_jwt`: an assertion signed with PS256 and named by `x5t#S256` (RFC 7523 section 2.2).

    Source: "Microsoft identity platform application authentication certificate credentials". Every assertion lives five
    minutes and has a `jti` of its own.
    """

    def __init__(self, key: RSAPrivateKey, thumbprint_sha256: bytes) -> None:
        self._key = key
        self._thumbprint = base64.urlsafe_b64encode(thumbprint_sha256).rstrip(b"=").decode()

    @classmethod
    def from_file(cls, path: Path) -> ClientCertificate:
        """Read a PEM file with key and certificate; raises `ConfigurationError`."""
        try:
            pem = path.read_bytes()
        except OSError as exc:
            raise ConfigurationError(f"'{path}' cannot be read: {exc.strerror}.") from exc
        return cls.from_pem(pem)

    @classmethod
    def from_pem(cls, pem: bytes) -> ClientCertificate:
        """Take an unencrypted RSA key and the certificate that belongs to it; raises `ConfigurationError`."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(pem, password=None)
        except TypeError as exc:
            raise ConfigurationError("The key is encrypted; give an unencrypted one.") from exc
        except ValueError as exc:
            raise ConfigurationError("The PEM file holds no readable private key.") from exc
        if not isinstance(key, RSAPrivateKey):
            raise ConfigurationError("The key is not an RSA key, which Microsoft needs.")
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as exc:
            raise ConfigurationError("The PEM file holds no certificate.") from exc
        for certificate in certificates:
            if certificate.public_key() == key.public_key():
                return cls(key, certificate.fingerprint(hashes.SHA256()))
        raise ConfigurationError("No certificate in the PEM file belongs to its key.")

    def token_parameters(self, *, client_id: str, token_endpoint: str, now: datetime) -> dict[str, str]:
        """A fresh assertion for `token_endpoint`."""
        return {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(client_id, token_endpoint, int(now.timestamp())),
        }

    def _assertion(self, client_id: str, token_endpoint: str, now: int) -> str:
        import jwt

        claims = {
            "aud": token_endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": str(uuid4()),
            "nbf": now,
            "iat": now,
            "exp": now + int(ASSERTION_LIFETIME.total_seconds()),
        }
        return jwt.encode(claims, self._key, algorithm="PS256", headers={"x5t#S256": self._thumbprint})

    def __repr__(self) -> str:
        return "ClientCertificate(...)"


def credentials_of(settings: Settings) -> ClientCredentials:
    """The client authentication from the settings, a certificate before a secret; raises `ConfigurationError`."""
    if settings.microsoft_client_certificate is not None:
        with settings.naming("microsoft_client_certificate"):
            return ClientCertificate.from_file(settings.microsoft_client_certificate)
    if settings.microsoft_client_secret is not None:
        return ClientSecret(settings.microsoft_client_secret.get_secret_value())
    return PublicClient()
