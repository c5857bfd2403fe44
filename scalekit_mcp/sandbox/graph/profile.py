"""Who the signed-in person is: `/me`, mailbox settings, time zones."""

from __future__ import annotations

from typing import Any

from scalekit_mcp.sandbox.graph.answers import context_of, json_answer, need, no_segment, only, user_id
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.errors import GraphError
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.graph.scheduling.hours import working_hours
from scalekit_mcp.sandbox.world import Person, World, zones
from scalekit_mcp.sandbox.world.directory import WorkingHours

_USER = frozenset({"User.Read", "User.ReadWrite", "User.Read.All", "User.ReadBasic.All", "Directory.Read.All"})
_SETTINGS = frozenset({"MailboxSettings.Read", "MailboxSettings.ReadWrite"})


def profile_answer(world: World, request: Request, person: Person) -> Answer:
    """`GET /me`."""
    only(request, "GET")
    if not request.scopes & _USER:
        raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    given, _, family = person.name.partition(" ")
    personal = world.tenants[person.tenant_id].personal
    profile: dict[str, Any] = {
        "@odata.context": f"{request.base_url}/$metadata#users/$entity",
        "displayName": person.name,
        "givenName": given,
        "surname": family,
        "mail": person.address if person.has_mailbox and not personal else None,
        "preferredLanguage": "en-US",
        "userPrincipalName": person.address,
        "id": user_id(world, person),
    }
    wanted = request.query.get("$select")
    if wanted:
        names = {name.strip() for name in wanted.split(",")} | {"@odata.context"}
        profile = {name: value for name, value in profile.items() if name in names}
    return json_answer(200, profile)


def settings_answer(
    world: World, mailboxes: Mailboxes, request: Request, person: Person, rest: tuple[str, ...]
) -> Answer:
    """`GET /me/mailboxSettings` and `/me/outlook/supportedTimeZones`."""
    only(request, "GET")
    if rest[0] == "outlook":
        need(request, _USER | _SETTINGS)
        if len(rest) != 2 or not rest[1].startswith("supportedTimeZones"):
            raise no_segment(rest[-1])
        standard = "iana" if "'iana'" in rest[1].lower() else "windows"
        return json_answer(
            200,
            {
                "@odata.context": f"{request.base_url}/$metadata#Collection(microsoft.graph.timeZoneInformation)",
                "value": zones.supported(standard, world.clock.now()),
            },
        )
    need(request, _SETTINGS)
    mailboxes.of(person)
    windows = zones.windows_name(person.time_zone)
    if rest[1:] == ("timeZone",):
        context = context_of(request, world, person, "mailboxSettings/timeZone")
        return json_answer(200, {"@odata.context": context, "value": windows})
    if rest[1:]:
        raise no_segment(rest[1])
    return json_answer(
        200,
        {
            "@odata.context": context_of(request, world, person, "mailboxSettings"),
            "timeZone": windows,
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
            "language": {"locale": "en-US", "displayName": "English (United States)"},
            "workingHours": working_hours(person, person.working_hours or WorkingHours(), world.clock.now()),
        },
    )
