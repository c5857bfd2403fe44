"""The apps of vendors in the shapes that these publish, from registration to revocation at a real server process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.oauth.document_server import document_server
from tests.oauth.oauth_support import DOCUMENTS, REGISTRATIONS
from tests.oauth.published_app import PublishedApp
from tests.oauth.remote_server import refusal, serving
from tests.support.bounds import HANG_SECONDS
from tests.support.remote_process import RemoteProcess, free_port

pytestmark = pytest.mark.full

LIST = "outlook_list_calendar_events"
BOTH = "calendar.read calendar.write"
ASKED = {"Claude": " offline_access", "ChatGPT": ""}
"""The scope with which an app has been seen to come, where that is not the one of the challenge."""
REGISTERED = ("Claude", "Claude at claude.com", "Claude Code", "ChatGPT", "Cursor", "VS Code", "Copilot Studio")


async def use(app: PublishedApp, server: RemoteProcess, redirect_uris: Sequence[str], scope: str) -> None:
    """Sign in with each redirect URI, refresh, call a tool, and give everything back."""
    for redirect_uri in dict.fromkeys(redirect_uris):
        first = await app.sign_in(redirect_uri, scope=scope)
        assert (first["token_type"], first["scope"]) == ("Bearer", BOTH)
        second = await app.refresh(first["refresh_token"])
        assert second["refresh_token"] != first["refresh_token"]
        assert second["scope"] == BOTH
        headers = {"Authorization": f"Bearer {second['access_token']}"}
        async with (
            httpx.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{app.base}/mcp", http_client=http)) as client,
        ):
            assert not (await client.call_tool(LIST, {"top": 1})).is_error
        revoked = await app.post("/revoke", {"token": second["refresh_token"], "token_type_hint": "refresh_token"})
        assert revoked.status_code == 200
        assert "has ended" in await refusal(server, second["access_token"])
        told = await app.post("/token", {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]})
        assert (told.status_code, told.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("name", REGISTERED)
async def test_a_published_app_registers_signs_in_refreshes_calls_and_revokes(tmp_path: Path, name: str):
    body, redirect_uri = REGISTRATIONS[name]
    with anyio.fail_after(HANG_SECONDS):
        async with serving(tmp_path) as (_, server), httpx.AsyncClient(timeout=60) as http:
            told = (await http.post(f"{server.base}/register", json=body)).raise_for_status().json()
            assert told["redirect_uris"] == body["redirect_uris"]
            app = PublishedApp(server.base, told["client_id"], told.get("client_secret"), http)
            assert (app.secret is not None) is (name == "Copilot Studio")
            await use(app, server, [redirect_uri, *body["redirect_uris"]], ASKED.get(name, BOTH))


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_published_app_with_a_document_signs_in_refreshes_calls_and_revokes(tmp_path: Path, name: str):
    members, redirect_uri = DOCUMENTS[name]
    port = free_port()
    base = f"http://127.0.0.1:{port}"  # documents on the server's own host are not fetched, whatever their port
    with anyio.fail_after(HANG_SECONDS):
        async with document_server(tmp_path, "localhost") as documents:
            client_id = f"https://localhost:{documents.port}/oauth/client.json"
            documents.publish("/oauth/client.json", json.dumps({"client_id": client_id, **members}).encode())
            settings = {
                "SCALEKIT_MCP_PUBLIC_URL": base,
                "SCALEKIT_MCP_CLIENT_METADATA_HOSTS": f"localhost:{documents.port}",
                "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
            }
            async with serving(tmp_path, port, **settings) as (sandbox, server), httpx.AsyncClient() as http:
                sandbox.add_redirect_uri(f"{base}/oauth/callback")
                app = PublishedApp(base, client_id, http=http)
                await use(app, server, [redirect_uri, *members["redirect_uris"]], ASKED.get(name, BOTH))
            assert len(documents.requests) == 1
