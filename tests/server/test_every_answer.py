"""What holds for every address of the HTTP face: no redirect at the door, no cache, one Host."""

from __future__ import annotations

import anyio
import httpx2 as httpx
import pytest
from http_support import SERVICE_KEY, Remote, remote

from scalekit_mcp.server.metrics import CallMetrics
from scalekit_mcp.server.stdio.listener import Listener
from tests.support.bounds import HANG_SECONDS
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.watched_actions import WatchedActions

DOORS = [
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("GET", "/sse"),
    ("POST", "/messages"),
    ("GET", "/api/v1/connected_accounts"),
]


@pytest.mark.parametrize("slash", ["", "/", "//"])
@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_no_door_redirects_a_stranger(method: str, path: str, slash: str) -> None:
    """Behind TLS a redirect would name http://, and would come before anybody asked for the token."""
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, server.browser(**{"x-forwarded-proto": "https"}) as http:
            answer = await http.request(method, path + slash, headers=ACCEPT, json=INITIALIZE)
    # below /api/v1 no stranger learns which paths there are
    assert answer.status_code == (404 if slash == "//" and not path.startswith("/api/v1/") else 401)
    assert "location" not in answer.headers


async def test_every_door_is_served_with_and_without_a_slash_at_its_end() -> None:
    key = {"authorization": f"Bearer {SERVICE_KEY}"}
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, server.browser() as http:
            ana = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}"}
            assert (await http.post("/mcp/", headers=ana, json=INITIALIZE)).status_code == 200
            for path in ("/messages", "/messages/"):
                no_session = await http.post(path, headers=ana, json=INITIALIZE)
                assert (no_session.status_code, no_session.text) == (400, "session_id is required")
            async with http.stream("GET", "/sse/", headers=ana) as stream:
                assert stream.status_code == 200
            for path in ("/api/v1/connected_accounts/", "/api/v1/tools/", "/api/v1/openapi.json/"):
                assert (await http.get(path, headers=key)).status_code == 200
            token = await http.post("/api/v1/session_tokens/", headers=key, json={"identifier": "ana"})
            assert token.status_code == 200
            link = (await server.actions.get_authorization_link(identifier="ana")).link
            assert (await http.get(link + "/")).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_the_operators_own_pages_have_one_address_each_that_a_proxy_can_hide(path: str) -> None:
    key = {"authorization": f"Bearer {SERVICE_KEY}"}
    with anyio.fail_after(HANG_SECONDS):
        async with remote(metrics=CallMetrics()) as server, server.browser() as http:
            assert (await http.get(path, headers=key)).status_code == 200
            for written in (f"{path}/", f"{path}//", path.upper()):
                assert (await http.get(written, headers=key)).status_code in (400, 404), written


async def answers_of(server: Remote) -> dict[str, httpx.Response]:
    key = {"authorization": f"Bearer {SERVICE_KEY}"}
    ana = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}"}
    link = (await server.actions.get_authorization_link(identifier="ana")).link
    user = {"identifier": "ana"}
    async with server.browser() as http:
        opened = await http.post("/mcp", headers=ana, json=INITIALIZE)
        answers = {
            "token": await http.post("/api/v1/session_tokens", headers=key, json=user),
            "link": await http.post("/api/v1/connected_accounts/magic_link", headers=key, json=user),
            "accounts": await http.get("/api/v1/connected_accounts", headers=key),
            "account": await http.get("/api/v1/connected_accounts/details", headers=key, params=user),
            "tools": await http.get("/api/v1/tools", headers=key),
            "description": await http.get("/api/v1/openapi.json", headers=key),
            "a wrong REST call": await http.post("/api/v1/session_tokens", headers=key, json={"identifier": "\n"}),
            "REST without a key": await http.get("/api/v1/connected_accounts"),
            "no such REST route": await http.get("/api/v1/none", headers=key),
            "a wrong method": await http.delete("/api/v1/session_tokens", headers=key),
            "a session": opened,
            "MCP without a token": await http.post("/mcp", headers=ACCEPT, json=INITIALIZE),
            "MCP, wrong body": await http.post("/mcp", headers=ana, content=b"{"),
            "a page": await http.get(link),
            "an unknown page": await http.get("/connect/abcdefghijklmnop"),
            "a way back": await http.get("/oauth/callback", params={"state": "s", "code": "c"}),
            "an outcome": await http.get("/oauth/outcome/abcdefghijklmnop"),
            "the administrator's way back": await http.get("/oauth/admin-consent", params={"state": "s"}),
            "metrics": await http.get("/metrics"),
            "another host": await http.get("/mcp", headers={"host": "evil.example"}),
            "no such page": await http.get("/none"),
            "health": await http.get("/healthz"),
        }
        for path in ("/sse", "/mcp"):
            session = {"mcp-session-id": opened.headers["mcp-session-id"]}
            async with http.stream("GET", path, headers={**ana, **session}) as stream:
                answers[f"a stream of {path}"] = stream
    return answers


async def test_no_answer_may_be_kept_by_a_cache() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(metrics=CallMetrics()) as server:
            answers = await answers_of(server)
    told = {what: answer.headers.get("cache-control", "") for what, answer in answers.items()}
    kept = {what: text for what, text in told.items() if "no-store" not in text}
    assert not kept
    assert {answer.headers.get("pragma") for answer in answers.values()} == {"no-cache"}
    assert answers["token"].status_code == answers["link"].status_code == answers["a page"].status_code == 200


async def test_what_is_public_may_be_kept() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(resource_metadata={"resource": "r"}) as server, server.browser() as http:
            answer = await http.get("/.well-known/oauth-protected-resource/mcp")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert "pragma" not in answer.headers


async def test_the_pages_of_a_stdio_server_follow_the_same_rules(actions: WatchedActions) -> None:
    async with Listener(preferred_port=0) as listener, httpx.AsyncClient() as http:
        base = await listener.base_url()
        listener.serve(actions)
        answers = [
            await http.get(f"{base}/connect/abcdefghijklmnop"),
            await http.get(f"{base}/oauth/callback/"),
            await http.get(f"{base}/none"),
            await http.get(f"{base}/connect/abcdefghijklmnop", headers={"host": "evil.example"}),
        ]
    assert [answer.status_code for answer in answers] == [404, 303, 404, 421]
    assert all("no-store" in answer.headers["cache-control"] for answer in answers)
    assert answers[1].headers["location"].startswith("/oauth/outcome/")


async def raw(server: Remote, request: bytes) -> bytes:
    host, port = server.base.removeprefix("http://").split(":")
    del host
    async with await anyio.connect_tcp("127.0.0.1", int(port)) as stream:
        await stream.send(request)
        return b"".join([chunk async for chunk in stream])


ONE_HOST = {
    "two hosts": (b"GET %s HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\n\r\n", b"400"),
    "the same host twice": (b"GET %s HTTP/1.1\r\nHost: %s\r\nHost: %s\r\n\r\n", b"400"),
    "two hosts, ours last": (b"GET %s HTTP/1.1\r\nhost: evil.example\r\nHOST: %s\r\n\r\n", b"400"),
    "two hosts in HTTP/1.0": (b"GET %s HTTP/1.0\r\nHost: %s\r\nHost: %s\r\n\r\n", b"400"),
    "no host": (b"GET %s HTTP/1.1\r\nConnection: close\r\nX-Host: %s\r\n\r\n", b"400"),
}


@pytest.mark.parametrize("what", ONE_HOST)
@pytest.mark.parametrize("path", [b"/mcp", b"/healthz", b"/connect/abcdefghijklmnop", b"/api/v1/tools"])
async def test_a_request_has_one_host(what: str, path: bytes) -> None:
    template, status = ONE_HOST[what]
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            ours = server.base.removeprefix("http://").encode()
            request = template % (path, *[ours] * (template.count(b"%s") - 1))
            answer = await raw(server, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_probe_that_speaks_http_1_0_needs_no_host() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            healthy = await raw(server, b"GET /healthz HTTP/1.0\r\n\r\n")
            refused = await raw(server, b"GET /mcp HTTP/1.0\r\n\r\n")
    assert healthy.startswith(b"HTTP/1.1 200")
    assert refused.startswith(b"HTTP/1.1 421")
