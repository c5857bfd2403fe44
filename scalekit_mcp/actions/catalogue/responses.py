"""The catalogue's three answers to an invitation, which are one tool here."""

from __future__ import annotations

from typing import Any

from scalekit_mcp.actions.catalogue.moments import Proposal, proposal_parameter
from scalekit_mcp.actions.catalogue.tool import REMARKS, CatalogueTool, Run, Work, members
from scalekit_mcp.tools import Parameter, boolean_parameter, identifier_parameter, text_parameter

_RESPOND = "outlook_respond_to_event"
_PARAMETERS = {
    "event_id": identifier_parameter("Id of the invitation."),
    "comment": text_parameter("What the organizer reads.", 10_000, one_line=False, literal=True),
    "send_response": boolean_parameter("Mail the organizer; default true."),
}
_PROPOSAL = {
    "proposed_new_time": proposal_parameter(
        "Another time: {start: {dateTime, timeZone}, end: {dateTime, timeZone}}; UTC without a zone."
    )
}


def _answer(response: str) -> Work:
    async def work(run: Run, read: dict[str, Any]) -> dict[str, Any]:
        proposal: Proposal | None = read.pop("proposed_new_time", None)
        arguments = {**read, "response": response}
        if proposal is not None:
            arguments |= {
                "proposed_start_datetime": f"{proposal.start:%Y-%m-%dT%H:%M:%S}",
                "proposed_end_datetime": f"{proposal.end:%Y-%m-%dT%H:%M:%S}",
                "proposed_timezone": "UTC",
            }
        return members(await run(_RESPOND, arguments), "notes", "warnings")

    return work


def _tool(name: str, title: str, description: str, response: str, parameters: dict[str, Parameter]) -> CatalogueTool:
    return CatalogueTool(
        name=name,
        title=title,
        description=description,
        parameters=parameters,
        required=("event_id",),
        output_schema={"type": "object", "properties": REMARKS},
        work=_answer(response),
        renamed={
            _RESPOND: name,
            "proposed_start_datetime": "proposed_new_time",
            "proposed_end_datetime": "proposed_new_time",
            "proposed_timezone": "proposed_new_time",
        },
        read_only=False,
        destructive=True,
    )


RESPONSE_TOOLS = (
    _tool(
        "outlook_accept_event",
        "Accept event",
        "Accepts an invitation to somebody else's meeting and mails them.",
        "accept",
        _PARAMETERS,
    ),
    _tool(
        "outlook_decline_event",
        "Decline event",
        "Declines an invitation to somebody else's meeting and mails them; it leaves the calendar.",
        "decline",
        _PARAMETERS | _PROPOSAL,
    ),
    _tool(
        "outlook_tentatively_accept_event",
        "Tentatively accept event",
        "Accepts an invitation to somebody else's meeting provisionally and mails them.",
        "tentative",
        _PARAMETERS | _PROPOSAL,
    ),
)
