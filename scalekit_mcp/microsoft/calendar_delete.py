"""Deleting: quietly, with a message to those invited, or for good; one date of a series or all of them.

Sources: Delete event, event: cancel, event: permanentDelete.
"""

from __future__ import annotations

from typing import Any

from scalekit_mcp.accounts.models import ProviderAccount
from scalekit_mcp.errors import EventNotFound, InvalidInput, OutcomeUnknown, ProviderUnavailable, Throttled
from scalekit_mcp.microsoft.calendar_requests import event_path, read_event
from scalekit_mcp.microsoft.events import Event, address_of
from scalekit_mcp.microsoft.graph import AnswerLost, GraphRequest, MailboxSession, segment
from scalekit_mcp.tools.arguments import DeleteCalendarEvent
from scalekit_mcp.tools.remarks import Remarks, warned

_FACTS = "id,type,seriesMasterId,isOrganizer,isCancelled,attendees"


class CalendarDelete:
    """Answers `outlook_delete_calendar_event` for one connected account."""

    def __init__(self, session: MailboxSession, *, account: ProviderAccount) -> None:
        self._session = session
        self._account = account

    async def delete(self, args: DeleteCalendarEvent) -> dict[str, Any]:
        """`{deleted, already_gone, notes?, warnings?}`; what is gone already is a success."""
        warnings: list[str] = []
        try:
            request, event_id = await self._request(args, warnings)
            await self._carry_out(request, event_id)
        except EventNotFound:
            return _gone(args.remarks + warned(*warnings), already=True)
        except InvalidInput as exc:
            if exc.details.get("graph_code", "").lower() != "errorinvalididmalformed":
                raise
            warnings.append("Microsoft does not recognise the id: it is of an event that is gone, or not an id at all.")
            return _gone(args.remarks + warned(*warnings), already=True)
        return _gone(args.remarks + warned(*warnings), already=False)

    async def _request(self, args: DeleteCalendarEvent, warnings: list[str]) -> tuple[GraphRequest, str]:
        event_id = args.event_id
        if args.apply_to is not None or args.cancellation_message is not None:
            event = await read_event(self._session, event_id, body_format=None, select=_FACTS)
            event_id = _target(event, args)
            if args.cancellation_message is not None:
                if event.get("isOrganizer") is False:
                    raise InvalidInput(
                        "Only the organizer of a meeting can cancel it with a message; this one is somebody else's.",
                        field="cancellation_message",
                        next_step="Leave cancellation_message out: the event then leaves the user's own calendar.",
                    )
                if any(address_of(person) for person in event.get("attendees") or ()):
                    body = {"comment": args.cancellation_message}
                    return GraphRequest("POST", f"{event_path(event_id)}/cancel", json=body), event_id
                warnings.append("Nobody is invited to this event, so that no message was sent.")
        if args.permanent:
            return GraphRequest("POST", f"{self._purge_path(event_id)}/permanentDelete"), event_id
        return GraphRequest("DELETE", event_path(event_id)), event_id

    def _purge_path(self, event_id: str) -> str:
        # Documented below /users/{id} only; a personal account's own id is not its object id.
        if self._account.personal:
            return event_path(event_id)
        return f"/users/{segment(self._account.oid)}/events/{segment(event_id)}"

    async def _carry_out(self, request: GraphRequest, event_id: str) -> None:
        """Send the request; a lost answer is settled by reading, and what was not carried out is sent once more."""
        try:
            await self._session.send(request)
        except AnswerLost:
            if not await self._is_gone(event_id):
                await self._carry_out_again(request, event_id)

    async def _carry_out_again(self, request: GraphRequest, event_id: str) -> None:
        try:
            await self._session.send(request)
        except EventNotFound:
            pass  # the first try had been carried out
        except AnswerLost as exc:
            if await self._is_gone(event_id):
                return
            raise OutcomeUnknown(
                "The deletion was sent to Microsoft twice, and both answers were lost; the event still shows.",
                next_step="Read the event in a minute; if it is still there, delete it again.",
            ) from exc

    async def _is_gone(self, event_id: str) -> bool:
        try:
            event = await read_event(self._session, event_id, body_format=None, select="id,isCancelled,isOrganizer")
        except EventNotFound:
            return True
        except (ProviderUnavailable, Throttled) as exc:
            raise OutcomeUnknown(
                "The deletion was sent to Microsoft, but no answer came back, and the event cannot be read now.",
                next_step="Delete the event again in a minute: a deletion of what is gone does no harm.",
            ) from exc
        # A cancelled meeting of the user's own lies in Deleted Items, where an immutable id still finds it.
        return bool(event.get("isCancelled")) and event.get("isOrganizer") is not False


def _target(event: Event, args: DeleteCalendarEvent) -> str:
    kind = event.get("type")
    if args.apply_to == "this" and kind == "seriesMaster":
        raise InvalidInput(
            "The id names a whole series, not one of its events.",
            field="apply_to",
            next_step="Give the id of one occurrence (a window list shows them), or apply_to=series.",
        )
    if args.apply_to == "series" and kind in ("occurrence", "exception"):
        return str(event["seriesMasterId"])
    if args.apply_to == "series" and kind == "singleInstance":
        raise InvalidInput(
            "The id names a single event, not a series.", field="apply_to", next_step="Leave apply_to out."
        )
    return args.event_id


def _gone(remarks: Remarks, *, already: bool) -> dict[str, Any]:
    return {"deleted": True, "already_gone": already, **remarks.members()}
