"""What an operator sets is what a running server does: each setting from the environment of a real process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from mcp import Client

from scalekit_mcp.demo.browser import Browser, consent
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.processes import server
from tests.support.remote_process import RemoteProcess, remote_process, start

WEEK = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-13T00:00:00"}
INVITATION = {
    "subject": "Planning",
    "start_datetime": "2026-04-07T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-07T11:00:00",
    "end_timezone": "UTC",
    "attendees_required": "bob@company.com",
}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Generator[RemoteProcess]:
    """One server with every setting that shows on the wire of HTTP."""
    process = start(
        tmp_path_factory.mktemp("remote"),
        "--sandbox",
        SCALEKIT_MCP_AUTH="none",
        SCALEKIT_MCP_ALLOWED_HOSTS="calendar.internal, calendar.example:8443",
        SCALEKIT_MCP_ALLOWED_ORIGINS="https://app.example.com",
        SCALEKIT_MCP_STATELESS="true",
        SCALEKIT_MCP_READ_ONLY="true",
    )
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


def initialized(remote: RemoteProcess, **headers: str) -> httpx.Response:
    """What an older client's first request is answered."""
    return httpx.post(f"http://127.0.0.1:{remote.port}/mcp", json=INITIALIZE, headers={**ACCEPT, **headers}, timeout=20)


@pytest.mark.parametrize(
    ("host", "status"),
    [("calendar.internal", 200), ("calendar.example:8443", 200), ("calendar.example", 421), ("rebound.example", 421)],
)
def test_the_allowed_hosts_are_answered_and_no_other(remote: RemoteProcess, host: str, status: int) -> None:
    assert initialized(remote, host=host).status_code == status


@pytest.mark.parametrize(("origin", "status"), [("https://app.example.com", 200), ("https://evil.example", 403)])
def test_the_allowed_origins_are_answered_and_no_other(remote: RemoteProcess, origin: str, status: int) -> None:
    assert initialized(remote, origin=origin).status_code == status


def test_a_stateless_server_gives_an_older_client_no_session(remote: RemoteProcess) -> None:
    answer = initialized(remote)
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers


async def test_a_read_only_server_offers_no_tool_that_changes_anything(remote: RemoteProcess) -> None:
    async with Client(f"{remote.base}/mcp") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert names == {"outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"}


async def test_on_stdio_the_zone_of_answers_and_the_confirmation_are_as_set(tmp_path) -> None:
    values = {"SCALEKIT_MCP_TIMEZONE": "Asia/Tokyo", "SCALEKIT_MCP_CONFIRM": "mail", "SCALEKIT_MCP_PORT": "0"}
    with anyio.fail_after(60):
        async with Client(server(tmp_path, "--sandbox", **values)) as client, httpx.AsyncClient(timeout=20) as http:
            link = error_of(await client.call_tool("outlook_list_calendar_events", WEEK))["authorization_url"]
            await consent(Browser(http), link, "dana@company.com")
            listed = await client.call_tool("outlook_list_calendar_events", WEEK)
            refused = error_of(await client.call_tool("outlook_create_calendar_event", INVITATION))
            after = await client.call_tool("outlook_list_calendar_events", {**WEEK, "filter": "subject eq 'Planning'"})
    assert listed.structured_content["now"]["timeZone"] == "Asia/Tokyo"
    # This client cannot ask a person anything, so nothing may be mailed.
    assert (refused["code"], refused["who_acts"]) == ("permission_missing", "user")
    assert after.structured_content["value"] == []


def error_of(result: Any) -> dict[str, Any]:
    """The error object of a refused call."""
    assert result.is_error, result.structured_content
    return result.structured_content["error"]


class Issuer(BaseHTTPRequestHandler):
    """An authorization server that publishes one key."""

    key: ClassVar[rsa.RSAPrivateKey] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def do_GET(self) -> None:
        base = f"http://{self.headers['host']}"
        jwk = {**RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "one", "use": "sig", "alg": "RS256"}
        answer = {"keys": [jwk]} if self.path == "/keys" else {"issuer": base, "jwks_uri": f"{base}/keys"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Nothing: the test's own output stays readable."""


@pytest.fixture
def issuer() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(("required", "status"), [("true", 403), ("false", 200)])
def test_the_claim_and_the_scopes_of_an_oidc_caller_are_as_set(
    issuer: str, tmp_path: Path, required: str, status: int
) -> None:
    settings = {
        "SCALEKIT_MCP_AUTH": "oidc",
        "SCALEKIT_MCP_OIDC_ISSUER": issuer,
        "SCALEKIT_MCP_OIDC_AUDIENCE": "api://outlook",
        "SCALEKIT_MCP_OIDC_IDENTIFIER_CLAIM": "employee",
        "SCALEKIT_MCP_OIDC_REQUIRE_SCOPES": required,
        "SCALEKIT_MCP_SERVICE_KEY": "the-service-key-of-this-test-0123456789",
        "SCALEKIT_MCP_STATELESS": "true",
    }
    claims = {
        "iss": issuer,
        "aud": "api://outlook",
        "sub": "somebody-else",
        "employee": "ana",
        "exp": time.time() + 600,
    }
    token = jwt.encode(claims, Issuer.key, algorithm="RS256", headers={"kid": "one"})
    call = {**INITIALIZE, "method": "tools/call", "params": {"name": "authorize", "arguments": {}}}
    with remote_process(tmp_path, "--sandbox", **settings) as remote, httpx.Client(timeout=20) as http:
        bearer = {**ACCEPT, "authorization": f"Bearer {token}"}
        answer = http.post(f"{remote.base}/mcp", json=call, headers=bearer)
        assert answer.status_code == status, answer.text
        service = {"authorization": f"Bearer {settings['SCALEKIT_MCP_SERVICE_KEY']}"}
        listed = http.get(f"{remote.base}/api/v1/connected_accounts", headers=service).json()
    known = [account["identifier"] for account in listed["connected_accounts"]]
    assert known == (["ana"] if status == 200 else [])
