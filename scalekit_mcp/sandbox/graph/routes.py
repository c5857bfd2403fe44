"""Which request does what: the paths below `/v1.0`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from scalekit_mcp.sandbox.graph import odata
from scalekit_mcp.sandbox.graph.answers import (
    applied,
    context_of,
    need,
    next_link,
    no_segment,
    only,
    user_id,
)
from scalekit_mcp.sandbox.graph.calendar.events import Events, require_live
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.meetings import RESPONSES, Reply
from scalekit_mcp.sandbox.graph.calendar.replies import Replies
from scalekit_mcp.sandbox.graph.calendar.store import calendar_by_id, event_by_id, instances, listed, view
from scalekit_mcp.sandbox.graph.calendar.validation import check_span, checked_parameters, moment
from scalekit_mcp.sandbox.graph.calendar_list import CalendarList
from scalekit_mcp.sandbox.graph.errors import (
    GraphError,
    access_denied,
    bad_request,
    invalid_request,
    item_not_found,
    malformed_id,
    zone_not_supported,
)
from scalekit_mcp.sandbox.graph.filtering import parse_filter
from scalekit_mcp.sandbox.graph.people.people import People
from scalekit_mcp.sandbox.graph.profile import profile_answer, settings_answer
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.graph.scheduling.rooms import Rooms
from scalekit_mcp.sandbox.graph.scheduling.schedules import Schedules
from scalekit_mcp.sandbox.graph.shape import Wishes, change_key_of, event_json
from scalekit_mcp.sandbox.world import Person, World, ids, zones
from scalekit_mcp.sandbox.world.mailbox import Calendar, Event, Mailbox

_READ = frozenset({"Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared",
                   "Calendars.ReadBasic"})  # fmt: skip
_WRITE = frozenset({"Calendars.ReadWrite", "Calendars.ReadWrite.Shared"})
_ACTIONS = frozenset({*RESPONSES, "cancel", "permanentDelete"})
_OPTIONS = frozenset({"$filter", "$select", "$orderby", "$top", "$skip", "$count", "$expand", "$format"})
_MOST_DAYS = 1825
_MOST_ON_A_PAGE = 1000


class Routes:
    """Finds what a request means and does it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._mailboxes = Mailboxes(world)
        self._events = Events(world, self._mailboxes)
        self._replies = Replies(world, self._events)
        self._rooms = Rooms(world, self._mailboxes, self._replies)
        self._calendars = CalendarList(world, self._mailboxes)
        self._people = People(world, self._mailboxes)
        self._schedules = Schedules(world, self._mailboxes)

    def answer(self, request: Request) -> Answer:
        """The answer to an authorized request.

        Raises:
            GraphError: the request is refused.
        """
        person, rest = self._owner(request)
        if not rest:
            return profile_answer(self._world, request, person)
        head = rest[0]
        if head in ("mailboxSettings", "outlook"):
            return settings_answer(self._world, self._mailboxes, request, person, rest)
        if head == "people":
            return self._people.answer(request, person, rest)
        asks_schedule = len(rest) > 1 and rest[-1].removeprefix("microsoft.graph.") == "getSchedule"
        need(request, _READ if request.method == "GET" or asks_schedule else _WRITE)
        self._check_zone(request)
        mailbox = self._mailboxes.of(person)
        self._rooms.answer_due()
        if head == "calendars" and len(rest) == 1:
            return self._calendars.listed(request, mailbox)
        calendar, rest = _calendar_of(mailbox, rest)
        if asks_schedule and calendar is not None and len(rest) == 1:
            return self._schedules.answer(request, person)
        return self._in_calendar(request, mailbox, calendar, rest)

    def _owner(self, request: Request) -> tuple[Person, tuple[str, ...]]:
        """Whose mailbox the path names, and what follows."""
        person = request.person
        segments = request.segments
        if person is None or len(segments) < 2 or segments[0] != "v1.0":
            raise no_segment(segments[0] if segments else "")
        if segments[1] == "me":
            return person, segments[2:]
        if segments[1] != "users" or len(segments) < 3:
            raise no_segment(segments[1])
        named = segments[2].lower()
        if named in (person.oid.lower(), person.address.lower(), user_id(self._world, person)):
            return person, segments[3:]
        known = self._world.reachable(named) or self._world.person_by_oid(named)
        if known is not None and known.tenant_id == person.tenant_id and not known.deleted:
            raise access_denied()
        raise GraphError(404, "ErrorInvalidUser", f"The requested user '{segments[2]}' is invalid.")

    def _check_zone(self, request: Request) -> None:
        if request.prefer.zone is not None:
            documented = self._world.switches.iana_zones == "documented"
            try:
                zones.zone_named(request.prefer.zone, documented_only=documented)
            except zones.UnknownZoneError as exc:
                raise zone_not_supported(request.prefer.zone) from exc

    def _in_calendar(
        self, request: Request, mailbox: Mailbox, calendar: Calendar | None, rest: tuple[str, ...]
    ) -> Answer:
        if not rest:
            return self._calendars.one(request, mailbox, calendar or mailbox.default_calendar)
        if calendar is not None:
            mailbox, calendar = self._calendars.opened(request, mailbox, calendar)
        if rest[0] == "calendarView" and len(rest) == 1:
            only(request, "GET")
            return self._view(request, mailbox, calendar or mailbox.default_calendar)
        if rest[0] != "events":
            raise no_segment(rest[0])
        if len(rest) == 1:
            if request.method == "POST":
                return self._create(request, mailbox, calendar or mailbox.default_calendar)
            only(request, "GET")
            if calendar is None and self._world.switches.me_events == "default":
                calendar = mailbox.default_calendar
            return self._list(request, mailbox, listed(mailbox, calendar), in_view=False)
        return self._one(request, mailbox, calendar, rest[1], rest[2:])

    def _one(
        self, request: Request, mailbox: Mailbox, calendar: Calendar | None, event_id: str, rest: tuple[str, ...]
    ) -> Answer:
        action = rest[0].removeprefix("microsoft.graph.") if rest else ""
        if len(rest) > 1 or (rest and action not in {*_ACTIONS, "instances"}):
            raise no_segment(rest[-1])
        event = self._event(mailbox, event_id, purged=action == "permanentDelete")
        if calendar is not None and event.calendar_key != calendar.key:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if action:
            return self._below_event(request, mailbox, event, action)
        if request.method == "GET":
            return self._event_answer(request, mailbox, event)
        self._require_live(event)
        self._check_match(request, mailbox, event)
        if request.method == "PATCH":
            return self._event_answer(request, mailbox, self._events.change(mailbox, event, request.json()))
        only(request, "DELETE")
        self._events.delete(mailbox, event)
        return Answer(204)

    def _event(self, mailbox: Mailbox, event_id: str, *, purged: bool) -> Event:
        """The event with this id; that of another mailbox is not found."""
        switches = self._world.switches
        readable = switches.deleted_readable or purged
        try:
            event = event_by_id(mailbox, event_id, deleted_too=readable, several_days=switches.relative_days)
        except GraphError as exc:
            elsewhere = any(ids.decode(oid, event_id) for oid in self._world.mailboxes)
            if exc.code == malformed_id().code and elsewhere and switches.other_mailbox_id == "not_found":
                raise item_not_found() from exc
            raise
        if event.is_deleted and event.response == "declined" and not (switches.declined_readable or purged):
            raise item_not_found()
        return event

    def _require_live(self, event: Event) -> None:
        status = self._world.switches.gone_status
        if status == 404 or not event.is_deleted:
            require_live(event)
            return
        code = {400: "ErrorInvalidRequest", 409: "ErrorIrresolvableConflict", 410: "ErrorItemNotFound"}[status]
        raise GraphError(status, code, "Your request can't be completed. The item was deleted.")

    def _check_match(self, request: Request, mailbox: Mailbox, event: Event) -> None:
        wanted = request.headers.get("if-match")
        if wanted is None or wanted == "*" or not self._world.switches.if_match:
            return
        never_fits = self._world.switches.if_match_never_fits
        if never_fits or wanted.removeprefix("W/").strip('"') != change_key_of(mailbox, event):
            raise GraphError(
                412,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key passed in the request does "
                "not match the current change key for the item.",
            )

    def _below_event(self, request: Request, mailbox: Mailbox, event: Event, name: str) -> Answer:
        if name == "instances":
            only(request, "GET")
            if not self._world.switches.instances:
                raise no_segment(name)
            begin, end = self._window(request)
            if event.recurrence is None:
                raise invalid_request("Instances can only be listed for a recurring event.")
            found = list(instances(event, begin, end, self._world.switches))
            return self._list(request, mailbox, found, in_view=True)
        only(request, "POST")
        given = checked_parameters(request.json() if request.body.strip() else {}, name)
        if name == "permanentDelete":
            offered = self._world.switches.permanent_delete
            if not offered or (request.segments[1] == "me" and not self._world.switches.me_permanent_delete):
                raise no_segment(name)
            self._events.delete(mailbox, event, purge=True)
            return Answer(204)
        self._require_live(event)
        if name == "cancel":
            if not event.is_organizer:
                raise invalid_request("You need to be an organizer to cancel a meeting.")
            self._events.delete(mailbox, event, comment=given.get("Comment") or "")
        else:
            self._respond(mailbox, event, name, given)
        return Answer(202)

    def _respond(self, mailbox: Mailbox, event: Event, verb: str, given: dict[str, Any]) -> None:
        proposed = None
        if given.get("ProposedNewTime"):
            slot = given["ProposedNewTime"]
            switches = self._world.switches
            proposed = (moment(slot.get("start"), switches), moment(slot.get("end"), switches))
            check_span(*proposed, all_day=False)
        send = given.get("SendResponse")
        reply = Reply(verb, given.get("Comment") or "", send=True if send is None else send, proposed=proposed)
        self._replies.reply(mailbox, event, reply)

    def _create(self, request: Request, mailbox: Mailbox, calendar: Calendar) -> Answer:
        event = self._events.create(mailbox, calendar, request.json())
        answer = self._event_answer(request, mailbox, event)
        place = mailbox.id_of(event, immutable=request.prefer.immutable)
        answer.status = 201
        answer.headers["Location"] = f"{request.base_url}/users('{mailbox.owner.oid}')/events('{place}')"
        return answer

    def _event_answer(self, request: Request, mailbox: Mailbox, event: Event) -> Answer:
        wishes = self._wishes(request, in_view=False)
        context = json.dumps(context_of(request, self._world, mailbox.owner, "events/$entity"))
        body = f'{{"@odata.context":{context},{event_json(mailbox, event, wishes)[1:]}'
        return Answer(200, body.encode(), applied(request))

    def _view(self, request: Request, mailbox: Mailbox, calendar: Calendar) -> Answer:
        begin, end = self._window(request)
        found = view(listed(mailbox, calendar), begin, end, self._world.switches)
        return self._list(request, mailbox, found, in_view=True)

    def _window(self, request: Request) -> tuple[Any, Any]:
        begin = odata.window_bound("StartDateTime", request.query.get("startDateTime"))
        end = odata.window_bound("EndDateTime", request.query.get("endDateTime"))
        if end < begin:
            raise GraphError(400, "ErrorInvalidParameter", "The end of the window is before its start.")
        if end - begin > timedelta(days=_MOST_DAYS):
            raise invalid_request(
                "The range between the start and end dates is greater than the allowed range. Maximum number of days: "
                f"{_MOST_DAYS}"
            )
        return begin, end

    def _list(self, request: Request, mailbox: Mailbox, events: list[Event], *, in_view: bool) -> Answer:
        options = request.query
        _check_options(options)
        wishes = self._wishes(request, in_view=in_view)
        if "$filter" in options:
            compiled = parse_filter(options["$filter"])
            if in_view and "subject" in compiled.text_functions and any(event.subject is None for event in events):
                raise GraphError(
                    500, "ErrorInternalServerError", "An internal server error occurred. The operation failed."
                )
            events = [event for event in events if compiled.matches(event)]
        if in_view and "$orderby" in options and self._world.switches.view_order == "refuse":
            raise bad_request("The query option '$orderby' is not supported on a calendar view.")
        if in_view and self._world.switches.view_order == "ignore":
            events = odata.ordered(events, odata.parse_orderby("start/dateTime"))[::-1]
        elif "$orderby" in options:
            events = odata.ordered(events, odata.parse_orderby(options["$orderby"]))
        skip = odata.number_option("$skip", options["$skip"]) if "$skip" in options else 0
        size = self._page_size(options)
        page = events[skip : skip + size]
        pieces = [f'{{"@odata.context":{json.dumps(context_of(request, self._world, mailbox.owner, "events"))}']
        if options.get("$count") == "true":
            pieces.append(f',"@odata.count":{len(events)}')
        pieces.append(',"value":[')
        pieces.append(",".join([event_json(mailbox, event, wishes) for event in page]))
        pieces.append("]")
        if size and skip + size < len(events):
            pieces.append(f',"@odata.nextLink":{json.dumps(next_link(request, skip + size))}')
        pieces.append("}")
        return Answer(200, "".join(pieces).encode(), applied(request))

    def _page_size(self, options: dict[str, str]) -> int:
        if "$top" not in options:
            return self._world.switches.page_size
        size = odata.number_option("$top", options["$top"])
        if size > _MOST_ON_A_PAGE and self._world.switches.top_over_1000 == "refuse":
            raise bad_request(f"The limit of '{_MOST_ON_A_PAGE}' for Top query has been exceeded.")
        return min(size, _MOST_ON_A_PAGE)

    def _wishes(self, request: Request, *, in_view: bool) -> Wishes:
        select = odata.parse_select(request.query["$select"]) if request.query.get("$select") else frozenset[str]()
        if in_view and self._world.switches.view_created == "refuse":
            for name in ("createdDateTime", "lastModifiedDateTime"):
                if name in select:
                    raise bad_request(f"The property '{name}' can't be selected on a calendar view.")
        if "cancelledOccurrences" in select and self._world.switches.select_cancelled == "refuse":
            raise bad_request("Could not find a property named 'cancelledOccurrences' on type 'microsoft.graph.event'.")
        expand = odata.parse_expand(request.query["$expand"]) if request.query.get("$expand") else frozenset[str]()
        if "exceptionOccurrences" in expand and self._world.switches.expand_exceptions != "answer":
            if self._world.switches.expand_exceptions == "refuse":
                raise bad_request("Property 'exceptionOccurrences' on type 'microsoft.graph.event' can't be expanded.")
            expand -= {"exceptionOccurrences"}
        prefer = request.prefer
        return Wishes(
            zone=prefer.zone,
            text_body=prefer.text_body,
            immutable=prefer.immutable,
            select=select or None,
            expand=expand,
            in_view=in_view,
            extra=self._world.switches.occurrence_id_extra,
        )


def _calendar_of(mailbox: Mailbox, rest: tuple[str, ...]) -> tuple[Calendar | None, tuple[str, ...]]:
    if rest[0] == "calendar":
        return mailbox.default_calendar, rest[1:]
    if rest[0] == "calendars":
        return calendar_by_id(mailbox, rest[1]), rest[2:]
    return None, rest


def _check_options(options: dict[str, str]) -> None:
    if "$search" in options:
        raise GraphError(400, "UnsupportedQueryOption", "The query option '$search' is not supported for events.")
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise bad_request(f"The query parameter '{name}' is not supported.")
