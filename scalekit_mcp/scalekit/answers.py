"""Changes events from the hosted tools to what Graph would answer: the zone, kind of body and properties asked for.

The hosted tools take no preferences, so that what Graph does for a `Form` is done here. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from scalekit_mcp.calendar import Form, graph_zone, instant_of, text_of
from scalekit_mcp.tools import Zone, resolve_zone


@dataclass(frozen=True, slots=True)
class Preferences:
    """How events are wanted: zone of times, text instead of HTML, and the selected properties (None: all)."""

    zone: Zone | None = None
    text: bool = False
    selected: frozenset[str] | None = None

    @classmethod
    def of(cls, form: Form) -> Preferences:
        """What a form asks for; the zone is the one that Graph would take for it."""
        names = form.select
        return cls(
            zone=None if form.zone is None else resolve_zone(graph_zone(form.zone)),
            text=form.body_format == "text",
            selected=frozenset({"id", *(name.split("/")[0] for name in names)}) if names else None,
        )

    def applied(self, event: Mapping[str, Any], *, keep: frozenset[str] = frozenset()) -> dict[str, Any]:
        """A copy of the event with these preferences applied; properties in `keep` stay although not selected."""
        shown = dict(event)
        if self.zone is not None and not event.get("isAllDay"):
            for name in ("start", "end"):
                moment = event.get(name)
                if isinstance(moment, dict):
                    # what is no moment stays as it came: whoever reads the event says so
                    with suppress(KeyError, TypeError, ValueError, OverflowError, AttributeError):
                        shown[name] = _in_zone(cast("dict[str, Any]", moment), self.zone)
        body = event.get("body")
        if self.text and isinstance(body, dict):
            shown["body"] = _as_text(cast("dict[str, Any]", body))
        if self.selected is None:
            return shown
        names = self.selected | keep
        return {name: value for name, value in shown.items() if name in names or name.startswith("@odata.")}


def _in_zone(moment: dict[str, Any], zone: Zone) -> dict[str, Any]:
    local: datetime = instant_of(moment).astimezone(UTC).astimezone(zone.tzinfo).replace(tzinfo=None)
    return {**moment, "dateTime": local.isoformat(timespec="seconds") + ".0000000", "timeZone": zone.windows}


def _as_text(body: dict[str, Any]) -> dict[str, Any]:
    if str(body.get("contentType")).lower() != "html":
        return body
    return {**body, "contentType": "text", "content": text_of(str(body.get("content") or ""))}
