"""`/me/calendars`: the calendars of a mailbox, its own and those that others share with it."""

from __future__ import annotations

from typing import Any

from scalekit_mcp.sandbox.graph.answers import context_of, json_answer, need, next_link, only, picked, selected
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.errors import access_denied
from scalekit_mcp.sandbox.graph.odata import number_option
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.graph.shape import calendar_resource
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.mailbox import Calendar, Mailbox

_READ_SHARED = frozenset({"Calendars.Read.Shared", "Calendars.ReadWrite.Shared"})
_WRITE_SHARED = frozenset({"Calendars.ReadWrite.Shared"})


class CalendarList:
    """Lists calendars and opens those of others."""

    def __init__(self, world: World, mailboxes: Mailboxes) -> None:
        self._world = world
        self._mailboxes = mailboxes

    def listed(self, request: Request, mailbox: Mailbox) -> Answer:
        """All calendars in pages (Graph page "List calendars")."""
        only(request, "GET")
        resources = [self._resource(mailbox, calendar) for calendar in mailbox.calendars.values()]
        names = selected(request)
        skip = number_option("$skip", request.query.get("$skip", "0"))
        size = number_option("$top", request.query.get("$top", str(self._world.switches.page_size)))
        end = skip + size
        body: dict[str, Any] = {
            "@odata.context": context_of(request, self._world, mailbox.owner, "calendars"),
            "value": [picked(resource, names) for resource in resources[skip:end]],
        }
        if size and end < len(resources):
            body["@odata.nextLink"] = next_link(request, end)
        return json_answer(200, body)

    def one(self, request: Request, mailbox: Mailbox, calendar: Calendar) -> Answer:
        """One calendar (Graph page "Get calendar")."""
        only(request, "GET")
        context = context_of(request, self._world, mailbox.owner, "calendars/$entity")
        resource = self._resource(mailbox, calendar)
        return json_answer(200, {"@odata.context": context, **picked(resource, selected(request))})

    def opened(self, request: Request, mailbox: Mailbox, calendar: Calendar) -> tuple[Mailbox, Calendar]:
        """The mailbox and calendar in which the events of a listed calendar are: for a shared one, the owner's.

        Raises:
            GraphError: 403, the token has no `.Shared` scope, or the owner does not share what is asked.
        """
        if calendar.owner is None or calendar.source_key is None:
            return mailbox, calendar
        reads = request.method == "GET"
        if self._world.switches.shared_calendars_need_scope:
            need(request, _READ_SHARED if reads else _WRITE_SHARED)
        if not calendar.readable or not (reads or calendar.can_edit):
            raise access_denied()
        theirs = self._mailboxes.of(calendar.owner)
        return theirs, theirs.calendars[calendar.source_key]

    def _resource(self, mailbox: Mailbox, calendar: Calendar) -> dict[str, Any]:
        resource = calendar_resource(self._world, mailbox, calendar)
        if self._world.switches.is_default_calendar == "omit":
            del resource["isDefaultCalendar"]
        return resource
