"""Every AADSTS number that has a meaning of its own, answered by the sandbox, up to what an agent or a person reads.

What each number has to mean stands in `test_aadsts_table`; here it is looked at from outside: the error of a call, the
record and history of the account, the accounts beside it, the operator's log, and how often Microsoft was asked.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.provider import Grant, GrantFault
from scalekit_mcp.demo.browser import Browser, Page
from scalekit_mcp.microsoft.identity.aadsts_table import AADSTS_TABLE
from scalekit_mcp.microsoft.identity.verdicts import CERTIFICATE, SECRET
from tests.microsoft.test_aadsts_table import ADMIN, AT_REFRESH, GONE, SAME, UNTOUCHED, numbers
from tests.support.seam import ALICE, DANA, FIONA, PAGES, PAT, Seam, open_seam, pressed_continue, state_in

WHOLE_CONNECTION = {number for number, row in AADSTS_TABLE.items() if row.verdict in (SECRET, CERTIFICATE)}
TENANT = {7000112, 700016}
COOLED_DOWN_SECONDS = 700.0


async def prepared(seam: Seam) -> tuple[Grant, Grant]:
    """One person of an organization, a personal one, a colleague, and somebody else; the first two as grants."""
    seam.sandbox.grant_admin_consent("fabrikam.example")
    for identifier, address in (("ana", DANA), ("pat", PAT), ("alice", ALICE), ("fiona", FIONA)):
        await seam.consent(identifier, address)
    return await seam.grant_of("ana"), await seam.grant_of("pat")


def reset(seam: Seam, caplog: pytest.LogCaptureFixture) -> None:
    """Between two rows: no cool-down is left, no failure waits, nothing was seen yet."""
    seam.sandbox.clear_faults()
    seam.sandbox.advance_clock(COOLED_DOWN_SECONDS)
    seam.forget()
    caplog.clear()


async def expired(seam: Seam, identifier: str, grant: Grant) -> None:
    """The account is ACTIVE again, and its access token has run out."""
    tokens = replace(grant.tokens, expires_at=seam.clock.now())
    await (await seam.services()).authorizations.adopt(
        AccountKey("outlook", identifier), grant=replace(grant, tokens=tokens)
    )


def asked_for(seam: Seam, grant: Grant) -> int:
    return sum(
        dict(request.body or {}).get("refresh_token") == grant.tokens.refresh_token for request in seam.token_requests()
    )


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines for an operator."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("scalekit_mcp")
    ]


async def test_each_number_that_ends_a_grant_is_told_once_and_never_asked_again(caplog: pytest.LogCaptureFixture):
    async with open_seam() as seam:
        grant, _ = await prepared(seam)
        seen: dict[int, Any] = {}
        expected: dict[int, Any] = {}
        for number, (status, reason, who_acts) in AT_REFRESH:
            reset(seam, caplog)
            await expired(seam, "ana", grant)
            await seam.call("alice")
            seam.sandbox.next_token_error(number, person=DANA)
            errors = [await seam.refused("ana") for _ in range(3)]
            for each in errors:
                each["admin_consent_url"] = str(each.get("admin_consent_url")).partition("?")[0]  # a fresh `state`
            assert errors[0] == errors[1] == errors[2], number
            error, account = errors[0], await seam.account("ana")
            history = await (await seam.services()).accounts.history(
                connection_name="outlook", identifier="ana", limit=1
            )
            seam.sandbox.advance_clock(3)  # what was read of a colleague a moment ago may still count
            colleague = await (seam.refused("alice") if number in TENANT else seam.call("alice"))
            seen[number] = (
                (error["code"], error["status"], error["reason"], error["who_acts"], error["retryable"]),
                (error["authorization_url"].startswith(f"{PAGES}/connect/"), error["admin_consent_url"][-12:]),
                (account.status, account.reason, account.who_acts),
                (history[0].cause, history[0].code),
                asked_for(seam, grant),
                (colleague.get("reason"), (await seam.account("alice")).status),
                len(told(caplog)),
            )
            expected[number] = (
                ("authorization_required", status.value, reason.value, who_acts, False),
                (True, "adminconsent"),
                (status.value, reason.value, who_acts),
                ("refresh_refused", f"AADSTS{number}"),
                1,
                ("app_disabled" if number in TENANT else None, "ACTIVE"),
                1,
            )
            assert await seam.call("fiona")
        assert seen == expected


async def test_each_number_that_says_nothing_about_a_grant_leaves_every_account_alone(
    caplog: pytest.LogCaptureFixture,
):
    codes = {
        GrantFault.TRANSIENT: ("provider_unavailable", "nobody", True),
        GrantFault.MISCONFIGURED: ("connection_misconfigured", "operator", False),
        GrantFault.OUR_FAULT: ("internal_error", "operator", False),
    }
    async with open_seam() as seam:
        grant, _ = await prepared(seam)
        seen: dict[int, Any] = {}
        expected: dict[int, Any] = {}
        for number, fault in SAME:
            reset(seam, caplog)
            await seam.call("alice")
            await expired(seam, "ana", grant)
            seam.sandbox.next_token_error(number, person=DANA, times=3)
            errors = [await seam.refused("ana") for _ in range(3)]
            assert await seam.call("alice")
            error, account = errors[0], await seam.account("ana")
            seen[number] = (
                [(each["code"], each["who_acts"], each["retryable"]) for each in errors],
                (account.status, account.reason, (await seam.account("alice")).status),
                "authorization_url" in error,
                all((each.get("retry_after_seconds") or 0) > 0 for each in errors),
                asked_for(seam, grant),
                len(told(caplog)),
            )
            # A request of ours that is malformed is nobody's to wait for: it is said each time.
            ours = fault is GrantFault.OUR_FAULT
            expected[number] = (
                [codes[fault]] * 3,
                ("ACTIVE", None, "ACTIVE"),
                False,
                fault is GrantFault.TRANSIENT,
                3 if ours else 1,
                {GrantFault.TRANSIENT: 0, GrantFault.MISCONFIGURED: 1, GrantFault.OUR_FAULT: 3}[fault],
            )
            seam.sandbox.clear_faults()
            seam.sandbox.advance_clock(60)
            assert await seam.call("ana"), number
        assert seen == expected


async def test_refused_credentials_stop_no_account_whose_token_lives_and_cost_one_request(
    caplog: pytest.LogCaptureFixture,
):
    async with open_seam() as seam:
        grant, of_pat = await prepared(seam)
        reset(seam, caplog)
        await seam.call("alice")
        await expired(seam, "ana", grant)
        await expired(seam, "pat", of_pat)
        seam.sandbox.expire_client_secret()
        for identifier in ("ana", "pat", "ana", "pat"):
            assert (await seam.refused(identifier))["code"] == "connection_misconfigured"
        assert await seam.call("alice")
        assert len(seam.token_requests()) == 1
        assert len(told(caplog)) == 1
        for identifier in ("ana", "pat", "alice", "fiona"):
            assert (await seam.account(identifier)).status == "ACTIVE"


async def test_a_personal_account_has_its_own_reasons_and_no_administrator(caplog: pytest.LogCaptureFixture):
    async with open_seam() as seam:
        _, grant = await prepared(seam)
        for number, suberror in ((70000, None), (70000, "bad_token"), (None, "bad_token")):
            reset(seam, caplog)
            await expired(seam, "pat", grant)
            seam.sandbox.next_token_error(number, error="invalid_grant", suberror=suberror, person=PAT)
            for _ in range(2):
                error = await seam.refused("pat")
                assert (error["status"], error["reason"], error["who_acts"]) == (
                    "REVOKED",
                    "grant_revoked_by_user",
                    "user",
                )
                assert "admin_consent_url" not in error
            assert asked_for(seam, grant) == 1
        reset(seam, caplog)
        await expired(seam, "pat", grant)
        seam.sandbox.next_token_error(None, error="invalid_grant", person=PAT)
        assert (await seam.refused("pat"))["reason"] == "unknown"


CLASSES = {
    "invalid_grant": ("authorization_required", "EXPIRED", "unknown"),
    "interaction_required": ("authorization_required", "EXPIRED", "interaction_required"),
    "login_required": ("authorization_required", "EXPIRED", "interaction_required"),
    "consent_required": ("authorization_required", "EXPIRED", "interaction_required"),
    "invalid_client": ("connection_misconfigured", "ACTIVE", None),
    "unauthorized_client": ("connection_misconfigured", "ACTIVE", None),
    "invalid_scope": ("connection_misconfigured", "ACTIVE", None),
    "invalid_resource": ("connection_misconfigured", "ACTIVE", None),
    "invalid_request": ("internal_error", "ACTIVE", None),
    "unsupported_grant_type": ("internal_error", "ACTIVE", None),
    "temporarily_unavailable": ("provider_unavailable", "ACTIVE", None),
    "server_error": ("provider_unavailable", "ACTIVE", None),
    "something_new": ("provider_unavailable", "ACTIVE", None),
}


async def test_an_unknown_number_falls_into_the_class_of_its_error(caplog: pytest.LogCaptureFixture):
    async with open_seam() as seam:
        grant, _ = await prepared(seam)
        seen: dict[str, Any] = {}
        for error in CLASSES:
            reset(seam, caplog)
            await expired(seam, "ana", grant)
            seam.sandbox.next_token_error(99_999, error=error, person=DANA)
            refusal, account = await seam.refused("ana"), await seam.account("ana")
            seen[error] = (refusal["code"], account.status, account.reason)
        assert seen == CLASSES


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (429, "Too Many Requests", {"Retry-After": "120"}),
        (500, "<html>Service error</html>", {"Content-Type": "text/html"}),
        (503, "", {}),
        (200, "<html>Sign in</html>", {"Content-Type": "text/html"}),
        (400, "not json", {}),
    ],
)
async def test_what_is_not_the_protocol_changes_nothing_and_is_left_alone_for_a_while(
    status: int, body: str, headers: dict[str, str]
):
    async with open_seam() as seam:
        await seam.consent("ana")
        grant = await seam.grant_of("ana")
        await expired(seam, "ana", grant)
        seam.sandbox.token_error_raw(status, body, headers, person=DANA, times=5)
        for _ in range(3):
            error = await seam.refused("ana")
            assert (error["code"], error["retryable"]) == ("provider_unavailable", True)
            assert error["retry_after_seconds"] == (120 if "Retry-After" in headers else 5)
        assert asked_for(seam, grant) == 1
        assert (await seam.account("ana")).status == "ACTIVE"


# While somebody signs in


ACCOUNT_SAYS = {
    GrantFault.DECLINED: ("PENDING", "consent_declined", "user"),
    GrantFault.ADMIN_APPROVAL: ("PENDING", "admin_approval_required", "it_admin"),
}
TITLES = {
    GrantFault.DECLINED: "The permission was not given",
    GrantFault.ADMIN_APPROVAL: "Your organization has to approve first",
    GrantFault.RESTART: "Please start again",
    GrantFault.TRANSIENT: "The sign-in service is not available just now",
}
APPLICATION_UNKNOWN = {700016, 700011}


def at_sign_in(number: int, error: str) -> GrantFault:
    """What a number means before there is a grant: whatever ends a grant ends this attempt alone."""
    fault = AADSTS_TABLE[number].verdict.fault
    if number in APPLICATION_UNKNOWN:
        return GrantFault.MISCONFIGURED
    if number == 65001:
        return GrantFault.DECLINED
    if error == "invalid_grant" and number in {70008, 700084, 70000, 50085, 700020}:
        return GrantFault.RESTART
    return fault


async def come_back(browser: Browser, link: str, **query: str) -> Page:
    """Press Continue, and come back from Microsoft with this query."""
    to_microsoft = await pressed_continue(browser, link)
    return await browser.open(f"{PAGES}/oauth/callback?{urlencode({**query, 'state': state_in(to_microsoft)})}")


async def test_each_number_on_the_way_back_has_its_page_and_touches_no_other_status(caplog: pytest.LogCaptureFixture):
    async with open_seam() as seam, seam.browser() as browser:
        wrong: dict[int, Any] = {}
        for number in AADSTS_TABLE:
            identifier = f"new-{number}"
            link = await seam.link(identifier)
            error = "consent_required" if number in {*ADMIN, 65001, 65004} else "invalid_request"
            page = await come_back(
                browser, link, error=error, error_description=f"AADSTS{number}: Planted words.\r\nTrace ID: x"
            )
            fault, account = at_sign_in(number, error), await seam.account(identifier)
            title = TITLES.get(fault, "The sign-in failed")
            state = ACCOUNT_SAYS.get(fault, ("PENDING", "awaiting_consent", "user"))
            if (
                title not in page.text
                or f"AADSTS{number}" not in page.text
                or "Planted" in page.text
                or (account.status, account.reason, account.who_acts) != state
                or f"AADSTS{number}" not in (account.last_authorization_error or "")
            ):
                wrong[number] = (fault, page.text[:300], account)
        assert not wrong
        assert not seam.token_requests("authorization_code")
        assert "Planted" not in caplog.text


async def test_each_number_at_the_redemption_has_its_page_and_leaves_an_active_account_active():
    async with open_seam() as seam, seam.browser() as browser:
        await seam.consent("ana")
        seam.forget()
        wrong: dict[int, Any] = {}
        for number in AADSTS_TABLE:
            seam.sandbox.clear_faults()
            seam.sandbox.next_token_error(number, grant_type="authorization_code")
            page = await come_back(browser, await seam.link("ana"), code="a-code")
            account = await seam.account("ana")
            if (
                "Connected" in page.text
                or f"AADSTS{number}" not in page.text
                or account.status != "ACTIVE"
                or f"AADSTS{number}" not in (account.last_authorization_error or "")
            ):
                wrong[number] = (page.status, page.text[:300], account)
        assert not wrong
        assert len(seam.token_requests("authorization_code")) == len(AADSTS_TABLE)
        assert await seam.call("ana")


A2 = {
    "access_denied": ("The permission was not given", "consent_declined"),
    "consent_required": ("The permission was not given", "consent_declined"),
    "interaction_required": ("Please start again", "awaiting_consent"),
    "login_required": ("Please start again", "awaiting_consent"),
    "invalid_request": ("The sign-in failed", "awaiting_consent"),
    "unsupported_response_type": ("The sign-in failed", "awaiting_consent"),
    "invalid_resource": ("The sign-in failed", "awaiting_consent"),
    "invalid_scope": ("The sign-in failed", "awaiting_consent"),
    "unauthorized_client": ("The sign-in failed", "awaiting_consent"),
    "server_error": ("The sign-in service is not available just now", "awaiting_consent"),
    "temporarily_unavailable": ("The sign-in service is not available just now", "awaiting_consent"),
}


async def test_each_error_of_the_redirect_has_its_own_words():
    async with open_seam() as seam, seam.browser() as browser:
        for error, (title, reason) in A2.items():
            page = await come_back(browser, await seam.link(f"new-{error}"), error=error)
            assert title in page.text, error
            assert error in page.text
            assert (await seam.account(f"new-{error}")).reason == reason, error
        # After a Cancel both ways stand on the page: again, and to the administrator.
        link = await seam.link("again")
        page = await come_back(browser, link, error="access_denied", error_subcode="cancel")
        assert "adminconsent" in " ".join([*page.links.values(), page.text])
        assert (await seam.consent("again", DANA, link=link)).status == 200
        assert (await seam.account("again")).status == "ACTIVE"


def test_these_tests_play_every_number_of_the_table():
    played = [number for number, _ in AT_REFRESH] + [number for number, _ in SAME]
    assert sorted(played) == sorted(AADSTS_TABLE)
    assert sum(len(numbers(codes)) for codes in (*GONE.values(), *UNTOUCHED.values())) == len(played)
    assert len(WHOLE_CONNECTION) == 9
