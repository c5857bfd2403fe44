"""A sign-in of an app at the provider: what is connected by it, and what is not."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.accounts.allowed_tenants import AllowedTenants
from scalekit_mcp.accounts.authorization.outcomes import OutcomeKind
from scalekit_mcp.accounts.grants import Grants
from scalekit_mcp.accounts.model.records import AccountStatus
from scalekit_mcp.accounts.provider_sign_ins import NotSignedIn, ProviderSignIns, SignedIn
from scalekit_mcp.accounts.sign_ins import SignInError, SignIns
from scalekit_mcp.errors import ConnectedAccountNotFound, ProviderUnavailable
from tests.accounts.accounts_support import ADMIN_CALLBACK, ALICE, CALLBACK, DANA, PAT, Room, open_room, sqlite_url
from tests.accounts.grants_support import BROWSER, presented, request


async def nobody_knows(name: str) -> str | None:
    raise ProviderUnavailable(f"{name} cannot be looked up.")


def everybody() -> AllowedTenants:
    return AllowedTenants(tenant_of=nobody_knows)


class SignInRoom:
    """The sign-ins of one room of accounts."""

    def __init__(self, room: Room, tenants: AllowedTenants | None = None, **options: Any) -> None:
        self.room = room
        self.sign_ins = SignIns(room.vault, Grants(room.vault, room.clock), room.clock)
        given: dict[str, Any] = {"required_scopes": ("Calendars.Read",), **options}
        self.provider = ProviderSignIns(
            self.sign_ins,
            room.authorizations,
            room.services.keepers["outlook"],
            tenants or everybody(),
            connection_name="outlook",
            redirect_uri=CALLBACK,
            admin_redirect_uri=ADMIN_CALLBACK,
            **given,
        )

    async def go(
        self, address: str = DANA, *, accept: bool = True, browser: str | None = BROWSER
    ) -> SignedIn | NotSignedIn:
        url = await self.provider.start(request(), browser_secret=BROWSER)
        query = await self.room.sign_in(url, address, accept=accept)
        return await self.provider.complete(query, browser_secret=browser)

    def identifier(self, address: str) -> str:
        person = self.room.sandbox.people[address]
        return f"ms:{person.tenant_id}:{person.oid}"

    async def nothing_came(self, address: str) -> None:
        with pytest.raises(ConnectedAccountNotFound):
            await self.room.view(self.identifier(address))


@pytest.mark.parametrize("address", [DANA, PAT])
async def test_whoever_signs_in_is_connected_under_an_identifier_that_names_the_account(address: str):
    async with open_room() as room:
        here = SignInRoom(room)
        ended = await here.go(address)
        assert isinstance(ended, SignedIn)
        view = await room.view(here.identifier(address))
        assert view.account.status is AccountStatus.ACTIVE
        tokens = await here.sign_ins.redeem(presented(ended.code))
        assert tokens.grant.identifier == here.identifier(address)
        # a second app of the same person is a second grant on the same account
        assert isinstance(await here.go(address), SignedIn)
        assert (await room.view(here.identifier(address))).account.id == view.account.id


async def test_the_person_chooses_the_account_each_time():
    async with open_room() as room:
        url = await SignInRoom(room).provider.start(request(), browser_secret=BROWSER)
        assert "prompt=select_account" in url
        assert "login_hint" not in url
        assert "code_challenge_method=S256" in url


async def test_a_captured_answer_in_another_browser_redeems_nothing():
    async with open_room() as room:
        here = SignInRoom(room)
        for browser in (None, "another browser's secret"):
            with pytest.raises(SignInError):
                await here.go(browser=browser)
        assert room.grants("authorization_code") == 0
        await here.nothing_came(DANA)


async def test_a_refusal_stays_with_the_person_and_offers_the_way_to_it():
    async with open_room() as room:
        here = SignInRoom(room)
        ended = await here.go(accept=False)
        assert isinstance(ended, NotSignedIn)
        assert (ended.error, ended.outcome.kind) == ("access_denied", OutcomeKind.DECLINED)
        assert ended.outcome.approval is not None
        assert "/organizations/v2.0/adminconsent" in ended.outcome.approval.url
        await here.nothing_came(DANA)
        url = await here.provider.try_again(ended.sign_in.id, browser_secret=BROWSER)
        again = await here.provider.complete(await room.sign_in(url, ALICE), browser_secret=BROWSER)
        assert isinstance(again, SignedIn)
        assert (await room.view(here.identifier(ALICE))).account.status is AccountStatus.ACTIVE


BREAKS = {
    "the account": "INSERT ON connected_accounts",
    "the code": "UPDATE ON sign_ins WHEN NEW.status = 'code_issued'",
    "the code and the failure": "UPDATE ON sign_ins WHEN NEW.status IN ('code_issued', 'failed')",
}
"""What of the vault fails between the consent and the code, as SQLite lets it fail."""


@pytest.mark.parametrize("what", BREAKS)
async def test_a_vault_that_fails_after_the_consent_fails_the_sign_in_and_another_try_works(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "vault.sqlite3"

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(path)) as raw:
            raw.execute(statement)

    async with open_room(sqlite_url(path)) as room:
        here = SignInRoom(room)
        url = await here.provider.start(request(), browser_secret=BROWSER)
        query = await room.sign_in(url, DANA)
        execute(f"CREATE TRIGGER broken BEFORE {BREAKS[what]} BEGIN SELECT json('broken'); END")
        with caplog.at_level(logging.WARNING):
            ended = await here.provider.complete(query, browser_secret=BROWSER)
        assert isinstance(ended, NotSignedIn)
        assert (ended.error, ended.outcome.kind) == ("temporarily_unavailable", OutcomeKind.FAILED)
        assert ended.outcome.reference == ended.sign_in.id
        assert f"{ended.sign_in.id} could not be finished: vault_error" in caplog.text
        execute("DROP TRIGGER broken")
        kept = await here.provider.failed(ended.sign_in.id, browser_secret=BROWSER)
        assert kept.request == request()
        with pytest.raises(SignInError):
            await here.provider.complete(query, browser_secret=BROWSER)
        url = await here.provider.try_again(ended.sign_in.id, browser_secret=BROWSER)
        again = await here.provider.complete(await room.sign_in(url, DANA), browser_secret=BROWSER)
        assert isinstance(again, SignedIn)
        tokens = await here.sign_ins.redeem(presented(again.code))
        assert tokens.grant.identifier == here.identifier(DANA)


async def test_of_another_tenant_nothing_is_kept():
    async with open_room() as room:
        own = room.sandbox.people[DANA].tenant_id
        here = SignInRoom(room, AllowedTenants(ids=[own], tenant_of=nobody_knows))
        ended = await here.go(PAT)
        assert isinstance(ended, NotSignedIn)
        assert (ended.error, ended.outcome.kind) == ("access_denied", OutcomeKind.OTHER_ACCOUNT)
        assert PAT in str(ended.outcome.message)
        await here.nothing_came(PAT)
        assert isinstance(await here.go(DANA), SignedIn)


async def test_nobody_signs_in_while_the_allowed_tenants_are_not_known():
    async with open_room() as room:
        here = SignInRoom(room, AllowedTenants(names=["contoso.com"], tenant_of=nobody_knows))
        with pytest.raises(ProviderUnavailable):
            await here.provider.start(request(), browser_secret=BROWSER)


async def test_an_account_without_the_calendar_is_not_connected():
    async with open_room() as room:
        here = SignInRoom(room, required_scopes=("Calendars.Read", "Tasks.Read"))
        ended = await here.go()
        assert isinstance(ended, NotSignedIn)
        assert ended.error == "access_denied"
        assert "Tasks.Read" in str(ended.outcome.message)
        await here.nothing_came(DANA)


async def test_an_approval_by_somebody_who_has_not_signed_in_names_nobody():
    async with open_room() as room:
        approval = SignInRoom(room).provider.provider().approval
        assert approval is not None
        state = approval.url.split("state=")[1].split("&")[0]
        outcome = await room.authorizations.complete_admin_consent({"state": state, "admin_consent": "True"})
        assert outcome.kind is OutcomeKind.ADMIN_APPROVED
        assert "''" not in str(outcome.message)
