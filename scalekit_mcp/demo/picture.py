"""A week as a picture in the terminal."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_COLOURS = {"busy": "cyan", "tentative": "yellow", "oof": "magenta", "free": "green", "workingElsewhere": "blue"}


def week_picture(events: list[dict[str, Any]], monday: date, *, title: str) -> Table:
    """A column for each day from `monday` on, with the events of a window list in order."""
    days = [monday + timedelta(days=offset) for offset in range(7)]
    cells: dict[date, Text] = {day: Text() for day in days}
    for event in sorted(events, key=lambda event: (event["start"]["dateTime"], event.get("subject") or "")):
        first = datetime.fromisoformat(event["start"]["dateTime"][:19])
        last = datetime.fromisoformat(event["end"]["dateTime"][:19])
        all_day = bool(event.get("isAllDay"))
        for day in days:
            if first.date() == day or (all_day and first.date() <= day < last.date()):
                when = "all day" if all_day else f"{first:%H:%M}-{last:%H:%M}"
                colour = _COLOURS.get(str(event.get("showAs", "busy")), "cyan")
                cells[day].append(f"{when}\n", style=f"bold {colour}")
                cells[day].append(f"{event.get('subject') or '(no subject)'}\n", style=colour)
                if event.get("isOnlineMeeting"):
                    cells[day].append("online\n", style="dim")
    table = Table(title=title, box=box.ROUNDED, show_lines=False, expand=False)
    shown = [day for day in days if day.weekday() < 5 or cells[day].plain]
    for day in shown:
        table.add_column(f"{day:%a %d %b}", ratio=1, min_width=12, overflow="fold")
    table.add_row(*(cells[day] for day in shown))
    return table
