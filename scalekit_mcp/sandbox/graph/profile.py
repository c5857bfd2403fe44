"""Who the signed-in person is: `/me`, mailbox settings, time zones; and what every path checks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.errors import GraphError, access_denied
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.world import Person, World, zones

_USER = frozenset({"User.Read", "User.ReadWrite", "User.Read.All", "User.ReadBasic.All", "Directory.Read.All"})
_SETTINGS = frozenset({"MailboxSettings.Read", "MailboxSettings.ReadWrite"})
_WORKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


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
        context = f"{request.base_url}/$metadata#users('{user_id(world, person)}')/mailboxSettings/timeZone"
        return json_answer(200, {"@odata.context": context, "value": windows})
    if rest[1:]:
        raise no_segment(rest[1])
    return json_answer(
        200,
        {
            "@odata.context": f"{request.base_url}/$metadata#users('{user_id(world, person)}')/mailboxSettings",
            "timeZone": windows,
            "dateFormat": "yyyy-MM-dd",
            "timeFormat": "HH:mm",
            "language": {"locale": "en-US", "displayName": "English (United States)"},
            "workingHours": {
                "daysOfWeek": _WORKDAYS,
                "startTime": "08:00:00.0000000",
                "endTime": "17:00:00.0000000",
                "timeZone": {"name": windows},
            },
        },
    )


def user_id(world: World, person: Person) -> str:
    """The `id` of /me: the object id, for personal accounts a number of 16 hexadecimal digits."""
    if world.tenants[person.tenant_id].personal:
        return hashlib.sha256(person.oid.encode()).hexdigest()[:16]
    return person.oid


def need(request: Request, any_of: frozenset[str]) -> None:
    """Refuse with 403 unless one of the scopes was granted."""
    if not request.scopes & any_of:
        raise access_denied()


def only(request: Request, method: str) -> None:
    """Refuse any other method with 405."""
    if request.method != method:
        raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def no_segment(name: str) -> GraphError:
    """400: the path has no such segment."""
    return GraphError(400, "RequestBroker--ParseUri", f"Resource not found for the segment '{name}'.")


def json_answer(status: int, value: dict[str, Any]) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(value, separators=(",", ":")).encode())
