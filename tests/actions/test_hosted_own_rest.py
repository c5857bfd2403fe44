"""The hosted client over our own `/api/v1`: one server of ours can stand where Scalekit stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from actions_support import DANA, IDENTIFIER, OwnRestBench, own_rest_bench

from scalekit_mcp.errors import (
    AuthorizationRequired,
    Conflict,
    ConnectedAccountNotFound,
    InvalidInput,
    ScalekitMCPError,
)

EVENT: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-08T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-08T11:00:00",
    "end_timezone": "America/New_York",
}


@pytest.fixture
async def bench() -> AsyncIterator[OwnRestBench]:
    async with own_rest_bench() as bench:
        yield bench


async def test_accounts_are_created_once_listed_and_deleted(bench: OwnRestBench) -> None:
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.get_connected_account(identifier=IDENTIFIER)
    ids: set[str] = set()

    async def call() -> None:
        response = await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        ids.add(response.connected_account.id)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)
    assert len(ids) == 1
    page = await bench.actions.list_connected_accounts(page_size=1)
    assert [account.identifier for account in page.connected_accounts] == [IDENTIFIER]
    assert (page.total_size, page.next_page_token) == (1, None)
    await bench.actions.delete_connected_account(identifier=IDENTIFIER)
    await bench.actions.delete_connected_account(identifier=IDENTIFIER)
    with pytest.raises(ConnectedAccountNotFound):
        await bench.actions.get_connected_account(identifier=IDENTIFIER)


async def test_consent_passes_through_both_pages_and_the_verification(bench: OwnRestBench) -> None:
    page = await bench.consent()
    assert page.status == 200, page.text
    assert await bench.status() == ("ACTIVE", None)


async def test_an_event_is_created_read_listed_changed_and_deleted(bench: OwnRestBench) -> None:
    await bench.consent()
    event = await bench.run("outlook_create_calendar_event", **EVENT, attendees_required="alice@company.com")
    assert event["start"]["dateTime"].startswith("2026-04-08T10:00")
    read = await bench.run("outlook_get_calendar_event", event_id=event["id"], timezone="America/New_York")
    assert read["start"]["dateTime"].startswith("2026-04-08T10:00")
    rows = (await bench.run("outlook_list_calendar_events", filter="subject eq 'Review'", top=5))["value"]
    assert [row["id"] for row in rows] == [event["id"]]
    changed = await bench.run(
        "outlook_update_calendar_event", event_id=event["id"], subject="Moved", attendees_add="bob@company.com"
    )
    assert changed["subject"] == "Moved"
    assert {a["emailAddress"]["address"] for a in changed["attendees"]} == {"alice@company.com", "bob@company.com"}
    assert (await bench.run("outlook_delete_calendar_event", event_id=event["id"]))["deleted"] is True


async def test_a_call_before_consent_is_refused_with_a_link(bench: OwnRestBench) -> None:
    with pytest.raises(AuthorizationRequired) as refused:
        await bench.run("outlook_list_calendar_events")
    assert refused.value.details["authorization_url"].startswith("http://localhost:8754/connect/")
    assert refused.value.details["reason"] == "awaiting_consent"


async def test_disconnecting_revokes_and_says_so(bench: OwnRestBench) -> None:
    await bench.consent()
    account = (await bench.actions.disconnect(identifier=IDENTIFIER)).connected_account
    assert (account.status, account.reason) == ("REVOKED", "disconnected")
    with pytest.raises(AuthorizationRequired):
        await bench.run("outlook_list_calendar_events")


async def test_errors_of_the_calendar_stay_what_they_are(bench: OwnRestBench) -> None:
    await bench.consent()
    with pytest.raises(InvalidInput) as refused:
        await bench.run("outlook_list_calendar_events", filter="nonsense(")
    assert refused.value.details["field"] == "filter"
    with pytest.raises(ScalekitMCPError) as gone:
        await bench.run("outlook_get_calendar_event", event_id="AAMkADAwATM0MDAAMS0xNzY5LTAwCg==")
    assert gone.value.code in {"event_not_found", "invalid_input"}


async def test_a_declined_consent_is_told_on_our_page_and_the_link_can_be_used_again(bench: OwnRestBench) -> None:
    link = await bench.link()
    async with bench.browser() as browser:
        page = await browser.press(await bench.at_microsoft(browser, link), DANA)
        page = await browser.press(page, "Cancel")
    assert "permission was not given" in page.text.lower()
    account = (await bench.actions.get_connected_account(identifier=IDENTIFIER)).connected_account
    assert (account.status, account.reason, account.attempt_state) == ("PENDING", "consent_declined", "failed")
    assert "access_denied" in (account.last_authorization_error or "")
    ended = await bench.actions.wait_for_authorization(identifier=IDENTIFIER, timeout_seconds=60)
    assert ended.connected_account.reason == "consent_declined"
    async with bench.browser() as browser:
        await bench.agree(browser, link)
    assert await bench.status() == ("ACTIVE", None)


async def test_edited_dates_of_a_series_are_lost_only_when_the_caller_accepts_it(bench: OwnRestBench) -> None:
    await bench.consent()
    weekly = {"recurrence_type": "weekly", "recurrence_range_type": "numbered", "recurrence_occurrences": 4}
    master = await bench.run("outlook_create_calendar_event", **EVENT, **weekly)
    window = {"start_datetime": "2026-04-15T00:00:00", "end_datetime": "2026-04-16T00:00:00", "timezone": "UTC"}
    answer = await bench.run("outlook_list_calendar_events", **window, filter="subject eq 'Review'")
    second = answer["value"][0]["id"]
    await bench.run("outlook_update_calendar_event", event_id=second, subject="Review with guests")
    move: dict[str, Any] = {"event_id": master["id"], "start_datetime": "2026-04-08T14:00:00"}
    move["start_timezone"] = "America/New_York"
    with pytest.raises(Conflict) as refused:
        await bench.run("outlook_update_calendar_event", **move)
    assert refused.value.details["edited_occurrences"] == ["2026-04-15 (edited)"]
    kept = await bench.run("outlook_get_calendar_event", event_id=second)
    assert kept["subject"] == "Review with guests"
    moved = await bench.run("outlook_update_calendar_event", **move, discard_exceptions=True)
    assert moved["start"]["dateTime"].startswith("2026-04-08T14:00")


async def test_a_date_deleted_from_a_series_is_seen_by_the_server_behind(bench: OwnRestBench) -> None:
    await bench.consent()
    weekly = {"recurrence_type": "weekly", "recurrence_range_type": "numbered", "recurrence_occurrences": 4}
    master = await bench.run("outlook_create_calendar_event", **EVENT, **weekly)
    window = {"start_datetime": "2026-04-15T00:00:00", "end_datetime": "2026-04-16T00:00:00", "timezone": "UTC"}
    answer = await bench.run("outlook_list_calendar_events", **window, filter="subject eq 'Review'")
    await bench.run("outlook_delete_calendar_event", event_id=answer["value"][0]["id"])
    move = {"event_id": master["id"], "start_datetime": "2026-04-08T14:00:00", "start_timezone": "America/New_York"}
    with pytest.raises(Conflict) as refused:
        await bench.run("outlook_update_calendar_event", **move)
    assert "2026-04-15 (deleted)" in refused.value.message
    moved = await bench.run("outlook_update_calendar_event", **move, discard_exceptions=True)
    assert moved["start"]["dateTime"].startswith("2026-04-08T14:00")


@pytest.mark.parametrize(
    ("ending", "reason", "who_acts"),
    [("revoke_grant", "grant_revoked", "user"), ("disable_person", "account_disabled", "it_admin")],
)
async def test_why_an_account_was_revoked_and_who_acts_are_known_in_front(
    bench: OwnRestBench, ending: str, reason: str, who_acts: str
) -> None:
    await bench.consent()
    getattr(bench.sandbox, ending)(DANA)
    bench.sandbox.expire_access_tokens(DANA)
    with pytest.raises(AuthorizationRequired) as refused:
        await bench.run("outlook_list_calendar_events")
    assert (refused.value.details["status"], refused.value.who_acts) == ("REVOKED", who_acts)
    assert await bench.status() == ("REVOKED", reason)
    listed = await bench.actions.list_connected_accounts(status="REVOKED")
    assert [account.identifier for account in listed.connected_accounts] == [IDENTIFIER]


async def test_a_kind_of_attendees_that_cannot_be_emptied_is_told(bench: OwnRestBench) -> None:
    await bench.consent()
    people = {"attendees_required": "alice@company.com", "attendees_optional": "bob@company.com"}
    event = await bench.run("outlook_create_calendar_event", **EVENT, **people)
    changed = await bench.run("outlook_update_calendar_event", event_id=event["id"], attendees_remove="bob@company.com")
    assert {a["emailAddress"]["address"] for a in changed["attendees"]} == set(people.values())
    told = "These attendees should have been removed but are still there: bob@company.com."
    assert told in changed["warnings"]
