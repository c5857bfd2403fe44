"""The hosted client's words, held against Scalekit's own SDK. The product never imports it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import IDENTIFIER, HostedBench, fast_bench

from scalekit_mcp.accounts.model.scalekit_names import STATUS_OF_SCALEKIT
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectionMisconfigured,
    PermissionMissing,
    ProviderUnavailable,
    Throttled,
)
from scalekit_mcp.microsoft.graph.requests import Subject
from scalekit_mcp.sandbox.scalekit.app import SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET
from scalekit_mcp.sandbox.scalekit.wire import RequestError
from scalekit_mcp.scalekit.proxy.proxy import ScalekitProxy
from scalekit_mcp.scalekit.refusals import provider_error
from scalekit_mcp.scalekit.rest import ScalekitError, ScalekitRest
from scalekit_mcp.scalekit.wire_account import WireAccount

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def sdk() -> Any:
    return pytest.importorskip("scalekit", reason="scalekit-sdk-python is not installed")


@pytest.fixture
def messages(sdk: Any) -> dict[str, set[str]]:
    """The fields of every message of the two services, by the message's name."""
    from scalekit.v1.connected_accounts import connected_accounts_pb2 as accounts
    from scalekit.v1.tools import tools_pb2 as tools

    found: dict[str, set[str]] = {}
    for file in (accounts.DESCRIPTOR, tools.DESCRIPTOR):
        for name, message in file.message_types_by_name.items():
            found[name] = {field.name for field in message.fields}
    return found


def test_the_statuses_are_those_of_the_sdk(sdk: Any) -> None:
    from scalekit.v1.connected_accounts.connected_accounts_pb2 import ConnectorStatus

    assert set(STATUS_OF_SCALEKIT) == set(ConnectorStatus.keys()) - {"CONNECTION_STATUS_UNSPECIFIED"}


def test_what_is_read_of_an_account_is_in_the_sdks_message_or_our_own_servers(messages: dict[str, set[str]]) -> None:
    read = {field.name for field in fields(WireAccount)}
    assert read - messages["ConnectedAccount"] == {"reason", "last_authorization_error"}


REQUESTS = {
    ("GET", "/connected_accounts/details"): "GetConnectedAccountByIdentifierRequest",
    ("POST", "/connected_accounts"): "CreateConnectedAccountRequest",
    ("GET", "/connected_accounts"): "ListConnectedAccountsRequest",
    ("POST", "/connected_accounts:delete"): "DeleteConnectedAccountRequest",
    ("POST", "/connected_accounts/magic_link"): "GetMagicLinkForConnectedAccountRequest",
    ("POST", "/connected_accounts/user/verify"): "VerifyConnectedAccountUserRequest",
    ("POST", "/execute_tool"): "ExecuteToolRequest",
}


async def everything(bench: HostedBench) -> None:
    await bench.connect()
    await bench.run("outlook_list_calendar_events")
    await bench.actions.list_connected_accounts(identifier=IDENTIFIER, page_token="0")
    await bench.actions.delete_connected_account(identifier=IDENTIFIER)


async def test_every_field_that_is_sent_is_in_the_sdks_request(messages: dict[str, set[str]]) -> None:
    async with fast_bench() as bench:
        await everything(bench)
        sent = [r for r in bench.sandbox.requests if r.area == "scalekit" and r.path.startswith("/api/v1")]
    seen: set[str] = set()
    for request in sent:
        name = REQUESTS[request.method, request.path.removeprefix("/api/v1")]
        seen.add(name)
        assert set(request.body or request.query) <= messages[name], request.path
    assert seen == set(REQUESTS.values())


def test_the_routes_are_those_that_the_sdks_services_bind(sdk: Any) -> None:
    from google.api import annotations_pb2
    from scalekit.v1.connected_accounts import connected_accounts_pb2 as accounts
    from scalekit.v1.tools import tools_pb2 as tools

    bound: set[tuple[str, str]] = set()
    http: Any = annotations_pb2.http  # its generated stub names another class than `Extensions` takes
    for file in (accounts.DESCRIPTOR, tools.DESCRIPTOR):
        for service in file.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[http]
                for verb in ("get", "post", "put", "delete"):
                    if getattr(rule, verb):
                        bound.add((verb.upper(), getattr(rule, verb).removeprefix("/api/v1")))
    assert set(REQUESTS) <= bound
    assert ("POST", "/connected_accounts/{id}:disconnect") in bound


def test_the_members_of_an_error_are_those_of_the_sdk(sdk: Any) -> None:
    from scalekit.v1.errdetails.errdetails_pb2 import ErrorInfo, ToolErrorInfo

    names = {field.name for field in ErrorInfo.DESCRIPTOR.fields}
    assert {"error_code", "tool_error_info", "validation_error_info", "request_info"} <= names
    tool = {field.name for field in ToolErrorInfo.DESCRIPTOR.fields}
    assert tool == {"execution_id", "tool_error_code", "tool_error_message"}


def test_the_look_alike_answers_the_http_status_that_the_sdk_maps(sdk: Any) -> None:
    from scalekit.common.exceptions import GRPC_TO_HTTP

    for grpc_status, http_status in GRPC_TO_HTTP.items():
        number = grpc_status.value[0]
        if number in {3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16}:
            assert RequestError(number, "X", "x").status == int(http_status), grpc_status


@pytest.mark.parametrize(
    ("status", "plain", "ours"),
    [
        (401, "ScalekitUnauthorizedException", ConnectionMisconfigured),
        (403, "ScalekitForbiddenException", PermissionMissing),
        (429, "ScalekitTooManyRequestsException", Throttled),
        (500, "ScalekitInternalServerException", ProviderUnavailable),
        (503, "ScalekitServiceUnavailableException", ProviderUnavailable),
        (504, "ScalekitGatewayTimeoutException", ProviderUnavailable),
    ],
)
def test_a_refusal_by_scalekit_is_sorted_as_the_sdk_sorts_it(
    sdk: Any, status: int, plain: str, ours: type[Exception]
) -> None:
    from requests.models import Response
    from scalekit.common.exceptions import ScalekitServerException

    response = Response()
    response.status_code = status
    assert type(ScalekitServerException.promote(response)).__name__ == plain
    assert type(ScalekitError(status).as_error("do it")) is ours


@pytest.mark.parametrize(
    ("status", "tool_class", "plain", "ours"),
    [
        (401, "ScalekitToolUnauthorizedException", "ScalekitUnauthorizedException", AuthorizationRequired),
        (403, "ScalekitToolForbiddenException", "ScalekitForbiddenException", PermissionMissing),
        (429, "ScalekitToolRateLimitException", "ScalekitTooManyRequestsException", Throttled),
    ],
)
def test_a_refusal_by_the_provider_is_told_from_one_by_scalekit_as_the_sdk_does(
    sdk: Any, status: int, tool_class: str, plain: str, ours: type[Exception]
) -> None:
    from scalekit.common import exceptions

    classes = vars(exceptions)
    assert issubclass(classes[tool_class], classes[plain])
    failure = ScalekitError(status, "TOOL_ERROR")
    assert failure.from_provider
    assert type(provider_error(failure, Subject(None, reads=True))) is ours
    assert not ScalekitError(status, "UNAUTHENTICATED").from_provider


def test_a_call_through_the_proxy_is_sent_as_the_sdk_sends_it(sdk: Any, outlook_sandbox: Any) -> None:
    from scalekit.client import ScalekitClient

    env_url = f"{outlook_sandbox.url}/scalekit"
    client = ScalekitClient(env_url, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET)
    client.actions.request("outlook", "nobody", "/v1.0/me/events", query_params={"$top": "1"})

    async def ours() -> None:
        async with httpx.AsyncClient() as http:
            rest = ScalekitRest(
                http,
                env_url=env_url,
                client_id=SCALEKIT_CLIENT_ID,
                client_secret=SCALEKIT_CLIENT_SECRET,
                clock=SystemClock(),
            )
            proxy = ScalekitProxy(http, rest.tokens, env_url=env_url, clock=SystemClock())
            await proxy.send(
                "GET", "/v1.0/me/events", connection_name="outlook", identifier="nobody", params={"$top": "1"}
            )

    anyio.run(ours)
    theirs, own = [r for r in outlook_sandbox.requests if r.path.startswith("/proxy/")]
    assert (own.method, own.path, own.query) == (theirs.method, theirs.path, theirs.query)
    for name in ("connection_name", "identifier"):
        assert own.headers[name] == theirs.headers[name]
    assert own.headers["authorization"].startswith("Bearer ")
    assert theirs.headers["authorization"].startswith("Bearer ")
