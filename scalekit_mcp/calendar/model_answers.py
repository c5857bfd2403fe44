"""The answers of the calendar tools as models read them; code gets Graph's whole events."""

from __future__ import annotations

from typing import Any

from scalekit_mcp.calendar.events.answers.lean import lean_event
from scalekit_mcp.tools import Arguments, CreateCalendarEvent, GetCalendarEvent, UpdateCalendarEvent


def answer_for_model(arguments: Arguments, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without what costs a model its attention and says nothing; what was selected stays."""
    match arguments:
        case GetCalendarEvent() if arguments.select is not None:
            return answer
        case GetCalendarEvent():
            return lean_event(answer)
        case CreateCalendarEvent() | UpdateCalendarEvent():
            # The model has just written the text, or left it as it was.
            return {name: value for name, value in lean_event(answer).items() if name != "body"}
        case _:
            return answer
