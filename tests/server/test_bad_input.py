"""Whatever a stranger sends: the right status, a sentence that says why, and nothing done for anybody.

| what comes                                            | test                                                        |
|-------------------------------------------------------|-------------------------------------------------------------|
| no token, expired, wrong audience, `alg: none`,       | `test_a_bad_credential_is_refused_with_a_sentence`          |
| another key, a Microsoft token, identity by header    |                                                             |
| or query                                              |                                                             |
| a public key used as a shared secret (key confusion)  | `test_a_public_key_as_a_shared_secret_opens_no_door`        |
| another user's session id                             | `test_another_users_session_is_not_found`                   |
| another user's request state                          | `test_http.test_a_state_of_another_users_call_is_refused`   |
| oversized body, wrong Host, unknown Origin            | `test_a_bad_request_is_refused_before_anybody_is_looked_up` |
| `none` on a public address                            | `test_no_authentication_on_a_public_address_does_not_start` |
| PostgreSQL down                                       | `test_without_its_database_a_server_is_not_ready`           |
"""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from http_support import KEYS, Remote, remote
from jwt import algorithms

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.callers.oidc import OidcOptions, OidcTokens
from scalekit_mcp.settings import load_settings
from tests.support.agent import text_of
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.processes import command, environment
from tests.support.remote_process import free_port
from tests.support.watched_actions import WatchedActions

LIST = "outlook_list_calendar_events"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": LIST, "arguments": {}}}


def claims(server: Remote, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    given = {"sub": "ana", "aud": f"{server.base}/mcp", "iat": now, "exp": now + timedelta(hours=1), **changes}
    return {name: value.timestamp() if isinstance(value, datetime) else value for name, value in given.items()}


def signed(payload: dict[str, Any], key: Any = KEYS["k1"], algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": "k1"})


def unsigned(payload: dict[str, Any]) -> str:
    parts = ({"alg": "none", "kid": "k1"}, payload)
    header, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{header}.{body}."


def of_microsoft(server: Remote) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    graph = "00000003-0000-0000-c000-000000000000"
    payload = claims(server, aud=graph, iss="https://sts.windows.net/t/", tid="t", oid="o")
    return signed(payload, key, "RS256")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
CREDENTIALS = {
    "no token": (lambda s: {}, "A bearer token is required."),
    "expired": (
        lambda s: bearer(signed(claims(s, iat=LONG_AGO, exp=LONG_AGO + timedelta(hours=1)))),
        "The token has expired.",
    ),
    "wrong audience": (lambda s: bearer(signed(claims(s, aud="https://other.example/mcp"))), "not issued for"),
    "alg none": (lambda s: bearer(unsigned(claims(s))), "signature does not hold"),
    "another key": (lambda s: bearer(signed(claims(s), b"x" * 32)), "signature does not hold"),
    "Microsoft": (lambda s: bearer(of_microsoft(s)), "signature does not hold"),
    "identity by header": (lambda s: {"x-scalekit-identifier": "ana"}, "A bearer token is required."),
}


@pytest.mark.parametrize("path", ["/mcp", "/mcp?identifier=ana&access_token=x", "/messages/?session_id=0", "/sse"])
@pytest.mark.parametrize("what", CREDENTIALS)
async def test_a_bad_credential_is_refused_with_a_sentence(what: str, path: str) -> None:
    make, sentence = CREDENTIALS[what]
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            await server.actions.connect("ana")
            method = "GET" if path == "/sse" else "POST"
            answer = await http.request(method, path, headers={**ACCEPT, **make(server)}, json=CALL)
    assert answer.status_code == 401
    assert sentence in answer.json()["error_description"]
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert (server.actions.entered, server.actions.calls) == (0, [])


async def test_a_public_key_as_a_shared_secret_opens_no_door() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    issuer = "https://as.example"

    def publish(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json={"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
        jwk = json.loads(algorithms.RSAAlgorithm.to_jwk(key))
        return httpx.Response(200, json={"keys": [{**jwk, "kid": "k1", "use": "sig"}]})

    with anyio.fail_after(60):
        async with httpx.AsyncClient(transport=httpx.MockTransport(publish)) as authority:
            options = OidcOptions(issuer=issuer, audience="calendar")
            oidc = OidcTokens(options, http=authority, clock=SystemClock())
            async with remote(authentication=oidc) as server, server.browser() as http:
                parts = {"alg": "HS256", "kid": "k1"}, claims(server, iss=issuer, aud="calendar")
                head, body = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
                raw = algorithms.HMACAlgorithm(algorithms.HMACAlgorithm.SHA256)
                mac = base64.urlsafe_b64encode(raw.sign(f"{head}.{body}".encode(), pem)).decode().rstrip("=")
                answer = await http.post("/mcp", headers={**ACCEPT, **bearer(f"{head}.{body}.{mac}")}, json=CALL)
    assert answer.status_code == 401
    assert answer.json()["error_description"] == "The token's algorithm is not allowed."
    assert server.actions.entered == 0


async def test_another_users_session_is_not_found(actions: WatchedActions) -> None:
    for identifier in ("ana", "bob"):
        await actions.connect(identifier)
    with anyio.fail_after(60):
        async with remote(actions) as server, server.browser() as http:
            opened = await http.post("/mcp", headers={**ACCEPT, **bearer(server.bearer("ana"))}, json=INITIALIZE)
            session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
            stolen = await http.post("/mcp", headers={**ACCEPT, **session, **bearer(server.bearer("bob"))}, json=CALL)
    assert (stolen.status_code, stolen.json()["error"]["message"]) == (404, "Session not found")
    assert actions.entered == 0


@pytest.mark.parametrize(
    ("headers", "content", "status", "sentence"),
    [
        pytest.param({}, b" " * (4 * 1024 * 1024 + 1), 413, "too large", id="oversized body"),
        pytest.param({"host": "evil.example"}, b"{}", 421, "host", id="wrong Host"),
        pytest.param({"origin": "https://evil.example"}, b"{}", 403, "origin", id="unknown Origin"),
    ],
)
async def test_a_bad_request_is_refused_before_anybody_is_looked_up(
    headers: dict[str, str], content: bytes, status: int, sentence: str
) -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            given = {**ACCEPT, "content-type": "application/json", **bearer(server.bearer("ana")), **headers}
            answer = await http.post("/mcp", headers=given, content=content)
    assert answer.status_code == status
    assert sentence in answer.text.casefold()
    assert server.actions.entered == 0


@pytest.mark.parametrize("option", [("--host", "192.0.2.1"), ("--public-url", "https://mcp.example.com")])
def test_no_authentication_on_a_public_address_does_not_start(tmp_path: Path, option: tuple[str, str]) -> None:
    done = subprocess.run(
        command("serve", "--transport", "http", "--sandbox", *option),
        env=environment(tmp_path, SCALEKIT_MCP_AUTH="none"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "SCALEKIT_MCP_AUTH (from the environment) is none, which is refused on an address that others can" in told


async def test_without_its_database_a_server_is_not_ready() -> None:
    settings = load_settings(
        mode="embedded",
        microsoft_client_id="c",
        database_url=f"postgresql+asyncpg://nobody:secret-word@127.0.0.1:{free_port()}/none",
        vault_keys=KeyRing.generate().to_text(),
    )
    with anyio.fail_after(60):
        async with (
            remote(opened=lambda base: open_actions(settings)) as server,
            server.browser() as http,
            server.client() as client,
        ):
            ready = await http.get("/readyz")
            result = await client.call_tool(LIST, {})
            page = await http.get("/connect/abcdefghijklmnopqrstuvwxyz")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})
    assert result.is_error
    assert result.structured_content["error"]["code"] == "vault_error"
    assert page.status_code == 503
    for shown in (text_of(result), page.text):
        assert "secret-word" not in shown
