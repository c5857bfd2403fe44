"""Client authentication at the token endpoint: secret in the body, HTTP Basic, or a signed assertion."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.keys import b64url
from scalekit_mcp.sandbox.world import AppRegistration, SandboxClock

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW_SECONDS = 300


def client_credentials(form: Mapping[str, str], authorization: str | None) -> tuple[str | None, str | None]:
    """Client id and secret, from the body or from HTTP Basic (RFC 6749 section 2.3.1)."""
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if authorization and authorization.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(authorization[6:].strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise IdentityError(9002313, "The Authorization header is malformed.") from exc
        name, _, password = decoded.partition(":")
        client_id = client_id or unquote_plus(name)
        secret = secret or unquote_plus(password)
    return client_id or None, secret or None


def authenticate_client(
    app: AppRegistration, form: Mapping[str, str], secret: str | None, clock: SandboxClock, *, token_path: str
) -> None:
    """Accept or refuse the client.

    Raises:
        IdentityError: 7000218, 7000215, 7000222, 700025, 700027, 700024, 50012.
    """
    assertion = form.get("client_assertion")
    if app.platform in ("native", "spa"):
        if secret or assertion:
            raise IdentityError(700025)
        return
    if assertion:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise IdentityError(900144, "Parameter: 'client_assertion_type'.")
        _check_assertion(app, assertion, clock, token_path)
        return
    if not secret:
        raise IdentityError(7000218)
    if app.client_secret is None or not hmac.compare_digest(secret.encode(), app.client_secret.encode()):
        raise IdentityError(7000215, f"Application: '{app.client_id}'.")
    if app.secret_expires_at is not None and app.secret_expires_at <= clock.now():
        raise IdentityError(7000222, f"Application: '{app.client_id}'.")


def _check_assertion(app: AppRegistration, assertion: str, clock: SandboxClock, token_path: str) -> None:
    import jwt
    from cryptography import x509

    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError as exc:
        raise IdentityError(50012, "The assertion is not a JWT.") from exc
    for pem in app.certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if _names(header, certificate):
            break
    else:
        raise IdentityError(700027, "No registered certificate has the thumbprint of the assertion.")
    key: Any = certificate.public_key()
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["PS256", "RS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as exc:
        raise IdentityError(700027) from exc
    if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
        raise IdentityError(50012, "Issuer and subject have to be the client id.")
    if not _is_audience(claims.get("aud"), token_path):
        raise IdentityError(50012, "The audience is not this token endpoint.")
    now = clock.now().timestamp()
    expires_at, begins_at = claims.get("exp"), claims.get("nbf", claims.get("iat", now))
    if not isinstance(expires_at, int | float) or not isinstance(begins_at, int | float):
        raise IdentityError(700024, "Numbers are expected.")
    if expires_at + SKEW_SECONDS < now or begins_at - SKEW_SECONDS > now:
        raise IdentityError(700024)


def _names(header: dict[str, Any], certificate: Any) -> bool:
    """True when the header names this certificate, by `x5t#S256` or the older `x5t`."""
    from cryptography.hazmat.primitives.serialization import Encoding

    der: bytes = certificate.public_bytes(Encoding.DER)
    if "x5t#S256" in header:
        return str(header["x5t#S256"]).rstrip("=") == b64url(hashlib.sha256(der).digest())
    return str(header.get("x5t", "")).rstrip("=") == b64url(hashlib.sha1(der, usedforsecurity=False).digest())


def _is_audience(audience: object, token_path: str) -> bool:
    """The token endpoint or the tenant's issuer; the host is not compared, a sandbox has many names."""
    if not isinstance(audience, str):
        return False
    path = urlsplit(audience).path.rstrip("/").lower()
    expected = token_path.lower()
    return path in (expected, expected.replace("/oauth2/v2.0/token", "/v2.0"))
