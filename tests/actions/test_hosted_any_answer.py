"""Whatever Scalekit answers, a call of the seam gives a result or one of our errors, and never an internal one.

Answers are made from the published OpenAPI document: members present or absent, null, of another type, statuses that
nobody knows, errors of every HTTP status, and a tool's free `data` in and out of shape.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import IDENTIFIER, link_base
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalekit_mcp.actions.hosted.actions import HostedActions
from scalekit_mcp.actions.models import AuthorizationOutcome
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.errors import InternalError, ScalekitMCPError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.scalekit import ScalekitEnvironment
from tests.support.clock import SandboxTime

DOCUMENT = os.environ.get("SCALEKIT_OPENAPI")
pytestmark = pytest.mark.skipif(not DOCUMENT, reason="SCALEKIT_OPENAPI names no published OpenAPI document")

MAX_DEPTH = 5
EVERY_HEALTH_CHECK = [HealthCheck(check) for check in HealthCheck]
ENVIRONMENT = "http://localhost:9400/scalekit"
WHEN = {"start_timezone": "UTC", "end_timezone": "UTC"}
EVENT = {"subject": "x", "start_datetime": "2026-04-08T10:00:00", "end_datetime": "2026-04-08T11:00:00", **WHEN}
WINDOW = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-07T00:00:00"}

MOVED = {"start_datetime": "2026-04-09T10:00:00", "start_timezone": "UTC"}

TOOL_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("outlook_create_calendar_event", EVENT),
    ("outlook_create_calendar_event", {**EVENT, "categories": "Blue", "isOnlineMeeting": True}),
    ("outlook_get_calendar_event", {"event_id": "AAMk"}),
    ("outlook_list_calendar_events", {}),
    ("outlook_list_calendar_events", {"select": "id,subject,start", "top": 3}),
    ("outlook_list_calendar_events", WINDOW),
    ("outlook_update_calendar_event", {"event_id": "AAMk", "subject": "y"}),
    ("outlook_update_calendar_event", {"event_id": "AAMk", "attendees_add": "carol@company.com"}),
    ("outlook_update_calendar_event", {"event_id": "AAMk", "recurrence_interval": 2}),
    ("outlook_update_calendar_event", {"event_id": "AAMk", **MOVED}),
    ("outlook_delete_calendar_event", {"event_id": "AAMk"}),
    ("outlook_delete_calendar_event", {"event_id": "AAMk", "apply_to": "series"}),
    ("outlook_delete_calendar_event", {"event_id": "AAMk", "cancellation_message": "Off."}),
    ("authorize", {}),
    ("authorize", {"reconnect": True}),
]

NOT_SAID = object()
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(-1e9, 1e9), st.text(max_size=20),
    st.sampled_from(["many", "\ud800", "2026-13-01T00:00:00Z", "javascript:alert(1)", "active", "[" * 50]),
    st.lists(st.none(), max_size=2), st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
)  # fmt: skip


def document() -> dict[str, Any]:
    import yaml

    return yaml.safe_load(Path(DOCUMENT or "").read_text("utf-8"))


PUBLISHED = document() if DOCUMENT else {}


def values(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema, one in eight of them something else."""
    if "$ref" in schema:
        schema = PUBLISHED["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    right = ODD if depth > MAX_DEPTH else _right(schema, depth)
    return st.integers(0, 7).flatmap(lambda die: ODD if die == 0 else right)


def _right(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if schema.get("enum"):
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        return _members({name: values(inner, depth + 1) for name, inner in schema["properties"].items()})
    if kind == "array":
        return st.lists(values(schema.get("items", {}), depth + 1), max_size=3)
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-04-01T10:00:00Z", "2026-04-01T10:00:00.123456789Z", "0001-01-01T00:00:00Z"])
    simple = {"string": st.text(max_size=30), "integer": st.integers(0, 100), "boolean": st.booleans()}
    return simple.get(str(kind), ODD)


def _members(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    said = st.fixed_dictionaries({name: st.one_of(st.just(NOT_SAID), value, value) for name, value in members.items()})
    return said.map(lambda found: {name: value for name, value in found.items() if value is not NOT_SAID})


MOMENT = _members({"dateTime": st.sampled_from(["2026-04-08T10:00:00.0000000", "soon", "0001-01-01T00:00:00"]) | ODD,
                   "timeZone": st.sampled_from(["UTC", "Pacific Standard Time", "Nowhere"]) | ODD})  # fmt: skip
PERSON = _members({"emailAddress": _members({"address": st.just("a@company.com") | ODD}), "type": ODD, "status": ODD})
PATTERN = _members({"type": st.just("weekly"), "interval": st.just(1) | ODD, "daysOfWeek": ODD})
RANGE = _members({"type": st.just("endDate"), "startDate": st.just("2026-04-08"), "endDate": ODD})
SERIES = _members({"pattern": PATTERN, "range": RANGE})
GRAPH_EVENT = st.fixed_dictionaries({"id": st.just("AAMk"), "subject": st.text(max_size=10) | ODD}).flatmap(
    lambda fixed: _members({
        "start": MOMENT | ODD, "end": MOMENT | ODD, "isAllDay": ODD, "body": ODD, "location": ODD, "locations": ODD,
        "attendees": st.lists(PERSON | ODD, max_size=3) | ODD, "organizer": PERSON | ODD, "recurrence": SERIES | ODD,
        "type": st.sampled_from(["singleInstance", "seriesMaster", "occurrence"]) | ODD, "seriesMasterId": ODD,
        "onlineMeeting": ODD, "isOrganizer": ODD, "categories": ODD, "@odata.etag": ODD, "isCancelled": ODD,
    }).map(lambda rest: {**fixed, **rest})
)  # fmt: skip
PLAIN_EVENT = st.just({
    "id": "AAMk", "subject": "x", "start": {"dateTime": "2026-04-08T10:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-08T11:00:00.0000000", "timeZone": "UTC"}, "type": "seriesMaster", "attendees": [],
})  # fmt: skip
FAILURE = st.sampled_from([
    {"error": {"code": "ErrorAccessDenied", "message": "no"}}, {"ok": False}, {"status_code": 429}, {"errors": [None]},
    {"error": {"code": 7, "innerError": {"code": "ErrorItemNotFound"}}}, "Error: no", {"error": ["x"]}, {"status": 500},
])  # fmt: skip
ROWS = st.fixed_dictionaries({"value": st.lists(GRAPH_EVENT | PLAIN_EVENT | ODD, max_size=4) | ODD})
WRAPPED = st.one_of(GRAPH_EVENT, PLAIN_EVENT, PLAIN_EVENT, ROWS, FAILURE, ODD).flatmap(
    lambda data: st.sampled_from([data, data, {"data": data}, {"response": data}, {"result": json.dumps(data)}])
)


def answers(path: str, method: str) -> st.SearchStrategy[tuple[int, Any]]:
    """An answer to a published call: mostly its success as the document has it, else an error or anything."""
    responses = PUBLISHED["paths"]["/api/v1" + path][method.lower()]["responses"]
    success = next(code for code in responses if str(code).startswith("2"))
    content = responses[success].get("content", {}).get("application/json", {}).get("schema", {})
    right = _as_asked(path, values(content))
    error = values({"$ref": "ErrorInfo"}) if "ErrorInfo" in PUBLISHED["components"]["schemas"] else ODD
    refused = st.fixed_dictionaries(
        {"code": st.integers(0, 20) | ODD, "message": ODD, "details": st.lists(error | ODD)}
    )
    statuses = st.sampled_from([300, 302, 400, 401, 402, 403, 404, 409, 418, 422, 429, 500, 501, 502, 503, 504])
    return st.integers(0, 9).flatmap(
        lambda die: st.tuples(statuses, refused | ODD) if die == 0 else st.tuples(st.just(int(success)), right)
    )


def _as_asked(path: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the account that was asked for, so that calls get further than the first look."""
    if path == "/execute_tool":
        return st.fixed_dictionaries({"data": WRAPPED, "execution_id": st.just("exec_1") | ODD})
    account = {"id": "ca_1", "identifier": IDENTIFIER, "connector": "outlook"}
    status = st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "active", "EXPIRED", "PENDING_AUTH", "NEW"]) | ODD
    fitting = status.map(lambda word: {"connected_account": {**account, "status": word}})
    rows = fitting.map(lambda one: {"connected_accounts": [one["connected_account"]]})
    links = st.sampled_from(["https://x.example/magicLink/1", "http://x", "https://[", 7]).map(
        lambda link: {"link": link}
    )
    known = {"/connected_accounts/details": fitting, "/connected_accounts": fitting | rows}
    known["/connected_accounts/magic_link"] = links
    return known[path] | known[path] | value if path in known else value


ROUTES = ("/connected_accounts/details", "/connected_accounts", "/connected_accounts:delete", "/execute_tool",
          "/connected_accounts/magic_link", "/connected_accounts/user/verify")  # fmt: skip
BY_ROUTE = {
    f"{method} {path}": answers(path, method)
    for path in ROUTES
    for method in ("GET", "POST")
    if PUBLISHED and method.lower() in PUBLISHED["paths"]["/api/v1" + path]
}


MACHINE_TOKENS = st.tuples(
    st.sampled_from([200, 200, 200, 200, 200, 200, 302, 400, 401, 429, 503]),
    st.fixed_dictionaries({"access_token": st.just("token") | st.just("token") | ODD, "expires_in": ODD}) | ODD,
).map(lambda found: (found[0], _json(found[1])))
"""Status and body of an answer to the client credentials grant."""


def respond(draw: Callable[[st.SearchStrategy[Any]], Any], request: httpx.Request, settled: bool) -> httpx.Response:
    """An answer to a request; `settled` accounts are ACTIVE, so that tool calls get through to their own answers."""
    path = request.url.path.removeprefix("/scalekit").removeprefix("/api/v1")
    if path == "/oauth/token":
        if settled:
            return httpx.Response(200, content=_json({"access_token": "token", "expires_in": 3600}))
        status, body = draw(MACHINE_TOKENS)
        return httpx.Response(status, content=body)
    if settled and path == "/connected_accounts/details":
        return httpx.Response(200, content=_json({"connected_account": ACTIVE}))
    published = path if not path.endswith(":disconnect") else "/connected_accounts/details"
    method = request.method if published == path else "GET"  # a preview, answered as the account's details are
    strategy = BY_ROUTE.get(f"{method} {published}", st.tuples(st.just(200), ODD))
    status, body = draw(strategy)
    return httpx.Response(status, content=_json(body))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


ACTIVE = {"id": "ca_1", "identifier": IDENTIFIER, "connector": "outlook", "status": "ACTIVE"}
Use = Callable[[HostedActions], Awaitable[object]]


async def consent(actions: HostedActions) -> None:
    link = await actions.get_authorization_link(identifier=IDENTIFIER)
    ticket = link.link.rpartition("/")[2]
    started = await actions.start_authorization(ticket)
    assert isinstance(started, AuthorizationOutcome) or started.startswith("https://")
    await actions.complete_authorization({"state": "x", "auth_request_id": "r"})
    await actions.verify_connected_account_user(auth_request_id="r", identifier=IDENTIFIER)


ACCOUNT_CALLS: dict[str, Use] = {
    "get": lambda actions: actions.get_connected_account(identifier=IDENTIFIER),
    "get or create": lambda actions: actions.get_or_create_connected_account(identifier=IDENTIFIER),
    "list": lambda actions: actions.list_connected_accounts(),
    "list a later page": lambda actions: actions.list_connected_accounts(page_token="t1", page_size=1),
    "list one user's": lambda actions: actions.list_connected_accounts(identifier=IDENTIFIER),
    "wait": lambda actions: actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=2),
    "confirm": lambda actions: actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code="ABCD-EFGH"),
    "list by status": lambda actions: actions.list_connected_accounts(status="ACTIVE"),
    "list by id": lambda actions: actions.list_connected_accounts(account_id="ca_1"),
    "disconnect": lambda actions: actions.disconnect(identifier=IDENTIFIER),
    "delete": lambda actions: actions.delete_connected_account(identifier=IDENTIFIER),
    "check": lambda actions: actions.check(),
    "consent": consent,
}


def run_against(data: st.DataObject, use: Use, *, settled: bool = False) -> None:
    """Use the seam against generated answers; anything but a result or one of our errors fails."""

    async def with_answers() -> None:
        transport = httpx.MockTransport(lambda request: respond(data.draw, request, settled))
        async with httpx.AsyncClient(transport=transport) as http:
            environment = ScalekitEnvironment(ENVIRONMENT, "skc_1", "secret")
            clock = SandboxTime(Sandbox())
            actions = HostedActions(
                environment, CallOptions(clock=clock, link_base=link_base, user_verification="off"), http=http
            )
            try:
                result = await use(actions)
            except InternalError:
                raise
            except ScalekitMCPError as error:
                json.dumps(error.to_dict(), ensure_ascii=False).encode()
            else:
                if isinstance(result, dict):
                    json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
            finally:
                await actions.aclose()

    anyio.run(with_answers)


@pytest.mark.parametrize("name", ACCOUNT_CALLS)
@settings(max_examples=40, suppress_health_check=EVERY_HEALTH_CHECK)
@given(data=st.data())
def test_whatever_is_answered_about_accounts_is_a_result_or_one_of_our_errors(name: str, data: st.DataObject) -> None:
    run_against(data, ACCOUNT_CALLS[name])


@pytest.mark.parametrize(("tool", "arguments"), TOOL_CALLS, ids=str)
@settings(max_examples=40, suppress_health_check=EVERY_HEALTH_CHECK)
@given(data=st.data())
def test_whatever_a_tool_call_answers_is_a_result_or_one_of_our_errors(
    tool: str, arguments: dict[str, Any], data: st.DataObject
) -> None:

    def use(actions: HostedActions) -> Awaitable[object]:
        return actions.execute_tool(identifier=IDENTIFIER, tool_name=tool, tool_input=arguments)

    run_against(data, use, settled=True)
