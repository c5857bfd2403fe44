"""THE SUITE OF THE SEAM: whoever keeps the tokens, the calls behave alike."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from actions_support import ALICE, BENCHES, CREATE, DANA, DELETE, GET, IDENTIFIER, LIST, UPDATE, Bench, OpenBench

from scalekit_mcp.actions.models import OutcomeKind
from scalekit_mcp.errors import (
    AuthorizationRequired,
    Conflict,
    ConnectedAccountNotFound,
    EventNotFound,
    InvalidInput,
)
from tests.support.bounds import HANG_SECONDS
from tests.support.confirmation_codes import code_on

KICKOFF: dict[str, Any] = {
    "subject": "Q2 Planning Kickoff",
    "start_datetime": "2026-04-08T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-08T11:00:00",
    "end_timezone": "America/New_York",
    "attendees_required": "alice@company.com,bob@company.com",
    "attendees_optional": "carol@company.com",
    "body_content": "Please review the roadmap.",
    "body_contentType": "text",
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
}
STANDUP: dict[str, Any] = {
    "subject": "Weekly Team Standup",
    "start_datetime": "2026-04-06T09:00:00",
    "start_timezone": "America/Chicago",
    "end_datetime": "2026-04-06T09:30:00",
    "end_timezone": "America/Chicago",
    "recurrence_type": "weekly",
    "recurrence_interval": 1,
    "recurrence_days_of_week": "Monday",
    "recurrence_range_type": "endDate",
    "recurrence_start_date": "2026-04-06",
    "recurrence_end_date": "2026-06-30",
}


@pytest.fixture(params=sorted(BENCHES))
def open_bench(request: pytest.FixtureRequest) -> OpenBench:
    return BENCHES[request.param]


@pytest.fixture
async def bench(open_bench: OpenBench) -> AsyncIterator[Bench]:
    async with open_bench() as bench:
        yield bench


@pytest.fixture
async def connected(bench: Bench) -> Bench:
    await bench.connect()
    return bench


def people(event: dict[str, Any], kind: str) -> set[str]:
    return {a["emailAddress"]["address"].lower() for a in event["attendees"] if a["type"] == kind}


# -- accounts


async def test_an_unknown_account_is_refused_and_not_created_by_looking(bench: Bench) -> None:
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.get_connected_account(identifier=IDENTIFIER)
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.get_connected_account(identifier=IDENTIFIER)


async def test_get_or_create_makes_one_pending_account_however_often_it_is_called(bench: Bench) -> None:
    first = (await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)).connected_account
    again = (await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)).connected_account
    assert first.id == again.id
    assert (first.status, first.reason, first.who_acts) == ("PENDING", "never_authorized", "user")
    assert (first.connection_name, first.identifier) == ("outlook", IDENTIFIER)
    assert (await bench.actions.list_connected_accounts()).total_size == 1


async def test_ten_callers_at_once_get_the_same_account(bench: Bench) -> None:
    ids: list[str] = []

    async def call() -> None:
        response = await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        ids.append(response.connected_account.id)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(call)
    assert len(ids) == 10
    assert len(set(ids)) == 1


async def test_another_connection_than_the_servers_own_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.actions.get_or_create_connected_account(connection_name="gmail", identifier=IDENTIFIER)
    assert refused.value.details["field"] == "connection_name"


@pytest.mark.parametrize("identifier", ["", "x" * 101, "a\nb", "a\x85b"])
async def test_an_identifier_that_no_account_may_have_is_refused(bench: Bench, identifier: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.actions.get_or_create_connected_account(identifier=identifier)
    assert refused.value.details["field"] == "identifier"


async def test_accounts_are_listed_in_pages_and_by_status(bench: Bench) -> None:
    for number in (3, 1, 2):
        await bench.actions.get_or_create_connected_account(identifier=f"user_{number}")
    await bench.connect("user_2")
    first = await bench.actions.list_connected_accounts(page_size=2)
    second = await bench.actions.list_connected_accounts(page_size=2, page_token=first.next_page_token)
    assert [a.identifier for a in (*first.connected_accounts, *second.connected_accounts)] == [
        "user_1",
        "user_2",
        "user_3",
    ]
    assert (first.total_size, second.next_page_token) == (3, None)
    active = await bench.actions.list_connected_accounts(status="ACTIVE")
    pending = await bench.actions.list_connected_accounts(status="PENDING")
    assert [a.identifier for a in active.connected_accounts] == ["user_2"]
    assert [a.identifier for a in pending.connected_accounts] == ["user_1", "user_3"]
    assert (active.total_size, pending.total_size) == (1, 2)
    one = await bench.actions.list_connected_accounts(identifier="user_3")
    assert [a.identifier for a in one.connected_accounts] == ["user_3"]


async def test_a_status_that_does_not_exist_is_refused_as_a_filter(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.actions.list_connected_accounts(status="GONE")
    assert refused.value.details["field"] == "status"


async def test_disconnecting_keeps_the_record_as_revoked_and_ends_the_calls(connected: Bench) -> None:
    account = (await connected.actions.disconnect(identifier=IDENTIFIER)).connected_account
    assert (account.status, account.reason) == ("REVOKED", "disconnected")
    assert await connected.status() == ("REVOKED", "disconnected")
    with pytest.raises(AuthorizationRequired) as refused:
        await connected.run(LIST)
    assert (refused.value.details["status"], refused.value.details["reason"]) == ("REVOKED", "disconnected")
    assert refused.value.details["authorization_url"].startswith("http://localhost:8754/connect/")


async def test_disconnecting_an_unknown_account_is_refused(bench: Bench) -> None:
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.disconnect(identifier=IDENTIFIER)


async def test_deleting_an_account_removes_the_record_and_is_no_error_twice(connected: Bench) -> None:
    await connected.actions.delete_connected_account(identifier=IDENTIFIER)
    with pytest.raises(ConnectedAccountNotFound):
        await connected.actions.get_connected_account(identifier=IDENTIFIER)
    await connected.actions.delete_connected_account(identifier=IDENTIFIER)


# -- consent


async def test_the_link_is_ours_and_the_same_until_it_is_about_to_end(bench: Bench) -> None:
    first = await bench.actions.get_authorization_link(identifier=IDENTIFIER)
    again = await bench.actions.get_authorization_link(identifier=IDENTIFIER)
    other = await bench.actions.get_authorization_link(identifier=IDENTIFIER, reconnect=True)
    assert re.fullmatch(r"http://localhost:8754/connect/[\w-]{20,}", first.link)
    assert (first.link, first.expires_at) == (again.link, again.expires_at)
    assert other.link != first.link
    assert first.expires_at.tzinfo is not None
    assert await bench.status() == ("PENDING", "awaiting_consent")


async def test_consent_in_a_browser_makes_the_account_active(bench: Bench) -> None:
    page = await bench.consent()
    assert page.status == 200, page.text
    assert await bench.status() == ("ACTIVE", None)
    account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
    assert account.who_acts == "nobody" or account.status == "ACTIVE"
    assert account.token_expires_at is not None


async def test_a_used_link_connects_nobody_a_second_time(bench: Bench) -> None:
    link = await bench.link()
    async with bench.browser() as browser:
        await bench.agree(browser, link)
        page = await browser.open(link)
    assert page.forms == []
    ticket = link.rpartition("/")[2]
    outcome = await bench.actions.start_authorization(ticket, browser_secret="somebody")
    assert not isinstance(outcome, str)
    assert outcome.kind is OutcomeKind.LINK_USED


async def test_a_superseded_or_invented_ticket_is_not_a_link(bench: Bench) -> None:
    old = (await bench.link()).rpartition("/")[2]
    await bench.link(reconnect=True)
    for ticket in (old, "x" * 43):
        outcome = await bench.actions.start_authorization(ticket, browser_secret="somebody")
        assert not isinstance(outcome, str)
        assert outcome.kind in {OutcomeKind.LINK_UNKNOWN, OutcomeKind.LINK_USED, OutcomeKind.LINK_EXPIRED}


async def test_a_way_back_with_an_invented_state_connects_nobody(bench: Bench) -> None:
    await bench.link()
    for query in ({}, {"state": "invented", "code": "x", "auth_request_id": "x"}):
        outcome = await bench.actions.complete_authorization(query)
        assert outcome.kind is OutcomeKind.LINK_UNKNOWN
    assert (await bench.status())[0] == "PENDING"


async def test_declining_at_microsoft_says_so_and_the_link_can_be_used_again(bench: Bench) -> None:
    link = await bench.link()
    async with bench.browser() as browser:
        page = await bench.at_microsoft(browser, link)
        page = await browser.press(page, DANA)
        page = await browser.press(page, "Cancel")
    assert await bench.status() == ("PENDING", "consent_declined")
    account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
    assert account.last_authorization_error
    async with bench.browser() as browser:
        await bench.agree(browser, link)
    assert await bench.status() == ("ACTIVE", None)


async def test_waiting_ends_at_once_when_nothing_is_under_way(connected: Bench) -> None:
    response = await connected.actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=60)
    assert response.connected_account.status == "ACTIVE"


async def test_waiting_ends_when_the_person_has_signed_in(bench: Bench) -> None:
    link = await bench.link()
    statuses: list[str] = []

    async def wait() -> None:
        response = await bench.actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=60)
        statuses.append(response.connected_account.status)

    with anyio.fail_after(HANG_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            async with bench.browser() as browser:
                await bench.agree(browser, link)
    assert statuses == ["ACTIVE"]


async def test_waiting_ends_when_the_time_is_over_and_when_a_code_has_to_be_typed(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        await bench.link()
        late = await bench.actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=0)
        assert late.connected_account.attempt_state == "link_given"
        await bench.consent()
        with anyio.fail_after(HANG_SECONDS):
            held = await bench.actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=600)
        assert held.connected_account.held


async def test_in_confirm_mode_only_the_code_from_the_page_activates(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        page = await bench.consent()
        code = code_on(page)
        account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
        assert (account.status, account.reason, account.held) == ("PENDING", "awaiting_confirmation", True)
        with pytest.raises(AuthorizationRequired) as waiting:
            await bench.run(LIST)
        assert waiting.value.details["reason"] == "awaiting_confirmation"
        assert "authorization_url" not in waiting.value.details
        wrong = "0" * 8 if code != "0" * 8 else "1" * 8
        with pytest.raises(InvalidInput):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=wrong)
        response = await bench.actions.confirm_authorization(
            identifier=IDENTIFIER, confirmation_code=f" {code[:4].lower()}-{code[4:]} "
        )
        assert response.connected_account.status == "ACTIVE"
        assert "value" in await bench.run(LIST)


async def test_the_code_of_one_identifier_is_worth_nothing_to_another(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        await bench.actions.get_or_create_connected_account(identifier="attacker")
        code = code_on(await bench.consent())
        with pytest.raises(InvalidInput):
            await bench.actions.confirm_authorization(identifier="attacker", confirmation_code=code)
        assert (await bench.status())[0] == "PENDING"


async def test_five_wrong_codes_void_the_sign_in(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        wrong = "0" * 8 if code != "0" * 8 else "1" * 8
        for _ in range(5):
            with pytest.raises(InvalidInput):
                await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=wrong)
        with pytest.raises(InvalidInput):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert (await bench.status())[0] == "PENDING"


@pytest.mark.parametrize("through", ["the call", "the tool"])
async def test_a_code_is_taken_as_people_type_it_on_every_way(open_bench: OpenBench, through: str) -> None:
    async with open_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        wide = "".join(chr(ord(sign) + 0xFEE0) for sign in code[6:])
        typed = f"\u201c{code[:3].lower()}\u200b.{code[3:6]} \u2013 {wide}\u201d."
        if through == "the tool":
            assert (await bench.run("authorize", confirmation_code=typed))["status"] == "ACTIVE"
        else:
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=typed)
        assert (await bench.status())[0] == "ACTIVE"


async def test_what_cannot_be_a_code_is_no_try_and_what_can_be_one_is(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        wrong = ["0000-0000", "1111.1111", "2222\u20132222", "\u201c3333 3333\u201d"]  # the fifth would end it
        for typed in ["", "the code", code[:7], f"{code}0", f"my code is {code}", "U" * 8, "\ud800", "x" * 100_000]:
            with pytest.raises(InvalidInput, match="cannot be a confirmation code") as refused:
                await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=typed)
            assert refused.value.details["field"] == "confirmation_code"
            assert code not in str(refused.value.to_dict())
        for typed in wrong:
            with pytest.raises(InvalidInput, match="tries are left"):
                await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=typed)
        await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert (await bench.status())[0] == "ACTIVE"


async def test_five_decorated_wrong_codes_void_the_sign_in_as_plain_ones_do(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        for typed in ("0000-0000", "1111.1111", "2222\u20132222", "\u201c3333 3333\u201d", "4444_4444"):
            with pytest.raises(InvalidInput):
                await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=typed)
        with pytest.raises(InvalidInput, match="No sign-in"):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert (await bench.status())[0] == "PENDING"


async def test_cancel_on_the_page_with_the_code_discards_the_sign_in(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        link = await bench.link()
        async with bench.browser() as browser:
            page = await bench.agree(browser, link)
            code = code_on(page)
            await browser.press(page, "Cancel")
        with pytest.raises(InvalidInput):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert (await bench.status())[0] == "PENDING"


# -- tools


async def test_a_call_before_consent_is_refused_with_the_link(bench: Bench) -> None:
    with pytest.raises(AuthorizationRequired) as refused:
        await bench.run(LIST, top=5)
    error = refused.value.to_dict()
    assert (error["code"], error["who_acts"], error["retryable"]) == ("authorization_required", "user", False)
    assert (error["status"], error["reason"]) == ("PENDING", "awaiting_consent")
    assert error["authorization_url"] == await bench.link()


async def test_arguments_are_refused_before_the_account_is_looked_at(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.run(GET)
    assert refused.value.details["field"] == "event_id"
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.get_connected_account(identifier=IDENTIFIER)


async def test_an_unknown_tool_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await bench.run("outlook_send_mail")
    assert refused.value.details["field"] == "tool_name"


async def test_create_get_update_and_delete_an_event(connected: Bench) -> None:
    created = await connected.run(CREATE, **KICKOFF)
    assert created["subject"] == KICKOFF["subject"]
    assert created["start"]["dateTime"].startswith("2026-04-08T10:00")
    assert people(created, "required") == {"alice@company.com", "bob@company.com"}
    assert people(created, "optional") == {"carol@company.com"}
    assert created["reminderMinutesBeforeStart"] == 15

    read = await connected.run(GET, event_id=created["id"], timezone="America/New_York")
    assert read["start"]["dateTime"].startswith("2026-04-08T10:00")
    assert read["start"]["timeZone"] == "America/New_York"
    assert "Please review the roadmap." in read["body"]["content"]
    assert read["body"]["contentType"] == "text"

    updated = await connected.run(
        UPDATE,
        event_id=created["id"],
        subject="Kickoff, moved",
        attendees_required="alice@company.com,dave@company.com",
    )
    assert updated["subject"] == "Kickoff, moved"
    assert people(updated, "required") == {"alice@company.com", "dave@company.com"}
    assert people(updated, "optional") == {"carol@company.com"}

    deleted = await connected.run(DELETE, event_id=created["id"])
    assert (deleted["deleted"], deleted["already_gone"]) == (True, False)
    assert deleted["event"]["subject"] == "Kickoff, moved"
    assert set(deleted["told"]) >= people(updated, "required")
    assert (await connected.run(LIST, filter="subject eq 'Kickoff, moved'"))["value"] == []
    again = await connected.run(DELETE, event_id=created["id"])
    assert again["deleted"] is True


async def test_an_event_that_does_not_exist_is_said_not_to(connected: Bench) -> None:
    existing = (await connected.run(CREATE, **KICKOFF))["id"]
    await connected.connect("user_alice", ALICE)
    with pytest.raises((EventNotFound, InvalidInput)):
        await connected.run(GET, "user_alice", event_id=existing)


async def test_the_answer_is_the_dictionary_itself_and_under_data(connected: Bench) -> None:
    result = await connected.actions.execute_tool(identifier=IDENTIFIER, tool_name=LIST, tool_input={"top": 1})
    assert result.data is result
    assert set(result) <= {"value", "count", "next_page", "now", "notes", "warnings"}


async def test_only_a_start_in_an_update_keeps_the_duration_and_says_so(connected: Bench) -> None:
    event_id = (await connected.run(CREATE, **KICKOFF))["id"]
    moved = await connected.run(
        UPDATE, event_id=event_id, start_datetime="2026-04-08T14:00:00", start_timezone="America/New_York"
    )
    assert moved["start"]["dateTime"].startswith("2026-04-08T14:00")
    assert moved["end"]["dateTime"].startswith("2026-04-08T15:00")
    assert moved["notes"]


async def test_single_people_are_added_and_removed_and_nobody_else_is_lost(connected: Bench) -> None:
    event_id = (await connected.run(CREATE, **KICKOFF))["id"]
    changed = await connected.run(
        UPDATE, event_id=event_id, attendees_add="dave@company.com", attendees_remove="bob@company.com"
    )
    assert people(changed, "required") == {"alice@company.com", "dave@company.com"}
    assert people(changed, "optional") == {"carol@company.com"}


async def test_a_series_is_expanded_in_a_window_and_now_is_told(connected: Bench) -> None:
    await connected.run(CREATE, **STANDUP)
    answer = await connected.run(
        LIST,
        start_datetime="2026-04-06T00:00:00",
        end_datetime="2026-04-21T00:00:00",
        timezone="America/Chicago",
        filter="subject eq 'Weekly Team Standup'",
    )
    starts = [row["start"]["dateTime"] for row in answer["value"]]
    assert starts == ["2026-04-06T09:00:00", "2026-04-13T09:00:00", "2026-04-20T09:00:00"]
    assert set(answer["now"]) == {"dateTime", "timeZone", "weekday"}


async def test_a_list_is_read_page_by_page_without_loss_or_double(connected: Bench) -> None:
    for number in range(5):
        await connected.run(CREATE, **{**KICKOFF, "subject": f"Paged {number}", "attendees_required": None})
    whole = await connected.run(LIST, filter="startswith(subject,'Paged')", orderby="subject asc", top=50)
    found: list[str] = []
    answer = await connected.run(LIST, filter="startswith(subject,'Paged')", orderby="subject asc", top=2)
    while True:
        found += [row["subject"] for row in answer["value"]]
        if "next_page" not in answer:
            break
        answer = await connected.run(LIST, page=answer["next_page"])
    assert found == [row["subject"] for row in whole["value"]] == [f"Paged {number}" for number in range(5)]


async def test_a_window_is_read_page_by_page_in_order(connected: Bench) -> None:
    await connected.run(CREATE, **STANDUP)
    window: dict[str, Any] = {
        "start_datetime": "2026-04-06T00:00:00",
        "end_datetime": "2026-06-30T23:00:00",
        "timezone": "America/Chicago",
        "filter": "subject eq 'Weekly Team Standup'",
    }
    whole = [row["start"]["dateTime"] for row in (await connected.run(LIST, **window, top=100))["value"]]
    found: list[str] = []
    answer = await connected.run(LIST, **window, top=5)
    for _ in range(10):
        found += [row["start"]["dateTime"] for row in answer["value"]]
        if "next_page" not in answer:
            break
        answer = await connected.run(LIST, page=answer["next_page"])
    assert found == whole
    assert len(whole) == 13


async def test_a_page_of_one_account_is_refused_for_another(connected: Bench) -> None:
    await connected.connect("user_alice", ALICE)
    for number in range(3):
        await connected.run(CREATE, **{**KICKOFF, "subject": f"Mine {number}"})
    token = (await connected.run(LIST, filter="startswith(subject,'Mine')", top=1))["next_page"]
    with pytest.raises(InvalidInput) as refused:
        await connected.run(LIST, "user_alice", page=token)
    assert refused.value.details["field"] == "page"


async def test_one_date_of_a_series_is_changed_and_the_guard_sees_it(connected: Bench) -> None:
    master = await connected.run(CREATE, **STANDUP)
    week = await connected.run(
        LIST,
        start_datetime="2026-04-13T00:00:00",
        end_datetime="2026-04-14T00:00:00",
        timezone="America/Chicago",
        filter="subject eq 'Weekly Team Standup'",
    )
    await connected.run(UPDATE, event_id=week["value"][0]["id"], subject="Standup with guests")
    move: dict[str, Any] = {
        "event_id": master["id"],
        "start_datetime": "2026-04-06T10:00:00",
        "start_timezone": "America/Chicago",
    }
    with pytest.raises(Conflict) as refused:
        await connected.run(UPDATE, **move)
    assert refused.value.details["field"] == "discard_exceptions"
    moved = await connected.run(UPDATE, **move, discard_exceptions=True)
    assert moved["start"]["dateTime"].startswith("2026-04-06T10:00")


async def test_a_booking_only_if_free_is_refused_where_the_user_is_not(connected: Bench) -> None:
    event_id = (await connected.run(CREATE, **KICKOFF))["id"]
    mails = len(connected.sandbox.world.mails)
    with pytest.raises(Conflict) as refused:
        await connected.run(CREATE, **{**KICKOFF, "subject": "Second"}, only_if_free=True)
    assert [row["subject"] for row in refused.value.details["conflicts"]] == [KICKOFF["subject"]]
    assert len(connected.sandbox.world.mails) == mails
    renamed = await connected.run(UPDATE, event_id=event_id, subject="Renamed", only_if_free=True)
    assert renamed["subject"] == "Renamed"


async def test_cancelling_with_a_message_mails_it_to_those_invited(connected: Bench) -> None:
    event_id = (await connected.run(CREATE, **KICKOFF))["id"]
    answer = await connected.run(DELETE, event_id=event_id, cancellation_message="Moved to next quarter.")
    assert (answer["deleted"], answer["already_gone"]) == (True, False)
    assert "alice@company.com" in answer["told"]
    comments = {(mail.to, mail.comment) for mail in connected.sandbox.world.mails if mail.kind == "cancellation"}
    assert ("alice@company.com", "Moved to next quarter.") in comments


async def test_a_refused_filter_names_the_parameter(connected: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await connected.run(LIST, filter="nonsense(")
    assert refused.value.details["field"] == "filter"


async def test_a_grant_that_was_taken_away_asks_the_person_again(connected: Bench) -> None:
    connected.sandbox.revoke_grant(DANA, by="user", **connected.extra)
    connected.sandbox.expire_access_tokens(DANA)
    with pytest.raises(AuthorizationRequired) as refused:
        await connected.run(LIST)
    error = refused.value.to_dict()
    assert error["status"] in {"EXPIRED", "REVOKED"}
    assert error["authorization_url"].startswith("http://localhost:8754/connect/")
    async with connected.browser() as browser:
        page = await connected.agree(browser, error["authorization_url"])
    assert page.status == 200
    assert "value" in await connected.run(LIST)


# -- authorize


async def test_authorize_gives_the_link_and_then_says_that_all_is_well(bench: Bench) -> None:
    answer = await bench.run("authorize")
    assert (answer["status"], answer["reason"]) == ("PENDING", "awaiting_consent")
    assert answer["attempt"]["state"] == "link_given"
    assert "now" not in answer
    async with bench.browser() as browser:
        await bench.agree(browser, answer["authorization_url"])
    done = await bench.run("authorize")
    assert (done["status"], done["reason"]) == ("ACTIVE", None)
    assert "authorization_url" not in done
    assert done["now"].keys() == (await bench.run(LIST))["now"].keys() == {"dateTime", "timeZone", "weekday"}


async def test_authorize_with_reconnect_gives_a_link_although_the_account_is_active(connected: Bench) -> None:
    answer = await connected.run("authorize", reconnect=True)
    assert answer["status"] == "ACTIVE"
    assert answer["authorization_url"].startswith("http://localhost:8754/connect/")
    assert "value" in await connected.run(LIST)


async def test_authorize_redeems_the_code_of_the_page(open_bench: OpenBench) -> None:
    async with open_bench(user_verification="confirm") as bench:
        code = code_on(await bench.consent())
        held = await bench.run("authorize")
        assert held["reason"] == "awaiting_confirmation"
        assert "authorization_url" not in held
        done = await bench.run("authorize", confirmation_code=code)
        assert done["status"] == "ACTIVE"
