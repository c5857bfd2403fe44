"""Tasks about new single events."""

from __future__ import annotations

from evaluation.expectations import Expected, New
from evaluation.scene import ALICE, BOB, CAROL, DAVE, ERIN, LISBON
from evaluation.task import CREATE, Call, Play, Task, booking, listing, span

_PLANNING = Play(
    (
        listing("2027-03-15", "2027-03-16"),
        booking("Planning meeting", "2027-03-15 10:00", "2027-03-15 11:00", attendees_required=f"{ALICE},{BOB}"),
    )
)
_SYNC = Play(
    (
        booking(
            "Design sync",
            "2027-03-18 14:00",
            "2027-03-18 14:45",
            attendees_required=CAROL,
            attendees_optional=DAVE,
        ),
    )
)
_CALL = Play(
    (
        listing("2027-03-01", "2027-03-13"),
        booking(
            "Call with Erin", "2027-03-12 09:30", "2027-03-12 10:00", attendees_required=ERIN, isOnlineMeeting=True
        ),
    )
)
_DAY_OFF = Play((booking("Vacation", "2027-03-19", "2027-03-20", isAllDay=True, showAs="oof"),))
_FAIR = Play((booking("Trade fair Berlin", "2027-03-29", "2027-04-01", isAllDay=True),))
_BERLIN = Play(
    (
        Call(
            CREATE,
            {
                "subject": "Call with Dave",
                **span("2027-03-16 16:00", "2027-03-16 16:30", "Europe/Berlin"),
                "attendees_required": DAVE,
            },
        ),
    )
)
_ROOM = Play(
    (
        booking(
            "Workshop",
            "2027-03-17 13:00",
            "2027-03-17 14:00",
            attendees_required=ALICE,
            attendees_resource=LISBON,
            location="Room Lisbon",
        ),
    )
)
_DOCTOR = Play(
    (
        booking(
            "Doctor's appointment",
            "2027-03-22 08:00",
            "2027-03-22 08:30",
            sensitivity="private",
            isReminderOn=True,
            reminderMinutesBeforeStart=60,
        ),
    )
)
_PARENTS = Play((booking("Parents' evening", "2027-03-23 18:30", "2027-03-23 19:30", calendar_id="Private"),))
_FOCUS = booking("Focus hour", "2027-03-15 13:00", "2027-03-15 14:00", only_if_free=True)

BOOKING = (
    Task(
        "book-planning",
        "Schedule a 1-hour planning meeting next Monday at 10 with Alice (alice@company.com) and Bob "
        "(bob@company.com).",
        Expected(
            new=(New("2027-03-15 10:00", "2027-03-15 11:00", "planning", required=(ALICE, BOB)),), told=(ALICE, BOB)
        ),
        _PLANNING,
        {
            "a week too late": _PLANNING.but(1, **span("2027-03-22 10:00", "2027-03-22 11:00")),
            "the wrong person": _PLANNING.but(1, attendees_required=f"{ALICE},{CAROL}"),
            "nobody invited": _PLANNING.but(1, attendees_required=None),
            "half the length": _PLANNING.but(1, end_datetime="2027-03-15T10:30:00"),
            "booked twice": _PLANNING.then(_PLANNING.calls[1]),
        },
    ),
    Task(
        "book-optional",
        "Put a design sync into my calendar for Thursday 18 March, 2 to 2:45 in the afternoon, with carol@company.com, "
        "and dave@company.com only if he can.",
        Expected(
            new=(New("2027-03-18 14:00", "2027-03-18 14:45", "design sync", required=(CAROL,), optional=(DAVE,)),),
            told=(CAROL, DAVE),
        ),
        _SYNC,
        {
            "both required": _SYNC.but(0, attendees_required=f"{CAROL},{DAVE}", attendees_optional=None),
            "in the night": _SYNC.but(0, **span("2027-03-18 02:00", "2027-03-18 02:45")),
        },
    ),
    Task(
        "book-online",
        "Set up a half-hour Teams call with Erin from Northwind this Friday at 9:30. You find her address in my "
        "earlier meetings.",
        Expected(
            new=(New("2027-03-12 09:30", "2027-03-12 10:00", required=(ERIN,), online=True),),
            told=(ERIN,),
        ),
        _CALL,
        {
            "an address that was made up": _CALL.but(1, attendees_required="erin@northwind.com"),
            "no link": _CALL.but(1, isOnlineMeeting=None),
            "the Friday after": _CALL.but(1, **span("2027-03-19 09:30", "2027-03-19 10:00")),
        },
    ),
    Task(
        "book-day-off",
        "I take Friday 19 March off: block the whole day as vacation and show me as away.",
        Expected(new=(New("2027-03-19", "2027-03-20", "vacation|off", all_day=True, show_as="oof"),)),
        _DAY_OFF,
        {
            "shown as busy": _DAY_OFF.but(0, showAs=None),
            "working hours only": _DAY_OFF.but(0, isAllDay=None, **span("2027-03-19 08:00", "2027-03-19 17:00")),
            "two days": _DAY_OFF.but(0, **span("2027-03-19", "2027-03-21")),
        },
    ),
    Task(
        "book-several-days",
        "I'm at the trade fair in Berlin from 29 to 31 March, all three days. Put it in as one event.",
        Expected(new=(New("2027-03-29", "2027-04-01", "fair", all_day=True, show_as=None),)),
        _FAIR,
        {
            "without the last day": _FAIR.but(0, **span("2027-03-29", "2027-03-31")),
            "a day for each": Play(
                tuple(
                    booking("Trade fair Berlin", f"2027-03-{day}", end, isAllDay=True)
                    for day, end in ((29, "2027-03-30"), (30, "2027-03-31"), (31, "2027-04-01"))
                )
            ),
        },
    ),
    Task(
        "book-in-another-zone",
        "Half an hour with dave@company.com next Tuesday at 16:00 his time. He is in Berlin.",
        Expected(new=(New("2027-03-16 10:00", "2027-03-16 10:30", required=(DAVE,)),), told=(DAVE,)),
        _BERLIN,
        {
            "16:00 in Chicago": _BERLIN.but(0, **span("2027-03-16 16:00", "2027-03-16 16:30")),
            "as if clocks had not changed": _BERLIN.but(0, **span("2027-03-16 09:00", "2027-03-16 09:30")),
        },
    ),
    Task(
        "book-room",
        "Book Room Lisbon (lisbon@company.com) for a workshop with alice@company.com on Wednesday 17 March, 13:00 to "
        "14:00.",
        Expected(
            new=(New("2027-03-17 13:00", "2027-03-17 14:00", "workshop", required=(ALICE,), rooms=(LISBON,)),),
            told=(ALICE, LISBON),
        ),
        _ROOM,
        {
            "the room only as a text": _ROOM.but(0, attendees_resource=None),
            "the room as a person": _ROOM.but(0, attendees_resource=None, attendees_required=f"{ALICE},{LISBON}"),
        },
    ),
    Task(
        "book-private",
        "Doctor's appointment on 22 March, 8:00 to 8:30. Make it private, and remind me an hour before.",
        Expected(
            new=(
                New(
                    "2027-03-22 08:00",
                    "2027-03-22 08:30",
                    "doctor",
                    sensitivity="private",
                    show_as=None,
                    reminder=60,
                ),
            )
        ),
        _DOCTOR,
        {
            "not private": _DOCTOR.but(0, sensitivity=None),
            "the usual reminder": _DOCTOR.but(0, isReminderOn=None, reminderMinutesBeforeStart=None),
        },
    ),
    Task(
        "book-in-private-calendar",
        "Add the parents' evening to my Private calendar: Tuesday 23 March, 18:30 to 19:30.",
        Expected(new=(New("2027-03-23 18:30", "2027-03-23 19:30", "parents", calendar="Private", show_as=None),)),
        _PARENTS,
        {
            "in the default calendar": _PARENTS.but(0, calendar_id=None),
            "a private event in the default calendar": _PARENTS.but(0, calendar_id=None, sensitivity="private"),
        },
    ),
    Task(
        "book-only-if-free",
        "Book me a focus hour next Monday at 13:00 if I'm free then. If not, leave it and tell me what is in the way.",
        Expected(says=("release planning",)),
        Play(
            (Call(_FOCUS.tool, _FOCUS.arguments, refused="conflict"),),
            "I did not book it: Release planning is in the way.",
        ),
        {
            "booked all the same": Play(
                (Call(_FOCUS.tool, {**_FOCUS.arguments, "only_if_free": False}),),
                "Booked, although Release planning is there.",
            ),
            "booked at another time": Play(
                (booking("Focus hour", "2027-03-15 14:00", "2027-03-15 15:00"),),
                "Release planning is in the way, so I took 14:00.",
            ),
            "not said what is in the way": Play((), "I did not book it, you are busy."),
        },
    ),
)
