"""The connected accounts of connections at Scalekit: look up, create, list, disconnect, delete.

Source: Scalekit's REST API reference, "Connected accounts". The call that also shows a user's tokens is never made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.errors import (
    ConnectedAccountNotFound,
    InvalidInput,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
)
from scalekit_mcp.scalekit.rest import AnswerLostError, ScalekitError, ScalekitRest
from scalekit_mcp.scalekit.tool_data import failure_in
from scalekit_mcp.scalekit.wire_account import WireAccount, has_status, is_status, unusable

MAX_PAGE_SIZE = 99
MAX_FILTERED_PAGES = 200
MAX_TOKEN_CHARACTERS = 4096
MAX_COUNT_DIGITS = 18
_DISCONNECTED = "DISCONNECTED"

Page = tuple[list[WireAccount], int, str | None]
"""Accounts in the order of their identifiers, how many there are in all, and the token of the next page."""


class ScalekitAccounts:
    """The accounts of one connection at Scalekit, or of several, which lists show together.

    Its methods raise `ScalekitMCPError` and nothing else on purpose.
    """

    def __init__(self, rest: ScalekitRest, *connection_names: str) -> None:
        self._rest = rest
        self._names = {name.casefold(): name for name in connection_names}

    async def find(self, key: AccountKey) -> WireAccount | None:
        """The account without its secrets; None if there is none."""
        try:
            answer = await self._rest.get("/connected_accounts/details", _selector(key))
        except ScalekitError as failure:
            if failure.status == 404:
                return None
            raise failure.as_error("look up the account") from failure
        return self._account(answer, key)

    async def by_id(self, account_id: str) -> WireAccount | None:
        """The account with this id on one of our connections; None if there is none."""
        try:
            answer = await self._rest.get("/connected_accounts/details", {"id": account_id})
        except ScalekitError as failure:
            if failure.status in (400, 404):
                return None
            raise failure.as_error("look up the account") from failure
        value = answer.get("connected_account")
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        connector: object = members.get("connector")
        name = self._names.get(connector.casefold()) if isinstance(connector, str) else None
        if name is None:
            return None  # the id says nothing about the connection, so that the account has to
        account = WireAccount.read(members, connection_name=name, identifier=None)
        return account if account.id == account_id else None

    async def known(self, key: AccountKey) -> WireAccount:
        """The account; raises `ConnectedAccountNotFound`."""
        account = await self.find(key)
        if account is None:
            raise ConnectedAccountNotFound(key.connection_name, key.identifier)
        return account

    async def get_or_create(self, key: AccountKey) -> WireAccount:
        """The account, created if there is none: look, create, and look again after a conflict."""
        account = await self.find(key)
        if account is not None:
            return account
        body: dict[str, Any] = {**_selector(key), "connected_account": {}}
        try:
            answer = await self._post("/connected_accounts", body, "create the account", expected=409)
        except OutcomeUnknown:
            account = await self.find(key)
            if account is None:
                raise
            return account
        if answer:
            return self._account(answer, key)
        return await self.known(key)  # another was faster, or the answer is empty

    async def disconnect(self, key: AccountKey) -> WireAccount:
        """Have Scalekit forget the tokens and keep the record.

        Scalekit offers the call to some API clients only; raises `PermissionMissing` where it does not.
        """
        account = await self.known(key)
        path = f"/connected_accounts/{account.id}:disconnect"
        try:
            answer = await self._post(path, {}, "disconnect the account", expected=404)
        except OutcomeUnknown:
            account = await self.known(key)
            if account.status != _DISCONNECTED:
                raise
            return account
        if answer is None:
            await self.known(key)  # gone meanwhile: that is said instead
            raise PermissionMissing(
                "Scalekit does not offer disconnecting to this API client; nothing was changed.",
                who_acts="operator",
                next_step="Delete the account instead, or ask Scalekit to enable disconnecting.",
            )
        left = self._account(answer, key) if answer else account
        if left.id != account.id:
            raise unusable("Scalekit answered with another account than the one that it was told to disconnect.")
        if left.status != _DISCONNECTED:  # the answer may be of the moment before
            left = await self.known(key)
        if left.status == "ACTIVE":
            raise ProviderUnavailable(
                "Scalekit was told to disconnect the account and says that it did, but the account is still active.",
                who_acts="operator",
                next_step="Look at the account in a minute; delete it if it is still active.",
            )
        return left

    async def delete(self, key: AccountKey) -> None:
        """Remove the account and its tokens; no error if there is none."""
        try:
            await self._post("/connected_accounts:delete", _selector(key), "delete the account", expected=404)
        except OutcomeUnknown:
            if await self.find(key) is not None:
                raise

    async def page(
        self, *, identifier: str | None = None, status: str | None = None, size: int = 50, token: str | None = None
    ) -> Page:
        """One page. Scalekit knows no filter by status: with one, all accounts are read and counted here."""
        size = max(1, min(size, MAX_PAGE_SIZE))
        if status is None:
            return await self._page(identifier, size, token)
        if not is_status(status):
            raise InvalidInput(
                f"'{status[:30]}' is no status; known are PENDING, ACTIVE, EXPIRED, REVOKED.", field="status"
            )
        every = [account for account in await self._every_account(identifier) if has_status(account, status)]
        every.sort(key=lambda account: account.identifier)
        end = _offset(token) + size
        return every[end - size : end], len(every), str(end) if end < len(every) else None

    async def _page(self, identifier: str | None, size: int, token: str | None) -> Page:
        names = list(self._names.values())
        query = {
            **({"connector": names[0]} if len(names) == 1 else {"connection_names": names}),
            "identifier": identifier,
            "page_size": size,
            "page_token": token,
        }
        try:
            answer = await self._rest.get("/connected_accounts", query)
        except ScalekitError as failure:
            if failure.status == 400 and token:
                raise InvalidInput("Scalekit does not know this page.", field="page_token") from failure
            raise failure.as_error("list the accounts") from failure
        rows: object = answer.get("connected_accounts") or []
        following = answer.get("next_page_token") or None
        if not isinstance(rows, list):
            raise unusable("Scalekit's answer holds no list of accounts.")
        if following is not None and (not isinstance(following, str) or len(following) > MAX_TOKEN_CHARACTERS):
            raise unusable("Scalekit's answer holds no page token that can be used.")
        if following is not None and following == token:
            raise unusable("Scalekit answers one page of accounts again and again.")
        accounts = [
            WireAccount.read(row, connection_name=self._name_in(row), identifier=identifier)
            for row in cast("list[object]", rows)
        ]
        accounts.sort(key=lambda account: account.identifier)
        return accounts, max(_total(answer.get("total_size")), len(accounts)), following

    def _name_in(self, row: object) -> str:
        """The connection of a row, as it is spelled here; the first where the row names none of ours."""
        connector: object = cast("dict[str, Any]", row).get("connector") if isinstance(row, dict) else None
        known = self._names.get(connector.casefold()) if isinstance(connector, str) else None
        return known or next(iter(self._names.values()))

    async def _every_account(self, identifier: str | None) -> list[WireAccount]:
        found: list[WireAccount] = []
        token: str | None = None
        seen: set[str] = set()
        for _ in range(MAX_FILTERED_PAGES):
            accounts, _, token = await self._page(identifier, MAX_PAGE_SIZE, token)
            found += accounts
            if token is None:
                return found
            if token in seen:
                raise unusable("Scalekit answers the same pages of accounts again and again.")
            seen.add(token)
        raise ProviderUnavailable(
            f"There are more than {MAX_FILTERED_PAGES * MAX_PAGE_SIZE} accounts, too many to filter by status.",
            retryable=False,
            next_step="List the accounts without a status.",
        )

    async def _post(self, path: str, body: Mapping[str, Any], what: str, *, expected: int) -> dict[str, Any] | None:
        """Send a change of an account; None if Scalekit refused with the status `expected`."""
        try:
            answer = await self._rest.post(path, body)
            refused = failure_in(answer, wrappings=0)
            if refused is not None:
                raise refused
        except ScalekitError as failure:
            if failure.status == expected:
                return None
            raise failure.as_error(what) from failure
        except AnswerLostError as lost:
            raise OutcomeUnknown(
                f"Scalekit was asked to {what}, but no answer came back.",
                who_acts="operator",
                next_step="Look at the account, then repeat the call if need be: repeating does no harm.",
            ) from lost
        return answer

    def _account(self, answer: Mapping[str, Any], key: AccountKey) -> WireAccount:
        """The account of `key` in an answer."""
        return WireAccount.read(
            answer.get("connected_account"), connection_name=key.connection_name, identifier=key.identifier
        )


def _total(value: object) -> int:
    """How many accounts there are in all; raises `ProviderUnavailable` for what is no count."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < MAX_COUNT_DIGITS:
        value = int(value)  # the wire's 64-bit numbers are text
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # some gateways write every number with a point
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**MAX_COUNT_DIGITS:
        raise unusable("Scalekit's answer does not count the accounts.")
    return value


def _selector(key: AccountKey) -> dict[str, str]:
    return {"connector": key.connection_name, "identifier": key.identifier}


def _offset(token: str | None) -> int:
    try:
        return max(0, int(token or "0"))
    except ValueError:
        raise InvalidInput("This page is not known.", field="page_token") from None
