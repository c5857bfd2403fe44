"""Tasks about events that are there: moved, changed, cancelled."""

from __future__ import annotations

from evaluation.expectations import At, Changed, Expected, clock, comment_mailed, having, to, with_people
from evaluation.scene import ALICE, BOB, CAROL, DAVE
from evaluation.task import CREATE, DELETE, SEARCH, Call, Id, Play, Task, booking, listing, span, update

_LOOK = listing("2027-03-08", "2027-03-20")
_PLANNING = Id("Release planning")
_ONE_ON_ONE = Id("1:1 with Bob")
_MOVE = Play((_LOOK, update(_ONE_ON_ONE, **span("2027-03-18 15:00", "2027-03-18 15:30"))))
_LONGER = Play((_LOOK, update(_PLANNING, end_datetime="2027-03-15T14:30:00", end_timezone="America/Chicago")))
_OPTIONAL = Play((_LOOK, Call(SEARCH, {"query": "carol"}), update(_PLANNING, attendees_add_optional=CAROL)))
_REMOVE = Play((_LOOK, update(_PLANNING, attendees_remove=BOB)))
_PRIVATE = Play((_LOOK, update(Id("Lunch with Sam"), sensitivity="private")))
_PLACE = Play((_LOOK, update(_PLANNING, location="Cafe Central")))
_LUNCH = Play((_LOOK, Call(DELETE, {"event_id": Id("Lunch with Sam")})))
_SICK = Play((_LOOK, Call(DELETE, {"event_id": _PLANNING, "cancellation_message": "I am sick, sorry."})))

CHANGING = (
    Task(
        "move-one-on-one",
        "Move my 1:1 with Bob next week to the Thursday of that week at 3 pm.",
        Expected(changed=(Changed(At("1:1 with Bob"), to("2027-03-18 15:00", "2027-03-18 15:30")),), told=(BOB,)),
        _MOVE,
        {
            "this Thursday": _MOVE.but(1, **span("2027-03-11 15:00", "2027-03-11 15:30")),
            "an hour long": _MOVE.but(1, end_datetime="2027-03-18T16:00:00"),
            "a new meeting beside the old one": Play(
                (_LOOK, booking("1:1 with Bob", "2027-03-18 15:00", "2027-03-18 15:30", attendees_required=BOB))
            ),
            "another meeting": _MOVE.but(1, event_id=_PLANNING),
        },
    ),
    Task(
        "make-longer",
        "Monday's release planning needs half an hour more at the end.",
        Expected(changed=(Changed(At("Release planning"), clock("13:00", "14:30")),), told=(ALICE, BOB)),
        _LONGER,
        {
            "half an hour earlier": _LONGER.but(
                1,
                start_datetime="2027-03-15T12:30:00",
                start_timezone="America/Chicago",
                end_datetime="2027-03-15T14:00:00",
            ),
            "moved by half an hour": _LONGER.but(
                1, start_datetime="2027-03-15T13:30:00", start_timezone="America/Chicago"
            ),
        },
    ),
    Task(
        "add-optional",
        "Add Carol to Monday's release planning as optional.",
        Expected(
            changed=(Changed(At("Release planning"), with_people({CAROL: "optional"})),),
            told=(CAROL,),
            may_tell=(ALICE, BOB),
        ),
        _OPTIONAL,
        {
            "as required": _OPTIONAL.but(2, attendees_add_optional=None, attendees_add=CAROL),
            "instead of the others": _OPTIONAL.but(2, attendees_add_optional=None, attendees_required=CAROL),
            "somebody else": _OPTIONAL.but(2, attendees_add_optional=DAVE),
        },
    ),
    Task(
        "remove-somebody",
        "Bob doesn't need to come to the release planning on Monday. Take him off.",
        Expected(
            changed=(Changed(At("Release planning"), with_people(remove=(BOB,))),), told=(BOB,), may_tell=(ALICE,)
        ),
        _REMOVE,
        {
            "Alice instead": _REMOVE.but(1, attendees_remove=ALICE),
            "cancelled": Play((_LOOK, Call(DELETE, {"event_id": _PLANNING}))),
        },
    ),
    Task(
        "make-private",
        "Make my lunch with Sam on Friday private.",
        Expected(changed=(Changed(At("Lunch with Sam"), having(sensitivity="private")),)),
        _PRIVATE,
        {
            "shown as free": _PRIVATE.but(1, sensitivity=None, showAs="free"),
            "another event": _PRIVATE.but(1, event_id=_ONE_ON_ONE),
        },
    ),
    Task(
        "change-place",
        "The release planning on Monday is at Cafe Central now, please put that in as the place.",
        Expected(changed=(Changed(At("Release planning"), having(location="Cafe Central")),), told=(ALICE, BOB)),
        _PLACE,
        {
            "in the title": _PLACE.but(1, location=None, subject="Release planning at Cafe Central"),
            "another event": _PLACE.but(1, event_id=_ONE_ON_ONE),
        },
    ),
    Task(
        "delete-lunch",
        "Sam can't make it on Friday. Delete the lunch.",
        Expected(gone=(At("Lunch with Sam"),)),
        _LUNCH,
        {
            "another event": _LUNCH.but(1, event_id=Id("Dentist")),
            "moved to the next week": Play(
                (_LOOK, update(Id("Lunch with Sam"), **span("2027-03-19 12:00", "2027-03-19 13:00")))
            ),
        },
    ),
    Task(
        "cancel-with-message",
        "Cancel Monday's release planning and write the others that I am sick.",
        Expected(gone=(At("Release planning"),), told=(ALICE, BOB), also=(comment_mailed("sick|ill"),)),
        _SICK,
        {
            "without the words": _SICK.but(1, cancellation_message=None),
            "everybody taken off first": Play(
                (_LOOK, update(_PLANNING, clear="attendees_required"), Call(DELETE, {"event_id": _PLANNING}))
            ),
        },
    ),
    Task(
        "delete-what-is-gone",
        "Delete the team lunch on Thursday this week. It may be gone already; tell me whether it was still there.",
        Expected(
            says=(r"\b(no|not|n't|already|nothing|gone|never)\b|n't",),
            never_says=(
                r"\b(I|I've|I have|was|has been|successfully) (just )?deleted (it|the)\b",
                r"was still there\.",
            ),
        ),
        Play(
            (listing("2027-03-11", "2027-03-12"),), "There is no team lunch on Thursday any more; nothing was deleted."
        ),
        {
            "something else deleted": Play(
                (_LOOK, Call(DELETE, {"event_id": Id("Dentist")})), "There was no team lunch any more."
            ),
            "claimed": Play((_LOOK,), "I deleted the team lunch."),
        },
    ),
    Task(
        "remove-teams-link",
        "Take the Teams link out of Monday's release planning, but keep the meeting and its people as they are. Don't "
        "make a new meeting for it.",
        Expected(
            may_tell=(ALICE, BOB),
            says=(r"can(no|')t|not possible|unable|not able|stays|remains|does ?n[o']t|isn't possible|impossible",),
        ),
        Play(
            (_LOOK, update(_PLANNING, isOnlineMeeting=False)),
            "Microsoft does not take the link away from a meeting; it stays.",
        ),
        {
            "claimed": Play((_LOOK, update(_PLANNING, isOnlineMeeting=False)), "Done, the link is gone."),
            "a new meeting": Play(
                (
                    _LOOK,
                    Call(DELETE, {"event_id": _PLANNING}),
                    Call(
                        CREATE,
                        {
                            "subject": "Release planning",
                            **span("2027-03-15 13:00", "2027-03-15 14:00"),
                            "attendees_required": f"{ALICE},{BOB}",
                        },
                    ),
                ),
                "The link cannot be taken away, so I made a new meeting.",
            ),
        },
    ),
)
