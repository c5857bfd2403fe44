"""The code flow as a client and a browser live through it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2 as httpx
import jwt

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser

CALLBACK = "http://localhost:8754/oauth/callback"
SCOPE = "openid profile offline_access User.Read Calendars.ReadWrite"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize_url(authority: str = "common", **changes: str) -> str:
    parameters = {
        "client_id": DEFAULT_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": SCOPE,
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"http://localhost/{authority}/oauth2/v2.0/authorize?" + urlencode(parameters | changes)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def redeem(sandbox: Sandbox, code: str, authority: str = "common", **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url="http://localhost") as client:
        return await client.post(f"/{authority}/oauth2/v2.0/token", data=form | changes)


async def sign_in(sandbox: Sandbox, address: str, authority: str = "common", **changes: str) -> dict[str, str]:
    async with Browser.of(sandbox.app, stop_at=("http://localhost:8754/",)) as browser:
        return query_of(await browser.sign_in(authorize_url(authority, **changes), address))


async def test_a_person_signs_in_consents_and_the_code_becomes_tokens() -> None:
    sandbox = Sandbox()
    back = await sign_in(sandbox, "dana@company.com")
    assert back["state"] == "state-1"
    answer = await redeem(sandbox, back["code"])
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["token_type"] == "Bearer"
    assert set(body["scope"].split()) == {
        "https://graph.microsoft.com/Calendars.ReadWrite",
        "https://graph.microsoft.com/User.Read",
        "openid",
        "profile",
        "email",
    }
    assert 3600 <= body["expires_in"] <= 5399
    info = sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    assert info.person is sandbox.people["dana@company.com"]
    assert {"Calendars.ReadWrite", "User.Read"} <= info.scopes

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url="http://localhost") as client:
        discovery = (await client.get("/common/v2.0/.well-known/openid-configuration")).json()
        keys = jwt.PyJWKSet.from_dict((await client.get(discovery["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(body["id_token"])["kid"]]
    claims = jwt.decode(body["id_token"], key, algorithms=["RS256"], audience=DEFAULT_CLIENT_ID)
    assert claims["iss"] == discovery["issuer"].replace("{tenantid}", claims["tid"])
    assert claims["nonce"] == "nonce-1"
    assert claims["preferred_username"] == "dana@company.com"
