"""Microsoft's own library and our client side by side at the sandbox: the same answers, field by field."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts.model.records import ProviderAccount
from scalekit_mcp.accounts.provider import AuthorizationRequest, Grant, GrantError
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.microsoft.identity.credentials import ClientSecret
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

pytest.importorskip("msal", reason="msal is not installed")
pytest.importorskip("requests", reason="msal is not installed")

from tests.sandbox.test_identity_msal import (
    CALLBACK,
    SCOPES,
    Served,
    confidential,
    served,
    tls,
)

__all__ = ["served", "tls"]  # fixtures

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:response_mode:UserWarning"),  # msal prefers form_post, we read a query
]

DANA = "dana@company.com"
PAT = "pat@outlook.example"
OIDC = {"openid", "profile", "email", "offline_access"}
WANTED = ("openid", "profile", "offline_access", *SCOPES)


@dataclass
class Ours:
    """Our client at the same sandbox; its calls run in the sandbox's loop."""

    served: Served

    def run(self, call: str, /, **arguments: Any) -> Any:
        """The answer of one call, or the failure that it raised."""

        async def run() -> Any:
            trust = self.served._trust
            async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
                try:
                    return await getattr(self.client(http), call)(**arguments)
                except GrantError as failure:
                    return failure

        return self.served.portal.call(run)

    def client(self, http: httpx.AsyncClient) -> MicrosoftOAuth:
        return MicrosoftOAuth(
            http,
            client_id=DEFAULT_CLIENT_ID,
            credentials=ClientSecret(DEFAULT_CLIENT_SECRET),
            login_url=self.served.sandbox.url,
            tenant="common",
            scopes=WANTED,
            graph_url=f"{self.served.sandbox.url}/v1.0",
            clock=SystemClock(),
        )

    def begin(self) -> tuple[str, dict[str, str]]:
        """The consent page's address, and what the redemption needs."""
        verifier, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        request = AuthorizationRequest(CALLBACK, "our-state", nonce, challenge, WANTED, select_account=True)
        url = self.client(httpx.AsyncClient.__new__(httpx.AsyncClient)).authorization_url(request)
        return url, {"code_verifier": verifier, "nonce": nonce, "redirect_uri": CALLBACK}

    def connect(self, address: str) -> Any:
        url, kept = self.begin()
        query = self.served.walk(url, address)
        return self.run("authorization_code_grant", code=query["code"], scopes=WANTED, **kept)

    def refresh(self, grant: Grant, **options: Any) -> Any:
        return self.run(
            "refresh_token_grant",
            refresh_token=grant.tokens.refresh_token,
            account=grant.account,
            scopes=("openid", "profile", "offline_access", *grant.tokens.granted_scopes),
            **options,
        )


@pytest.fixture
def ours(served: Served) -> Ours:
    served.sandbox.access_token_lifetime(3_000)
    return Ours(served)


def theirs(served: Served, app: Any, address: str) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    result: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, served.walk(flow["auth_uri"], address))
    assert "access_token" in result, result
    return result


def short(scopes: str) -> set[str]:
    """A token answer's scopes as plain names."""
    return {scope.rsplit("/", 1)[-1] for scope in scopes.split()} - OIDC


def assert_same_tokens(tokens: Any, result: dict[str, Any]) -> None:
    assert set(tokens.granted_scopes) == short(result["scope"])
    left = (tokens.expires_at - SystemClock().now()).total_seconds()
    assert result["expires_in"] - 60 < left <= result["expires_in"]
    assert tokens.access_token != result["access_token"]


def test_both_ask_for_consent_with_the_same_parameters(served: Served, ours: Ours) -> None:
    flow = confidential(served).initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    msals, our = urlsplit(flow["auth_uri"]), urlsplit(ours.begin()[0])
    assert (our.scheme, our.netloc, our.path) == (msals.scheme, msals.netloc, msals.path)
    theirs_, ours_ = dict(parse_qsl(msals.query)), dict(parse_qsl(our.query))
    for name in ("client_id", "response_type", "redirect_uri", "code_challenge_method"):
        assert ours_[name] == theirs_[name], name
    assert short(ours_["scope"]) == short(theirs_["scope"])
    assert {"openid", "profile", "offline_access"} <= set(ours_["scope"].split()) & set(theirs_["scope"].split())
    for name in ("state", "nonce", "code_challenge"):
        assert bool(ours_[name]) == bool(theirs_[name]), name
    assert len(ours_["code_challenge"]) == len(theirs_["code_challenge"])


@pytest.mark.parametrize("address", [DANA, PAT])
def test_both_get_the_same_tokens_and_the_same_account(served: Served, ours: Ours, address: str) -> None:
    app = confidential(served)
    result, grant = theirs(served, app, address), ours.connect(address)
    assert isinstance(grant, Grant), grant
    assert_same_tokens(grant.tokens, result)
    claims = result["id_token_claims"]
    account: ProviderAccount = grant.account
    assert (account.tid, account.oid) == (claims["tid"], claims["oid"])
    assert (account.preferred_username, account.display_name) == (claims["preferred_username"], claims["name"])
    assert account.personal == (claims["tid"] == "9188040d-6c67-4c5b-b112-36a304b66dad")
    [cached] = app.get_accounts()
    assert cached["home_account_id"] == f"{account.oid}.{account.tid}"
    assert cached["username"] == account.preferred_username
    renewed = app.acquire_token_silent_with_error(SCOPES, account=cached, force_refresh=True)
    tokens = ours.refresh(grant)
    assert_same_tokens(tokens, {**renewed, "scope": renewed.get("scope", result["scope"])})
    assert tokens.refresh_token
    assert tokens.refresh_token != grant.tokens.refresh_token


def test_both_redeem_and_renew_with_the_same_form(served: Served, ours: Ours) -> None:
    app = confidential(served)
    theirs(served, app, DANA)
    [cached] = app.get_accounts()
    app.acquire_token_silent_with_error(SCOPES, account=cached, force_refresh=True)
    grant = ours.connect(DANA)
    ours.refresh(grant)
    forms = [dict(request.body or {}) for request in served.sandbox.requests if request.path.endswith("/token")]
    for grant_type in ("authorization_code", "refresh_token"):
        msals, our = (form for form in forms if form["grant_type"] == grant_type)
        for name in ("client_id", "client_secret", "redirect_uri"):
            assert our.get(name) == msals.get(name), name
        assert {"code", "code_verifier", "refresh_token"} & set(our) == {
            "code",
            "code_verifier",
            "refresh_token",
        } & set(msals)
        assert short(our["scope"]) == short(msals["scope"])
        assert "offline_access" in our["scope"].split()
        assert "offline_access" in msals["scope"].split()


NUMBERS = (50173, 65001, 700082, 70008, 70043, 50076, 53003, 50057, 500341, 50105, 70000, 7000222, 7000215, 7000112)


@pytest.mark.parametrize("number", [*NUMBERS, 700016, 70011, 50196, 90055, 9002313, 99999])
def test_both_are_refused_with_the_same_error(served: Served, ours: Ours, number: int) -> None:
    app = confidential(served)
    theirs(served, app, DANA)
    [cached] = app.get_accounts()
    grant = ours.connect(DANA)
    challenge = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    served.sandbox.next_token_error(number, times=2, claims=challenge)
    refused = app.acquire_token_silent_with_error(SCOPES, account=cached, force_refresh=True)
    failure = ours.refresh(grant)
    assert isinstance(failure, GrantError), failure
    assert refused["error_codes"] == [number]
    assert failure.code == f"AADSTS{number}"
    assert failure.claims == refused["claims"]
    assert (failure.correlation_id is None) == (refused.get("correlation_id") is None)


@pytest.mark.parametrize("number", [54005, 501481, 65004, 90094])
def test_both_are_told_the_same_at_the_redemption(served: Served, ours: Ours, number: int) -> None:
    app = confidential(served)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    back = served.walk(flow["auth_uri"], DANA)
    url, kept = ours.begin()
    query = served.walk(url, DANA)
    served.sandbox.next_token_error(number, times=2)
    refused = app.acquire_token_by_auth_code_flow(flow, back)
    failure = ours.run("authorization_code_grant", code=query["code"], scopes=WANTED, **kept)
    assert refused["error_codes"] == [number]
    assert failure.code == f"AADSTS{number}"


def test_both_read_a_declined_consent_off_the_way_back(served: Served, ours: Ours) -> None:
    app = confidential(served)

    def declined(url: str) -> dict[str, str]:
        async def walk() -> str:
            async with served.browser() as browser:
                return await browser.sign_in(url, DANA, accept=False)

        return {name: values[0] for name, values in parse_qs(urlsplit(served.portal.call(walk)).query).items()}

    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    refused = app.acquire_token_by_auth_code_flow(flow, declined(flow["auth_uri"]))
    query = declined(ours.begin()[0])
    assert query["error"] == refused["error"] == "access_denied"
    client = ours.client(httpx.AsyncClient.__new__(httpx.AsyncClient))
    assert client.authorization_response_failure(query).fault == "declined"


def test_both_meet_a_code_that_was_used(served: Served, ours: Ours) -> None:
    app = confidential(served)
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    back = served.walk(flow["auth_uri"], DANA)
    app.acquire_token_by_auth_code_flow(flow, dict(back))
    again = app.acquire_token_by_auth_code_flow(flow, dict(back))
    url, kept = ours.begin()
    query = served.walk(url, DANA)
    first = ours.run("authorization_code_grant", code=query["code"], scopes=WANTED, **kept)
    second = ours.run("authorization_code_grant", code=query["code"], scopes=WANTED, **kept)
    assert isinstance(first, Grant)
    assert (again["error"], again["error_codes"]) == ("invalid_grant", [54005])
    assert (second.code, second.fault) == ("AADSTS54005", "restart")
