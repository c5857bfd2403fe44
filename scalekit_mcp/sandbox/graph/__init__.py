"""The look-alike of Microsoft Graph's calendar: `GraphApp` answers `/v1.0/...`, `calendar_week` draws a week."""

from __future__ import annotations

from scalekit_mcp.sandbox.graph.app import GraphApp
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.week_entries import WeekEntry, calendar_week

__all__ = ["GraphApp", "Mailboxes", "WeekEntry", "calendar_week"]
