"""Sign in with Microsoft, end to end: a real server process, the sandbox as Microsoft, the SDK's own OAuth client."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from tests.oauth.remote_host import DANA, open_host
from tests.oauth.remote_server import serving
from tests.support.remote_process import start

PAT = "pat@outlook.example"
LIST = "outlook_list_calendar_events"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_host_connects_by_the_address_alone_and_stays_connected(tmp_path: Path, era: str):
    async with serving(tmp_path) as (sandbox, server), open_host(server.base) as host:
        dana = sandbox.people[DANA]
        async with host.connected(era) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} >= {LIST, "authorize"}
            answer = await client.call_tool(LIST, {"top": 1})
            assert not answer.is_error, answer
            assert host.signed_in == 1
        # the token runs out: the host refreshes, and nobody is asked
        assert host.storage.tokens is not None
        first = host.storage.tokens.refresh_token
        async with host.connected(era, expired=True) as client:
            assert not (await client.call_tool(LIST, {"top": 1})).is_error
        assert host.storage.tokens.refresh_token != first
        assert host.signed_in == 1
        # IT takes the grant away: the answer says who acts, with a link, and the connection of the host stays
        sandbox.revoke_grant(DANA, by="admin")
        sandbox.expire_access_tokens(DANA)
        async with host.connected(era) as client:
            refused = await client.call_tool(LIST, {"top": 1})
            assert refused.is_error
            error = refused.structured_content["error"]  # type: ignore[index]
            assert (error["code"], error["status"]) == ("authorization_required", "REVOKED")
            [challenge] = (refused.meta or {})["mcp/www_authenticate"]
            assert f'resource_metadata="{server.base}/.well-known/oauth-protected-resource/mcp"' in challenge
            assert 'error="invalid_token"' in challenge
            # meanwhile no refresh is given
            refresh = {
                "grant_type": "refresh_token",
                "refresh_token": host.storage.tokens.refresh_token or "",
                "client_id": host.storage.client.client_id if host.storage.client else "",
            }
            async with httpx.AsyncClient() as http:
                told = await http.post(f"{server.base}/token", data=refresh)
            assert (told.status_code, told.json()["error"]) == (400, "invalid_grant")
            # the right person needs no code
            assert "is connected" in await host.repair(error["authorization_url"])
            assert not (await client.call_tool(LIST, {"top": 1})).is_error
        assert host.signed_in == 1
        assert dana.oid  # the identifier is made of it; see the next test
    log = server.log.read_text(encoding="utf-8")
    for secret in (first, host.storage.tokens.access_token, host.storage.tokens.refresh_token):
        assert secret is not None
        assert secret not in log
    assert "code=" not in log


async def test_an_account_that_the_operator_disconnects_signs_in_again(tmp_path: Path):
    service = {"SCALEKIT_MCP_SERVICE_KEY": "the-service-key-of-the-operator"}
    async with serving(tmp_path, **service) as (sandbox, server), open_host(server.base) as host:
        async with host.connected() as client:
            await client.list_tools()
        dana = sandbox.people[DANA]
        identifier = f"ms:{dana.tenant_id}:{dana.oid}"
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {service['SCALEKIT_MCP_SERVICE_KEY']}"}
        ) as http:
            listed = (await http.get(f"{server.base}/api/v1/connected_accounts")).json()
            assert [account["identifier"] for account in listed["connected_accounts"]] == [identifier]
            refused = await http.post(f"{server.base}/api/v1/session_tokens", json={"identifier": identifier})
            assert refused.status_code == 400
            assert "sign in with Microsoft" in refused.text
            account = listed["connected_accounts"][0]["id"]
            details = (await http.get(f"{server.base}/api/v1/connected_accounts/{account}")).json()["connected_account"]
            [grant] = details["grants"]
            assert (grant["client_name"], grant["client_host"]) == ("A host", "127.0.0.1")
            assert grant["scopes"] == ["calendar.read", "calendar.write"]
            assert grant["grant"].startswith("gr_")
            assert grant["created_at"] <= grant["last_used_at"]
            assert "sha256" not in str(details)
            ended = await http.post(f"{server.base}/api/v1/connected_accounts/{account}:disconnect", json={})
            assert ended.status_code == 200, ended.text
            details = await http.get(
                f"{server.base}/api/v1/connected_accounts/details", params={"identifier": identifier}
            )
            assert details.json()["connected_account"]["grants"] == []
            metrics = (await http.get(f"{server.base}/metrics")).text
        assert 'sign_ins_total{outcome="finished"} 1' in metrics
        assert host.storage.tokens is not None
        headers = {"Authorization": f"Bearer {host.storage.tokens.access_token}"}
        async with httpx.AsyncClient(headers=headers) as http:
            with anyio.fail_after(30):  # what a process has read of a grant is good for two seconds
                while (told := await http.post(f"{server.base}/mcp", json={})).status_code != 401:
                    pass
        assert 'error="invalid_token"' in told.headers["www-authenticate"]
        async with host.connected() as client:
            assert not (await client.call_tool(LIST, {"top": 1})).is_error
        assert host.signed_in == 2


async def test_a_tenant_that_is_not_allowed_does_not_come_in(tmp_path: Path):
    async with serving(tmp_path, SCALEKIT_MCP_ALLOWED_TENANTS="company.com") as (_, server):
        async with open_host(server.base) as dana, dana.connected() as client:
            await client.list_tools()
        async with open_host(server.base, address=PAT) as pat:
            with pytest.raises(BaseExceptionGroup):
                async with pat.connected():
                    pass
            assert "is a personal account, and the operator of this server has allowed none" in pat.last_page
            assert pat.storage.tokens is None


async def test_what_a_host_finds_before_anybody_has_signed_in(tmp_path: Path):
    foreign = {"origin": "https://inspector.example"}
    asking = {**foreign, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with serving(tmp_path) as (_, server), httpx.AsyncClient(base_url=server.base) as http:
        for path, resource in (("/mcp", "mcp"), ("/sse", "sse"), ("/messages/", "sse")):
            for method in ("GET", "POST", "DELETE"):
                if (path, method) in (("/sse", "POST"), ("/sse", "DELETE")):
                    continue
                told = await http.request(method, path)
                assert told.status_code == 401
                where = f"{server.base}/.well-known/oauth-protected-resource/{resource}"
                expected = f'Bearer resource_metadata="{where}", scope="calendar.read calendar.write"'
                assert told.headers["www-authenticate"] == expected
                assert (await http.get(where)).json()["authorization_servers"] == [server.base]
        described = await http.get("/.well-known/oauth-authorization-server", headers=foreign)
        assert described.headers["access-control-allow-origin"] == "*"
        assert "public" in described.headers["cache-control"]
        assert described.json()["issuer"] == server.base
        assert (await http.get("/.well-known/openid-configuration")).status_code == 404
        for path in ("/register", "/token", "/revoke"):
            preflight = await http.options(path, headers=asking)
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == "*"
            assert "authorization" in preflight.headers["access-control-allow-headers"]
            answer = await http.post(path, headers=foreign)
            assert answer.status_code == 400
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "no-store" in answer.headers["cache-control"]
        for path in ("/authorize", "/oauth/sign-in", "/oauth/callback?state=si.unknown"):
            page = await http.get(path, headers=foreign)
            assert page.status_code == 400
            assert "access-control-allow-origin" not in page.headers
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_another_mode_has_none_of_it(tmp_path: Path):
    other = {"SCALEKIT_MCP_AUTH": "session-token"}
    async with serving(tmp_path, **other) as (_, server), httpx.AsyncClient(base_url=server.base) as http:
        for path in ("/authorize", "/oauth/sign-in", "/.well-known/oauth-authorization-server"):
            assert (await http.get(path)).status_code == 404
        for path in ("/register", "/token", "/revoke"):
            assert (await http.post(path)).status_code == 404
        assert "resource_metadata" not in (await http.post("/mcp")).headers["www-authenticate"]


async def test_a_host_signs_in_to_the_sandbox_that_the_server_brings_along(tmp_path: Path):
    server = start(tmp_path, "--sandbox", "--auth", "microsoft")
    try:
        await anyio.to_thread.run_sync(server.wait_until_ready)
        async with open_host(server.base) as host, host.connected() as client:
            assert not (await client.call_tool(LIST, {"top": 1})).is_error
            assert host.signed_in == 1
    finally:
        await anyio.to_thread.run_sync(server.stop)
