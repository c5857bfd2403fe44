"""Tasks that ask: about the calendar, people, other people's time. The answer counts, and that nothing changed."""

from __future__ import annotations

from evaluation.expectations import Expected
from evaluation.scene import ALICE, BOB, CAROL, ERIN, Entry
from evaluation.task import CALENDARS, FREE_BUSY, LIST, SEARCH, Call, Play, Task, booking, listing

_TWO_OF_THEM = (
    Entry("Quarterly numbers", "2027-03-17 10:00", 90, owner=ALICE),
    Entry("Flight to Oslo", "2027-03-17 08:00", 240, owner=CAROL, more={"showAs": "oof"}),
)
_WHO = Play(
    (
        Call(
            FREE_BUSY,
            {
                "people": f"{ALICE},{BOB},{CAROL}",
                "start_datetime": "2027-03-17T10:00:00",
                "end_datetime": "2027-03-17T11:00:00",
                "timezone": "America/Chicago",
            },
        ),
    ),
    "Only Bob is free: Alice is busy and Carol is out of office.",
)
_TOKYO = Play(
    (
        Call(
            LIST,
            {"start_datetime": "2027-03-12T10:00:00", "end_datetime": "2027-03-12T11:00:00", "timezone": "Asia/Tokyo"},
        ),
    ),
    "No, you are not free: the parents' evening is then.",
)
_LAST_WEEK = Play(
    (listing("2027-03-01", "2027-03-08"),),
    "Last week: Stand-up on Tuesday, Design review on Wednesday, Customer call Northwind on Thursday, Retro on Friday.",
)
_FREE_WORDS = r"(is|are|would be) (also |both |all )?(free|available)"

QUESTIONS = (
    Task(
        "who-is-free",
        "Who of alice@company.com, bob@company.com and carol@company.com is free on Wednesday 17 March from 10 to 11?",
        Expected(
            says=("bob",),
            never_says=(
                rf"\b(alice|carol)( moreau| adeyemi)?( \([^)]*\))? {_FREE_WORDS}",
                r"\bbob( tanaka)?( \([^)]*\))? is (busy|not|out|unavailable)",
                "nobody|no one|none of",
                r"all (three )?(of them )?are free",
            ),
        ),
        _WHO,
        {
            "everybody": _WHO.saying("Alice is free, Bob is free, Carol is free."),
            "nobody": _WHO.saying("Nobody, not even Bob."),
            "a meeting booked": _WHO.then(
                booking("Meeting", "2027-03-17 10:00", "2027-03-17 11:00", attendees_required=BOB)
            ),
        },
        seeds=_TWO_OF_THEM,
    ),
    Task(
        "free-in-tokyo",
        "Am I free on Friday at 10 in the morning Tokyo time, for an hour? If not, what is in the way?",
        Expected(says=("parents",)),
        _TOKYO,
        {
            "Friday at 10 in Chicago": Play((listing("2027-03-12", "2027-03-13"),), "Yes, you are free."),
            "moved out of the way": _TOKYO.then(booking("Tokyo", "2027-03-11 19:00", "2027-03-11 20:00")),
        },
        seeds=(Entry("Parents' evening", "2027-03-11 19:00"),),
    ),
    Task(
        "last-week",
        "What did I have last week?",
        Expected(
            says=("design review", "northwind", "retro", "stand-?up"),
            never_says=("kick-?off", "dentist", "workshop planning"),
        ),
        _LAST_WEEK,
        {
            "this week": Play((listing("2027-03-08", "2027-03-15"),), "Stand-up, Dentist, Lunch with Sam."),
            "one left out": _LAST_WEEK.saying("Design review, Customer call Northwind and Retro."),
            "the week before too": _LAST_WEEK.saying(
                "Workshop planning, Stand-up, Design review, Customer call Northwind, Retro."
            ),
        },
    ),
    Task(
        "next-meeting-with-erin",
        "When do I meet Erin Park from Northwind next?",
        Expected(
            says=(r"9(th)?( of)? april|april( the)? 9|2027-04-09|\b0?4/0?9\b|9\.4\.", r"\b0?9(:00)?\b"),
            never_says=(r"(next|meet) .{0,40}march 4",),
        ),
        Play(
            (
                Call(SEARCH, {"query": "erin"}),
                listing("2027-03-10", "2027-05-10", filter=f"attendees/any(a:a/emailAddress/address eq '{ERIN}')"),
            ),
            "On Friday 9 April at 9:00.",
        ),
        {
            "the last one": Play((listing("2027-03-01", "2027-03-20"),), "On 4 March at 11:00."),
            "none": Play((), "You have no meeting with her."),
        },
        seeds=(Entry("Northwind follow-up", "2027-04-09 09:00", required=(ERIN,)),),
    ),
    Task(
        "private-calendar",
        "What is in my Private calendar next week, and when?",
        Expected(says=("choir", r"\b(19:00|7(:00)? ?p\.?m)"), never_says=("release planning", "dentist")),
        Play((listing("2027-03-15", "2027-03-22", calendar_id="Private"),), "Choir on Monday at 19:00."),
        {
            "the default calendar": Play((listing("2027-03-15", "2027-03-22"),), "Release planning and Stand-up."),
            "nothing": Play((), "Nothing."),
        },
    ),
    Task(
        "which-calendars",
        "Which calendars do I have in Outlook? Which of them can I not write to?",
        Expected(
            says=("private", "birthdays", r"\bcalendar\b"),
            never_says=("(can't|cannot|can not) (write|edit).{0,30}private",),
        ),
        Play((Call(CALENDARS),), "Calendar, Private and Birthdays; you cannot write to Birthdays."),
        {
            "one": Play((Call(CALENDARS),), "Only your calendar."),
            "the wrong one is read-only": Play(
                (Call(CALENDARS),), "Calendar, Birthdays, Private. You cannot write to Private."
            ),
        },
    ),
    Task(
        "whose-address",
        "What is Dave's mail address?",
        Expected(says=(r"dave@company\.com",)),
        Play((Call(SEARCH, {"query": "dave"}),), "dave@company.com"),
        {"made up": Play((), "dave.novak@company.com"), "asked back": Play((), "Which Dave do you mean?")},
    ),
    Task(
        "when-does-it-end",
        "How many people are invited to the release planning on Monday, and until when does it go?",
        Expected(says=(r"\b(2|two)\b", r"\b(14:00|2(:00)? ?p\.?m|2 o'clock)")),
        Play((listing("2027-03-15", "2027-03-16"),), "Two, Alice and Bob, until 14:00."),
        {
            "three": Play((listing("2027-03-15", "2027-03-16"),), "Three people, until 14:00."),
            "the wrong end": Play((), "Two people, until 13:30."),
        },
    ),
)
