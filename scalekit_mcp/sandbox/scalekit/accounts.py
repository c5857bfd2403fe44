"""Connected accounts at the look-alike of Scalekit: their routes, and how a request selects one."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.sandbox.scalekit.records import Account, Records, ScalekitSwitches
from scalekit_mcp.sandbox.scalekit.wire import (
    CONNECTIONS,
    SELECTORS,
    RequestError,
    account_json,
    json_body,
    query_of,
)
from scalekit_mcp.sandbox.world import World


class ScalekitAccounts:
    """The connected accounts in `records`."""

    def __init__(self, world: World, records: Records, switches: ScalekitSwitches) -> None:
        self._world = world
        self._records = records
        self._switches = switches

    async def create(self, request: Request) -> Response:
        """POST: a new account; refused where there is one."""
        given = await json_body(request, SELECTORS - {"id"} | {"connected_account"})
        if "connected_account" not in given:
            raise RequestError(3, "INVALID_ARGUMENT", "connected_account is required", field="connected_account")
        connector, identifier = self._named(given)
        if self._records.find(connector, identifier, None) is not None:
            raise RequestError(6, "ALREADY_EXISTS", "connected account already exists")
        account = Account("ca_" + secrets.token_hex(9), connector, identifier, self._world.clock.now())
        account.api_config = dict(given["connected_account"].get("api_config") or {})
        self._records.accounts[account.id] = account
        return JSONResponse({"connected_account": account_json(account)}, status_code=201)

    async def update(self, request: Request) -> Response:
        """PUT: what the caller keeps beside an account."""
        given = await json_body(request, SELECTORS | {"connected_account"})
        account = self.known(given)
        account.api_config.update(given.get("connected_account", {}).get("api_config") or {})
        account.updated_at = self._world.clock.now()
        return JSONResponse({"connected_account": account_json(account)})

    async def details(self, request: Request) -> Response:
        """GET of one account."""
        return JSONResponse({"connected_account": account_json(self.known(query_of(request, SELECTORS)))})

    async def list(self, request: Request) -> Response:
        """GET of a page of accounts, in the order of their identifiers."""
        allowed = SELECTORS - {"id"} | {"provider", "query", "page_size", "page_token", "connection_names"}
        given = query_of(request, allowed)
        size = int(given.get("page_size") or self._switches.page_size)
        if not 0 < size < 100:
            raise RequestError(3, "INVALID_ARGUMENT", "page_size must be less than 100", field="page_size")
        names = request.query_params.getlist("connection_names") or [given.get("connector")]
        accounts = sorted(
            (
                account
                for account in self._records.accounts.values()
                if (names == [None] or account.connector in names)
                and given.get("identifier") in (None, account.identifier)
                and given.get("query", "").lower() in account.identifier.lower()
            ),
            key=lambda account: account.identifier,
        )
        start = int(given.get("page_token") or 0)
        shown = accounts[start : start + size]
        return JSONResponse(
            {
                "connected_accounts": [account_json(account, whole=False) for account in shown],
                "total_size": len(accounts),
                "next_page_token": str(start + size) if start + size < len(accounts) else "",
                "prev_page_token": str(max(0, start - size)) if start else "",
            }
        )

    async def delete(self, request: Request) -> Response:
        """POST: remove the account and its tokens."""
        account = self.known(await json_body(request, SELECTORS))
        del self._records.accounts[account.id]
        return JSONResponse({})

    def disconnect(self, account_id: str) -> Response:
        """Forget the tokens, keep the account."""
        account = self.known({"id": account_id})
        account.tokens = None
        self.set_status(account, "DISCONNECTED")
        return JSONResponse({"connected_account": account_json(account)})

    def _named(self, given: dict[str, Any]) -> tuple[str, str]:
        connector, identifier = str(given.get("connector") or ""), str(given.get("identifier") or "")
        if not connector or not identifier:
            raise RequestError(3, "INVALID_ARGUMENT", "connector and identifier are required", field="identifier")
        if len(identifier) > 100:
            raise RequestError(3, "INVALID_ARGUMENT", "identifier must be at most 100 characters", field="identifier")
        if connector not in CONNECTIONS:
            raise RequestError(5, "RESOURCE_NOT_FOUND", f"connection {connector} not found")
        return connector, identifier

    def known(self, given: dict[str, Any]) -> Account:
        """The account that `given` selects, by its id or by connection and identifier; refuses if there is none."""
        if not given.get("id"):
            self._named(given)
        account = self._records.find(given.get("connector"), given.get("identifier"), given.get("id"))
        if account is None:
            raise RequestError(5, "RESOURCE_NOT_FOUND", "connected account not found")
        return account

    def set_status(self, account: Account, status: str) -> None:
        """Set the status, which is also a change of the account."""
        account.status = status
        account.updated_at = self._world.clock.now()
