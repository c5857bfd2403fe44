"""Consent on hosted accounts: Scalekit's link at the moment of need, verification, and what an attempt may show."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from actions_support import ALICE, DANA, IDENTIFIER, PAGES, HostedBench, fast_bench

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.actions.models import AuthorizationPrompt, OutcomeKind
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.errors import InvalidInput, ProviderUnavailable
from scalekit_mcp.sandbox.scalekit.records import Fault
from tests.support.confirmation_codes import code_on

OPERATOR_PAGE = "https://app.example.com/verify"


async def sign_in(browser: Browser, link: str, address: str) -> Page:
    """Consent up to the point where the browser leaves for a page that no test serves."""
    page = await browser.press(await browser.open(link), "Continue")
    return await browser.press(page, address)


async def test_scalekits_link_is_made_when_the_button_is_pressed_and_shown_in_no_chat() -> None:
    async with fast_bench() as bench:
        answer = await bench.run("authorize")
        assert bench.received("/magic_link") == []
        assert "magicLink" not in json.dumps(answer)
        ticket = answer["authorization_url"].rpartition("/")[2]
        assert isinstance(await bench.actions.authorization_prompt(ticket), AuthorizationPrompt)
        assert bench.received("/magic_link") == []
        started = await bench.actions.start_authorization(ticket, browser_secret="b" * 43)
        assert isinstance(started, str)
        assert started.startswith(f"{bench.look_alike.base_url}/magicLink/")
        [request] = bench.received("/magic_link")
        assert set(request.body) == {"connector", "identifier", "state", "user_verify_url"}
        assert request.body["user_verify_url"] == f"{PAGES}/oauth/callback"
        assert len(request.body["state"]) <= 512


async def test_the_last_start_voids_the_state_of_an_earlier_one() -> None:
    async with fast_bench() as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        for _ in range(2):
            await bench.actions.start_authorization(ticket, browser_secret="b" * 43)
        first, second = (request.body["state"] for request in bench.received("/magic_link"))
        assert first != second
        outcome = await bench.actions.complete_authorization(
            {"state": first, "auth_request_id": "x"}, browser_secrets=["b" * 43]
        )
        assert outcome.kind is OutcomeKind.LINK_UNKNOWN


async def test_a_way_back_in_another_browser_connects_nobody() -> None:
    async with fast_bench() as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        await bench.actions.start_authorization(ticket, browser_secret="mine")
        state = bench.received("/magic_link")[0].body["state"]
        outcome = await bench.actions.complete_authorization(
            {"state": state, "auth_request_id": "x"}, browser_secrets=["somebody else's"]
        )
        assert outcome.kind is OutcomeKind.OTHER_BROWSER
        assert bench.received("/user/verify") == []


async def test_a_way_back_is_taken_once_and_its_repeat_changes_nothing() -> None:
    async with fast_bench(user_verification="confirm") as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        await bench.actions.start_authorization(ticket, browser_secret="mine")
        state = bench.received("/magic_link")[0].body["state"]
        query = {"state": state, "auth_request_id": "request-1"}
        first = await bench.actions.complete_authorization(query, browser_secrets=["mine"])
        assert first.kind is OutcomeKind.CONFIRMATION_NEEDED
        for repeat in (query, {"state": state, "error": "access_denied"}):
            outcome = await bench.actions.complete_authorization(repeat, browser_secrets=["mine"])
            assert outcome.kind is OutcomeKind.LINK_USED
            assert outcome.confirmation_code is None
        account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
        assert account.held


async def test_with_off_the_callback_verifies_the_identifier_that_asked() -> None:
    async with fast_bench() as bench:
        await bench.consent()
        [request] = bench.received("/user/verify")
        assert set(request.body) == {"auth_request_id", "identifier"}
        assert request.body["identifier"] == IDENTIFIER
        assert await bench.status() == ("ACTIVE", None)


async def test_with_confirm_nothing_is_verified_before_the_code_and_the_id_is_kept_sealed(tmp_path: Path) -> None:
    def open_vault() -> Vault:
        return Vault(f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}", KeyRing.generate())

    def files() -> list[Path]:
        return list(tmp_path.iterdir())

    async with fast_bench(user_verification="confirm", open_vault=open_vault) as bench:
        link = await bench.link()
        async with bench.browser() as browser:
            code = code_on(await consent(browser, link, DANA))
        assert bench.received("/user/verify") == []
        [request_id] = bench.look_alike.records.auth_requests
        written = b"".join(path.read_bytes() for path in files())
        assert IDENTIFIER.encode() in written
        for secret in (request_id, code, link.rpartition("/")[2], bench.received("/magic_link")[0].body["state"]):
            assert secret.encode() not in written
        await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert [r.body["identifier"] for r in bench.received("/user/verify")] == [IDENTIFIER]


async def test_a_code_that_came_too_late_for_scalekit_asks_for_a_new_link() -> None:
    async with fast_bench(user_verification="confirm") as bench:
        bench.look_alike.switches.auth_request_seconds = 60
        code = code_on(await bench.consent())
        bench.sandbox.advance_clock(120)
        with pytest.raises(InvalidInput) as late:
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert "new link" in late.value.next_step
        assert await bench.link()


async def test_a_code_is_over_after_ten_minutes() -> None:
    async with fast_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        bench.sandbox.advance_clock(601)
        with pytest.raises(InvalidInput):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert bench.received("/user/verify") == []


async def test_a_code_whose_verification_got_no_answer_may_be_typed_again() -> None:
    async with fast_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        bench.look_alike.switches.faults.append(Fault(path_contains="/user/verify", drop="before"))
        with pytest.raises(ProviderUnavailable):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        response = await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert response.connected_account.status == "ACTIVE"


async def test_with_url_the_operators_page_gets_the_request_and_their_backend_confirms() -> None:
    async with fast_bench(user_verification="url", user_verify_url=OPERATOR_PAGE) as bench:
        link = await bench.link(state="from-their-session")
        ticket = link.rpartition("/")[2]
        started = await bench.actions.start_authorization(ticket, browser_secret="b" * 43)
        assert isinstance(started, str)
        [request] = bench.received("/magic_link")
        assert request.body["user_verify_url"] == OPERATOR_PAGE
        assert request.body["state"] == "from-their-session"
        request_id = await consent_until_the_operators_page(bench, started)
        assert await bench.status() == ("PENDING", "awaiting_confirmation")
        with pytest.raises(InvalidInput) as wrong:
            await bench.actions.verify_connected_account_user(auth_request_id=request_id, identifier="somebody_else")
        assert wrong.value.details["field"] == "identifier"
        response = await bench.actions.verify_connected_account_user(auth_request_id=request_id, identifier=IDENTIFIER)
        account = response.connected_account
        assert (account.status, account.attempt_state) == ("ACTIVE", None)
        over = await bench.actions.authorization_prompt(ticket)
        assert getattr(over, "kind", None) is OutcomeKind.LINK_USED
        with pytest.raises(InvalidInput):
            await bench.actions.verify_connected_account_user(auth_request_id=request_id, identifier=IDENTIFIER)


async def test_with_url_no_way_back_leads_to_our_own_callback() -> None:
    async with fast_bench(user_verification="url", user_verify_url=OPERATOR_PAGE) as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        await bench.actions.start_authorization(ticket, browser_secret="mine")
        state = bench.received("/magic_link")[0].body["state"]
        outcome = await bench.actions.complete_authorization(
            {"state": state, "auth_request_id": "x"}, browser_secrets=["mine"]
        )
        assert outcome.kind is OutcomeKind.LINK_UNKNOWN


async def consent_until_the_operators_page(bench: HostedBench, link: str) -> str:
    """Sign in as Dana and read where Scalekit sends the browser; the `auth_request_id` in it."""
    import httpx2 as httpx
    from actions_support import side_by_side

    app = side_by_side(bench.sandbox.app, bench.look_alike.app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), timeout=20) as http:
        sent: list[str] = []

        async def stop_there(request: httpx.Request) -> None:
            if str(request.url).startswith(OPERATOR_PAGE):
                sent.append(str(request.url))

        http.event_hooks["request"].append(stop_there)
        browser = Browser(http)
        page = await browser.press(await browser.open(link), DANA)
        if any("accept" in text.lower() for form in page.forms for text in form.buttons):
            await browser.press(page, "Accept")
    query = parse_qs(urlsplit(sent[0]).query)
    assert query["state"] == ["from-their-session"]
    return query["auth_request_id"][0]


async def test_url_without_an_address_is_refused() -> None:
    async with fast_bench(user_verification="url") as bench:
        with pytest.raises(InvalidInput) as refused:
            await bench.link()
        assert refused.value.details["field"] == "user_verify_url"


async def test_an_environment_without_verification_connects_and_that_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fast_bench(user_verification="confirm") as bench:
        bench.look_alike.switches.verification = "none"
        with caplog.at_level(logging.WARNING, "scalekit_mcp"):
            await bench.consent()
            assert await bench.status() == ("ACTIVE", None)
        assert any("User Verification" in record.message for record in caplog.records)


async def test_a_link_that_scalekit_does_not_give_is_said_on_the_page_and_can_be_tried_again() -> None:
    async with fast_bench() as bench:
        link = await bench.link()
        ticket = link.rpartition("/")[2]
        bench.look_alike.switches.faults.append(Fault(status=500, path_contains="/magic_link"))
        outcome = await bench.actions.start_authorization(ticket, browser_secret="b" * 43)
        assert not isinstance(outcome, str)
        assert outcome.kind is OutcomeKind.FAILED
        async with bench.browser() as browser:
            await consent(browser, link, DANA)
        assert await bench.status() == ("ACTIVE", None)


async def test_an_approval_that_is_missing_is_told_as_such() -> None:
    async with fast_bench() as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        await bench.actions.start_authorization(ticket)
        state = bench.received("/magic_link")[0].body["state"]
        outcome = await bench.actions.complete_authorization(
            {"state": state, "error": "access_denied", "error_description": "AADSTS90094: The grant requires admin."}
        )
        assert outcome.kind is OutcomeKind.ADMIN_APPROVAL_REQUIRED
        assert outcome.who_acts == "it_admin"
        assert "AADSTS90094: The" not in str(outcome.message)


@pytest.mark.parametrize("error", ["failed_to_exchange", "failed_to_exchange_token", "server_error", "<script>"])
async def test_an_error_of_the_way_back_is_never_repeated_raw(error: str) -> None:
    async with fast_bench() as bench:
        ticket = (await bench.link()).rpartition("/")[2]
        await bench.actions.start_authorization(ticket)
        state = bench.received("/magic_link")[0].body["state"]
        outcome = await bench.actions.complete_authorization(
            {"state": state, "error": error, "error_description": "planted words"}
        )
        assert outcome.kind is OutcomeKind.FAILED
        assert "planted" not in repr(outcome)
        assert "<script>" not in repr(outcome)
        assert (await bench.status())[0] == "PENDING"


async def test_two_people_connect_at_once_and_each_gets_their_own_mailbox() -> None:
    async with fast_bench() as bench:
        first, second = await bench.link("user_dana"), await bench.link("user_alice")
        async with bench.browser() as one, bench.browser() as other:
            await consent(other, second, ALICE)
            await consent(one, first, DANA)
        event = {
            "subject": "Only Dana's",
            "start_datetime": "2026-04-08T10:00:00",
            "start_timezone": "UTC",
            "end_datetime": "2026-04-08T11:00:00",
            "end_timezone": "UTC",
        }
        await bench.run("outlook_create_calendar_event", "user_dana", **event)
        mine = await bench.run("outlook_list_calendar_events", "user_dana", filter="subject eq 'Only Dana''s'")
        theirs = await bench.run("outlook_list_calendar_events", "user_alice", filter="subject eq 'Only Dana''s'")
        assert (len(mine["value"]), len(theirs["value"])) == (1, 0)
