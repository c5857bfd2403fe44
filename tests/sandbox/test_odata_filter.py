"""`$filter`, `$orderby`, `$select` on events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.sandbox.graph.errors import GraphError
from scalekit_mcp.sandbox.graph.filtering import parse_filter
from scalekit_mcp.sandbox.graph.odata import ordered, parse_orderby, parse_select, window_bound
from scalekit_mcp.sandbox.world.mailbox import Event, Moment


def event(subject: str | None = "Planning", start: str = "2026-04-01T10:00:00", **more: Any) -> Event:
    begin = datetime.fromisoformat(start)
    made = Event(
        key="0" * 32,
        calendar_key="c",
        start=Moment.of(begin, "America/New_York"),
        end=Moment.of(begin.replace(hour=begin.hour + 1), "America/New_York"),
        ical_uid="u",
        organizer=("Dana", "dana@company.com"),
        created=datetime(2026, 3, 1, tzinfo=UTC),
        modified=datetime(2026, 3, 1, tzinfo=UTC),
    )
    made.subject = subject
    for name, value in more.items():
        setattr(made, name, value)
    return made


def matches(text: str, one: Event | None = None) -> bool:
    return parse_filter(text).matches(one or event())


def outcome(attempt: Callable[[], Any]) -> Any:
    """What came back: a value or a refusal; anything else raised is a failure."""
    try:
        return attempt()
    except GraphError as refusal:
        return refusal


def refused(text: str) -> tuple[int, str]:
    with pytest.raises(GraphError) as caught:
        parse_filter(text)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subject eq 'Planning'", True),
        ("subject eq 'planning'", True),
        ("subject ne 'Planning'", False),
        ("'Planning' eq subject", True),
        ("subject eq null", False),
        ("subject ne null", True),
        ("contains(subject,'lann')", True),
        ("startswith(subject, 'Pl') eq true", True),
        ("startswith(subject,'Pl') eq false", False),
        ("endswith(subject,'ing')", True),
        ("not contains(subject,'x')", True),
        ("not (subject eq 'Planning' or isAllDay eq true)", False),
        ("isAllDay eq false", True),
        ("isOrganizer", True),
        ("isAllDay", False),
        ("isAllDay ne true and isCancelled ne true", True),
        ("subject eq 'x' or subject eq 'Planning' and isAllDay eq false", True),
        ("(subject eq 'x' or subject eq 'Planning') and isAllDay eq true", False),
        ("start/dateTime ge '2026-04-01T14:00:00'", True),
        ("start/dateTime gt '2026-04-01T14:00:00Z'", False),
        ("start/dateTime lt '2026-04-01T14:00:00.0000001'", False),
        ("start/dateTime lt '2026-04-01T14:00:01'", True),
        ("start/dateTime ge '2026-04-01T10:00:00-04:00'", True),
        ("start/dateTime ge '2026-04-02'", False),
        ("'2026-04-01T15:00:00' ge end/dateTime", True),
        ("createdDateTime ge 2026-03-01T00:00:00Z", True),
        ("createdDateTime lt 2026-03-01T00:00:00.5Z", True),
        ("organizer/emailAddress/address eq 'DANA@company.com'", True),
        ("categories/any(c:c eq 'Red')", True),
        ("categories/any(c:c eq 'Blue' or startswith(c,'gr'))", True),
        ("categories/any(c:c eq 'Blue')", False),
        ("categories/all(c:c ne 'Blue')", True),
        ("categories/any()", True),
        ("showAs eq 'Busy'", True),
        ("importance ne 'high'", True),
        ("reminderMinutesBeforeStart gt 10", True),
        ("type eq 'singleInstance'", True),
        ("tolower(subject) eq 'planning'", True),
    ],
)
def test_a_filter_selects_as_the_conventions_say(text: str, *, expected: bool):
    assert matches(text, event(categories=["Red", "green"])) is expected


def test_a_doubled_quote_stands_for_one():
    assert matches("subject eq 'Dana''s day'", event("Dana's day"))


def test_and_binds_more_tightly_than_or():
    assert matches("isAllDay eq false or isAllDay eq true and subject eq 'x'")
    assert not matches("(isAllDay eq false or isAllDay eq true) and subject eq 'x'")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("start/dateTime ge 2026-04-01T00:00:00", (400, "BadRequest")),
        ("start/dateTime ge 2026-04-01T00:00:00Z", (400, "BadRequest")),
        ("start/dateTime ge 'tomorrow'", (400, "BadRequest")),
        ("createdDateTime ge '2026-04-01T00:00:00Z'", (400, "BadRequest")),
        ("start ge '2026-04-01T00:00:00'", (400, "BadRequest")),
        ("nosuch eq 'x'", (400, "BadRequest")),
        ("subject eq", (400, "BadRequest")),
        ("subject eq 'x", (400, "BadRequest")),
        ("subject like 'x'", (400, "BadRequest")),
        ("subject eq 'x' garbage", (400, "BadRequest")),
        ("(subject eq 'x'", (400, "BadRequest")),
        ("", (400, "BadRequest")),
        ("subject eq 5", (400, "BadRequest")),
        ("isAllDay eq 'true'", (400, "BadRequest")),
        ("isAllDay gt true", (400, "BadRequest")),
        ("showAs eq 'sometimes'", (400, "BadRequest")),
        ("substringof('x',subject)", (400, "BadRequest")),
        ("contains(isAllDay,'x')", (400, "BadRequest")),
        ("subject/any(s:s eq 'x')", (400, "BadRequest")),
        ("attendees/any(a:a/emailAddress/address eq 'a@b.c')", (400, "UnsupportedEntityExpression")),
        ("recurrence/pattern/type eq 'weekly'", (400, "UnsupportedEntityExpression")),
        ("contains(body/content,'x')", (500, "ErrorInternalServerError")),
        ("extensions/any(e:e/id eq 'x')", (500, "ErrorInternalServerError")),
        ("id eq 'x'", (400, "ErrorInvalidUrlQueryFilter")),
        (" or ".join(["subject eq 'x'"] * 80), (400, "ErrorRestrictionTooComplex")),
        ("(" * 5000, (400, "ErrorRestrictionTooComplex")),
        ("not " * 5000, (400, "ErrorRestrictionTooComplex")),
    ],
)
def test_a_filter_is_refused_as_microsoft_refuses_it(text: str, refusal: tuple[int, str]):
    assert refused(text) == refusal


def test_an_unquoted_date_is_told_about_the_format():
    with pytest.raises(GraphError, match="The DateTimeOffset text '2026-04-01T00:00:00' should be in format"):
        parse_filter("start/dateTime ge 2026-04-01T00:00:00")


names = st.sampled_from(["isAllDay", "isOrganizer", "isCancelled", "hideAttendees"])


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, str]:
    """The same condition in OData and in Python."""
    kind = draw(st.sampled_from(["leaf", "leaf", "and", "or", "not"]))
    if kind == "leaf":
        name, wanted = draw(names), draw(st.booleans())
        return f"{name} eq {str(wanted).lower()}", f"({name} == {wanted})"
    left = draw(expressions())
    if kind == "not":
        return f"not ({left[0]})", f"(not {left[1]})"
    right = draw(expressions())
    return f"({left[0]}) {kind} ({right[0]})", f"({left[1]} {kind} {right[1]})"


@given(expressions(), st.booleans(), st.booleans(), st.booleans())
def test_and_or_not_mean_what_they_mean_in_logic(both: tuple[str, str], all_day: bool, organizer: bool, hidden: bool):
    one = event(is_all_day=all_day, is_organizer=organizer, hide_attendees=hidden)
    found = outcome(lambda: matches(both[0], one))
    if isinstance(found, GraphError):
        assert found.code == "ErrorRestrictionTooComplex"
        return
    values = {"isAllDay": all_day, "isOrganizer": organizer, "isCancelled": False, "hideAttendees": hidden}
    assert found is eval(both[1], {}, values)  # noqa: S307 - written by this test


@given(st.text(max_size=40))
def test_no_text_makes_the_parser_fail_otherwise_than_by_a_refusal(text: str):
    found = outcome(lambda: parse_filter(text))
    assert not isinstance(found, GraphError) or found.status in (400, 500)


def test_events_are_ordered_by_several_keys():
    first, second, third = event("b"), event("a"), event("b", "2026-04-01T08:00:00")
    keys = parse_orderby("subject desc,start/dateTime")
    assert ordered([first, second, third], keys) == [third, first, second]


@pytest.mark.parametrize("text", ["start", "start asc", "organizer", "subject sideways", "nosuch", ""])
def test_an_order_by_anything_but_a_primitive_property_is_refused(text: str):
    with pytest.raises(GraphError) as caught:
        parse_orderby(text)
    assert (caught.value.status, caught.value.code) == (400, "BadRequest")


def test_a_select_of_an_unknown_property_is_refused():
    assert parse_select("subject, start,onlineMeeting") == {"subject", "start", "onlineMeeting"}
    with pytest.raises(GraphError, match="Could not find a property named 'organiser'"):
        parse_select("subject,organiser")


def test_a_window_bound_without_an_offset_is_utc():
    assert window_bound("StartDateTime", "2026-04-01T00:00:00") == datetime(2026, 4, 1, tzinfo=UTC)
    assert window_bound("StartDateTime", "2026-04-01T00:00:00-04:00") == datetime(2026, 4, 1, 4, tzinfo=UTC)
    for broken in (None, "", "tomorrow"):
        with pytest.raises(GraphError):
            window_bound("StartDateTime", broken)
