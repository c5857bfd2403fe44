"""Reads and validates the claims of an id_token that came directly from the token endpoint.

The signature is not checked: OpenID Connect Core 3.1.3.7 (6) lets TLS to the token endpoint stand for it. Everything
else is: audience, issuer with the tenant substituted, time, nonce; here and not by PyJWT, whose checks of time know no
clock but the machine's. Source: "ID token claims reference".
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from typing import Any

from scalekit_mcp.accounts import ProviderAccount
from scalekit_mcp.calendar import neutralise
from scalekit_mcp.clock import numeric_date
from scalekit_mcp.languages import said

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""
MAX_NAME_CHARACTERS = 320
"""Longest name or address kept: people write their display names themselves."""
LEEWAY_SECONDS = 300
"""How far Microsoft's clock and ours may be apart."""

_GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


class IdTokenError(Exception):
    """A claim is missing or wrong; `claim` names it. The message holds no value of the token.

    `key` is that of its sentence in the section `id_token` of the language files.
    """

    def __init__(self, claim: str, key: str) -> None:
        super().__init__(key)
        self.claim = claim
        self.message = said(f"id_token.{key}")


def is_guid(value: str) -> bool:
    """Whether `value` has the form of a GUID."""
    return _GUID.fullmatch(value) is not None


def account_from_id_token(
    id_token: str, *, client_id: str, login_url: str, tenant: str, nonce: str | None, now: datetime
) -> ProviderAccount:
    """Validate the claims and return who signed in; raises `IdTokenError`.

    `tenant` is the configured authority: a GUID, `consumers` and `organizations` narrow who may come. `nonce` is None
    only where the flow has none (RFC 8628).
    """
    claims = _claims(id_token)
    if claims.get("aud") != client_id:
        raise IdTokenError("aud", "aud")
    tid, oid = claims.get("tid"), claims.get("oid")
    if not isinstance(tid, str) or not is_guid(tid):
        raise IdTokenError("tid", "no_tenant")
    if not isinstance(oid, str) or not is_guid(oid):
        raise IdTokenError("oid", "no_user")
    if claims.get("iss") != f"{login_url.rstrip('/')}/{tid}/v2.0":
        raise IdTokenError("iss", "iss")
    _check_time(claims, now.timestamp())
    if nonce is not None and not _equal(claims.get("nonce"), nonce):
        raise IdTokenError("nonce", "nonce")
    personal = tid.lower() == PERSONAL_TENANT
    _check_tenant(tid.lower(), tenant.lower(), personal=personal)
    return ProviderAccount(
        tid=tid.lower(),
        oid=oid.lower(),
        preferred_username=_text(claims, "preferred_username"),
        display_name=_text(claims, "name"),
        personal=personal,
    )


def _claims(id_token: str) -> dict[str, Any]:
    import jwt

    try:
        return jwt.decode(id_token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as exc:
        raise IdTokenError("id_token", "unreadable") from exc


def _check_time(claims: dict[str, Any], now: float) -> None:
    exp = numeric_date(claims.get("exp"))
    if exp is None or now >= exp + LEEWAY_SECONDS:
        raise IdTokenError("exp", "expired")
    begin = claims.get("nbf", claims.get("iat"))
    nbf = numeric_date(begin)
    if begin is not None and (nbf is None or now < nbf - LEEWAY_SECONDS):
        raise IdTokenError("nbf", "too_early")


def _check_tenant(tid: str, tenant: str, *, personal: bool) -> None:
    wrong = (
        (is_guid(tenant) and tid != tenant)
        or (tenant == "consumers" and not personal)
        or (tenant == "organizations" and personal)
    )
    if wrong:
        raise IdTokenError("tid", "other_tenant")


def _equal(value: object, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return neutralise(value)[:MAX_NAME_CHARACTERS] if isinstance(value, str) and value else None
