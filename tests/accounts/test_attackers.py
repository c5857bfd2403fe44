"""The attacker's plays, with real pages in browsers of their own: no mailbox ever lands on the wrong identifier.

Mallory attacks and is a legitimate user too; Dana's mailbox is the prize. Every play ends with `unharmed`.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from scalekit_mcp.accounts.model.records import ExpectedPerson
from scalekit_mcp.actions.models import AuthorizationOutcome
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, ScalekitMCPError
from tests.support.confirmation_codes import code_on
from tests.support.seam import (
    ALICE,
    DANA,
    FIONA,
    PAGES,
    Seam,
    open_seam,
    pressed_continue,
    signed_in,
    state_in,
)

CONFIRM = {"user_verification": "confirm"}


async def unharmed(seam: Seam, **expected: str | None) -> None:
    """These identifiers have these mailboxes and no others; nobody else exists; who has none makes no calls."""
    page = await seam.actions.list_connected_accounts(page_size=1000)
    assert {account.identifier: account.mailbox for account in page.connected_accounts} == expected
    for identifier, mailbox in expected.items():
        if mailbox is None:
            with pytest.raises(AuthorizationRequired):
                await seam.call(identifier)
        else:
            assert await seam.call(identifier)


async def arrive(seam: Seam, browser: Browser, link: str, address: str) -> Page:
    """Go the whole way in one browser, as somebody who types another address than the one that is suggested."""
    return await browser.open(await signed_in(seam, await pressed_continue(browser, link), address))


async def redeem(seam: Seam, identifier: str, code: str) -> None:
    await seam.actions.execute_tool(
        identifier=identifier, tool_name="authorize", tool_input={"confirmation_code": code}
    )


async def test_a_link_sent_to_a_victim_who_signs_in_gives_the_attacker_nothing():
    async with open_seam(**CONFIRM) as seam:
        page = await seam.consent("mallory", DANA)
        assert "Type this only into the chat where you asked." in page.text
        assert "If someone sent you the link, press Cancel." in page.text
        for guess in ("00000000", "11111111", "22222222", "33333333", "44444444"):
            with pytest.raises(InvalidInput):
                await redeem(seam, "mallory", guess)
        with pytest.raises(InvalidInput, match="No sign-in"):
            await redeem(seam, "mallory", code_on(page))
        await unharmed(seam, mallory=None)


async def test_a_victim_who_types_the_code_into_the_own_chat_connects_nobody():
    async with open_seam(**CONFIRM) as seam:
        await seam.actions.get_or_create_connected_account(identifier="dana")
        page = await seam.consent("mallory", DANA)
        with pytest.raises(InvalidInput):
            await redeem(seam, "dana", code_on(page))
        await unharmed(seam, mallory=None, dana=None)


async def test_a_victim_who_presses_cancel_leaves_the_attacker_with_a_dead_code():
    async with open_seam(**CONFIRM) as seam, seam.browser() as browser:
        page = await consent(browser, await seam.link("mallory"), DANA)
        code = code_on(page)
        await browser.press(page, "Cancel")
        with pytest.raises(InvalidInput, match="No sign-in"):
            await redeem(seam, "mallory", code)
        await unharmed(seam, mallory=None)


async def test_guesses_of_many_callers_at_once_are_five_guesses():
    async with open_seam(**CONFIRM) as seam:
        code = code_on(await seam.consent("mallory", DANA))
        guesses = [f"{number:08d}" for number in range(40) if f"{number:08d}" != code]
        answers = await asyncio.gather(*(redeem(seam, "mallory", guess) for guess in guesses), return_exceptions=True)
        assert all(isinstance(answer, ScalekitMCPError) for answer in answers)
        assert sum("of 5 tries are left" in str(answer) for answer in answers) == 4
        with pytest.raises(InvalidInput):
            await redeem(seam, "mallory", code)
        await unharmed(seam, mallory=None)


async def test_a_code_works_once_and_only_for_the_identifier_that_asked():
    async with open_seam(**CONFIRM) as seam:
        await seam.actions.get_or_create_connected_account(identifier="mallory")
        code = code_on(await seam.consent("dana", DANA))
        with pytest.raises(InvalidInput, match="No sign-in for 'mallory'"):
            await redeem(seam, "mallory", code)
        await redeem(seam, "dana", code)
        for identifier in ("dana", "mallory"):
            with pytest.raises(InvalidInput):
                await redeem(seam, identifier, code)
        await unharmed(seam, dana=DANA, mallory=None)


async def test_a_code_of_one_sign_in_does_not_open_another():
    async with open_seam(**CONFIRM) as seam:
        own = code_on(await seam.consent("mallory", ALICE))
        code_on(await seam.consent("dana", DANA))
        with pytest.raises(InvalidInput, match="of 5 tries are left"):
            await redeem(seam, "dana", own)
        await redeem(seam, "mallory", own)
        await unharmed(seam, mallory=ALICE, dana=None)


async def test_a_code_is_worth_nothing_after_ten_minutes():
    async with open_seam(**CONFIRM) as seam:
        code = code_on(await seam.consent("dana", DANA))
        seam.sandbox.advance_clock(600)
        with pytest.raises(InvalidInput, match="its time may be over"):
            await redeem(seam, "dana", code)
        await unharmed(seam, dana=None)


@pytest.mark.parametrize("where", ["the same browser", "another browser"])
async def test_a_replayed_callback_redeems_nothing(where: str):
    async with open_seam() as seam, seam.browser() as browser, seam.browser() as another:
        back = await signed_in(seam, await pressed_continue(browser, await seam.link("dana")), DANA)
        assert (await browser.open(back)).status == 200
        page = await (browser if where == "the same browser" else another).open(back)
        assert page.status in (403, 410), page.text
        assert len(seam.token_requests("authorization_code")) == 1
        await unharmed(seam, dana=DANA)


async def test_a_callback_comes_once_even_from_twenty_tabs_at_once():
    async with open_seam() as seam, seam.browser() as browser:
        back = await signed_in(seam, await pressed_continue(browser, await seam.link("dana")), DANA)
        pages = await asyncio.gather(*(browser.open(back) for _ in range(20)))
        assert len(seam.token_requests("authorization_code")) == 1
        assert sum("Connected" in page.text for page in pages) == 1
        await unharmed(seam, dana=DANA)


async def test_a_victim_lured_to_microsoft_cannot_finish_what_the_attacker_started():
    async with open_seam() as seam, seam.browser() as mallorys, seam.browser() as danas:
        to_microsoft = await pressed_continue(mallorys, await seam.link("mallory"))
        back = await signed_in(seam, to_microsoft, DANA)  # Dana was sent the address at Microsoft, and signs in
        page = await danas.open(back)
        assert page.status == 403
        assert "another browser" in page.text
        assert not seam.token_requests("authorization_code")
        await unharmed(seam, mallory=None)


async def test_a_finished_sign_in_of_the_attacker_cannot_be_planted_on_a_victim():
    async with open_seam() as seam, seam.browser() as mallorys, seam.browser() as danas:
        back = await signed_in(seam, await pressed_continue(mallorys, await seam.link("mallory")), ALICE)
        await pressed_continue(danas, await seam.link("dana"))  # Dana has a cookie of her own attempt
        assert (await danas.open(back)).status == 403
        await unharmed(seam, mallory=None, dana=None)


async def test_a_code_of_the_attackers_sign_in_does_not_fit_the_victims_attempt():
    async with open_seam() as seam, seam.browser() as mallorys, seam.browser() as danas:
        back = await signed_in(seam, await pressed_continue(mallorys, await seam.link("mallory")), ALICE)
        foreign = dict(parse_qsl(urlsplit(back).query))["code"]
        state = state_in(await pressed_continue(danas, await seam.link("dana")))
        page = await danas.open(f"{PAGES}/oauth/callback?{urlencode({'code': foreign, 'state': state})}")
        assert page.status == 400
        await unharmed(seam, mallory=None, dana=None)


async def test_a_stranger_with_the_state_cannot_spend_it():
    async with open_seam() as seam, seam.browser() as danas, seam.browser() as mallorys:
        to_microsoft = await pressed_continue(danas, await seam.link("dana"))
        for query in ({"error": "access_denied"}, {"code": "made-up"}):
            page = await mallorys.open(
                f"{PAGES}/oauth/callback?{urlencode({**query, 'state': state_in(to_microsoft)})}"
            )
            assert page.status == 403
        assert "Connected" in (await danas.open(await signed_in(seam, to_microsoft, DANA))).text
        await unharmed(seam, dana=DANA)


@pytest.mark.parametrize("number", [7000215, 7000222, 700025, 700016])
async def test_a_refusal_that_a_browser_makes_up_stops_nobody_elses_calls(number: int):
    async with open_seam() as seam, seam.browser() as mallorys:
        seam.sandbox.access_token_lifetime(60)  # every call refreshes
        await seam.consent("dana")
        to_microsoft = await pressed_continue(mallorys, await seam.link("mallory"))
        query = {"error": "invalid_client", "error_description": f"AADSTS{number}: made up"}
        page = await mallorys.open(f"{PAGES}/oauth/callback?{urlencode({**query, 'state': state_in(to_microsoft)})}")
        assert f"AADSTS{number}" in page.text
        seam.forget()
        assert await seam.call("dana")
        assert seam.token_requests("refresh_token")
        page_of_accounts = await seam.actions.list_connected_accounts(page_size=10)
        assert not [account for account in page_of_accounts.connected_accounts if account.calls_stopped]


@pytest.mark.parametrize("query", [{}, {"code": "x"}, {"code": "x", "state": "made-up"}, {"error": "x", "state": ""}])
async def test_a_made_up_way_back_is_unknown(query: dict[str, str]):
    async with open_seam() as seam, seam.browser() as browser:
        await pressed_continue(browser, await seam.link("dana"))
        assert (await browser.open(f"{PAGES}/oauth/callback?{urlencode(query)}")).status == 404
        await unharmed(seam, dana=None)


async def test_a_superseded_link_and_the_sign_in_begun_from_it_are_dead():
    async with open_seam() as seam, seam.browser() as browser, seam.browser() as another:
        old = await seam.link("dana")
        back = await signed_in(seam, await pressed_continue(browser, old), DANA)
        await seam.actions.get_authorization_link(identifier="dana", reconnect=True)
        for address, profile in ((back, browser), (old, browser), (old, another)):
            page = await profile.open(address)
            assert page.status == 410
            assert "replaced" in page.text
        assert not seam.token_requests("authorization_code")
        await unharmed(seam, dana=None)


async def test_an_expired_link_and_the_sign_in_begun_from_it_are_dead():
    async with open_seam() as seam, seam.browser() as browser:
        link = await seam.link("dana")
        back = await signed_in(seam, await pressed_continue(browser, link), DANA)
        seam.sandbox.advance_clock(900)
        for address in (back, link):
            assert (await browser.open(address)).status == 410
        await unharmed(seam, dana=None)


async def test_a_scanner_that_opens_and_posts_links_starts_nothing():
    async with open_seam() as seam, seam.browser() as scanner:
        link = await seam.link("dana")
        for _ in range(3):
            assert (await scanner.open(link)).status == 200
        async with seam.browser() as without_cookies:
            answer = await without_cookies._http.post(link, data={"action": "continue"})
            assert answer.status_code in (303, 403)
        assert (await seam.account("dana")).attempt_state == "link_given"
        await seam.consent("dana", DANA)
        await unharmed(seam, dana=DANA)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_form_on_another_site_starts_nothing_even_with_the_victims_cookies(headers: dict[str, str]):
    async with open_seam() as seam, seam.browser() as danas:
        link = await seam.link("mallory")
        form = (await danas.open(link)).forms[0]
        answer = await danas._http.post(form.action, data={**form.fields, "action": "continue"}, headers=headers)
        assert answer.status_code == 403
        assert (await seam.account("mallory")).attempt_state == "link_given"
        await unharmed(seam, mallory=None)


@pytest.mark.parametrize("verification", ["off", "confirm"])
async def test_a_connected_identifier_is_not_silently_switched_to_another_mailbox(verification: str):
    async with open_seam(user_verification=verification) as seam:
        page = await seam.consent("dana", DANA)
        if verification == "confirm":
            await redeem(seam, "dana", code_on(page))
        seam.sandbox.grant_admin_consent("fabrikam.example")
        for address in (ALICE, FIONA):
            async with seam.browser() as browser:
                page = await arrive(seam, browser, await seam.link("dana"), address)
            assert page.status == 403
            assert "That is another account" in page.text
        await unharmed(seam, dana=DANA)


async def test_an_address_that_the_caller_does_not_hold_needs_the_code():
    async with open_seam(**CONFIRM) as seam, seam.browser() as browser:
        await arrive(seam, browser, await seam.link("mallory", expected=ExpectedPerson(ALICE)), DANA)
        assert (await seam.account("mallory")).held
        await unharmed(seam, mallory=None)


async def test_a_made_up_approval_of_an_administrator_connects_nobody():
    async with open_seam() as seam, seam.browser() as browser:
        link = await seam.actions.get_authorization_link(identifier="dana")
        assert link.admin_consent_url is not None
        state = state_in(link.admin_consent_url)
        query = {"admin_consent": "True", "tenant": "c0270500-0000-4000-8000-000000000001", "state": state}
        assert (await browser.open(f"{PAGES}/oauth/admin-consent?{urlencode(query)}")).status == 200
        assert (await browser.open(f"{PAGES}/oauth/admin-consent?admin_consent=True&state=made-up")).status == 404
        # Nor is its state good for anything else.
        assert (await browser.open(f"{PAGES}/oauth/callback?{urlencode({'code': 'x', 'state': state})}")).status == 404
        await unharmed(seam, dana=None)


async def test_the_operators_page_verifies_only_who_asked_and_five_wrong_answers_void_it():
    async with open_seam(user_verification="url", user_verify_url="https://app.example/verify") as seam:
        async with seam.browser() as browser:
            back = await signed_in(seam, await pressed_continue(browser, await seam.link("mallory")), DANA)
            cookies = dict(browser._http.cookies)
            assert cookies
            answer = await browser._http.get(back)
        assert answer.status_code == 303
        request_id = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["auth_request_id"]
        for _ in range(5):
            with pytest.raises(InvalidInput) as raised:
                await seam.actions.verify_connected_account_user(auth_request_id=request_id, identifier="dana")
            assert raised.value.details["field"] == "identifier"
        with pytest.raises(InvalidInput):
            await seam.actions.verify_connected_account_user(auth_request_id=request_id, identifier="mallory")
        await unharmed(seam, mallory=None)


async def test_a_link_is_no_way_to_somebody_elses_held_sign_in():
    """Whoever has the link but not the browser of the sign-in can neither read the code nor press Cancel."""
    async with open_seam(**CONFIRM) as seam, seam.browser() as danas, seam.browser() as mallorys:
        link = await seam.link("dana")
        code = code_on(await consent(danas, link, DANA))
        page = await mallorys.open(link)
        assert code not in page.text.replace("-", "").replace(" ", "")
        outcome = await seam.actions.cancel_held_authorization(link.rsplit("/", 1)[1], browser_secret="x" * 43)
        assert isinstance(outcome, AuthorizationOutcome)
        assert outcome.kind == "other_browser"
        await redeem(seam, "dana", code)
        await unharmed(seam, dana=DANA)
