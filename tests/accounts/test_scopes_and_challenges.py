"""What Graph and the grant tell about an account, through the whole seam: scopes, challenges, mailboxes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.seam import ALICE, DANA, PAT, Seam, open_seam, pressed_continue

CREATE = "outlook_create_calendar_event"
EVENT = {
    "subject": "Planning",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
}
STEP_UP = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}


def asked_scopes(url: str) -> set[str]:
    """The Graph scopes that a consent page asks for."""
    scopes = parse_qs(urlsplit(url).query)["scope"][0].split()
    return {scope.rsplit("/", 1)[-1] for scope in scopes if "/" in scope}


async def follow(seam: Seam, link: str) -> str:
    """The address at Microsoft behind a link."""
    async with seam.browser() as browser:
        return await pressed_continue(browser, link)


async def test_read_only_mode_asks_only_for_reading():
    async with open_seam(read_only="true") as seam:
        url = await follow(seam, await seam.link("ana"))
        assert asked_scopes(url) == {"User.Read", "Calendars.Read"}
        await seam.consent("ana")
        assert await seam.call("ana")


async def test_a_scope_needed_later_is_named_and_asked_for_alone_and_what_was_granted_stays():
    async with open_seam(microsoft_scopes="openid profile offline_access User.Read Calendars.Read") as seam:
        await seam.consent("ana")
        seam.forget()
        error = await seam.refused("ana", CREATE, **EVENT)
        assert (error["code"], error["missing_scopes"]) == ("permission_missing", ["Calendars.ReadWrite"])
        assert "Calendars.ReadWrite" in error["message"] + error["next_step"]
        assert not seam.sandbox.requests  # refused before anything was sent
        before = await seam.account("ana")
        assert (before.status, before.granted_scopes) == ("ACTIVE", ("Calendars.Read", "User.Read"))
        assert await seam.call("ana")
        link = error["authorization_url"]
        assert asked_scopes(await follow(seam, link)) == {"Calendars.ReadWrite"}
        assert (await seam.refused("ana", CREATE, **EVENT))["authorization_url"] == link
        await seam.consent("ana", DANA, link=link)
        assert (await seam.call("ana", CREATE, **EVENT))["subject"] == "Planning"
        assert await seam.call("ana")
        after = await seam.account("ana")
        assert {"Calendars.Read", "Calendars.ReadWrite", "User.Read"} <= set(after.granted_scopes)
        assert after.mailbox == before.mailbox == DANA


async def test_declining_a_scope_needed_later_leaves_the_account_as_it_was():
    async with open_seam(microsoft_scopes="openid profile offline_access User.Read Calendars.Read") as seam:
        await seam.consent("ana")
        error = await seam.refused("ana", CREATE, **EVENT)
        async with seam.sandbox.browser(stop_at=("http://localhost:8754",)) as elsewhere, seam.browser() as browser:
            to_microsoft = await pressed_continue(browser, error["authorization_url"])
            back = await elsewhere.sign_in(to_microsoft, DANA, accept=False)
            assert "not given" in (await browser.open(back)).text
        account = await seam.account("ana")
        assert (account.status, account.granted_scopes) == ("ACTIVE", ("Calendars.Read", "User.Read"))
        assert account.last_authorization_error
        assert await seam.call("ana")


@pytest.mark.parametrize("address", [DANA, PAT])
async def test_a_partial_grant_keeps_the_account_active_and_refuses_what_it_does_not_cover(address: str):
    async with open_seam() as seam:
        seam.sandbox.withhold_scopes("Calendars.ReadWrite")
        await seam.consent("ana", address)
        error = await seam.refused("ana")
        assert (error["code"], error["who_acts"]) == ("permission_missing", "user")
        assert error["missing_scopes"] == ["Calendars.Read"]
        assert (await seam.account("ana")).status == "ACTIVE"
        seam.sandbox.withhold_scopes()
        await seam.consent("ana", address, link=error["authorization_url"])
        assert await seam.call("ana")


async def test_a_challenge_that_a_refresh_meets_is_met_without_the_person():
    async with open_seam() as seam:
        await seam.consent("ana")
        seam.sandbox.claims_challenge(json.dumps(STEP_UP), person=DANA)
        assert await seam.call("ana")
        assert len(seam.token_requests()) == 1


async def test_a_challenge_that_only_the_person_meets_goes_into_the_next_sign_in():
    async with open_seam() as seam:
        await seam.consent("ana")
        await seam.consent("bea", ALICE)
        seam.sandbox.claims_challenge(json.dumps(STEP_UP), interactive=True, person=DANA)
        errors = [await seam.refused("ana") for _ in range(3)]
        assert [(error["code"], error["status"], error["reason"], error["who_acts"]) for error in errors] == [
            ("authorization_required", "EXPIRED", "interaction_required", "user")
        ] * 3
        assert len(seam.token_requests()) == 1
        link = errors[0]["authorization_url"]
        asked = parse_qs(urlsplit(await follow(seam, link)).query)
        assert json.loads(asked["claims"][0])["access_token"]["acrs"] == STEP_UP["access_token"]["acrs"]
        await seam.consent("ana", DANA, link=link)
        assert await seam.call("ana")
        assert await seam.call("bea")


async def test_a_challenge_that_a_fresh_token_does_not_meet_keeps_the_account_and_asks_the_person():
    async with open_seam() as seam:
        await seam.consent("ana")
        await seam.call("ana")
        encoded = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzkifX19"
        headers = {"WWW-Authenticate": f'Bearer error="insufficient_claims", claims="{encoded}"'}
        seam.sandbox.graph_error(401, "InvalidAuthenticationToken", times=2, headers=headers)
        error = await seam.refused("ana")
        assert (error["code"], error["who_acts"]) == ("permission_missing", "user")
        assert "c9" not in json.dumps(error)
        assert (await seam.account("ana")).status == "ACTIVE"
        assert len(seam.token_requests()) == 1
        asked = parse_qs(urlsplit(await follow(seam, error["authorization_url"])).query)
        assert json.loads(asked["claims"][0])["access_token"]["acrs"]["value"] == "c9"
        await seam.consent("ana", DANA, link=error["authorization_url"])
        assert "claims" not in parse_qs(urlsplit(await follow(seam, await seam.link("ana", reconnect=True))).query)


@pytest.mark.parametrize(
    ("switch", "who_acts"),
    [
        (lambda seam: seam.sandbox.no_mailbox(DANA), "it_admin"),
        (lambda seam: seam.sandbox.graph_error(404, "ErrorNonExistentMailbox", times=9), "it_admin"),
        (lambda seam: seam.sandbox.graph_error(404, "MailboxNotEnabledForRESTAPI", times=9), "it_admin"),
    ],
)
async def test_a_mailbox_that_is_gone_or_lost_its_licence_keeps_the_grant(switch: Any, who_acts: str):
    async with open_seam() as seam:
        await seam.consent("ana")
        await seam.call("ana")
        switch(seam)
        error = await seam.refused("ana")
        assert (error["code"], error["who_acts"], error["retryable"]) == ("mailbox_unavailable", who_acts, False)
        assert "authorization_url" not in error
        account = await seam.account("ana")
        assert (account.status, account.reason) == ("ACTIVE", None)
        assert not seam.token_requests()
        seam.sandbox.no_mailbox(DANA, missing=False)
        seam.sandbox.clear_faults()
        assert await seam.call("ana")


async def test_a_token_that_graph_refuses_is_refreshed_once_and_a_second_refusal_ends_the_call():
    async with open_seam() as seam:
        await seam.consent("ana")
        seam.sandbox.expire_access_tokens(DANA)
        assert await seam.call("ana")
        assert len(seam.token_requests()) == 1
        seam.sandbox.graph_error(401, "InvalidAuthenticationToken", times=9)
        assert (await seam.refused("ana"))["code"] == "provider_unavailable"
        assert len(seam.token_requests()) == 2
        assert (await seam.account("ana")).status == "ACTIVE"
