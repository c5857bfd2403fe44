"""Tasks about series: new ones, one of their dates, all dates from one on, all of them."""

from __future__ import annotations

from evaluation.expectations import At, Changed, Expected, clock, days, having, on_each
from evaluation.scene import ALICE, BOB, CAROL, Entry, weekly
from evaluation.task import DELETE, Call, Id, Play, Task, booking, listing, span, update

_STANDUP = (ALICE, BOB, CAROL)
_LOOK = listing("2027-03-15", "2027-04-24", filter="subject eq 'Stand-up'")
_SALES = Play(
    (
        booking(
            "Sales sync",
            "2027-03-18 09:00",
            "2027-03-18 09:30",
            attendees_required=BOB,
            recurrence_type="weekly",
            recurrence_days_of_week="thursday",
            recurrence_end_date="2027-04-30",
        ),
    )
)
_FOCUS = Play(
    (
        booking(
            "Focus time",
            "2027-03-15 08:00",
            "2027-03-15 08:45",
            recurrence_type="weekly",
            recurrence_days_of_week="monday,tuesday,wednesday,thursday,friday",
            recurrence_end_date="2027-03-26",
        ),
    )
)
_BOARD = Play(
    (
        booking(
            "Board report",
            "2027-03-26 15:00",
            "2027-03-26 16:00",
            recurrence_type="relativeMonthly",
            recurrence_week_index="last",
            recurrence_days_of_week="friday",
            recurrence_occurrences=6,
        ),
    )
)
_CATCH_UP = Play(
    (
        booking(
            "Catch-up with Alice",
            "2027-03-15 11:00",
            "2027-03-15 11:30",
            attendees_required=ALICE,
            recurrence_type="weekly",
            recurrence_interval=2,
            recurrence_days_of_week="monday",
            recurrence_occurrences=5,
        ),
    )
)
_LATER = Play(
    (
        _LOOK,
        update(
            Id("Stand-up", "2027-03-16"),
            apply_to="following",
            **span("2027-03-16 15:00", "2027-03-16 15:15"),
        ),
    )
)
_CANCEL_ONE = Play((_LOOK, Call(DELETE, {"event_id": Id("Stand-up", "2027-03-16")})))
_MOVE_ONE = Play((_LOOK, update(Id("Stand-up", "2027-03-23"), **span("2027-03-23 11:00", "2027-03-23 11:15"))))
_END = Play((_LOOK, Call(DELETE, {"event_id": Id("Stand-up", "2027-04-06"), "apply_to": "following"})))
_GYM = Entry("Gym", "2027-02-01 07:00", recurrence=weekly("monday", "wednesday"))
_DELETE_GYM = Play(
    (
        listing("2027-03-15", "2027-03-22"),
        Call(DELETE, {"event_id": Id("Gym"), "apply_to": "series"}),
    )
)
_RENAME = Play((_LOOK, update(Id("Stand-up"), apply_to="series", subject="Daily huddle")))

RECURRING = (
    Task(
        "series-until",
        "Every Thursday from 18 March until the end of April, 9 to 9:30: 'Sales sync' with bob@company.com.",
        Expected(
            new=on_each(days("2027-03-18", step=7, count=7), "09:00", "09:30", subject="sales sync", required=(BOB,)),
            told=(BOB,),
        ),
        _SALES,
        {
            "without an end": _SALES.but(0, recurrence_end_date=None),
            "on Fridays": _SALES.but(
                0, recurrence_days_of_week="friday", **span("2027-03-19 09:00", "2027-03-19 09:30")
            ),
            "once": _SALES.but(0, recurrence_type=None, recurrence_days_of_week=None, recurrence_end_date=None),
        },
    ),
    Task(
        "series-on-weekdays",
        "Block 8:00 to 8:45 as focus time on every working day of the next two weeks, 15 to 26 March.",
        Expected(
            new=on_each(
                (*days("2027-03-15", step=1, count=5), *days("2027-03-22", step=1, count=5)),
                "08:00",
                "08:45",
                subject="focus",
                show_as=None,
            )
        ),
        _FOCUS,
        {
            "weekends too": _FOCUS.but(0, recurrence_type="daily", recurrence_days_of_week=None),
            "one week": _FOCUS.but(0, recurrence_end_date="2027-03-19"),
        },
    ),
    Task(
        "series-last-friday",
        "Put in a one-hour 'Board report' at 15:00 on the last Friday of every month, six times, starting this month.",
        Expected(
            new=on_each(
                ("2027-03-26", "2027-04-30", "2027-05-28", "2027-06-25", "2027-07-30", "2027-08-27"),
                "15:00",
                "16:00",
                subject="board report",
            )
        ),
        _BOARD,
        {
            "on the 26th": _BOARD.but(
                0,
                recurrence_type="absoluteMonthly",
                recurrence_week_index=None,
                recurrence_days_of_week=None,
                recurrence_day_of_month=26,
            ),
            "on fourth Fridays": _BOARD.but(0, recurrence_week_index="fourth"),
        },
    ),
    Task(
        "series-every-other-week",
        "Every other Monday at 11, half an hour, a catch-up with alice@company.com. Start on 15 March, five times.",
        Expected(
            new=on_each(days("2027-03-15", step=14, count=5), "11:00", "11:30", subject="catch", required=(ALICE,)),
            told=(ALICE,),
        ),
        _CATCH_UP,
        {
            "every week": _CATCH_UP.but(0, recurrence_interval=1),
            "Alice is not invited": _CATCH_UP.but(0, attendees_required=None),
        },
    ),
    Task(
        "series-from-now-on",
        "From next week on, the stand-up is at 3 in the afternoon. Leave the past ones as they were.",
        Expected(changed=(Changed(At("Stand-up", since="2027-03-16"), clock("15:00", "15:15")),), told=_STANDUP),
        _LATER,
        {
            "only next week": _LATER.but(1, apply_to="this"),
            "the whole series": _LATER.but(1, apply_to="series"),
            "three in the night": _LATER.but(1, **span("2027-03-16 03:00", "2027-03-16 03:15")),
            "a week too late": _LATER.but(
                1, event_id=Id("Stand-up", "2027-03-23"), **span("2027-03-23 15:00", "2027-03-23 15:15")
            ),
        },
    ),
    Task(
        "series-cancel-one-date",
        "Cancel only next Tuesday's stand-up.",
        Expected(gone=(At("Stand-up", on="2027-03-16"),), told=_STANDUP),
        _CANCEL_ONE,
        {
            "the whole series": _CANCEL_ONE.but(1, apply_to="series"),
            "the Tuesday after": _CANCEL_ONE.but(1, event_id=Id("Stand-up", "2027-03-23")),
            "that one and all later": _CANCEL_ONE.but(1, apply_to="following"),
        },
    ),
    Task(
        "series-move-one-date",
        "Just this once, on 23 March, let's have the stand-up at 11.",
        Expected(changed=(Changed(At("Stand-up", on="2027-03-23"), clock("11:00", "11:15")),), told=_STANDUP),
        _MOVE_ONE,
        {
            "from then on": _MOVE_ONE.but(1, apply_to="following"),
            "the week before": _MOVE_ONE.but(
                1, event_id=Id("Stand-up", "2027-03-16"), **span("2027-03-16 11:00", "2027-03-16 11:15")
            ),
            "a second meeting instead": Play(
                (
                    _LOOK,
                    booking("Stand-up", "2027-03-23 11:00", "2027-03-23 11:15", attendees_required=",".join(_STANDUP)),
                )
            ),
        },
    ),
    Task(
        "series-end",
        "The stand-up ends with March: 30 March is the last one, take out everything after it.",
        Expected(gone=(At("Stand-up", since="2027-04-01"),), told=_STANDUP),
        _END,
        {
            "the last one too": _END.but(1, event_id=Id("Stand-up", "2027-03-30")),
            "one date": _END.but(1, apply_to="this"),
            "the whole series": _END.but(1, apply_to="series"),
        },
    ),
    Task(
        "series-delete",
        "I've quit the gym. Delete the whole Gym series.",
        Expected(gone=(At("Gym"),)),
        _DELETE_GYM,
        {
            "one date": _DELETE_GYM.but(1, apply_to="this"),
            "the stand-up": Play((_LOOK, Call(DELETE, {"event_id": Id("Stand-up"), "apply_to": "series"}))),
        },
        seeds=(_GYM,),
    ),
    Task(
        "series-rename",
        "Rename the whole Stand-up series to 'Daily huddle'.",
        Expected(changed=(Changed(At("Stand-up"), having(subject="Daily huddle")),), told=_STANDUP),
        _RENAME,
        {
            "one date": _RENAME.but(1, apply_to="this"),
            "another name": _RENAME.but(1, subject="Huddle"),
        },
    ),
)
