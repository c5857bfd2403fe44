"""The five calendar operations on one connected account's mailbox.

`OutlookCalendar` takes validated arguments and answers JSON-ready dictionaries in Graph's shape. It raises
`scalekit_mcp.errors` and nothing else on purpose. Where an answer of Microsoft was lost, what happened is settled by
reading, so that a result never claims more than is known.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from scalekit_mcp.calendar.changes.delete import CalendarDelete
from scalekit_mcp.calendar.changes.own_time import Planned, require_free
from scalekit_mcp.calendar.changes.update import CalendarUpdate
from scalekit_mcp.calendar.events.answers.told import invited, told_member
from scalekit_mcp.calendar.events.event import Event, event_result, join_url
from scalekit_mcp.calendar.events.shapes import shown_event
from scalekit_mcp.calendar.events.writing.body import create_body
from scalekit_mcp.calendar.events.writing.lost_answers import ChangeOutcome, change_outcome
from scalekit_mcp.calendar.failures import ChangeAnswerLostError, UnreadableAnswer
from scalekit_mcp.calendar.listing.list import CalendarList
from scalekit_mcp.calendar.listing.page_tokens import Pages
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.calendar.model_answers import answer_for_model
from scalekit_mcp.calendar.names import in_calendar
from scalekit_mcp.calendar.reading import (
    asked_zone,
    read_event,
    read_to_show,
    shown_in,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import Conflict, OutcomeUnknown, ScalekitMCPError
from scalekit_mcp.tools import (
    Arguments,
    CreateCalendarEvent,
    DeleteCalendarEvent,
    GetCalendarEvent,
    ListCalendarEvents,
    Remarks,
    UpdateCalendarEvent,
    noted,
    warned,
)

NO_LINK = "The event has no online-meeting link: Microsoft does not offer the provider asked for on this calendar."
NO_LINK_PERSONAL = "The event has no Teams link: personal Microsoft accounts cannot have one."

_MAILED_ONCE = (
    "If this transaction_id was used before, the event is the one made then, and its invitations were mailed then, not "
    "again."
)


class OutlookCalendar:
    """The calendar tools for one connected account.

    `personal` says that it is no work or school account, which decides over Teams links. `timezone` is the zone of
    answers when a call names none; `pages` seals `next_page` for this account.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        personal: bool,
        clock: Clock,
        timezone: str,
        pages: Pages,
    ) -> None:
        self._mailbox = mailbox
        self._personal = personal
        self._clock = clock
        self._timezone = timezone
        self._lists = CalendarList(mailbox, clock=clock, timezone=timezone, pages=pages)
        self._updates = CalendarUpdate(mailbox, personal=personal, clock=clock, timezone=timezone)
        self._deletions = CalendarDelete(mailbox, timezone=timezone)

    async def run(self, arguments: Arguments) -> dict[str, Any]:
        """Carry out the calendar tool that the arguments belong to; raises what the five operations raise.

        Arguments with `answer_characters` come from a model, which gets no more of an event than it can use.
        """
        answer = await self._run(arguments)
        return answer if arguments.answer_characters is None else answer_for_model(arguments, answer)

    async def _run(self, arguments: Arguments) -> dict[str, Any]:
        match arguments:
            case CreateCalendarEvent():
                return await self.create(arguments)
            case GetCalendarEvent():
                return await self.get(arguments)
            case ListCalendarEvents():
                return await self.list(arguments)
            case UpdateCalendarEvent():
                return await self.update(arguments)
            case DeleteCalendarEvent():
                return await self.delete(arguments)
            case _:
                raise LookupError(f"no operation for {arguments.tool_name}")

    async def create(self, args: CreateCalendarEvent) -> dict[str, Any]:
        """The event that was created, in its own zone, and `told`: who was invited by mail (Create event).

        One `transactionId` covers all tries of this call, so that a repeat after a lost answer cannot book twice.
        Raises `Conflict`, naming the event, for a `transaction_id` that was used with other content.
        """
        transaction_id = args.transaction_id or str(uuid4())
        zone = asked_zone(args.start_timezone)
        body = create_body(args, transaction_id=transaction_id, personal=self._personal)

        async def send(calendar: str | None) -> Event:
            if args.only_if_free:
                planned = Planned(body, (calendar,), transaction_id=args.transaction_id)
                await require_free(self._mailbox, planned, self._clock.now())
            return await self._mailbox.create(body, calendar_id=calendar, form=shown_in(zone))

        try:
            event, odd = shown_event(await in_calendar(self._mailbox, args.calendar_id, send))
        except ChangeAnswerLostError as exc:
            if exc.carried_out:
                raise _created_unread(transaction_id) from exc
            raise OutcomeUnknown(
                "The event was sent to Microsoft, but no answer came back: it may or may not be in the calendar.",
                next_step=(
                    f"Repeat the call with the same arguments and transaction_id={transaction_id}: it cannot book "
                    "twice, and it answers with the event either way."
                ),
            ) from exc
        except UnreadableAnswer as exc:
            raise _created_unread(transaction_id) from exc
        except Conflict as exc:
            event, odd = await self._created_before(exc, body, own_id=args.transaction_id is None), []
        remarks = args.remarks + warned(*odd)
        if args.isOnlineMeeting and join_url(event) is None:
            event = await self._with_link(event, zone_name=args.start_timezone)
            remarks += self._missing_link(event)
        told, cut = told_member(
            invited({"attendees": body.get("attendees"), **event}), for_model=args.answer_characters is not None
        )
        if told and args.transaction_id is not None:
            remarks += noted(_MAILED_ONCE)
        return event_result(event | told, asked=zone, remarks=remarks + cut)

    async def get(self, args: GetCalendarEvent) -> dict[str, Any]:
        """One event: attendees with their responses, join URL, master or occurrence (Get event)."""
        zone = asked_zone(args.timezone or self._timezone)
        select = None
        if args.select is not None:
            names = {"id", *args.select}
            select = tuple(sorted(names | {"isOnlineMeeting"} if "onlineMeeting" in names else names))
        form = Form(zone=zone, body_format=args.body_format, select=select)
        event, odd = await read_to_show(self._mailbox, args.event_id, form)
        return event_result(event, asked=zone, remarks=args.remarks + odd)

    async def list(self, args: ListCalendarEvents) -> dict[str, Any]:
        """`{value, count, next_page?, now, notes?, warnings?}` (List events, List calendarView)."""
        return await self._lists.list(args)

    async def update(self, args: UpdateCalendarEvent) -> dict[str, Any]:
        """The event after exactly the given changes (Update event)."""
        return await self._updates.update(args)

    async def delete(self, args: DeleteCalendarEvent) -> dict[str, Any]:
        """`{deleted, already_gone, event?, told?, notes?, warnings?}`.

        Sources: Delete event, event: cancel, event: permanentDelete.
        """
        return await self._deletions.delete(args)

    async def _with_link(self, event: Event, *, zone_name: str) -> Event:
        """The event read once more if it is an online meeting whose link is not in the first answer."""
        if not event.get("isOnlineMeeting"):
            return event
        try:
            return await read_event(self._mailbox, event["id"], shown_in(asked_zone(zone_name)))
        except ScalekitMCPError:
            return event  # the event exists; a failed second look must not hide that

    def _missing_link(self, event: Event) -> Remarks:
        if join_url(event) is not None:
            return Remarks()
        if event.get("isOnlineMeeting"):
            return warned("The link of the online meeting is not there yet; outlook_get_calendar_event shows it later.")
        return warned(NO_LINK_PERSONAL if self._personal else NO_LINK)

    async def _created_before(self, conflict: Conflict, body: Event, *, own_id: bool) -> Event:
        """The event that this very request made before, under the same transaction id.

        Microsoft answers a repeat with that event as a rule, but may refuse it. `own_id` says that no other call knew
        the id. Raises the conflict, naming the event by the id that lists give it, where it is another one.
        """
        existing = conflict.details.get("existing_event_id")
        if existing is None:
            if own_id and conflict.details.get("graph_code") == "ErrorDuplicateTransactionId":
                raise _created_unread(str(body["transactionId"])) from conflict
            raise conflict
        try:
            event = await read_event(self._mailbox, existing)
        except ScalekitMCPError:
            event = {"id": existing}  # gone since, or not readable: the refusal stands
        if not event.get("isCancelled") and change_outcome(body, before=None, now=event) is ChangeOutcome.APPLIED:
            zone = asked_zone(str(body["start"]["timeZone"]))
            return (await read_to_show(self._mailbox, event["id"], shown_in(zone)))[0]
        raise Conflict(
            f"This transaction_id was already used to create another event, with the id {event['id']}. "
            "Nothing was created.",
            next_step="To create a further event use a new transaction_id; to change the existing one, update it.",
            **{**conflict.details, "existing_event_id": event["id"]},
        ) from conflict


def _created_unread(transaction_id: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        "Microsoft created the event, but its answer cannot be read, so that the id is not known.",
        next_step=(
            "Do not create it anew: list the period to find it, or repeat the call with the same arguments and "
            f"transaction_id={transaction_id}."
        ),
    )
