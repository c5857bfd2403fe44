"""The documents of discovery, the challenge, and the scopes and resources that requests name."""

from __future__ import annotations

import httpx2 as httpx
import pytest
from mcp.shared.auth import OAuthMetadata as SdkMetadata
from mcp.shared.auth import ProtectedResourceMetadata
from starlette.applications import Starlette

from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.oauth.metadata import OAuthMetadata
from scalekit_mcp.server.oauth.scopes import granted_scopes, is_our_resource, refreshed_scopes

URL = "https://mcp.example"
READ, WRITE = "calendar.read", "calendar.write"


async def get(path: str, *, method: str = "GET", read_only: bool = False, **headers: str) -> httpx.Response:
    app = Starlette(routes=OAuthMetadata(URL + "/", read_only=read_only).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as http:
        return await http.request(method, path, headers=headers)


@pytest.mark.parametrize("suffix", ["", "/mcp"])
async def test_the_authorization_server_describes_itself(suffix: str):
    answer = await get(f"/.well-known/oauth-authorization-server{suffix}")
    document = answer.json()
    SdkMetadata.model_validate(document)
    assert document == {
        "issuer": URL,
        "authorization_endpoint": f"{URL}/authorize",
        "token_endpoint": f"{URL}/token",
        "registration_endpoint": f"{URL}/register",
        "revocation_endpoint": f"{URL}/revoke",
        "scopes_supported": [READ, WRITE, "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }
    assert answer.headers["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize(("suffix", "resource"), [("/mcp", "/mcp"), ("/sse", "/sse"), ("", "/mcp")])
async def test_each_resource_is_described_at_its_own_address(suffix: str, resource: str):
    """RFC 9728 section 3.3: `resource` is identical to the address that the host uses."""
    document = (await get(f"/.well-known/oauth-protected-resource{suffix}")).json()
    ProtectedResourceMetadata.model_validate(document)
    assert document["resource"] == URL + resource
    assert document["authorization_servers"] == [URL]
    assert document["scopes_supported"] == [READ, WRITE]
    assert document["bearer_methods_supported"] == ["header"]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/openid-configuration/mcp"])
async def test_there_is_no_half_openid_document(path: str):
    assert (await get(path)).status_code == 404


async def test_a_read_only_server_names_no_scope_for_writing():
    for path in ("oauth-authorization-server", "oauth-protected-resource/mcp"):
        assert WRITE not in (await get(f"/.well-known/{path}", read_only=True)).text
    challenge = OAuthMetadata(URL, read_only=True).challenge(
        "/mcp", AuthenticationError(401, "invalid_token", "x"), with_token=False
    )
    assert WRITE not in challenge


async def test_pages_of_any_origin_may_read_the_documents():
    path = "/.well-known/oauth-authorization-server"
    answer = await get(path, origin="https://inspector.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    preflight = await get(path, method="OPTIONS", origin="https://inspector.example")
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET"
    assert preflight.headers["access-control-allow-headers"] == "authorization, content-type, mcp-protocol-version"
    assert "access-control-allow-credentials" not in preflight.headers


@pytest.mark.parametrize(("path", "resource"), [("/mcp", "mcp"), ("/sse", "sse"), ("/messages", "sse"), ("/x", "mcp")])
def test_the_challenge_leads_to_the_resource_of_its_path(path: str, resource: str):
    denied = AuthenticationError(401, "invalid_token", "A bearer token is required.")
    assert OAuthMetadata(URL).challenge(path, denied, with_token=False) == (
        f'Bearer resource_metadata="{URL}/.well-known/oauth-protected-resource/{resource}", scope="{READ} {WRITE}"'
    )


def test_an_error_is_named_only_to_who_brought_a_token():
    """RFC 6750 section 3.1."""
    denied = AuthenticationError(401, "invalid_token", "The token has expired.")
    answer = OAuthMetadata(URL).denial("/mcp", denied, with_token=True)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.endswith('error="invalid_token", error_description="The token has expired."')
    assert "offline_access" not in challenge


def test_a_missing_scope_is_403_with_the_scopes_to_ask_for():
    denied = AuthenticationError(403, "insufficient_scope", "It needs the scope calendar.write.", f"{READ} {WRITE}")
    answer = OAuthMetadata(URL).denial("/mcp", denied, with_token=True)
    assert answer.status_code == 403
    for part in ('error="insufficient_scope"', f'scope="{READ} {WRITE}"', "resource_metadata="):
        assert part in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (READ, [READ]),
        (WRITE, [READ, WRITE]),
        (f"{READ} {WRITE}", [READ, WRITE]),
        (f"  {READ}\t\n", [READ]),
        (f"{READ} offline_access openid", [READ]),
        (None, [READ, WRITE]),
        ("", [READ, WRITE]),
        ("openid profile email", [READ, WRITE]),
        ("read write", [READ, WRITE]),
        ("offline_access", [READ, WRITE]),
        ("CALENDAR.READ", [READ, WRITE]),
    ],
)
def test_scopes_are_filtered_to_ours_and_none_of_them_means_all(asked: str | None, granted: list[str]):
    assert list(granted_scopes(asked, read_only=False)) == granted
    assert granted_scopes(asked, read_only=True) == (READ,)


def test_a_refresh_asks_for_ours_or_for_those_of_the_grant():
    assert refreshed_scopes(None) is None
    assert refreshed_scopes("offline_access") is None
    assert refreshed_scopes(f"{READ} openid") == (READ,)
    assert refreshed_scopes(f"{WRITE} {READ}") == (READ, WRITE)


@pytest.mark.parametrize("resource", ["", "/", "/mcp", "/mcp/", "/sse", "/sse/"])
def test_our_resources(resource: str):
    assert is_our_resource(URL + resource, URL)
    assert is_our_resource(f"HTTPS://MCP.Example{resource}", URL)


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example/mcp",
        "https://mcp.example.evil.example/mcp",
        "https://mcp.example@evil.example/mcp",
        "https://mcp.example:8443/mcp",
        "http://mcp.example/mcp",
        "https://mcp.example/MCP",
        "https://mcp.example/mcp//",
        "https://mcp.example/mcp?x=1",
        "https://mcp.example/mcp?",
        "https://mcp.example/mcp#x",
        "https://mcp.example/mcp#",
        "https://mcp.example/other",
        "https://[mcp.example/mcp",
        "mcp",
        "",
    ],
)
def test_foreign_resources(resource: str):
    assert not is_our_resource(resource, URL)
