"""The token endpoint: code, refresh and device grants ("OAuth 2.0 authorization code flow", RFC 6749, RFC 8628)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scalekit_mcp.sandbox.identity import scopes as scoping
from scalekit_mcp.sandbox.identity.client_auth import authenticate_client, client_credentials
from scalekit_mcp.sandbox.identity.directory import Directory, is_multi_tenant
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.keys import b64url
from scalekit_mcp.sandbox.identity.store import AuthorizationCode, DeviceRequest, Grant, IdentityStore, RefreshToken
from scalekit_mcp.sandbox.identity.tokens import AccessTokens, claims_cover, client_capabilities, parse_claims
from scalekit_mcp.sandbox.world import AppRegistration, Person, World

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ID_TOKEN_SECONDS = 3600
SPA_SECONDS = 86_400
VERIFIER_LENGTHS = range(43, 129)


@dataclass(frozen=True, repr=False)
class TokenRequest:
    """One request of the token endpoint, as received."""

    authority: str
    form: Mapping[str, str]
    authorization: str | None
    origin: str | None
    base_url: str
    path: str

    def required(self, name: str) -> str:
        """The parameter. Raises IdentityError 900144 when it is missing or empty."""
        value = self.form.get(name)
        if not value:
            raise IdentityError(900144, f"Parameter: '{name}'.")
        return value

    @property
    def grant_type(self) -> str:
        """The grant type, or an empty text."""
        return self.form.get("grant_type", "")


class TokenEndpoint:
    """Answers token requests with a dictionary, or raises IdentityError."""

    def __init__(self, world: World, store: IdentityStore, tokens: AccessTokens) -> None:
        self._world = world
        self._store = store
        self._tokens = tokens
        self._directory = Directory(world)

    def person_of(self, request: TokenRequest) -> Person | None:
        """Whose code or refresh token this is, before anything is checked."""
        code = self._store.codes.get(request.form.get("code", ""))
        token = self._store.refresh_tokens.get(request.form.get("refresh_token", ""))
        device = self._store.devices.get(request.form.get("device_code", ""))
        grant = code.grant if code else token.grant if token else device.grant if device else None
        return grant.person if grant else None

    def answer(self, request: TokenRequest) -> dict[str, Any]:
        """The token answer.

        Raises:
            IdentityError: the refusal, with its number.
        """
        grant_type = request.required("grant_type")
        if grant_type not in ("authorization_code", "refresh_token", DEVICE_GRANT):
            raise IdentityError(70003, f"Grant type: '{grant_type}'.")
        client_id, secret = client_credentials(request.form, request.authorization)
        if client_id is None:
            raise IdentityError(900144, "Parameter: 'client_id'.")
        app = self._directory.app(client_id)
        self._directory.check_audience(app, request.authority)
        authenticate_client(app, request.form, secret, self._world.clock, token_path=request.path)
        _check_origin(app, request.origin)
        try:
            parse_claims(request.form.get("claims"))
        except ValueError as exc:
            raise IdentityError(9002313, "The claims parameter is not a JSON object.") from exc
        if grant_type == "authorization_code":
            return self._redeem_code(app, request)
        if grant_type == "refresh_token":
            return self._refresh(app, request)
        return self._redeem_device_code(app, request)

    # The three grants

    def _redeem_code(self, app: AppRegistration, request: TokenRequest) -> dict[str, Any]:
        code = self._store.codes.get(request.required("code"))
        redirect_uri = request.required("redirect_uri")
        if code is None:
            raise IdentityError(70000, "The code is not known.")
        self._check_client(app, code.grant)
        self._check_tenant(code.grant, request.authority)
        if code.used:
            raise IdentityError(54005)
        now = self._world.clock.now()
        if code.expires_at <= now:
            raise IdentityError(70008)
        if redirect_uri != code.redirect_uri:
            raise IdentityError(500112)
        _check_verifier(code, request.form.get("code_verifier"))
        code.used = True
        grant = code.grant
        self._check_person(grant, grant.person)
        granted = self._narrow(app, grant, request.form.get("scope"))
        return self._issue(app, grant, grant.person, granted, request, nonce=grant.nonce, first_issued_at=now)

    def _refresh(self, app: AppRegistration, request: TokenRequest) -> dict[str, Any]:
        text = request.required("refresh_token")
        token = self._store.refresh_tokens.get(text)
        if token is None:
            suberror = "bad_token" if text.startswith("M.C") else None
            raise IdentityError(70000, "The refresh token is not known.", suberror=suberror)
        grant = token.grant
        self._check_client(app, grant)
        person = grant.person
        if not is_multi_tenant(request.authority) or grant.person is not grant.home:
            person = self._directory.account_at(app, grant.home, request.authority)
        else:
            self._check_kind(grant, request.authority)
        self._check_person(grant, person)
        self._check_refresh_token(token)
        granted = self._refreshed_scopes(app, grant, person, request.form.get("scope"))
        self._check_policies(grant, request.form.get("claims"))
        answer = self._issue(app, grant, person, granted, request, nonce=None, first_issued_at=token.first_issued_at)
        rotation = self._rotation(person)
        if rotation == "one_time":
            token.ended_by = 70000
        elif rotation == "none":
            token.issued_at = self._world.clock.now()
        return answer

    def _rotation(self, person: Person) -> str:
        switches = self._world.switches
        if self._world.tenants[person.tenant_id].personal and switches.personal_rotation != "same":
            return switches.personal_rotation
        return switches.rotation

    def _redeem_device_code(self, app: AppRegistration, request: TokenRequest) -> dict[str, Any]:
        device = self._store.devices.get(request.form.get("device_code") or request.required("code"))
        if device is None or device.client_id != app.client_id:
            raise IdentityError(70018)
        now = self._world.clock.now()
        if device.expires_at <= now:
            raise IdentityError(70020)
        if device.state == "used":
            raise IdentityError(70000, "The device code was redeemed already.")
        if device.state == "declined":
            raise IdentityError(65004, error="authorization_declined")
        if device.grant is None:
            raise _pending(device, now)
        device.state = "used"
        grant = device.grant
        self._check_person(grant, grant.person)
        return self._issue(app, grant, grant.person, grant.scopes, request, nonce=None, first_issued_at=now)

    # Checks

    def _check_client(self, app: AppRegistration, grant: Grant) -> None:
        if grant.client_id != app.client_id:
            raise IdentityError(70000, "The grant was issued to another client.", suberror="client_mismatch")

    def _check_tenant(self, grant: Grant, authority: str) -> None:
        if is_multi_tenant(authority):
            self._check_kind(grant, authority)
            if grant.person is not grant.home:
                raise IdentityError(700005)
            return
        tenant = self._directory.tenant_of(authority)
        if tenant is not None and tenant.id != grant.person.tenant_id:
            raise IdentityError(700005)

    def _check_kind(self, grant: Grant, authority: str) -> None:
        personal = self._world.tenants[grant.person.tenant_id].personal
        if (authority.lower(), personal) in (("organizations", True), ("consumers", False)):
            raise IdentityError(700005)

    def _check_person(self, grant: Grant, person: Person) -> None:
        for account in (grant.home, person):
            if account.deleted:
                raise IdentityError(500341)
            if not account.enabled:
                raise IdentityError(50057)
        self._directory.check_principal(grant.client_id, person, refreshing=True)

    def _check_refresh_token(self, token: RefreshToken) -> None:
        now = self._world.clock.now()
        if token.ended_by == 50173:
            issued, valid_from = (_precise(at) for at in (token.issued_at, token.ended_at or now))
            detail = f"The grant was issued on '{issued}' and the TokensValidFrom date for this user is '{valid_from}'."
            raise IdentityError(50173, detail)
        if token.ended_by is not None:
            personal = self._world.tenants[token.grant.person.tenant_id].personal
            if token.ended_by == 0:
                raise IdentityError(None, text="One or more scopes requested are unauthorized or expired.")
            raise IdentityError(token.ended_by, suberror="bad_token" if personal and token.ended_by == 70000 else None)
        if token.grant.spa:
            if token.first_issued_at + timedelta(seconds=SPA_SECONDS) <= now:
                raise IdentityError(700084)
        elif token.issued_at + timedelta(days=self._refresh_token_days(token.grant.person)) <= now:
            raise IdentityError(700082)

    def _refresh_token_days(self, person: Person) -> int:
        switches = self._world.switches
        own = switches.personal_refresh_token_days if self._world.tenants[person.tenant_id].personal else None
        return switches.refresh_token_days if own is None else own

    def _check_policies(self, grant: Grant, claims: str | None) -> None:
        switches = self._world.switches
        if switches.conditional_access:
            raise IdentityError(int(switches.conditional_access))
        if switches.mfa_required and not grant.mfa:
            raise IdentityError(50076)
        challenge = switches.claims_challenge
        interactive = challenge is not None and switches.claims_challenge_interactive and claims is not None
        if interactive and claims_cover(claims, challenge) and not claims_cover(grant.claims, challenge):
            raise IdentityError(50076, error="interaction_required", suberror="basic_action", claims=challenge)

    # Scopes

    def _narrow(self, app: AppRegistration, grant: Grant, scope: str | None) -> frozenset[str]:
        """The same scopes as granted, or fewer."""
        if not scope:
            return grant.scopes
        asked = self._parse(app, scope)
        extra = scoping.resource_scopes(asked - grant.scopes)
        if self._directory.missing(app.client_id, grant.person, extra):
            raise IdentityError(65001, f"Application: '{app.client_id}'.")
        return asked | (grant.scopes & frozenset(scoping.OIDC))

    def _refreshed_scopes(
        self, app: AppRegistration, grant: Grant, person: Person, scope: str | None
    ) -> frozenset[str]:
        asked = self._parse(app, scope) if scope else grant.scopes
        oidc = frozenset(scoping.OIDC)
        missing = scoping.resource_scopes(self._directory.missing(app.client_id, person, asked))
        if not missing:
            return asked | (grant.scopes & oidc)
        remaining = scoping.resource_scopes(asked) - missing
        if remaining and missing <= grant.scopes:
            # Another grant still covers a part: fewer scopes, no refusal ("Review permissions").
            return remaining | (grant.scopes & oidc)
        raise IdentityError(65001, f"Application: '{app.client_id}'.")

    def _parse(self, app: AppRegistration, scope: str) -> frozenset[str]:
        try:
            return scoping.parse_scopes(scope, permissions=app.permissions)
        except IdentityError as exc:
            if exc.code == 650053:
                raise IdentityError(70011, "A scope is not known.") from exc
            raise

    # The answer

    def _issue(
        self,
        app: AppRegistration,
        grant: Grant,
        person: Person,
        scopes: frozenset[str],
        request: TokenRequest,
        *,
        nonce: str | None,
        first_issued_at: datetime,
    ) -> dict[str, Any]:
        personal = self._world.tenants[person.tenant_id].personal
        scopes = scopes - self._world.switches.withheld_scopes
        claims = _merged(grant.claims, request.form.get("claims"))
        capabilities = client_capabilities(claims)
        seconds = self._tokens.lifetime_seconds(capabilities)
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": scoping.echo(scopes, personal=personal, form=self._world.switches.scope_echo),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": self._tokens.issue(
                person,
                scopes,
                client_id=app.client_id,
                issuer_base=request.base_url,
                lifetime_seconds=seconds,
                claims=claims,
            ),
        }
        if seconds >= 7200:
            answer["refresh_in"] = seconds // 2
        refreshing = request.grant_type == "refresh_token"
        if "offline_access" in grant.scopes and not (refreshing and self._rotation(person) == "none"):
            kept = replace(grant, scopes=grant.scopes | scopes) if refreshing else grant
            token = RefreshToken(kept, issued_at=self._world.clock.now(), first_issued_at=first_issued_at)
            answer["refresh_token"] = self._store.add_refresh_token(token, personal=personal)
        if "openid" in scopes:
            answer["id_token"] = self._id_token(app, grant, person, scopes, request.base_url, nonce)
        if request.form.get("client_info") == "1" or grant.client_info:
            info = {"uid": grant.home.oid, "utid": grant.home.tenant_id}
            answer["client_info"] = b64url(json.dumps(info).encode())
        return answer

    def _id_token(
        self,
        app: AppRegistration,
        grant: Grant,
        person: Person,
        scopes: frozenset[str],
        base_url: str,
        nonce: str | None,
    ) -> str:
        now = int(self._world.clock.now().timestamp())
        pairwise = hashlib.sha256(f"{person.tenant_id}/{person.oid}/{app.client_id}".encode()).digest()
        claims: dict[str, Any] = {
            "aud": app.client_id,
            "iss": f"{base_url}/{person.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": int(grant.authenticated_at.timestamp()),
            "rh": "1." + b64url(pairwise[:16]) + ".",
            "sub": b64url(pairwise),
            "tid": person.tenant_id,
            "uti": b64url(self._world.random.randbytes(16)),
            "ver": "2.0",
        }
        if "profile" in scopes:
            claims |= {"name": person.name, "oid": person.oid, "preferred_username": grant.home.address}
        if "email" in scopes and person.has_mailbox:
            claims["email"] = person.address
        if nonce:
            claims["nonce"] = nonce
        personal = self._world.tenants[person.tenant_id].personal
        return self._tokens.keys.for_tenant(personal=personal).sign(claims)


def _merged(granted: str | None, asked: str | None) -> str | None:
    """Both claims requests in one, the newer one on top."""
    if not granted or not asked:
        return asked or granted
    older, newer = parse_claims(granted), parse_claims(asked)
    merged = {**older, **newer}
    merged["access_token"] = {**(older.get("access_token") or {}), **(newer.get("access_token") or {})}
    return json.dumps(merged)


def _pending(device: DeviceRequest, now: datetime) -> IdentityError:
    """`authorization_pending`, or `slow_down` for a poll that came too early (RFC 8628 section 3.5)."""
    last, device.last_polled_at = device.last_polled_at, now
    if last is not None and (now - last).total_seconds() < device.interval_seconds:
        device.interval_seconds += 5
        return IdentityError(70016, error="slow_down", text="The client polls more often than the interval allows.")
    return IdentityError(70016)


def _check_origin(app: AppRegistration, origin: str | None) -> None:
    """Only a single page app redeems from a browser, and only from there."""
    if app.platform == "spa" and origin is None:
        raise IdentityError(9002327)
    if app.platform == "web" and origin is not None:
        raise IdentityError(9002326)


def _check_verifier(code: AuthorizationCode, verifier: str | None) -> None:
    if code.code_challenge is None:
        return
    if not verifier or len(verifier) not in VERIFIER_LENGTHS:
        raise IdentityError(501481)
    actual = verifier
    if code.code_challenge_method == "S256":
        actual = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(actual.encode(), code.code_challenge.encode()):
        raise IdentityError(501481)


def _precise(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
