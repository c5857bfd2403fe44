"""A sandbox at a fixed time with clients for its people, for the tests around scheduling."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from scalekit_mcp.sandbox import Sandbox

DANA, ALICE, BOB, CAROL = "dana@company.com", "alice@company.com", "bob@company.com", "carol@company.com"
FIONA, PAT, NORA = "fiona@fabrikam.example", "pat@outlook.example", "nora@company.com"
GUEST = "gina_fabrikam.example#EXT#@company.com"
LISBON, OSLO, TEAM = "lisbon@company.com", "oslo@company.com", "product-team@company.com"
WRITE = "User.Read Calendars.ReadWrite"
NOW = datetime(2029, 3, 1, 9, tzinfo=UTC)
CREATED: dict[str, Any] = {
    "subject": "Review",
    "start": {"dateTime": "2029-03-05T10:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2029-03-05T11:00:00", "timeZone": "UTC"},
}


def fixed_sandbox(*cleared: str) -> Sandbox:
    """A sandbox in March 2029; the calendars of `cleared` are empty."""
    sandbox = Sandbox(week_of=date(2029, 2, 26))
    sandbox.freeze_clock(NOW)
    for address in cleared:
        sandbox.scheduling.clear_calendar(address)
    return sandbox


def client_of(sandbox: Sandbox, address: str = DANA, scope: str = WRITE) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=sandbox.app),
        base_url="http://localhost/v1.0",
        headers={"Authorization": f"Bearer {sandbox.access_token(address, scope)}"},
    )


def at(text: str, zone: str = "UTC") -> dict[str, str]:
    return {"dateTime": text, "timeZone": zone}


def asked(*addresses: str, **changes: Any) -> dict[str, Any]:
    """A request of getSchedule for the working day of Monday 2029-03-05."""
    return {
        "schedules": list(addresses),
        "startTime": at("2029-03-05T08:00:00"),
        "endTime": at("2029-03-05T18:00:00"),
        "availabilityViewInterval": 60,
        **changes,
    }


async def schedules(client: httpx.AsyncClient, *addresses: str, zone: str = "", **changes: Any) -> list[dict[str, Any]]:
    """The entries of a request that is answered."""
    headers = {"Prefer": f'outlook.timezone="{zone}"'} if zone else {}
    answer = await client.post("/me/calendar/getSchedule", json=asked(*addresses, **changes), headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


async def refused(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[int, str, str]:
    """Status, code and text of a request that is not."""
    answer = await client.post("/me/calendar/getSchedule", json=body)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def shown(entry: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Status, start and end of the items of an entry."""
    return [(i["status"], i["start"]["dateTime"][:16], i["end"]["dateTime"][:16]) for i in entry["scheduleItems"]]


def invited(*addresses: str, kind: str = "required") -> list[dict[str, Any]]:
    return [{"type": kind, "emailAddress": {"address": address}} for address in addresses]


async def book(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/me/events", json={**CREATED, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def path(event: dict[str, Any], action: str = "") -> str:
    return f"/me/events/{quote(event['id'], safe='')}{action}"


async def copy_of(client: httpx.AsyncClient, event: dict[str, Any]) -> dict[str, Any] | None:
    """The own copy of somebody else's meeting, with an immutable id."""
    answer = await client.get("/me/events", params={"$top": "100"}, headers={"Prefer": 'IdType="ImmutableId"'})
    return next((entry for entry in answer.json()["value"] if entry["iCalUId"] == event["iCalUId"]), None)


async def answers_of(client: httpx.AsyncClient, event: dict[str, Any]) -> dict[str, str]:
    """The responses of an event's attendees, by address."""
    seen = (await client.get(path(event))).json()
    return {a["emailAddress"]["address"]: a["status"]["response"] for a in seen["attendees"]}
