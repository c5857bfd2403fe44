"""Authorizations on the sandbox: the link, the browser, the way back, and who may redeem what."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from scalekit_mcp.accounts.authorization.links import LinkRequest
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountStatus,
    AccountView,
    ExpectedPerson,
    Reason,
    UserVerification,
)
from scalekit_mcp.accounts.provider import Grant
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, InvalidInput
from tests.accounts.accounts_support import (
    ALICE,
    BASE,
    CALLBACK,
    COOKIE,
    DANA,
    FIONA,
    PAT,
    Room,
    open_room,
)

CONFIRM: dict[str, Any] = {"user_verification": UserVerification.CONFIRM}
URL: dict[str, Any] = {
    "user_verification": UserVerification.URL,
    "user_verify_url": "https://app.example/verify?from=mcp",
}


async def held_code(room: Room, identifier: str = "ana", address: str = DANA) -> str:
    outcome = await room.consent(identifier, address)
    assert outcome.kind is OutcomeKind.CONFIRMATION_NEEDED
    assert outcome.confirmation_code is not None
    return outcome.confirmation_code


# The link


async def test_many_callers_at_once_get_one_account_and_one_link():
    async with open_room() as room:
        links = await asyncio.gather(*(room.link() for _ in range(20)))
        assert len({link.link for link in links}) == 1
        assert (await room.accounts.list()).total_size == 1


async def test_the_same_link_is_given_while_three_minutes_remain_and_a_new_one_after():
    async with open_room() as room:
        first = await room.begin()
        room.advance(900 - 180)
        assert await room.begin() == first
        room.advance(1)
        assert await room.begin() != first
        outcome = await room.authorizations.start(first, COOKIE)
        assert isinstance(outcome, AuthorizationOutcome)
        assert outcome.kind is OutcomeKind.LINK_USED


async def test_reconnect_supersedes_the_live_link():
    async with open_room() as room:
        first = await room.begin()
        second = await room.begin(reconnect=True)
        outcome = await room.authorizations.prompt(first)
        assert isinstance(outcome, AuthorizationOutcome)
        assert outcome.kind is OutcomeKind.LINK_USED
        assert isinstance(await room.authorizations.prompt(second), AuthorizationPrompt)


async def test_opening_the_link_changes_nothing():
    async with open_room() as room:
        ticket = await room.begin()
        before = await room.vault.find_account(AccountKey("outlook", "ana"))
        for _ in range(3):
            assert isinstance(await room.authorizations.prompt(ticket), AuthorizationPrompt)
        assert await room.vault.find_account(AccountKey("outlook", "ana")) == before


async def test_a_link_of_a_listener_that_no_longer_answers_is_superseded():
    async with open_room() as room:
        first = await room.begin()

        async def nobody_answers(_redirect_uri: str) -> bool:
            return False

        services = room.other_services(listener_alive=nobody_answers)
        assert await room.begin(services=services) == first  # the same way back: whoever asks serves it
        elsewhere = "http://localhost:8755"
        request = LinkRequest(link_base=elsewhere, redirect_uri=f"{elsewhere}/oauth/callback")
        link = await services.authorizations.begin(room.key(), request)
        assert not link.link.endswith(first)
        over = await room.authorizations.prompt(first)
        assert isinstance(over, AuthorizationOutcome)
        assert over.kind is OutcomeKind.LINK_USED


async def test_an_unknown_and_an_expired_link_say_so():
    async with open_room() as room:
        unknown = await room.authorizations.start("no such ticket", COOKIE)
        assert isinstance(unknown, AuthorizationOutcome)
        assert unknown.kind is OutcomeKind.LINK_UNKNOWN
        ticket = await room.begin()
        room.advance(901)
        expired = await room.authorizations.start(ticket, COOKIE)
        assert isinstance(expired, AuthorizationOutcome)
        assert expired.kind is OutcomeKind.LINK_EXPIRED
        view = await room.view()
        assert (view.account.reason, view.attempt_state) == (Reason.NEVER_AUTHORIZED, None)


# Verification off


async def test_a_consent_makes_the_account_active_with_who_signed_in():
    async with open_room() as room:
        outcome = await room.consent()
        assert outcome.kind is OutcomeKind.CONNECTED
        view = await room.view()
        assert view.account.status is AccountStatus.ACTIVE
        assert view.account.reason is None
        assert view.account.provider_account is not None
        assert view.account.provider_account.mailbox == DANA
        assert [entry.cause for entry in await room.accounts.history(connection_name="outlook", identifier="ana")] == [
            "consented",
            "link_given",
            "created",
        ]


async def test_a_callback_comes_once_and_a_replay_is_told_that_it_was_used():
    async with open_room() as room:
        ticket = await room.begin()
        url = await room.authorizations.start(ticket, COOKIE)
        query = await room.sign_in(str(url))
        outcomes = await asyncio.gather(*(room.authorizations.complete(query, [COOKIE]) for _ in range(5)))
        kinds = sorted(outcome.kind for outcome in outcomes)
        assert kinds == [OutcomeKind.CONNECTED, *[OutcomeKind.LINK_USED] * 4]
        assert room.grants("authorization_code") == 1


async def test_another_browser_cannot_finish_a_sign_in_and_the_right_one_still_can():
    async with open_room() as room:
        ticket = await room.begin()
        query = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        for cookies in ([], ["another cookie"]):
            outcome = await room.authorizations.complete(query, cookies)
            assert outcome.kind is OutcomeKind.OTHER_BROWSER
            assert outcome.mailbox is None
        assert room.grants("authorization_code") == 0
        assert (await room.authorizations.complete(query, ["another cookie", COOKIE])).kind is OutcomeKind.CONNECTED


async def test_starting_again_voids_the_state_of_the_earlier_start():
    async with open_room() as room:
        ticket = await room.begin()
        first = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        second = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        assert (await room.authorizations.complete(first, [COOKIE])).kind is OutcomeKind.LINK_UNKNOWN
        assert (await room.authorizations.complete(second, [COOKIE])).kind is OutcomeKind.CONNECTED


async def test_a_superseded_attempt_cannot_come_back():
    async with open_room() as room:
        ticket = await room.begin()
        query = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        await room.begin(reconnect=True)
        assert (await room.authorizations.complete(query, [COOKIE])).kind is OutcomeKind.LINK_USED
        assert (await room.view()).account.status is AccountStatus.PENDING


async def test_a_callback_without_state_or_with_a_made_up_one_is_unknown():
    async with open_room() as room:
        for query in ({}, {"code": "x"}, {"state": "made up", "code": "x"}, {"error": "access_denied"}):
            assert (await room.authorizations.complete(query, [COOKIE])).kind is OutcomeKind.LINK_UNKNOWN


async def test_a_made_up_code_fails_and_leaves_the_link_good():
    async with open_room() as room:
        ticket = await room.begin()
        state = (await room.sign_in(str(await room.authorizations.start(ticket, COOKIE))))["state"]
        outcome = await room.authorizations.complete({"state": state, "code": "made up"}, [COOKIE])
        assert outcome.kind is OutcomeKind.FAILED
        assert (await room.view()).account.last_authorization_error
        query = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        assert (await room.authorizations.complete(query, [COOKIE])).kind is OutcomeKind.CONNECTED
        assert (await room.view()).account.last_authorization_error is None


async def test_a_declined_consent_is_the_reason_of_a_new_account_and_can_be_tried_again():
    async with open_room() as room:
        outcome = await room.consent(accept=False)
        assert outcome.kind is OutcomeKind.DECLINED
        assert outcome.approval is not None
        assert outcome.approval.url
        view = await room.view()
        assert (view.account.status, view.account.reason) == (AccountStatus.PENDING, Reason.CONSENT_DECLINED)
        with pytest.raises(AuthorizationRequired) as raised:
            await room.token()
        assert raised.value.details["reason"] == "consent_declined"
        assert (await room.consent()).kind is OutcomeKind.CONNECTED


async def test_a_declined_consent_leaves_an_active_account_as_it_is():
    async with open_room() as room:
        await room.consent()
        before = await room.view()
        ticket = await room.begin(reconnect=True)
        state = dict(parse_qsl(urlsplit(str(await room.authorizations.start(ticket, COOKIE))).query))["state"]
        cancelled = {"error": "access_denied", "error_subcode": "cancel", "state": state}
        assert (await room.authorizations.complete(cancelled, [COOKIE])).kind is OutcomeKind.DECLINED
        after = await room.view()
        assert after.account.status is AccountStatus.ACTIVE
        assert after.account.version == before.account.version
        assert after.account.last_authorization_error
        assert await room.token()


async def test_a_need_for_admin_approval_is_only_what_microsoft_calls_so():
    async with open_room() as room:
        ticket = await room.begin(identifier="fiona")
        url = str(await room.authorizations.start(ticket, COOKIE))
        state = dict(parse_qsl(urlsplit(url).query))["state"]
        query = {
            "error": "consent_required",
            "error_description": "AADSTS90094: The grant needs admin.",
            "state": state,
        }
        outcome = await room.authorizations.complete(query, [COOKIE])
        assert outcome.kind is OutcomeKind.ADMIN_APPROVAL_REQUIRED
        assert outcome.who_acts == "it_admin"
        assert outcome.approval is not None
        assert outcome.approval.ends_on_own_computer
        assert outcome.approval.permissions == ("User.Read", "Calendars.ReadWrite")
        with pytest.raises(AdminApprovalRequired):
            await room.token("fiona")


async def test_an_administrators_approval_connects_nobody_and_the_user_can_then_consent():
    async with open_room() as room:
        link = await room.link("fiona")
        assert link.admin_consent_url is not None
        room.advance(20 * 86400)
        query = await room.sign_in(link.admin_consent_url, "admin@fabrikam.example")
        assert query["admin_consent"] == "True"
        outcome = await room.authorizations.complete_admin_consent(query)
        assert (outcome.kind, outcome.identifier) == (OutcomeKind.ADMIN_APPROVED, "fiona")
        assert (await room.view("fiona")).account.status is AccountStatus.PENDING
        assert (await room.consent("fiona", FIONA)).kind is OutcomeKind.CONNECTED


async def test_the_administrators_page_names_the_person_by_the_address_where_it_is_known():
    async with open_room() as room:
        link = await room.link()
        query = dict(parse_qsl(urlsplit(link.admin_consent_url or "").query))
        before = await room.authorizations.complete_admin_consent(query)
        assert "'ana' can sign in now" in str(before.message)
        await room.consent()
        after = await room.authorizations.complete_admin_consent(query)
        assert f"{DANA} can sign in now" in str(after.message)


async def test_the_page_behind_a_link_names_the_account_that_was_connected_before():
    async with open_room() as room:
        first = await room.authorizations.prompt(await room.begin())
        assert isinstance(first, AuthorizationPrompt)
        assert first.account_name is None
        await room.consent()
        again = await room.authorizations.prompt(await room.begin())
        assert isinstance(again, AuthorizationPrompt)
        assert again.account_name == DANA
        switch = await room.authorizations.prompt(await room.begin(reconnect=True))
        assert isinstance(switch, AuthorizationPrompt)
        assert switch.account_name is None  # another account may be chosen


async def test_an_admin_callback_looks_at_the_error_first_and_its_state_ends_after_30_days():
    async with open_room() as room:
        link = await room.link()
        state = dict(parse_qsl(urlsplit(link.admin_consent_url or "").query))["state"]
        refused = {"admin_consent": "True", "error": "consent_required", "state": state}
        assert (await room.authorizations.complete_admin_consent(refused)).kind is OutcomeKind.DECLINED
        assert (
            await room.authorizations.complete_admin_consent({"state": state + "A"})
        ).kind is OutcomeKind.LINK_UNKNOWN
        room.advance(30 * 86400 + 1)
        assert (await room.authorizations.complete_admin_consent({"state": state})).kind is OutcomeKind.LINK_UNKNOWN


async def test_a_personal_account_gets_no_administrators_link():
    async with open_room() as room:
        await room.consent("pat", PAT)
        await room.accounts.disconnect(room.key("pat"))
        link = await room.link("pat")
        assert link.admin_consent_url is None


@pytest.mark.parametrize("ended", ["active", "disconnected"])
async def test_another_microsoft_account_is_refused_unless_reconnect_says_so(ended: str):
    async with open_room() as room:
        await room.consent()
        if ended == "disconnected":
            await room.accounts.disconnect(room.key())
        outcome = await room.consent(address=ALICE)
        assert outcome.kind is OutcomeKind.OTHER_ACCOUNT
        view = await room.view()
        assert view.account.provider_account is not None
        assert view.account.provider_account.mailbox == DANA
        assert view.account.status is (AccountStatus.ACTIVE if ended == "active" else AccountStatus.REVOKED)
        assert (await room.consent(address=ALICE, reconnect=True)).kind is OutcomeKind.CONNECTED
        after = (await room.view()).account.provider_account
        assert after is not None
        assert after.mailbox == ALICE


async def test_disconnect_ends_the_tokens_and_a_link_in_progress():
    async with open_room() as room:
        await room.consent()
        ticket = await room.begin()
        query = await room.sign_in(str(await room.authorizations.start(ticket, COOKIE)))
        view = await room.accounts.disconnect(room.key())
        assert (view.account.status, view.account.reason) == (AccountStatus.REVOKED, Reason.DISCONNECTED)
        assert await room.stored_tokens() is None
        assert (await room.authorizations.complete(query, [COOKIE])).kind is OutcomeKind.LINK_USED
        assert (await room.view()).account.status is AccountStatus.REVOKED


# Confirmation by a code


async def test_tokens_are_held_and_unusable_until_the_code_is_typed():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room)
        view = await room.view()
        assert view.held
        assert (view.account.status, view.account.reason) == (AccountStatus.PENDING, Reason.AWAITING_CONFIRMATION)
        with pytest.raises(AuthorizationRequired) as raised:
            await room.token()
        assert raised.value.details["reason"] == "awaiting_confirmation"
        typed = f" {code[:4].lower()}-{code[4:].lower()} "
        confirmed = await room.authorizations.confirm(room.key(), confirmation_code=typed)
        assert confirmed.account.status is AccountStatus.ACTIVE
        assert await room.token()


async def test_while_tokens_are_held_no_new_link_is_given_and_the_code_stays_good():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room)
        with pytest.raises(AuthorizationRequired, match="confirmation code"):
            await room.begin()
        await room.authorizations.confirm(room.key(), confirmation_code=code)
        assert (await room.view()).account.status is AccountStatus.ACTIVE


async def test_a_link_sent_to_a_victim_never_gives_the_attacker_the_victims_mailbox():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room, "attacker", DANA)
        await room.accounts.get_or_create(room.key("victim"))
        with pytest.raises(InvalidInput):
            await room.authorizations.confirm(room.key("victim"), confirmation_code=code)
        for guess in ("00000000", "ZZZZZZZZ", "12345678", "ABCDEFGH"):
            with pytest.raises(InvalidInput, match="of 5 tries are left"):
                await room.authorizations.confirm(room.key("attacker"), confirmation_code=guess)
        with pytest.raises(InvalidInput, match="void"):
            await room.authorizations.confirm(room.key("attacker"), confirmation_code="QQQQQQQQ")
        with pytest.raises(InvalidInput, match="No sign-in"):
            await room.authorizations.confirm(room.key("attacker"), confirmation_code=code)
        for identifier in ("attacker", "victim"):
            view = await room.view(identifier)
            assert view.account.provider_account is None
            assert view.account.reason is Reason.NEVER_AUTHORIZED
            assert await room.stored_tokens(identifier) is None


async def test_many_guesses_at_once_are_five_guesses():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room)
        guesses = [f"{number:08d}" for number in range(30)]
        answers = await asyncio.gather(
            *(room.authorizations.confirm(room.key(), confirmation_code=guess) for guess in guesses),
            return_exceptions=True,
        )
        assert all(isinstance(answer, InvalidInput) for answer in answers)
        assert sum("of 5 tries are left" in str(answer) for answer in answers) == 4
        with pytest.raises(InvalidInput, match="No sign-in"):
            await room.authorizations.confirm(room.key(), confirmation_code=code)


async def test_the_code_is_good_for_ten_minutes_and_once():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room)
        room.advance(601)
        with pytest.raises(InvalidInput, match="its time may be over"):
            await room.authorizations.confirm(room.key(), confirmation_code=code)
        assert (await room.view()).account.reason is Reason.NEVER_AUTHORIZED
        code = await held_code(room)
        await room.authorizations.confirm(room.key(), confirmation_code=code)
        with pytest.raises(InvalidInput):
            await room.authorizations.confirm(room.key(), confirmation_code=code)


async def test_cancel_discards_the_tokens_and_only_in_the_browser_that_signed_in():
    async with open_room(**CONFIRM) as room:
        outcome = await room.consent()
        assert outcome.ticket is not None
        assert (await room.authorizations.cancel(outcome.ticket, "another cookie")).kind is OutcomeKind.OTHER_BROWSER
        assert (await room.view()).held
        assert (await room.authorizations.cancel(outcome.ticket, COOKIE)).kind is OutcomeKind.CANCELLED
        assert not (await room.view()).held
        with pytest.raises(InvalidInput):
            await room.authorizations.confirm(room.key(), confirmation_code=outcome.confirmation_code or "")


@pytest.mark.parametrize("hint", ["Dana@Company.com", DANA])
async def test_a_vouched_address_that_matches_needs_no_code(hint: str):
    async with open_room(**CONFIRM) as room:
        assert (await room.consent(expected=ExpectedPerson(hint))).kind is OutcomeKind.CONNECTED


async def test_a_vouched_address_of_somebody_else_needs_a_code():
    async with open_room(**CONFIRM) as room:
        outcome = await room.consent(expected=ExpectedPerson(ALICE), address=DANA)
        assert outcome.kind is OutcomeKind.CONFIRMATION_NEEDED


async def test_a_vouched_tenant_and_object_id_that_match_need_no_code():
    async with open_room(**CONFIRM) as room:
        dana = room.sandbox.people[DANA]
        outcome = await room.consent(expected=ExpectedPerson(account=(dana.tenant_id, dana.oid)))
        assert outcome.kind is OutcomeKind.CONNECTED
        outcome = await room.consent("bea", DANA, expected=ExpectedPerson(account=(dana.tenant_id, "another")))
        assert outcome.kind is OutcomeKind.CONFIRMATION_NEEDED


async def test_reconnect_while_tokens_are_held_voids_them():
    async with open_room(**CONFIRM) as room:
        code = await held_code(room)
        await room.begin(reconnect=True)
        with pytest.raises(InvalidInput):
            await room.authorizations.confirm(room.key(), confirmation_code=code)


async def test_an_attempt_keeps_the_verification_it_was_begun_with():
    async with open_room(**CONFIRM) as room:
        ticket = await room.begin()
        url = await room.authorizations.start(ticket, COOKIE)
        lax = room.other_services()
        outcome = await lax.authorizations.complete(await room.sign_in(str(url)), [COOKIE])
        assert outcome.kind is OutcomeKind.CONFIRMATION_NEEDED


# Verification at the operator's page


async def test_the_operators_backend_verifies_the_user_once_and_a_repeat_is_no_error():
    async with open_room(**URL) as room:
        outcome = await room.consent(state="the operator's state")
        assert outcome.kind is OutcomeKind.VERIFY_AT_URL
        parts = urlsplit(outcome.redirect_url or "")
        query = dict(parse_qsl(parts.query))
        assert (parts.netloc, parts.path, query["from"]) == ("app.example", "/verify", "mcp")
        assert query["state"] == "the operator's state"
        for _ in range(2):
            view = await room.authorizations.verify_user(auth_request_id=query["auth_request_id"], identifier="ana")
            assert view.account.status is AccountStatus.ACTIVE


async def test_a_wrong_person_is_refused_and_five_of_them_void_the_sign_in():
    async with open_room(**URL) as room:
        outcome = await room.consent()
        request_id = dict(parse_qsl(urlsplit(outcome.redirect_url or "").query))["auth_request_id"]
        for _ in range(5):
            with pytest.raises(InvalidInput) as raised:
                await room.authorizations.verify_user(auth_request_id=request_id, identifier="mallory")
            assert raised.value.details["field"] == "identifier"
        with pytest.raises(InvalidInput) as raised:
            await room.authorizations.verify_user(auth_request_id=request_id, identifier="ana")
        assert raised.value.details["field"] == "auth_request_id"
        assert (await room.view()).account.status is AccountStatus.PENDING


async def test_verification_by_url_without_a_url_is_refused_at_the_beginning():
    async with open_room(user_verification=UserVerification.URL) as room:
        with pytest.raises(InvalidInput) as raised:
            await room.begin()
        assert raised.value.details["field"] == "user_verify_url"
        assert await room.begin(user_verify_url="https://app.example/verify")


async def test_a_code_does_not_open_what_waits_for_the_operators_page():
    async with open_room(**URL) as room:
        await room.consent()
        with pytest.raises(InvalidInput, match="No sign-in"):
            await room.authorizations.confirm(room.key(), confirmation_code="00000000")


# Scopes


async def test_a_consent_for_one_more_scope_keeps_the_earlier_ones():
    async with open_room() as room:
        await room.consent()
        outcome = await room.consent(scopes=("MailboxSettings.Read",))
        assert outcome.kind is OutcomeKind.CONNECTED
        asked = [request.query.get("scope", "") for request in room.sandbox.requests if "authorize" in request.path]
        assert "Calendars.ReadWrite" not in asked[-1]
        await room.token(required_scopes=("Calendars.ReadWrite", "MailboxSettings.Read"))
        assert room.grants() == 1


# Beside the pages


async def test_a_grant_from_a_device_code_connects_without_an_attempt_and_switches_nobody():
    async with open_room() as room:
        grants: dict[str, Grant] = {}
        for identifier, address in (("ana", DANA), ("bea", ALICE)):
            await room.consent(identifier, address)
            stored = await room.vault.find_account(AccountKey("outlook", identifier))
            assert stored is not None
            assert stored.tokens is not None
            assert stored.account.provider_account is not None
            grants[identifier] = Grant(stored.tokens, stored.account.provider_account)
        ticket = await room.begin("carl")
        view = await room.authorizations.adopt(room.key("carl"), grant=grants["ana"])
        assert view.account.status is AccountStatus.ACTIVE
        assert isinstance(await room.authorizations.start(ticket, COOKIE), AuthorizationOutcome)
        with pytest.raises(InvalidInput, match="another account"):
            await room.authorizations.adopt(room.key("carl"), grant=grants["bea"])
        view = await room.authorizations.adopt(room.key("carl"), grant=grants["bea"], reconnect=True)
        assert view.account.provider_account is not None
        assert view.account.provider_account.mailbox == ALICE


async def test_cancel_before_anything_is_held_ends_the_attempt_as_declined():
    async with open_room(**CONFIRM) as room:
        ticket = await room.begin()
        assert (await room.authorizations.cancel(ticket)).kind is OutcomeKind.CANCELLED
        over = await room.authorizations.prompt(ticket)
        assert isinstance(over, AuthorizationOutcome)
        assert over.kind is OutcomeKind.LINK_USED
        view = await room.accounts.get(room.key())
        assert (view.account.status, view.account.reason) == ("PENDING", "consent_declined")
        assert await room.begin() != ticket


async def test_cancel_of_a_started_sign_in_counts_only_in_its_own_browser():
    async with open_room(**CONFIRM) as room:
        ticket = await room.begin()
        assert isinstance(await room.authorizations.start(ticket, COOKIE), str)
        assert (await room.authorizations.cancel(ticket, "another cookie")).kind is OutcomeKind.OTHER_BROWSER
        assert (await room.authorizations.cancel(ticket, COOKIE)).kind is OutcomeKind.CANCELLED


async def test_an_unknown_connection_is_refused_by_name():
    async with open_room() as room:
        with pytest.raises(InvalidInput, match="no connection 'gmail'; there is outlook"):
            await room.authorizations.begin(
                AccountKey("gmail", "ana"), LinkRequest(link_base=BASE, redirect_uri=CALLBACK)
            )


@pytest.mark.parametrize("identifier", ["", "x" * 101, "a\nb", "a\x00", "a\x85", "\ud800"])
async def test_an_identifier_that_is_none_is_refused(identifier: str):
    async with open_room() as room:
        with pytest.raises(InvalidInput) as raised:
            await room.accounts.get_or_create(room.key(identifier))
        assert raised.value.details["field"] == "identifier"


async def test_a_list_has_pages_whose_tokens_belong_to_their_query():
    async with open_room() as room:
        for number in range(5):
            await room.accounts.get_or_create(room.key(f"user-{number}"))
        first = await room.accounts.list(page_size=2)
        second = await room.accounts.list(page_size=2, page_token=first.next_page_token)
        third = await room.accounts.list(page_size=2, page_token=second.next_page_token)
        views = [view for page in (first, second, third) for view in page.accounts]
        found = [view.account.identifier for view in views if isinstance(view, AccountView)]
        assert found == [f"user-{number}" for number in range(5)]
        assert (first.total_size, third.total_size, third.next_page_token) == (5, 5, None)
        for wrong in ({"status": "ACTIVE"}, {"identifier": "user-1"}):
            with pytest.raises(InvalidInput) as raised:
                await room.accounts.list(page_size=2, page_token=first.next_page_token, **wrong)
            assert raised.value.details["field"] == "page_token"
        with pytest.raises(InvalidInput, match="There is no status 'BROKEN'"):
            await room.accounts.list(status="BROKEN")
