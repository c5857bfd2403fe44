"""Deleting events: without a message, with a message to attendees, or permanently; one date of a series or all.

Sources: Delete event, event: cancel, event: permanentDelete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from scalekit_mcp.calendar.calendar_membership import is_listed
from scalekit_mcp.calendar.events.event import address_of, series_meant
from scalekit_mcp.calendar.failures import ChangeAnswerLostError, MalformedEventId
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.calendar.reading import read_event
from scalekit_mcp.errors import (
    Conflict,
    EventNotFound,
    InternalError,
    InvalidInput,
    OutcomeUnknown,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.tools import DeleteCalendarEvent, warned

_PERHAPS_GONE = frozenset({400, 409, 410, 412})
"""Statuses with which Microsoft also refuses to delete or cancel what is gone."""

_NOT_OFFERED = frozenset({400, 404, 405, 501})
"""Statuses of an address that does not exist."""

_NOTHING_DELETED = "Nothing was deleted by this call: the mailbox has no event with this id any more, or never had one."

_FACTS = Form(select=("id", "type", "seriesMasterId", "isOrganizer", "isCancelled", "attendees"))
_WHEREABOUTS = Form(select=("id", "isCancelled", "isOrganizer", "start", "end"))
_EXISTENCE = Form(select=("id",))

Deletion = Callable[[], Awaitable[None]]


class CalendarDelete:
    """Carries out `outlook_delete_calendar_event` for one connected account."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def delete(self, args: DeleteCalendarEvent) -> dict[str, Any]:
        """`{deleted, already_gone, notes?, warnings?}`; what is gone already is a success.

        Raises `EventNotFound` for what is no id of an event: whoever shortened an id means another event.
        """
        warnings: list[str] = []
        try:
            already = await self._carry_out(args, warnings)
        except MalformedEventId:
            raise
        except EventNotFound:
            already = True
        if already:
            warnings.append(_NOTHING_DELETED)
        return {"deleted": True, "already_gone": already, **(args.remarks + warned(*warnings)).members()}

    async def _carry_out(self, args: DeleteCalendarEvent, warnings: list[str]) -> bool:
        deletion, event_id = await self._deletion(args, warnings)
        if deletion is None:
            return await self._purge(event_id)
        return await self._send(deletion, event_id)

    async def _deletion(self, args: DeleteCalendarEvent, warnings: list[str]) -> tuple[Deletion | None, str]:
        """What to do, None for a deletion for good, and the id of the event that is meant."""
        event_id = args.event_id
        if args.apply_to is not None or args.cancellation_message is not None:
            event = await read_event(self._mailbox, event_id, _FACTS)
            event_id = series_meant(event, args.apply_to) or event_id
            if args.cancellation_message is not None:
                if event.get("isOrganizer") is False:
                    raise InvalidInput(
                        "Only the organizer of a meeting can cancel it with a message; this one is somebody else's.",
                        field="cancellation_message",
                        next_step="Leave cancellation_message out: the event then leaves the user's own calendar.",
                    )
                if any(address_of(person) for person in event.get("attendees") or ()):
                    return partial(self._mailbox.cancel, event_id, args.cancellation_message), event_id
                warnings.append("Nobody is invited to this event, so that no message was sent.")
        return None if args.permanent else partial(self._mailbox.delete, event_id), event_id

    async def _purge(self, event_id: str) -> bool:
        """Delete for good, by whichever address Microsoft offers it; True if the event was gone before.

        An address that is not offered is answered like an event that does not exist, so the event decides.
        """
        for address in self._mailbox.purge_addresses:
            try:
                return await self._send(partial(self._mailbox.purge, event_id, address), event_id)
            except MalformedEventId:
                raise
            except (EventNotFound, InvalidInput, InternalError) as refused:
                if refused.details.get("graph_status") not in _NOT_OFFERED:
                    raise
                await read_event(self._mailbox, event_id, _EXISTENCE)
        raise InvalidInput(
            "Microsoft does not offer to delete this event for good; nothing was deleted.",
            field="permanent",
            next_step="Leave permanent out: the event then goes to Deleted Items.",
        )

    async def _send(self, deletion: Deletion, event_id: str) -> bool:
        """Carry out the deletion, once more where it was not carried out; True if the event was gone before this call.

        A lost answer is settled by reading, and so is a refusal that Microsoft also gives for what is gone.
        """
        lost = False
        for _ in range(2):
            try:
                await deletion()
            except ChangeAnswerLostError as exc:
                if exc.carried_out or await self._is_gone(event_id, exc):
                    return False
                if lost:
                    raise OutcomeUnknown(
                        "The deletion was sent to Microsoft twice, and both answers were lost; the event still shows.",
                        next_step="Read the event in a minute; if it is still there, delete it again.",
                    ) from exc
                lost = True
            except EventNotFound:
                if lost:
                    return False  # the first try had been carried out
                raise
            except (InvalidInput, Conflict, InternalError) as refused:
                if refused.details.get("graph_status") not in _PERHAPS_GONE:
                    raise
                if not await self._is_gone(event_id, refused):
                    raise
                return not lost
            else:
                return False
        return False  # not reached: the second try returns or raises

    async def _is_gone(self, event_id: str, cause: Exception) -> bool:
        """Whether the event left the calendar.

        Raises what is known where it cannot be read: `OutcomeUnknown` after a lost answer, else the refusal.
        """
        try:
            event = await read_event(self._mailbox, event_id, _WHEREABOUTS)
        except EventNotFound:
            return True
        except ScalekitMCPError as exc:
            if not isinstance(cause, ChangeAnswerLostError):
                raise cause from exc
            if not isinstance(exc, ProviderUnavailable | Throttled):
                raise
            raise OutcomeUnknown(
                "The deletion was sent to Microsoft, but no answer came back, and the event cannot be read now.",
                next_step="Delete the event again in a minute: a deletion of what is gone does no harm.",
            ) from exc
        # A cancelled meeting of the user's own lies in Deleted Items, where an immutable id still finds it.
        if event.get("isCancelled") and event.get("isOrganizer") is not False:
            return True
        # What lies there otherwise shows in no calendar. After a lost answer another deletion tells, which is cheaper.
        return not isinstance(cause, ChangeAnswerLostError) and not await is_listed(self._mailbox, event)
