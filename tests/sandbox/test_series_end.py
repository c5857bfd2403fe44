"""A series whose end changes: what becomes of edited and deleted dates, and who is mailed."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from scheduling_client import ALICE, DANA, at, book, client_of, copy_of, fixed_sandbox, invited, path

STRANGER = "guest@elsewhere.example"
PATTERN = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]}
WEEKLY = {"pattern": PATTERN, "range": {"type": "noEnd", "startDate": "2029-03-05"}}
ENDED = {"pattern": PATTERN, "range": {"type": "endDate", "startDate": "2029-03-05", "endDate": "2029-03-31"}}
SPAN = {"startDateTime": "2029-03-01T00:00:00Z", "endDateTime": "2029-05-01T00:00:00Z", "$orderby": "start/dateTime"}


async def dates(client: httpx.AsyncClient, series: dict[str, Any]) -> list[tuple[str, str]]:
    """Day and subject of every date in March and April."""
    rows = (await client.get(path(series, "/instances"), params={**SPAN, "$top": "50"})).json()["value"]
    return [(row["start"]["dateTime"][5:10], row["subject"]) for row in rows]


async def edited_series(client: httpx.AsyncClient) -> dict[str, Any]:
    """A weekly series with an edited and a deleted date before the end of March, and an edited one after it."""
    made = await book(client, subject="Sync", recurrence=WEEKLY, attendees=invited(ALICE, STRANGER))
    rows = (await client.get(path(made, "/instances"), params={**SPAN, "$top": "50"})).json()["value"]
    for place, subject in ((1, "Early"), (5, "Late")):
        assert (await client.patch(path(rows[place]), json={"subject": subject})).status_code == 200
    assert (await client.delete(path(rows[2]))).status_code == 204
    return made


@pytest.mark.parametrize(
    ("switch", "subjects"),
    [
        ("discard", [("03-05", "Sync"), ("03-12", "Sync"), ("03-19", "Sync"), ("03-26", "Sync")]),
        ("keep", [("03-05", "Sync"), ("03-12", "Early"), ("03-26", "Sync")]),
    ],
)
async def test_another_end_drops_every_edited_and_deleted_date_or_keeps_those_before_it(
    switch: str, subjects: list[tuple[str, str]]
) -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("series_end_update", switch)
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await edited_series(dana)
        sandbox.world.mails.clear()
        assert (await dana.patch(path(made), json={"recurrence": ENDED})).status_code == 200
        copy = await copy_of(alice, made)
        assert copy is not None
        assert await dates(dana, made) == subjects
        assert await dates(alice, copy) == subjects
        options = {"$select": "subject,cancelledOccurrences", "$expand": "exceptionOccurrences"}
        read = (await dana.get(path(made), params=options)).json()
    assert [row["subject"] for row in read["exceptionOccurrences"]] == (["Early"] if switch == "keep" else [])
    assert len(read["cancelledOccurrences"]) == (1 if switch == "keep" else 0)
    assert [(mail.kind, mail.to) for mail in sandbox.world.mails] == [("update", ALICE), ("update", STRANGER)]


@pytest.mark.parametrize(
    ("span", "left"),
    [
        ({"type": "numbered", "startDate": "2029-03-05", "numberOfOccurrences": 2}, 2),
        ({"type": "endDate", "startDate": "2029-03-05", "endDate": "2029-03-05"}, 1),
    ],
)
async def test_a_series_can_be_ended_by_a_number_or_on_its_first_date(span: dict[str, Any], left: int) -> None:
    async with client_of(fixed_sandbox()) as dana:
        made = await edited_series(dana)
        changed = await dana.patch(path(made), json={"recurrence": {"pattern": PATTERN, "range": span}})
        assert changed.status_code == 200
        assert len(await dates(dana, made)) == left
        assert changed.json()["start"]["dateTime"] == "2029-03-05T10:00:00.0000000"


async def test_an_end_before_the_start_is_refused_and_loses_nothing() -> None:
    async with client_of(fixed_sandbox()) as dana:
        made = await edited_series(dana)
        before = await dates(dana, made)
        span = {"type": "endDate", "startDate": "2029-03-05", "endDate": "2029-03-04"}
        refused = await dana.patch(path(made), json={"recurrence": {"pattern": PATTERN, "range": span}})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "ErrorInvalidRequest")
        assert await dates(dana, made) == before


async def test_an_attendee_who_ends_their_copy_changes_nothing_else_and_the_next_update_undoes_it() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, subject="Sync", recurrence=WEEKLY, attendees=invited(ALICE))
        copy = await copy_of(alice, made)
        assert copy is not None
        sandbox.world.mails.clear()
        assert (await alice.patch(path(copy), json={"recurrence": ENDED})).status_code == 200
        assert (len(await dates(alice, copy)), len(await dates(dana, made))) == (4, 9)
        assert sandbox.world.mails == []
        await dana.patch(path(made), json={"location": {"displayName": "Hall"}})
        assert len(await dates(alice, copy)) == 9


async def test_the_mailed_update_is_the_only_one_also_when_the_time_changes_with_the_end() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana:
        made = await edited_series(dana)
        sandbox.world.mails.clear()
        times = {"start": at("2029-03-05T11:00:00"), "end": at("2029-03-05T12:00:00")}
        assert (await dana.patch(path(made), json={"recurrence": ENDED, **times})).status_code == 200
        assert len(await dates(dana, made)) == 4
    assert [(mail.kind, mail.sender, mail.to) for mail in sandbox.world.mails] == [
        ("update", DANA, ALICE),
        ("update", DANA, STRANGER),
    ]
