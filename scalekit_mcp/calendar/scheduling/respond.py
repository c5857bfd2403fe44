"""outlook_respond_to_event: answers an invitation once, and says who was told.

Refusals that Graph would answer with a number are found by reading the event first. A lost answer is settled by
reading: an answer mails the organizer, so that it is not sent twice. Sources: event: accept, event: tentativelyAccept,
event: decline, event resource type (responseStatus).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scalekit_mcp.calendar.events.event import Event, address_of, event_result, series_meant
from scalekit_mcp.calendar.failures import ChangeAnswerLostError
from scalekit_mcp.calendar.mailbox import Form, SchedulingMailbox
from scalekit_mcp.calendar.reading import asked_zone, read_event
from scalekit_mcp.errors import EventNotFound, InvalidInput, OutcomeUnknown, ProviderUnavailable, Throttled
from scalekit_mcp.tools import NO_REMARKS, Remarks, RespondToEvent, Zone, noted, resolve_zone, to_instant

ACTIONS: Mapping[str, tuple[str, str]] = {
    "accept": ("accept", "accepted"),
    "tentative": ("tentativelyAccept", "tentativelyAccepted"),
    "decline": ("decline", "declined"),
}
"""For each response Graph's action, and the value of `responseStatus.response` that it leads to."""

_FIELDS = (
    *("id", "subject", "start", "end", "isAllDay", "type", "seriesMasterId", "organizer", "isOrganizer", "attendees"),
    *("isCancelled", "responseRequested", "allowNewTimeProposals", "responseStatus"),
)
_SHOWN = ("id", "subject", "start", "end", "isAllDay", "type", "organizer")

_GONE = noted("The event has left the calendar, as declined ones do; Microsoft's own answer was lost.")
_NOT_KNOWN = "The answer was sent, but what became of it cannot be told"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: Graph's action and its parameters, and the answer that the event has afterwards."""

    action: str
    response: str
    body: dict[str, Any]


async def respond_to_event(mailbox: SchedulingMailbox, args: RespondToEvent, *, timezone: str) -> dict[str, Any]:
    """`{responded, event, told?, notes?, warnings?}`; raises what reading the event raises, and `OutcomeUnknown`."""
    zone = asked_zone(args.proposed_timezone or timezone)
    event = await _read(mailbox, args.event_id, zone)
    series_id = series_meant(event, args.apply_to)
    if series_id is not None:
        event = await _read(mailbox, series_id, zone)
    _check(event, args)
    reply = _reply(args)
    organizer = address_of(event.get("organizer"))
    told = [organizer] if args.send_response and organizer else []
    if _response(event) == reply.response and set(reply.body) == {"sendResponse"}:
        told, remarks = [], noted("This was the answer already: nothing was sent again.")
    else:
        remarks = await _send(mailbox, event, reply) + _what_it_means(args, event)
    shown = event_result({name: event[name] for name in _SHOWN if name in event}, asked=zone)
    answer: dict[str, Any] = {"responded": args.response, "event": shown}
    return answer | ({"told": told} if told else {}) | (args.remarks + remarks).members()


async def _read(mailbox: SchedulingMailbox, event_id: str, zone: Zone) -> Event:
    return await read_event(mailbox, event_id, Form(zone=zone, select=_FIELDS), required=("start", "end"))


def _check(event: Event, args: RespondToEvent) -> None:
    """Refuse what cannot be answered, before anything is sent."""
    if event.get("isOrganizer"):
        raise InvalidInput(
            "This is the user's own meeting, which nobody asks them to answer.",
            field="event_id",
            next_step="To change it use outlook_update_calendar_event, to cancel it outlook_delete_calendar_event.",
        )
    if event.get("isCancelled"):
        raise InvalidInput(
            "The organizer cancelled this meeting; there is nothing to answer.",
            field="event_id",
            next_step="Delete it to take it out of the calendar.",
        )
    if event.get("responseRequested") is False:
        raise InvalidInput(
            "The organizer asked for no answers to this meeting, and Microsoft sends none.",
            field="event_id",
            next_step="To free the time, delete the user's own copy, or set its showAs; the organizer is not told.",
        )
    if args.proposed_start_datetime is not None and event.get("allowNewTimeProposals") is False:
        raise InvalidInput(
            "The organizer of this meeting takes no proposals of another time.",
            field="proposed_start_datetime",
            next_step="Answer without a proposal; a comment can name another time.",
        )


def _reply(args: RespondToEvent) -> Reply:
    action, response = ACTIONS[args.response]
    body: dict[str, Any] = {"sendResponse": args.send_response}
    if args.comment is not None:
        body["comment"] = args.comment
    start, end, zone = args.proposed_start_datetime, args.proposed_end_datetime, args.proposed_timezone
    if start is not None and end is not None and zone is not None:
        body["proposedNewTime"] = {"start": _utc(start, zone), "end": _utc(end, zone)}
    return Reply(action, response, body)


def _utc(local: datetime, zone: str) -> dict[str, str]:
    at = to_instant(local, resolve_zone(zone))
    return {"dateTime": at.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}


async def _send(mailbox: SchedulingMailbox, event: Event, reply: Reply) -> Remarks:
    """Send the answer; once more where reading shows that the first was not carried out."""
    for last in (False, True):
        try:
            await mailbox.respond(event["id"], reply.action, reply.body)
        except ChangeAnswerLostError as lost:
            if lost.carried_out:
                return NO_REMARKS
            settled = await _settle(mailbox, event, reply)
            if settled is not None:
                return settled
            if last:
                raise OutcomeUnknown(
                    f"{_NOT_KNOWN}: it was sent twice, and the event still shows the former one.",
                    next_step="Read the event in a minute before answering again: each answer mails the organizer.",
                ) from lost
        except EventNotFound:
            if not last or reply.response != "declined":
                raise
            return _GONE
        else:
            return NO_REMARKS
    return NO_REMARKS  # not reached: the second try returns or raises


async def _settle(mailbox: SchedulingMailbox, before: Event, reply: Reply) -> Remarks | None:
    """After a lost answer: remarks where it was carried out, None where it was not; else raises `OutcomeUnknown`."""
    try:
        now = await read_event(mailbox, before["id"], Form(select=_FIELDS))
    except EventNotFound as gone:
        if reply.response == "declined":
            return _GONE
        raise OutcomeUnknown(
            f"{_NOT_KNOWN}: the event has left the calendar meanwhile.",
            next_step="List the period of the event before doing anything else.",
        ) from gone
    except (ProviderUnavailable, Throttled) as unread:
        raise OutcomeUnknown(
            f"{_NOT_KNOWN}: the event cannot be read now.",
            next_step="Read the event in a minute before answering again: each answer mails the organizer.",
        ) from unread
    if _response(now) == reply.response and _answered_at(now) != _answered_at(before):
        return NO_REMARKS
    if _response(now) == reply.response and _response(before) == reply.response:
        raise OutcomeUnknown(
            f"{_NOT_KNOWN}: the event had the same answer before.",
            next_step="The answer stands either way; only whether the organizer was mailed again is not known.",
        )
    if _response(now) == reply.response:
        return NO_REMARKS
    return None


def _response(event: Event) -> str:
    return str(_status(event).get("response"))


def _answered_at(event: Event) -> object:
    return _status(event).get("time")


def _status(event: Event) -> Event:
    status: Event = event.get("responseStatus") or {}
    return status


def _what_it_means(args: RespondToEvent, event: Event) -> Remarks:
    series = event.get("type") == "seriesMaster"
    return noted(
        None if args.send_response else "The organizer was not told.",
        "All dates of the series are answered, except those that were answered by themselves." if series else None,
        "The event moves to Deleted Items, or stays as free time where the mailbox keeps declined events."
        if args.response == "decline"
        else None,
        "The meeting stays where it is until its organizer accepts the proposed time."
        if args.proposed_start_datetime is not None
        else None,
    )
