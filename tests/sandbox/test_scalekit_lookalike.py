"""The look-alike of Scalekit's hosted API, spoken to without any code of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.app import (
    CONNECTION_NAME,
    SCALEKIT_CLIENT_ID,
    SCALEKIT_CLIENT_SECRET,
    SCALEKIT_PREFIX,
    ScalekitLookAlike,
)

BASE = "http://localhost:9400"
KEY = {"connector": CONNECTION_NAME, "identifier": "user_1"}


class Client:
    """A backend with the machine token of the seeded API client."""

    def __init__(self, http: httpx.AsyncClient, scalekit: ScalekitLookAlike, sandbox: Sandbox) -> None:
        self.http = http
        self.scalekit = scalekit
        self.sandbox = sandbox
        self.token = ""

    async def sign_in(self, secret: str = SCALEKIT_CLIENT_SECRET) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": SCALEKIT_CLIENT_ID, "client_secret": secret}
        answer = await self.http.post("/oauth/token", data=form)
        self.token = answer.json().get("access_token", "")
        return answer

    async def send(self, method: str, path: str, **keywords: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **keywords)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.send("POST", path, json=body)

    async def create(self) -> str:
        return (await self.post("/connected_accounts", **KEY, connected_account={})).json()["connected_account"]["id"]

    async def status(self) -> str:
        answer = await self.send("GET", "/connected_accounts/details", params=KEY)
        return answer.json()["connected_account"]["status"]


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    sandbox = Sandbox()
    sandbox.base_url = BASE
    scalekit = ScalekitLookAlike(sandbox.world, sandbox.app)
    transport = httpx.ASGITransport(app=scalekit.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE + SCALEKIT_PREFIX) as http:
        found = Client(http, scalekit, sandbox)
        await found.sign_in()
        yield found


def error_code(answer: httpx.Response) -> str:
    return answer.json()["details"][0]["error_code"]


async def test_a_machine_token_opens_the_api_and_a_wrong_secret_gets_none() -> None:
    async with client() as scalekit:
        assert (await scalekit.send("GET", "/tools")).status_code == 200
        answer = await scalekit.sign_in("wrong")
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
        refused = await scalekit.send("GET", "/tools")
        assert (refused.status_code, refused.json()["code"], error_code(refused)) == (401, 16, "UNAUTHENTICATED")


async def test_a_machine_token_ends_with_its_time_and_when_all_are_ended() -> None:
    async with client() as scalekit:
        scalekit.scalekit.switches.machine_token_seconds = 60
        answer = await scalekit.sign_in()
        assert answer.json()["expires_in"] == 60
        scalekit.sandbox.advance_clock(61)
        assert (await scalekit.send("GET", "/tools")).status_code == 401
        await scalekit.sign_in()
        assert scalekit.scalekit.expire_machine_tokens() == 3
        assert (await scalekit.send("GET", "/tools")).status_code == 401


async def test_an_account_is_unknown_then_created_then_refused_twice() -> None:
    async with client() as scalekit:
        missing = await scalekit.send("GET", "/connected_accounts/details", params=KEY)
        assert (missing.status_code, error_code(missing)) == (404, "RESOURCE_NOT_FOUND")
        created = await scalekit.post("/connected_accounts", **KEY, connected_account={})
        assert (created.status_code, created.json()["connected_account"]["status"]) == (201, "PENDING_AUTH")
        again = await scalekit.post("/connected_accounts", **KEY, connected_account={})
        assert (again.status_code, error_code(again)) == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/connected_accounts", {**KEY}, "connected_account"),
        ("/connected_accounts", {**KEY, "connected_account": {}, "redirect_url": "x"}, "redirect_url"),
        ("/connected_accounts/magic_link", {**KEY, "state": "x" * 513}, "state"),
        ("/connected_accounts/magic_link", {**KEY, "user_verify_url": "ftp://x"}, "user_verify_url"),
        ("/execute_tool", {**KEY, "tool_name": "outlook_get_calendar_event", "tool_input": {}}, "tool_input"),
        ("/execute_tool", {**KEY, "tool_name": "outlook_get_calendar_event", "params": {}}, "params"),
        (
            "/execute_tool",
            {**KEY, "tool_name": "outlook_list_calendar_events", "params": {"calendar_id": "x"}},
            "params",
        ),
        ("/connected_accounts/user/verify", {"identifier": "user_1"}, "auth_request_id"),
    ],
)
async def test_a_malformed_request_is_refused_by_field(path: str, body: dict[str, Any], field: str) -> None:
    async with client() as scalekit:
        await scalekit.create()
        answer = await scalekit.post(path, **body)
        assert (answer.status_code, answer.json()["code"]) == (400, 3)
        violations = answer.json()["details"][0]["validation_error_info"]["field_violations"]
        assert [violation["field"] for violation in violations] == [field]


async def test_another_connection_is_unknown() -> None:
    async with client() as scalekit:
        answer = await scalekit.post("/connected_accounts", connector="notion", identifier="x", connected_account={})
        assert (answer.status_code, error_code(answer)) == (404, "RESOURCE_NOT_FOUND")


async def test_accounts_come_in_pages_without_credentials() -> None:
    async with client() as scalekit:
        for number in range(12):
            body = {"connector": CONNECTION_NAME, "identifier": f"user_{number:02}", "connected_account": {}}
            await scalekit.post("/connected_accounts", **body)
        first = (await scalekit.send("GET", "/connected_accounts")).json()
        assert (len(first["connected_accounts"]), first["total_size"]) == (10, 12)
        rest = await scalekit.send("GET", "/connected_accounts", params={"page_token": first["next_page_token"]})
        assert [a["identifier"] for a in rest.json()["connected_accounts"]] == ["user_10", "user_11"]
        assert rest.json()["next_page_token"] == ""
        assert (await scalekit.send("GET", "/connected_accounts", params={"page_size": 100})).status_code == 400


async def test_a_magic_link_leads_to_microsoft_once_and_for_a_minute() -> None:
    async with client() as scalekit:
        await scalekit.create()
        link = (await scalekit.post("/connected_accounts/magic_link", **KEY)).json()["link"]
        assert link.startswith(f"{BASE}{SCALEKIT_PREFIX}/magicLink/")
        opened = await scalekit.http.get(link)
        query = parse_qs(urlsplit(opened.headers["location"]).query)
        assert opened.status_code == 302
        assert query["redirect_uri"] == [f"{BASE}{SCALEKIT_PREFIX}/sso/v1/oauth/conn_5ca1e0000000000001/callback"]
        assert "offline_access" in query["scope"][0]
        assert (await scalekit.http.get(link)).status_code == 400
        late = (await scalekit.post("/connected_accounts/magic_link", **KEY)).json()["link"]
        scalekit.sandbox.advance_clock(61)
        assert (await scalekit.http.get(late)).status_code == 400


async def test_a_callback_with_another_state_or_in_another_browser_is_refused() -> None:
    async with client() as scalekit:
        await scalekit.create()
        link = (await scalekit.post("/connected_accounts/magic_link", **KEY)).json()["link"]
        opened = await scalekit.http.get(link)
        state = parse_qs(urlsplit(opened.headers["location"]).query)["state"][0]
        callback = f"{BASE}{SCALEKIT_PREFIX}/sso/v1/oauth/conn_5ca1e0000000000001/callback"
        assert (await scalekit.http.get(callback, params={"state": "other", "code": "x"})).status_code == 400
        scalekit.http.cookies.clear()
        assert (await scalekit.http.get(callback, params={"state": state, "code": "x"})).status_code == 400
        assert await scalekit.status() == "PENDING_AUTH"


async def test_a_tool_on_an_account_that_is_not_active_is_refused() -> None:
    async with client() as scalekit:
        await scalekit.create()
        answer = await scalekit.post("/execute_tool", **KEY, tool_name="outlook_list_calendar_events", params={})
        assert (answer.status_code, error_code(answer)) == (400, "FAILED_PRECONDITION")


async def test_an_unknown_verification_is_not_found() -> None:
    async with client() as scalekit:
        answer = await scalekit.post("/connected_accounts/user/verify", auth_request_id="x", identifier="user_1")
        assert (answer.status_code, error_code(answer)) == (404, "RESOURCE_NOT_FOUND")


async def test_disconnecting_keeps_the_record_and_deleting_removes_it() -> None:
    async with client() as scalekit:
        account_id = await scalekit.create()
        await scalekit.post(f"/connected_accounts/{account_id}:disconnect")
        assert await scalekit.status() == "DISCONNECTED"
        assert (await scalekit.post("/connected_accounts:delete", **KEY)).status_code == 200
        assert (await scalekit.post("/connected_accounts:delete", **KEY)).status_code == 404


async def test_the_catalogue_can_be_asked_for_single_tools() -> None:
    async with client() as scalekit:
        answer = (await scalekit.send("GET", "/tools", params={"filter.tool_name": "outlook_cancel_event"})).json()
        [tool] = answer["tools"]
        assert tool["definition"]["input_schema"]["required"] == ["event_id"]


async def test_requests_are_recorded_with_the_status_they_were_answered_with() -> None:
    async with client() as scalekit:
        await scalekit.create()
        found = [(r.method, r.path, r.status) for r in scalekit.sandbox.requests if r.area == "scalekit"]
        assert found == [("POST", "/oauth/token", 200), ("POST", "/api/v1/connected_accounts", 201)]
