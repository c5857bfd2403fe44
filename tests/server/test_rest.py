"""REST on Scalekit's wire: shapes, statuses, and who may use it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, get_args

import anyio
import anyio.lowlevel
import httpx2 as httpx
import pytest
from http_support import SERVICE_KEY, Remote, remote
from starlette.applications import Starlette

from scalekit_mcp.accounts.model.grants import ClientKind
from scalekit_mcp.accounts.model.records import AccountStatus
from scalekit_mcp.accounts.model.scalekit_names import STATUS_OF_SCALEKIT
from scalekit_mcp.actions import CATALOGUE_TOOLS
from scalekit_mcp.actions.models import ConnectedAccountResponse, ConnectedAccountView, GrantView
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import (
    AuthorizationRequired,
    CalendarNotFound,
    Conflict,
    ConnectionMisconfigured,
    EventNotFound,
    MailboxUnavailable,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
    VaultError,
    WhoActs,
)
from scalekit_mcp.server.rest.app import Rest, RestOptions
from scalekit_mcp.server.rest.wire import openapi_document, wire_details, wire_error
from scalekit_mcp.tools import TOOLS
from tests.support.watched_actions import DANA, WatchedActions, watched_actions

KEY = {"authorization": f"Bearer {SERVICE_KEY}"}
LIST = "outlook_list_calendar_events"


@contextlib.asynccontextmanager
async def backend(actions: WatchedActions | None = None) -> AsyncIterator[tuple[Remote, httpx.AsyncClient]]:
    with anyio.fail_after(60):
        async with (
            remote(actions) as server,
            httpx.AsyncClient(base_url=f"{server.base}/api/v1", headers=KEY) as http,
        ):
            yield server, http


def error_code(answer: httpx.Response) -> str:
    return answer.json()["details"][0]["error_code"]


async def test_an_account_is_created_once_listed_read_disconnected_and_deleted() -> None:
    async with backend() as (server, http):
        key = {"connector": "outlook", "identifier": "ana"}
        created = await http.post("/connected_accounts", json={**key, "connected_account": {}})
        again = await http.post("/connected_accounts", json=key)
        account = created.json()["connected_account"]
        assert (created.status_code, account["status"], account["account_status"]) == (201, "PENDING_AUTH", "PENDING")
        assert (again.status_code, error_code(again)) == (409, "ALREADY_EXISTS")
        shown = {"connected_account": {**account, "grants": []}}
        assert (await http.get("/connected_accounts/details", params=key)).json() == shown
        assert (await http.get("/connected_accounts/details", params={"id": account["id"]})).status_code == 200
        assert (await http.get(f"/connected_accounts/{account['id']}")).json() == shown
        listed = (await http.get("/connected_accounts")).json()
        assert (listed["total_size"], listed["connected_accounts"]) == (1, [account])
        await server.actions.connect("ana")
        gone = await http.post(f"/connected_accounts/{account['id']}:disconnect", json={})
        assert gone.json()["connected_account"]["status"] == "DISCONNECTED"
        assert (await http.post("/connected_accounts:delete", json=key)).json() == {}
        missing = await http.post("/connected_accounts:delete", json=key)
        assert (missing.status_code, error_code(missing)) == (404, "RESOURCE_NOT_FOUND")


async def nothing(actions: WatchedActions) -> None:
    await actions.get_or_create_connected_account(identifier="ana")


async def sign_in_without_the_code(actions: WatchedActions) -> None:
    await actions.held()


async def connect(actions: WatchedActions) -> None:
    await actions.connect()


async def stay_away_for_long(actions: WatchedActions) -> None:
    await connect(actions)
    actions.sandbox.expire_access_tokens()
    actions.sandbox.expire_refresh_tokens(code=700082)
    await fail_to_list(actions)


async def have_the_grant_taken_away(actions: WatchedActions) -> None:
    await connect(actions)
    actions.sandbox.expire_access_tokens()
    actions.sandbox.revoke_sessions(DANA)
    await fail_to_list(actions)


async def disconnect(actions: WatchedActions) -> None:
    await connect(actions)
    await actions.disconnect(identifier="ana")


async def fail_to_list(actions: WatchedActions) -> None:
    with pytest.raises(AuthorizationRequired):
        await actions.execute_tool(identifier="ana", tool_name=LIST)


@pytest.mark.parametrize(
    ("happened", "status", "reason", "wire"),
    [
        (nothing, "PENDING", "never_authorized", "PENDING_AUTH"),
        (sign_in_without_the_code, "PENDING", "awaiting_confirmation", "PENDING_VERIFICATION"),
        (connect, "ACTIVE", None, "ACTIVE"),
        (stay_away_for_long, "EXPIRED", "inactive", "EXPIRED"),
        (have_the_grant_taken_away, "REVOKED", "grant_revoked", "EXPIRED"),
        (disconnect, "REVOKED", "disconnected", "DISCONNECTED"),
    ],
)
async def test_a_status_goes_out_in_scalekits_words_beside_our_own(
    happened: Callable[[WatchedActions], Awaitable[None]],
    status: str,
    reason: str | None,
    wire: str,
    actions_with_codes: WatchedActions,
) -> None:
    await happened(actions_with_codes)
    async with backend(actions_with_codes) as (_, http):
        answer = await http.get("/connected_accounts/details", params={"identifier": "ana"})
    told = answer.json()["connected_account"]
    assert (told["status"], told["account_status"], told["reason"]) == (wire, status, reason)


async def test_accounts_come_in_pages(actions: WatchedActions) -> None:
    for number in range(5):
        await actions.get_or_create_connected_account(identifier=f"user{number}")
    async with backend(actions) as (_, http):
        first = (await http.get("/connected_accounts", params={"page_size": 3})).json()
        token = first["next_page_token"]
        second = (await http.get("/connected_accounts", params={"page_size": 3, "page_token": token})).json()
    names = [a["identifier"] for page in (first, second) for a in page["connected_accounts"]]
    assert names == [f"user{number}" for number in range(5)]
    assert second["next_page_token"] == ""


async def test_a_link_is_made_for_a_user() -> None:
    async with backend() as (server, http):
        answer = await http.post("/connected_accounts/magic_link", json={"identifier": "ana", "state": "s"})
        link = await server.actions.get_authorization_link(identifier="ana")
    assert answer.json()["link"].startswith(f"{server.base}/connect/")
    assert (answer.json()["link"], answer.json()["expiry"]) == (link.link, rfc3339(link.expires_at))


async def test_the_backend_says_who_consented() -> None:
    operators_page = "http://localhost:8754/operators-page"
    async with watched_actions(user_verification="url", user_verify_url=operators_page) as actions:
        outcome = await actions.sign_in((await actions.get_authorization_link(identifier="ana")).link)
        assert outcome.redirect_url is not None
        request = dict(httpx.URL(outcome.redirect_url).params)["auth_request_id"]
        async with backend(actions) as (_, http):
            answers = [
                await http.post("/connected_accounts/user/verify", json={"auth_request_id": given, "identifier": who})
                for given, who in (("x", "ana"), (request, "bob"), (request, "ana"))
            ]
        assert [answer.status_code for answer in answers] == [404, 403, 200]
        assert (await actions.account()).status == "ACTIVE"


async def test_a_tool_runs_for_a_user() -> None:
    async with backend() as (server, http):
        await server.actions.connect("ana")
        account = await server.actions.account("ana")
        answer = await http.post("/execute_tool", json={"tool_name": LIST, "identifier": "ana", "params": {"top": 2}})
        by_id = await http.post("/execute_tool", json={"tool_name": LIST, "connected_account_id": account.id})
    assert [event["subject"] for event in answer.json()["data"]["value"]] == ["of ana"]
    assert by_id.json()["data"]["value"] == answer.json()["data"]["value"]
    assert answer.json()["execution_id"].startswith("exec_")
    assert server.actions.calls[0] == ("ana", LIST, {"top": 2})


async def test_a_tool_on_an_account_that_is_not_active_is_400_with_our_error_in_the_details() -> None:
    async with backend() as (_, http):
        answer = await http.post("/execute_tool", json={"tool_name": LIST, "identifier": "ana"})
    assert (answer.status_code, answer.json()["code"], error_code(answer)) == (400, 9, "AUTHORIZATION_REQUIRED")
    ours = answer.json()["details"][1]["error"]
    assert (ours["code"], ours["status"]) == ("authorization_required", "PENDING")
    assert ours["authorization_url"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EventNotFound("x"), 404, "TOOL_ERROR"),
        (CalendarNotFound("x"), 404, "TOOL_ERROR"),
        (PermissionMissing("x"), 403, "TOOL_ERROR"),
        (Conflict("x"), 409, "TOOL_ERROR"),
        (MailboxUnavailable("x"), 400, "TOOL_ERROR"),
        (Throttled("x", retry_after_seconds=7), 429, "TOOL_ERROR"),
        (OutcomeUnknown("x"), 504, "TOOL_ERROR"),
        (ProviderUnavailable("x"), 503, "TOOL_ERROR"),
        (VaultError("x"), 503, "UNAVAILABLE"),
        (ConnectionMisconfigured("x"), 500, "INTERNAL"),
        (AuthorizationRequired("x"), 400, "AUTHORIZATION_REQUIRED"),
    ],
)
def test_every_error_has_its_status_on_the_wire(error: ScalekitMCPError, status: int, code: str) -> None:
    given, body = wire_error(error, execution_id="exec_1")
    assert (given, body["details"][0]["error_code"]) == (status, code)
    assert body["details"][1]["error"] == error.to_dict()
    if code == "TOOL_ERROR":
        assert body["details"][0]["tool_error_info"]["execution_id"] == "exec_1"


async def test_a_throttled_call_says_when_to_come_back(actions: WatchedActions) -> None:
    actions.failure = Throttled("Too fast.", retry_after_seconds=7)
    async with backend(actions) as (_, http):
        answer = await http.post("/execute_tool", json={"tool_name": LIST, "identifier": "ana"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_a_minted_session_token_works_at_the_mcp_door() -> None:
    async with backend() as (server, http):
        body = {"identifier": "ana", "expiry": "60s", "access_level": "READ_ONLY", "email": "ana@contoso.example"}
        minted = (await http.post("/session_tokens", json=body)).json()
        caller = server.tokens.verify(minted["token"])
    assert caller.claims is not None
    assert (caller.subject, caller.scopes) == ("ana", ["calendar.read"])
    assert caller.claims["email"] == "ana@contoso.example"
    assert minted["expires_at"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/connected_accounts", {"identifier": "ana", "organization_id": "o"}, "organization_id"),
        ("/connected_accounts", {"connector": "outlook"}, "identifier"),
        (
            "/connected_accounts",
            {"identifier": "ana", "connected_account": {"authorization_details": {"oauth_token": {}}}},
            "connected_account",
        ),
        ("/connected_accounts/magic_link", {"identifier": "ana", "state": "s" * 513}, "state"),
        *(
            ("/connected_accounts/magic_link", {"identifier": "ana", "user_verify_url": address}, "user_verify_url")
            for address in ("ftp://x", "http://app.example/", "https://user@app.example/", "https://app.example/#x")
        ),
        ("/execute_tool", {"identifier": "ana"}, "tool_name"),
        ("/execute_tool", {"tool_name": LIST}, "identifier"),
        ("/execute_tool", {"tool_name": LIST, "identifier": "ana", "tool_input": {}}, "tool_input"),
        ("/execute_tool", {"tool_name": LIST, "identifier": "ana", "params": [1]}, "params"),
        ("/session_tokens", {"identifier": "ana", "expiry": "1h"}, "expiry"),
        ("/session_tokens", {"identifier": "ana", "expiry": "999999s"}, "ttl"),
        ("/session_tokens", {"identifier": "ana", "access_level": "ROOT"}, "access_level"),
    ],
)
async def test_bad_input_is_refused_by_name(path: str, body: dict[str, Any], field: str) -> None:
    async with backend() as (_, http):
        answer = await http.post(path, json=body)
    assert (answer.status_code, error_code(answer)) == (400, "INVALID_ARGUMENT")
    violations = answer.json()["details"][0]["validation_error_info"]["field_violations"]
    assert violations[0]["field"] == field


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused(content: bytes) -> None:
    async with backend() as (_, http):
        assert (await http.post("/execute_tool", content=content)).status_code == 400


async def test_tokens_never_leave_and_unknown_tools_do_not_exist() -> None:
    async with backend() as (_, http):
        tokens = await http.get("/connected_accounts/auth", params={"identifier": "ana"})
        tool = await http.post("/execute_tool", json={"tool_name": "gmail_send", "identifier": "ana"})
    assert tokens.status_code == 404
    assert (tool.status_code, error_code(tool)) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": SERVICE_KEY}])
@pytest.mark.parametrize("path", ["/connected_accounts", "/openapi.json", "/connected_accounts/details"])
async def test_without_the_service_key_nothing_is_served(headers: dict[str, str], path: str) -> None:
    with anyio.fail_after(60):
        async with remote() as server, httpx.AsyncClient(base_url=f"{server.base}/api/v1") as http:
            answer = await http.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, 16)


async def test_a_session_token_does_not_open_rest() -> None:
    with anyio.fail_after(60):
        async with remote() as server, httpx.AsyncClient(base_url=f"{server.base}/api/v1") as http:
            headers = {"authorization": f"Bearer {server.bearer('ana')}"}
            assert (await http.get("/connected_accounts", headers=headers)).status_code == 401


async def test_an_unexpected_exception_is_told_by_a_number_only(
    caplog: pytest.LogCaptureFixture, actions: WatchedActions
) -> None:
    actions.failure = RuntimeError("secret detail")
    async with backend(actions) as (_, http):
        answer = await http.post("/execute_tool", json={"tool_name": LIST, "identifier": "ana"})
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    reference = answer.json()["message"].rsplit(" ", 1)[-1].rstrip(".")
    assert reference in caplog.text


VERBS = {"get", "post", "put", "patch", "delete"}


def description(*, proxy: bool = False) -> dict[str, Any]:
    return openapi_document(public_url="", base_path="", version="", proxy=proxy)


async def test_the_description_names_every_route(actions: WatchedActions) -> None:
    async with backend(actions) as (server, http):
        described = (await http.get("/openapi.json")).json()
    assert described["servers"] == [{"url": f"{server.base}/api/v1"}]
    assert described["paths"]["/oauth/token"]["servers"] == [{"url": server.base}]
    assert "/proxy/{path}" not in described["paths"]
    rest = Rest(actions, RestOptions(service_key="k", public_url=""))
    served = {
        (route.path.replace("{id:str}", "{id}").replace("{path:path}", "{path}"), method.lower())
        for route in [*rest.routes(), *rest.root_routes()]
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = description(proxy=True)
    assert {(path, method) for path, item in described["paths"].items() for method in item.keys() & VERBS} == served - {
        ("/openapi.json", "get")
    }


def test_the_description_has_the_words_of_an_account_as_they_are() -> None:
    schemas = description()["components"]["schemas"]
    fields = schemas["ConnectedAccount"]["properties"]
    assert set(fields["status"]["enum"]) == set(STATUS_OF_SCALEKIT)
    assert set(fields["account_status"]["enum"]) == {str(status) for status in AccountStatus}
    assert set(fields["who_acts"]["enum"]) == set(get_args(WhoActs))
    now = datetime(2026, 4, 6, tzinfo=UTC)
    grant = GrantView("gr_1", "An app", "claude.ai", "document", ("calendar.read",), now, now, now)
    view = ConnectedAccountView("ca_1", "outlook", "ana", "ACTIVE", None, "nobody")
    shown = wire_details(ConnectedAccountResponse(view, (grant,)))
    assert set(fields) == set(shown)
    assert set(schemas["Grant"]["properties"]) == set(shown["grants"][0])
    assert set(schemas["Grant"]["properties"]["client_kind"]["enum"]) == {str(kind) for kind in ClientKind}


def test_every_reference_of_the_description_leads_somewhere() -> None:
    document = description()
    assert document["info"]["version"] == ""
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        node: Any = document
        for step in reference.split("/"):
            node = node[step]


async def test_the_catalogue_is_listed_with_schemas_or_by_name() -> None:
    async with backend() as (_, http):
        every = (await http.get("/tools")).json()
        one = (await http.get("/tools", params={"filter.tool_name": LIST})).json()
        names = (await http.get("/tools", params={"filter.summary": "true"})).json()
    assert [tool["definition"]["name"] for tool in every["tools"]] == names["tool_names"]
    assert names["tool_names"] == [*TOOLS, *CATALOGUE_TOOLS]
    assert one["tools"][0]["definition"]["input_schema"] == TOOLS[LIST].input_schema
    assert (one["total_size"], names["tools"]) == (1, [])


async def test_a_read_only_server_hides_and_refuses_what_changes_something(actions: WatchedActions) -> None:
    rest = Rest(actions, RestOptions(service_key=SERVICE_KEY, public_url="http://localhost", read_only=True))
    app = httpx.ASGITransport(app=Starlette(routes=rest.routes()))
    async with httpx.AsyncClient(transport=app, base_url="http://localhost", headers=KEY) as http:
        names = (await http.get("/tools")).json()["tool_names"]
        body = {"tool_name": "outlook_cancel_event", "identifier": "ana", "params": {"event_id": "e1"}}
        cancelled = await http.post("/execute_tool", json=body)
    assert set(names) == {
        "authorize",
        "outlook_find_meeting_times",
        "outlook_get_calendar_event",
        "outlook_get_calendar_view",
        "outlook_get_free_busy_schedule",
        "outlook_list_calendar_events",
        "outlook_list_calendars",
        "outlook_list_event_instances",
        "outlook_search_people",
    }
    assert (cancelled.status_code, cancelled.json()["code"]) == (403, 7)


async def test_the_seventeenth_call_of_one_user_waits_while_another_user_is_served(actions: WatchedActions) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    answers: list[httpx.Response] = []
    async with backend(actions) as (_, http), anyio.create_task_group() as tasks:

        async def call() -> None:
            answers.append(await http.post("/execute_tool", json={"identifier": "ana", "tool_name": LIST}))

        for _ in range(20):
            tasks.start_soon(call)
        while actions.entered < 16:
            await anyio.lowlevel.checkpoint()
        # a request that came later is through the door: the twenty of the other user were at the limit before it
        listed = await http.get("/connected_accounts")
        assert (listed.status_code, actions.entered) == (200, 16)
        gate.set()
    assert [answer.status_code for answer in answers] == [200] * 20
