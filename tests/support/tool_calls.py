"""Arguments of tool calls, drawn by hypothesis over all parameters of create and update."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

ZONES = ["UTC", "America/New_York", "Asia/Calcutta", "Pacific/Kiritimati", "W. Europe Standard Time", "Asia/Kathmandu"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
PEOPLE = ["alice@company.com", "Bob Tanaka <bob@company.com>", '"Stranger, Eve" <eve@example.com>', "carol@company.com"]
ROOMS = ["room1@company.com", "Room 2 <room2@company.com>"]

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")), min_size=1)
lines = words.map(lambda text: text.strip()[:200]).filter(bool)
numbers = st.floats(-90, 90, allow_nan=False)

place: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"displayName": lines},
    optional={
        "locationType": st.sampled_from(["default", "conferenceRoom", "homeAddress", "restaurant"]),
        "locationEmailAddress": st.just("room1@company.com"),
        "locationUri": st.just("https://maps.example/1"),
        "address": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("street", "city", "state", "countryOrRegion", "postalCode"), lines)
        ),
        "coordinates": st.fixed_dictionaries({"latitude": numbers, "longitude": numbers}),
    },
)

PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "location": lines,
    "locations": st.lists(place, min_size=1, max_size=3),
    "hideAttendees": st.booleans(),
    "isReminderOn": st.just(True),
    "reminderMinutesBeforeStart": st.integers(0, 525_600),
    "importance": st.sampled_from(["low", "normal", "High"]),
    "sensitivity": st.sampled_from(["normal", "personal", "private", "confidential"]),
    "showAs": st.sampled_from(["free", "tentative", "busy", "oof", "workingElsewhere", "BUSY"]),
    "categories": st.lists(st.sampled_from(["Red", "Blue", "Green"]), min_size=1, unique=True),
}


@st.composite
def _people(draw: st.DrawFn) -> dict[str, Any]:
    """Each person in at most one of the three lists."""
    kinds = {name: draw(st.sampled_from(["required", "optional", ""])) for name in PEOPLE}
    kinds |= {name: draw(st.sampled_from(["resource", ""])) for name in ROOMS}
    lists: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        if kind:
            lists.setdefault(f"attendees_{kind}", []).append(name)
    return {name: members if draw(st.booleans()) else ", ".join(members) for name, members in lists.items()}


@st.composite
def _body(draw: st.DrawFn) -> dict[str, Any]:
    content = draw(words)
    match draw(st.sampled_from(["none", "default", "text", "html"])):
        case "none":
            return {}
        case "default":
            return {"body_content": content}
        case kind:
            return {"body_content": content, "body_contentType": kind}


@st.composite
def _meeting(draw: st.DrawFn) -> dict[str, Any]:
    if not draw(st.booleans()):
        return {}
    provider = draw(st.sampled_from([None, "teamsForBusiness", "skypeForBusiness"]))
    return {"isOnlineMeeting": True, **({"onlineMeetingProvider": provider} if provider else {})}


@st.composite
def _times(draw: st.DrawFn, *, both_zones: bool = True) -> dict[str, Any]:
    """A noon of 2026 that no clock skips, and an end; whole days in one zone now and then."""
    day = draw(st.dates(date(2026, 1, 1), date(2026, 12, 1)))
    zone = draw(st.sampled_from(ZONES))
    if draw(st.integers(0, 4)) == 0:
        last = day + timedelta(days=draw(st.integers(1, 3)))
        times = {"isAllDay": True, "start_datetime": day.isoformat(), "end_datetime": last.isoformat()}
        return times | {"start_timezone": zone, "end_timezone": zone}
    start = datetime.fromisoformat(f"{day}T{draw(st.integers(10, 14))}:{draw(st.integers(10, 59))}:00")
    other = draw(st.sampled_from(ZONES)) if both_zones else zone
    hours = 30 if other != zone else draw(st.integers(1, 30))
    end = start + timedelta(hours=hours)
    if end.hour < 4:  # where clocks change
        end += timedelta(hours=4)
    return {
        "start_datetime": start.isoformat(timespec="seconds"),
        "start_timezone": zone,
        "end_datetime": end.isoformat(timespec="seconds"),
        "end_timezone": other,
    }


@st.composite
def _recurrence(draw: st.DrawFn, first: date) -> dict[str, Any]:
    kind = draw(st.sampled_from(["", "daily", "weekly", "absoluteMonthly", "relativeMonthly", "yearly"]))
    if not kind:
        return {}
    given: dict[str, Any] = {"recurrence_type": kind, "recurrence_interval": draw(st.integers(4, 9))}
    if kind == "weekly":
        days = {WEEKDAYS[first.weekday()], *draw(st.lists(st.sampled_from(WEEKDAYS), max_size=3))}
        given["recurrence_days_of_week"] = ",".join(sorted(days))
        given["recurrence_first_day_of_week"] = draw(st.sampled_from(WEEKDAYS))
    match draw(st.sampled_from(["noEnd", "endDate", "numbered"])):
        case "endDate":
            given["recurrence_end_date"] = (first + timedelta(days=draw(st.integers(0, 900)))).isoformat()
        case "numbered":
            given["recurrence_occurrences"] = draw(st.integers(1, 30))
        case _:
            given["recurrence_range_type"] = "noEnd"
    return given


@st.composite
def create_arguments(draw: st.DrawFn) -> dict[str, Any]:
    """A whole create: any of its parameters, in the forms that models write them in."""
    times = draw(_times())
    given = {"subject": draw(lines), **times, **draw(_body()), **draw(_people()), **draw(_meeting())}
    given |= draw(st.fixed_dictionaries({}, optional=PLAIN))
    given |= draw(
        st.fixed_dictionaries({}, optional={"responseRequested": st.booleans(), "allowNewTimeProposals": st.booleans()})
    )
    return given | draw(_recurrence(date.fromisoformat(times["start_datetime"][:10])))


@st.composite
def update_arguments(draw: st.DrawFn) -> dict[str, Any]:
    """The changes of an update, at least one; without the event's id."""
    optional: dict[str, st.SearchStrategy[Any]] = {"subject": lines, **PLAIN}
    given: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=optional))
    given |= draw(_body())
    if draw(st.booleans()):
        given |= draw(_people())
    else:
        given["attendees_add"] = draw(st.sampled_from(PEOPLE))
        given["attendees_remove"] = "dave@company.com"
    free = [
        name
        for name, touching in (("categories", "categories"), ("body_content", "body"), ("attendees_optional", "attend"))
        if not any(other.startswith(touching) for other in given)
    ]
    if free and draw(st.booleans()):
        given["clear"] = draw(st.sampled_from(free))
    if not draw(st.booleans()):
        return given
    return given | draw(_times(both_zones=False))
