"""Tool runs at the look-alike of Scalekit: fresh tokens of an account, its calls, the forms of their answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.sandbox.scalekit.accounts import ScalekitAccounts
from scalekit_mcp.sandbox.scalekit.connectors import Services
from scalekit_mcp.sandbox.scalekit.records import Account, HeldTokens, ScalekitSwitches
from scalekit_mcp.sandbox.scalekit.runs import Microsoft, ProviderError
from scalekit_mcp.sandbox.scalekit.services import SERVICES
from scalekit_mcp.sandbox.scalekit.tools import CATALOGUE, BadParameters
from scalekit_mcp.sandbox.scalekit.wire import SELECTORS, RequestError, json_body
from scalekit_mcp.sandbox.world import World


class Executions:
    """Runs tools at the sandbox's Microsoft, and at the services that have no look-alike of their own."""

    def __init__(
        self,
        world: World,
        switches: ScalekitSwitches,
        accounts: ScalekitAccounts,
        services: Services,
        microsoft: Microsoft,
    ) -> None:
        self._world = world
        self._switches = switches
        self._accounts = accounts
        self._services = services
        self._microsoft = microsoft

    async def execute_tool(self, request: Request) -> Response:
        """POST: run one tool as an account."""
        allowed = SELECTORS - {"id"} | {"connected_account_id", "tool_name", "params", "agent_run_id"}
        given = await json_body(request, allowed)
        if not given.get("tool_name"):
            raise RequestError(3, "INVALID_ARGUMENT", "tool_name is required", field="tool_name")
        account = self._accounts.known({**given, "id": given.get("connected_account_id")})
        if account.connector in SERVICES:
            return await self._execute(account, self._services.call_of(account, given))
        tool = CATALOGUE.get(given["tool_name"])
        if tool is None:
            raise RequestError(5, "RESOURCE_NOT_FOUND", f"tool {given['tool_name']} not found")
        try:
            built = tool.request(dict(given.get("params") or {}))
        except (BadParameters, ValueError) as problem:
            raise RequestError(3, "INVALID_ARGUMENT", str(problem), field="params") from problem

        async def at_microsoft(tokens: HeldTokens) -> dict[str, Any] | None:
            return await self._microsoft.call(built, await self.access_token(account, tokens))

        return await self._execute(account, at_microsoft)

    async def _execute(
        self, account: Account, call: Callable[[HeldTokens], Awaitable[dict[str, Any] | None]]
    ) -> Response:
        if account.status != "ACTIVE" or account.tokens is None:
            raise RequestError(9, "FAILED_PRECONDITION", "connected account is not active")
        execution_id = new_execution_id()
        try:
            data = await call(account.tokens)
        except ProviderError as refused:
            if refused.grant_is_dead:
                account.tokens = None
                self._accounts.set_status(account, "EXPIRED")
            if self._switches.tool_error_statuses == "in_data":
                return JSONResponse({"execution_id": execution_id, "data": self._wrapped(_error_data(refused))})
            raise self.tool_error(refused, execution_id) from refused
        account.last_used_at = self._world.clock.now()
        answer: dict[str, Any] = {"execution_id": execution_id}
        if data is not None:
            answer["data"] = self._wrapped(data)
        return JSONResponse(answer)

    async def access_token(self, account: Account, tokens: HeldTokens) -> str:
        """The account's token for Microsoft, refreshed where little is left; a dead grant is the account's status."""
        try:
            if tokens.expires_at - timedelta(minutes=5) <= self._world.clock.now():
                account.tokens = tokens = await self._microsoft.refresh(tokens)
        except ProviderError as refused:
            if refused.grant_is_dead:
                account.tokens = None
                self._accounts.set_status(account, "EXPIRED")
            raise
        return tokens.access_token

    def _wrapped(self, data: dict[str, Any]) -> dict[str, Any]:
        if not self._switches.annotations:
            data = {name: value for name, value in data.items() if not name.startswith("@odata.")}
        if self._switches.wrapper == "response":
            return {"response": data}
        return {"result": json.dumps(data)} if self._switches.wrapper == "text" else data

    def tool_error(self, refused: ProviderError, execution_id: str) -> RequestError:
        """Scalekit's form of a refusal of the provider."""
        known = {401: (16, "UNAUTHORIZED"), 403: (7, "FORBIDDEN"), 404: (5, "NOT_FOUND"), 429: (8, "RATE_LIMITED")}
        code, name = known.get(refused.status, (13, "TOOL_EXEC_FAILED"))
        if self._switches.tool_error_statuses == "always_500":
            code = 13
        info = {"execution_id": execution_id, "tool_error_code": name, "tool_error_message": refused.text}
        return RequestError(code, "TOOL_ERROR", "tool execution failed", tool_error=info)


def new_execution_id() -> str:
    """The id of one run."""
    return "exec_" + secrets.token_hex(9)


def _error_data(refused: ProviderError) -> dict[str, Any]:
    """Microsoft's error body, or one like it where there is none."""
    try:
        body: object = json.loads(refused.text)
    except ValueError:
        body = None
    return (
        cast("dict[str, Any]", body)
        if isinstance(body, dict)
        else {"error": refused.text, "status_code": refused.status}
    )
