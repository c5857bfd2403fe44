"""Recurrence between its value and Graph's `patternedRecurrence`, whose parts are always sent whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from scalekit_mcp.tools import NO_DATE, Recurrence

_USED: Mapping[str, frozenset[str]] = {
    "daily": frozenset(),
    "weekly": frozenset({"daysOfWeek", "firstDayOfWeek"}),
    "absoluteMonthly": frozenset({"dayOfMonth"}),
    "relativeMonthly": frozenset({"daysOfWeek", "index"}),
    "absoluteYearly": frozenset({"dayOfMonth", "month"}),
    "relativeYearly": frozenset({"daysOfWeek", "index", "month"}),
}


def graph_recurrence(whole: Recurrence, zone_name: str | None = None) -> dict[str, Any]:
    """A complete recurrence as Graph takes it; `zone_name` is its zone where that is not the event's.

    The pattern stands before the range: Graph has failed to read the other order. Fields that the type does not use
    are left out, because they are validated all the same (recurrencePattern resource type).
    """
    pattern: dict[str, Any] = {"type": whole.type, "interval": whole.interval}
    values = {
        "daysOfWeek": list(whole.days_of_week) if whole.days_of_week else None,
        "dayOfMonth": whole.day_of_month,
        "month": whole.month,
        "index": whole.week_index,
        "firstDayOfWeek": whole.first_day_of_week,
    }
    used = _USED[str(whole.type)]
    pattern |= {name: value for name, value in values.items() if name in used and value is not None}
    span: dict[str, Any] = {"type": whole.range_type, "startDate": str(whole.start_date)}
    if whole.range_type == "endDate":
        span["endDate"] = str(whole.end_date)
    if whole.range_type == "numbered":
        span["numberOfOccurrences"] = whole.occurrences
    if zone_name is not None:
        span["recurrenceTimeZone"] = zone_name
    return {"pattern": pattern, "range": span}


def recurrence_from_graph(value: Mapping[str, Any]) -> Recurrence:
    """The recurrence of an event as Graph answers it, without the zeros that stand for "not used"."""
    pattern = cast("Mapping[str, Any]", value.get("pattern") or {})
    span = cast("Mapping[str, Any]", value.get("range") or {})
    kind = pattern.get("type")
    used = _USED.get(str(kind), frozenset())

    def part(name: str) -> Any:
        return (pattern.get(name) or None) if name in used else None

    days = cast("list[str] | None", part("daysOfWeek"))
    range_type = span.get("type")
    return Recurrence(
        type=kind,
        interval=pattern.get("interval") or None,
        days_of_week=tuple(day.lower() for day in days) if days else None,
        day_of_month=part("dayOfMonth"),
        month=part("month"),
        week_index=part("index"),
        first_day_of_week=part("firstDayOfWeek"),
        range_type=range_type,
        start_date=_date(span.get("startDate")),
        end_date=_date(span.get("endDate")) if range_type == "endDate" else None,
        occurrences=(span.get("numberOfOccurrences") or None) if range_type == "numbered" else None,
    )


def _date(value: Any) -> date | None:
    return date.fromisoformat(value[:10]) if isinstance(value, str) and not value.startswith(NO_DATE) else None
