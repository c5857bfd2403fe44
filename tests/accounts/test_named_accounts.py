"""An identifier that names a Microsoft account, `ms:{tid}:{oid}`, is connected with that account and never another."""

from __future__ import annotations

import pytest

from scalekit_mcp.accounts.authorization.outcomes import OutcomeKind
from scalekit_mcp.accounts.model.records import AccountStatus, ExpectedPerson, UserVerification
from scalekit_mcp.accounts.provider import Grant
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import account_named_by, identifier_naming
from tests.accounts.accounts_support import ALICE, DANA, Room, open_room

VERIFICATIONS = list(UserVerification)


def named(room: Room, address: str) -> str:
    """The identifier of the person with this address."""
    person = room.sandbox.people[address]
    return f"ms:{person.tenant_id}:{person.oid}"


async def grant_of(room: Room, identifier: str) -> Grant:
    stored = await room.vault.find_account(room.key(identifier))
    assert stored is not None
    assert stored.tokens is not None
    assert stored.account.provider_account is not None
    return Grant(stored.tokens, stored.account.provider_account)


def test_only_two_guids_name_an_account():
    tid, oid = "11111111-1111-1111-1111-11111111111a", "22222222-2222-2222-2222-222222222222"
    assert account_named_by(f"ms:{tid}:{oid}") == (tid, oid)
    assert account_named_by(f"MS:{tid.upper()}:{oid}") == (tid, oid)
    assert identifier_naming(tid.upper(), oid) == f"ms:{tid}:{oid}"
    for other in ("ana", "ms:ana:bea", f"ms:{tid}", f"ms:{tid}:{oid}:more", f"ms:{tid}:{oid}\n", f" ms:{tid}:{oid}"):
        assert account_named_by(other) is None


@pytest.mark.parametrize("verification", VERIFICATIONS)
@pytest.mark.parametrize("reconnect", [False, True])
@pytest.mark.parametrize("connected", [False, True])
async def test_another_account_is_refused_and_nothing_is_held(
    verification: UserVerification, reconnect: bool, connected: bool
):
    url = "https://app.example/verify"
    async with open_room(user_verification=verification, user_verify_url=url) as room:
        dana = named(room, DANA)
        if connected:
            await room.consent(dana, DANA, services=room.other_services())
        outcome = await room.consent(dana, ALICE, reconnect=reconnect)
        assert outcome.kind is OutcomeKind.OTHER_ACCOUNT
        assert outcome.confirmation_code is None
        assert "connect again with the other account" in str(outcome.next_step)
        view = await room.view(dana)
        assert not view.held
        assert view.account.status is (AccountStatus.ACTIVE if connected else AccountStatus.PENDING)
        who = view.account.provider_account
        assert (who is None) is not connected
        assert who is None or f"ms:{who.tid}:{who.oid}" == dana


@pytest.mark.parametrize("expected", [None, "somebody@else.example"])
async def test_the_account_that_the_identifier_names_needs_no_code(expected: str | None):
    async with open_room(user_verification=UserVerification.CONFIRM) as room:
        dana = named(room, DANA)
        outcome = await room.consent(dana, DANA, reconnect=True, expected=ExpectedPerson(login_hint=expected))
        assert outcome.kind is OutcomeKind.CONNECTED


@pytest.mark.parametrize("hint", [ALICE, None])
async def test_a_caller_who_vouches_for_another_address_does_not_switch_the_account(hint: str | None):
    async with open_room(user_verification=UserVerification.CONFIRM) as room:
        dana, alice = named(room, DANA), named(room, ALICE)
        tid, oid = alice.split(":")[1:]
        vouched = ExpectedPerson(login_hint=hint, account=(tid, oid))
        outcome = await room.consent(dana, ALICE, reconnect=True, expected=vouched)
        assert outcome.kind is OutcomeKind.OTHER_ACCOUNT
        assert (await room.view(dana)).account.status is AccountStatus.PENDING


@pytest.mark.parametrize("reconnect", [False, True])
async def test_a_grant_from_a_device_code_or_a_sign_in_is_not_adopted_for_another_account(reconnect: bool):
    async with open_room() as room:
        dana, alice = named(room, DANA), named(room, ALICE)
        await room.consent("bea", ALICE)
        other = await grant_of(room, "bea")
        with pytest.raises(InvalidInput, match="names another"):
            await room.authorizations.adopt(room.key(dana), other, reconnect=reconnect)
        assert (await room.view(dana)).account.status is AccountStatus.PENDING
        view = await room.authorizations.adopt(room.key(alice), other, reconnect=reconnect)
        assert view.account.status is AccountStatus.ACTIVE
