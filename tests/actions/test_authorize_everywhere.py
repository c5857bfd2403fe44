"""How an account stands, who acts and what next: the same for `authorize` and for refused calls, on every way.

The ways: MCP in both eras, REST, Python, LangChain. The states: every status with every reason, tokens held for a code,
a tenant that disabled the application, a connection that Microsoft refuses.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from actions_support import LIST
from mcp import Client
from mcp.types import ElicitRequestURLParams, ElicitResult
from starlette.applications import Starlette
from starlette.routing import Mount

from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountStatus,
    Attempt,
    AttemptSecrets,
    AttemptState,
    ConnectedAccount,
    HeldGrant,
    HistoryEntry,
    ProviderAccount,
    Reason,
    TenantMark,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault.changes import ChangeStatus, InsertAttempt, MarkTenant
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, ScalekitMCPError
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.rest.app import Rest, RestOptions
from scalekit_mcp.settings import load_settings

BASE = "http://localhost:8754"
SERVICE_KEY = "service-key-of-the-tests"
TENANT = "11111111-1111-4111-8111-111111111111"
SIGNED_IN = ProviderAccount(TENANT, "oid-1", "ana@company.com", "ana@company.com", None, "Ana")

USER, IT, OPERATOR, NOBODY = "user", "it_admin", "operator", "nobody"
WHO = {
    Reason.NEVER_AUTHORIZED: USER,
    Reason.AWAITING_CONSENT: USER,
    Reason.AWAITING_CONFIRMATION: USER,
    Reason.ADMIN_APPROVAL_REQUIRED: IT,
    Reason.CONSENT_DECLINED: USER,
    Reason.INACTIVE: USER,
    Reason.INTERACTION_REQUIRED: USER,
    Reason.POLICY_BLOCKED: IT,
    Reason.GRANT_EXPIRED: USER,
    Reason.CONNECTION_CHANGED: USER,
    Reason.UNKNOWN: USER,
    Reason.GRANT_REVOKED: USER,
    Reason.GRANT_REVOKED_BY_USER: USER,
    Reason.GRANT_REVOKED_BY_ADMIN: IT,
    Reason.ACCOUNT_DISABLED: IT,
    Reason.ACCOUNT_DELETED: IT,
    Reason.APP_DISABLED: IT,
    Reason.DISCONNECTED: USER,
}


@dataclass
class Everything:
    """One embedded implementation with all its faces, and the vault beneath as another process has it open."""

    actions: Actions
    sandbox: Sandbox
    vault: Vault
    login_host: str

    async def created(self, identifier: str) -> ConnectedAccount:
        """A new account, as another process would make it."""
        account = ConnectedAccount(
            id="ca_" + secrets.token_hex(12),
            connection_name="outlook",
            identifier=identifier,
            status=AccountStatus.PENDING,
            reason=Reason.NEVER_AUTHORIZED,
            who_acts="user",
            created_at=datetime.now(UTC),
            updated_at=datetime.now(UTC),
        )
        entry = HistoryEntry(
            account.created_at, account.id, "outlook", identifier, None, account.status, None, account.reason, "created"
        )
        assert await self.vault.create_account(account, entry)
        return account

    async def connected(self, identifier: str, **values: Any) -> ConnectedAccount:
        """An ACTIVE account with tokens that work for an hour."""
        created, now = await self.created(identifier), datetime.now(UTC)
        tokens = TokenSet("at", "rt", now + timedelta(hours=1), ("Calendars.ReadWrite",))
        known = replace(
            created,
            provider_account=SIGNED_IN,
            granted_scopes=tokens.granted_scopes,
            client_id=DEFAULT_CLIENT_ID,
            login_host=self.login_host,
            token_expires_at=tokens.expires_at,
            **values,
        )
        change = statuses.change(known, Cause.CONSENTED, reason=None, at=now)
        assert await self.vault.commit(ChangeStatus(replace(change, before=created), tokens))
        return change.after

    async def bring_to(self, identifier: str, reason: Reason, who_acts: Any = None) -> ConnectedAccount:
        """Bring an account to the state of this reason, by the steps that lead there."""
        causes = {reason: cause for cause, (_, reasons) in statuses.TRANSITIONS.items() for reason in reasons}
        if statuses.status_of(reason) is AccountStatus.PENDING:
            account = await self.created(identifier)
        else:
            account = await self.connected(identifier)
        cause = causes[reason] if reason is Reason.DISCONNECTED else None
        if cause is None:
            cause = next(
                cause
                for cause, (origins, reasons) in statuses.TRANSITIONS.items()
                if account.status in origins and reason in reasons
            )
        change = statuses.change(account, cause, reason=reason, at=datetime.now(UTC), who_acts=who_acts)
        assert await self.vault.commit(ChangeStatus(change))
        return change.after

    async def hold(self, account: ConnectedAccount, state: AttemptState = AttemptState.HELD) -> None:
        """Have tokens wait for a code that nobody knows, or leave a live attempt in another state."""
        now = datetime.now(UTC)
        tokens = TokenSet("at", "rt", now + timedelta(hours=1), ("Calendars.ReadWrite",))
        held = AttemptSecrets(ticket="t", confirmation_sha256="c", link_base=BASE, held=HeldGrant(tokens, SIGNED_IN))
        attempt = Attempt(
            id="att_" + secrets.token_hex(12),
            account_id=account.id,
            connection_name="outlook",
            identifier=account.identifier,
            state=state,
            created_at=now,
            expires_at=now + timedelta(minutes=10),
            redirect_uri=f"{BASE}/oauth/callback",
            verification=UserVerification.CONFIRM,
            ticket_sha256=secrets.token_hex(32),
            secrets=held,
        )
        assert await self.vault.commit(InsertAttempt(attempt))

    # The ways

    async def by_mcp(self, era: str, identifier: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        server = create_server(self.actions, identify=fixed_caller(identifier), options=ServerOptions())
        async with Client(server, mode=era) as client:  # pyright: ignore[reportArgumentType] - a literal of the table
            result = await client.call_tool(tool, arguments)
        assert result.structured_content is not None
        return result.structured_content.get("error", result.structured_content)

    async def by_rest(self, identifier: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        rest = Rest(self.actions, RestOptions(service_key=SERVICE_KEY, public_url=BASE))
        transport = httpx.ASGITransport(app=Starlette(routes=[Mount("/api/v1", routes=rest.routes())]))
        headers = {"authorization": f"Bearer {SERVICE_KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            body = {"tool_name": tool, "identifier": identifier, "params": arguments}
            answer = (await http.post("/api/v1/execute_tool", json=body)).json()
        if "data" in answer:
            return answer["data"]
        return next(detail["error"] for detail in answer["details"] if "error" in detail)

    async def by_python(self, identifier: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self.actions.execute_tool(identifier=identifier, tool_name=tool, tool_input=arguments)
        except ScalekitMCPError as error:
            return error.to_dict()

    async def by_langchain(self, identifier: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from scalekit_mcp.langchain import get_tools

        tools = {each.name: each for each in get_tools("outlook", identifier, self.actions)}
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        said = json.loads((await tools[tool].ainvoke(call)).content)
        return said.get("error", said)

    async def on_every_way(self, identifier: str, tool: str, **arguments: Any) -> list[dict[str, Any]]:
        """What each way answers; LangChain's where it is installed."""
        answers = [await self.by_mcp(era, identifier, tool, arguments) for era in ("legacy", "auto")]
        answers.append(await self.by_rest(identifier, tool, arguments))
        answers.append(await self.by_python(identifier, tool, arguments))
        if importlib.util.find_spec("langchain_core") is not None:
            answers.append(await self.by_langchain(identifier, tool, arguments))
        return answers


@asynccontextmanager
async def everything(folder: Path, *, verification: str = "confirm", **options: Any) -> AsyncIterator[Everything]:
    sandbox, keys = Sandbox(), KeyRing.generate().to_text()
    database_url = f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}"

    async def link_base() -> str:
        return BASE

    async with sandbox.serve() as base_url:
        settings = load_settings(
            mode="embedded",
            database_url=database_url,
            vault_keys=keys,
            public_url=BASE,
            **{**sandbox.environment(base_url), **options},
        )
        vault = Vault(database_url, KeyRing.from_text(keys))
        async with open_actions(settings, link_base=link_base, user_verification=verification) as actions:
            try:
                yield Everything(actions, sandbox, vault, base_url.removeprefix("http://"))
            finally:
                await vault.aclose()


def one(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """What all answers say about the account; that they do is held here."""
    said = [
        {name: each.get(name) for name in ("status", "reason", "who_acts", "next_step")}
        | {"link": "authorization_url" in each, "admin": "admin_consent_url" in each}
        for each in answers
    ]
    assert all(each == said[0] for each in said), said
    return said[0]


@pytest.mark.parametrize("reason", list(Reason))
async def test_every_way_says_the_same_about_an_account_that_is_not_active(tmp_path: Path, reason: Reason):
    async with everything(tmp_path) as every:
        account = await every.bring_to("ana", reason)
        if reason is Reason.AWAITING_CONFIRMATION:
            await every.hold(account)
        if reason is Reason.ADMIN_APPROVAL_REQUIRED:  # the attempt that Microsoft refused is still the newest
            await every.hold(account, AttemptState.FAILED)
        told = one(
            await every.on_every_way("ana", "authorize") + await every.on_every_way("ana", LIST, top=1),
        )
        assert told["who_acts"] == WHO[reason]
        step = told["next_step"]
        if reason is Reason.AWAITING_CONFIRMATION:
            assert not told["link"]
            assert "code" in step
        else:
            assert told["link"]
        if WHO[reason] == IT:
            # IT comes first; the link is what the user opens after that.
            assert step.index("IT administrator") < step.index("authorization_url")
            assert "after" in step.lower()
        elif told["link"]:
            assert step.startswith("Ask the user")
            assert "authorization_url" in step


async def test_every_way_names_it_where_microsoft_did_although_the_reason_is_the_users(tmp_path: Path):
    async with everything(tmp_path) as every:
        await every.bring_to("ana", Reason.UNKNOWN, who_acts="it_admin")
        told = one(await every.on_every_way("ana", "authorize") + await every.on_every_way("ana", LIST))
    assert told["who_acts"] == IT
    assert told["next_step"].startswith("Ask the IT administrator")


async def test_every_way_says_that_a_connected_account_is_connected(tmp_path: Path):
    async with everything(tmp_path) as every:
        await every.connected("ana")
        told = one(await every.on_every_way("ana", "authorize"))
    assert (told["status"], told["reason"], told["who_acts"], told["link"]) == ("ACTIVE", None, NOBODY, False)
    assert "calendar tools work" in told["next_step"]


async def test_every_way_says_that_a_disabled_application_stops_the_colleagues_and_who_acts(tmp_path: Path):
    async with everything(tmp_path) as every:
        await every.connected("ana")
        now = datetime.now(UTC)
        mark = TenantMark("outlook", TENANT, "AADSTS7000112", now, now + timedelta(hours=1))
        assert await every.vault.commit(MarkTenant(mark))
        told = one(await every.on_every_way("ana", "authorize") + await every.on_every_way("ana", LIST))
        assert (told["status"], told["reason"], told["who_acts"]) == ("ACTIVE", "app_disabled", IT)
        assert not told["link"]
        assert "Calls are stopped" in told["next_step"]

        page = await every.actions.list_connected_accounts()
        shown = (await every.actions.get_connected_account(identifier="ana")).connected_account
        for account in (page.connected_accounts[0], shown):
            assert (account.status, account.reason, account.who_acts) == ("ACTIVE", "app_disabled", IT)
            assert account.calls_stopped is not None
            assert "disabled for the whole organization" in account.calls_stopped.message

        again = one(await every.on_every_way("ana", "authorize", reconnect=True))
        assert (again["who_acts"], again["link"]) == (IT, True)


async def test_every_way_names_the_operator_while_microsoft_refuses_the_connection(tmp_path: Path):
    async with everything(tmp_path) as every:
        account = await every.connected("ana")
        change = statuses.change(
            replace(account, token_expires_at=datetime.now(UTC) - timedelta(seconds=1)),
            Cause.CONSENTED,
            reason=None,
            at=datetime.now(UTC),
        )
        spent = TokenSet("at", "rt", datetime.now(UTC) - timedelta(seconds=1), ("Calendars.ReadWrite",))
        assert await every.vault.commit(ChangeStatus(replace(change, before=account), spent))
        every.sandbox.next_token_error(7000222, times=10)
        refused = await every.by_python("ana", LIST, {})
        told = one(await every.on_every_way("ana", "authorize"))
        newcomer = one(await every.on_every_way("bea", "authorize"))
    assert refused["code"] == "connection_misconfigured", refused
    assert (told["who_acts"], told["next_step"]) == (OPERATOR, refused["next_step"])
    assert (newcomer["who_acts"], newcomer["link"]) == (OPERATOR, False)


@pytest.mark.parametrize("reason", [Reason.AWAITING_CONFIRMATION, Reason.INACTIVE, None])
async def test_a_reconnect_supersedes_a_held_attempt_and_voids_its_code_on_every_way(
    tmp_path: Path, reason: Reason | None
):
    for number, way in enumerate(("legacy", "auto", "rest", "python")):
        async with everything(tmp_path / way) as every:
            name = f"user-{number}"
            account = await (every.connected(name) if reason is None else every.bring_to(name, reason))
            await every.hold(account)
            waiting = await every.by_python(name, "authorize", {})
            assert "authorization_url" not in waiting
            assert "code" in waiting["next_step"]
            if way == "rest":
                told = await every.by_rest(name, "authorize", {"reconnect": True})
            elif way == "python":
                told = await every.by_python(name, "authorize", {"reconnect": True})
            else:
                told = await every.by_mcp(way, name, "authorize", {"reconnect": True})
            assert told["authorization_url"].startswith(f"{BASE}/connect/")
            assert "code" not in told["next_step"]
            with pytest.raises(InvalidInput, match="waits for a confirmation code"):
                await every.actions.confirm_authorization(identifier=name, confirmation_code="ABCD1234")


@pytest.mark.parametrize("reason", [Reason.AWAITING_CONSENT, Reason.ADMIN_APPROVAL_REQUIRED])
async def test_a_reconnect_gives_a_new_link_while_a_sign_in_is_under_way(tmp_path: Path, reason: Reason):
    async with everything(tmp_path) as every:
        first = await every.by_python("ana", "authorize", {})
        stored = await every.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        if reason is Reason.ADMIN_APPROVAL_REQUIRED:
            moved = statuses.change(stored.account, Cause.ADMIN_APPROVAL_NEEDED, reason=reason, at=datetime.now(UTC))
            assert await every.vault.commit(ChangeStatus(moved))
        same = await every.by_python("ana", "authorize", {})
        assert same["authorization_url"] == first["authorization_url"]
        links = {first["authorization_url"]}
        for era in ("legacy", "auto"):
            told = await every.by_mcp(era, "ana", "authorize", {"reconnect": True})
            assert told["who_acts"] == USER
            links.add(told["authorization_url"])
        assert len(links) == 3


async def test_a_reconnect_together_with_a_code_is_refused_on_every_way(tmp_path: Path):
    async with everything(tmp_path) as every:
        arguments = {"reconnect": True, "confirmation_code": "ABCD1234"}
        answers = await every.on_every_way("ana", "authorize", **arguments)
    assert {(each["code"], each["field"]) for each in answers} == {("invalid_input", "reconnect")}


@pytest.mark.parametrize("era", ["legacy", "auto"])
@pytest.mark.parametrize("tool", ["authorize", LIST])
async def test_nobody_is_asked_to_open_a_page_that_cannot_help_before_it_has_acted(tmp_path: Path, era: Any, tool: str):
    opened: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        del context
        assert isinstance(params, ElicitRequestURLParams)
        opened.append(params.url)
        return ElicitResult(action="decline")

    async with everything(tmp_path) as every:
        for reason in (Reason.ACCOUNT_DISABLED, Reason.POLICY_BLOCKED, Reason.GRANT_REVOKED_BY_ADMIN):
            await every.bring_to(reason.value, reason)
            server = create_server(every.actions, identify=fixed_caller(reason.value), options=ServerOptions())
            async with Client(server, mode=era, elicitation_callback=person) as client:
                await client.call_tool(tool, {})
        assert not opened
        await every.bring_to("inactive", Reason.INACTIVE)
        server = create_server(every.actions, identify=fixed_caller("inactive"), options=ServerOptions())
        async with Client(server, mode=era, elicitation_callback=person) as client:
            await client.call_tool(tool, {})
    assert len(opened) == 1


async def test_where_the_operators_page_confirms_nobody_is_told_to_type_a_code(tmp_path: Path):
    async with everything(
        tmp_path, verification="url", user_verify_url="https://app.example/verify", user_verification="url"
    ) as every:
        await every.hold(await every.bring_to("ana", Reason.INACTIVE))
        for tool in ("authorize", LIST):
            told = await every.by_python("ana", tool, {})
            assert "finish on the page" in told["next_step"]
            assert "code" not in told["next_step"]


async def test_a_refusal_raised_to_python_carries_who_acts(tmp_path: Path):
    async with everything(tmp_path) as every:
        await every.bring_to("ana", Reason.ACCOUNT_DISABLED)
        with pytest.raises(AuthorizationRequired) as refused:
            await every.actions.execute_tool(identifier="ana", tool_name=LIST)
    assert refused.value.who_acts == IT
