"""The start page: people, their week as a picture, applications, what came in, and the switches as forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from scalekit_mcp.sandbox.control.start_forms import FORMS
from scalekit_mcp.sandbox.control.week_picture import week_picture
from scalekit_mcp.sandbox.world.seed import DEFAULT_PERSON
from scalekit_mcp.sandbox.world.switches import Switches, behaviours

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.control.controls import Controls

LATEST_REQUESTS = 12
CALLS = (
    ("GET /v1.0/me, /me/mailboxSettings, /me/outlook/supportedTimeZones", "who is signed in, hours, time zones"),
    ("GET /v1.0/me/calendars, /me/calendar", "own calendars and those that others share"),
    ("GET /v1.0/me/events, /me/calendarView, /me/events/{id}/instances", "events and dates, also below a calendar"),
    ("POST, PATCH, DELETE /v1.0/me/events", "create, change, delete; /cancel, /permanentDelete"),
    (
        "POST /v1.0/me/events/{id}/accept, /tentativelyAccept, /decline",
        "answers to invitations; rooms give theirs",
    ),
    ("POST /v1.0/me/calendar/getSchedule", "when people, rooms and lists can be met"),
    ("GET /v1.0/me/people", "search for people, needs People.Read"),
)


def start_page(controls: Controls, base_url: str, *, turned: str = "") -> Response:
    """The page as an answer; `turned` names the switch whose form was just sent."""
    from scalekit_mcp.sandbox.graph.calendar.week import week_start
    from scalekit_mcp.sandbox.graph.calendar.week_entries import calendar_week

    world = controls.world
    monday = week_start(world)
    people = [person for person in world.people.values() if not person.deleted]
    first = [person for person in people if person.address == DEFAULT_PERSON]
    variables: dict[str, Any] = {
        "base_url": base_url,
        "environment": controls.environment(base_url),
        "calls": CALLS,
        "people": people,
        "rooms": list(world.rooms.values()),
        "lists": list(world.lists.values()),
        "tenants": world.tenants,
        "apps": [app for app in world.apps.values() if not app.deleted],
        "weeks": [
            {"person": person, "picture": week_picture(calendar_week(world, person, monday), monday)}
            for person in [*first, *(person for person in people if person not in first)]
            if person.has_mailbox and person.enabled
        ],
        "groups": FORMS,
        "switches": world.switches,
        "turned": next((form.title for _, forms in FORMS for form in forms if form.name == turned), turned),
        "changed": changed_behaviours(world.switches),
        "behaviours": [
            {"shown": _shown(known.default), "now": _shown(getattr(world.switches, known.name)), "is": known}
            for known in behaviours()
        ],
        "admin_requests": [
            {"request": request, "tenant": world.tenants[request.tenant_id], "app": world.apps[request.client_id]}
            for request in controls.halves.identity.store.admin_requests
        ],
        "now": world.clock.now(),
        "requests": list(world.requests)[-LATEST_REQUESTS:][::-1],
    }
    return controls.halves.pages.render("start.html", variables)


def changed_behaviours(switches: Switches) -> list[str]:
    """The behaviours that are not at their default, as `name = value`."""
    return [
        f"{known.name} = {_shown(getattr(switches, known.name))}"
        for known in behaviours()
        if getattr(switches, known.name) != known.default
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value).replace("\r\n", "CR LF")
