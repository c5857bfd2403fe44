"""Tasks in which a time or a person has to be found before something is booked."""

from __future__ import annotations

from evaluation.expectations import At, Changed, Expected, New, to
from evaluation.scene import ALICE, BOB, CAROL, DAVE, LISBON, Entry
from evaluation.task import CREATE, FIND, SEARCH, Call, Id, Play, Taken, Task, booking, listing, span, update

_ZONE = "America/Chicago"
_FULL = (
    Entry("Offsite", "2027-03-15 07:00", 11 * 60, owner=ALICE),
    Entry("Interviews", "2027-03-16 07:00", 5 * 60, owner=BOB),
)


def _suggested(edge: str) -> Taken:
    return Taken(("suggestions", 0, edge, "dateTime"))


_FIND_AND_BOOK = Play(
    (
        Call(
            FIND,
            {
                "attendees": f"{ALICE},{BOB}",
                "duration_minutes": 60,
                "start_datetime": "2027-03-15T00:00:00",
                "end_datetime": "2027-03-20T00:00:00",
                "timezone": _ZONE,
            },
        ),
        Call(
            CREATE,
            {
                "subject": "Roadmap",
                "start_datetime": _suggested("start"),
                "end_datetime": _suggested("end"),
                "start_timezone": _ZONE,
                "end_timezone": _ZONE,
                "attendees_required": f"{ALICE},{BOB}",
            },
        ),
    )
)
_BY_NAME = Play(
    (
        Call(SEARCH, {"query": "dave"}),
        booking(
            "Coffee with Dave",
            "2027-03-17 09:00",
            "2027-03-17 09:30",
            attendees_required=Taken(("value", 0, "address")),
        ),
    )
)
_FREE_ROOM = Play(
    (
        Call(
            FIND,
            {
                "duration_minutes": 60,
                "rooms": LISBON,
                "start_datetime": "2027-03-17T14:00:00",
                "end_datetime": "2027-03-17T17:00:00",
                "timezone": _ZONE,
            },
        ),
        booking("Rehearsal", "2027-03-17 15:00", "2027-03-17 16:00", attendees_resource=LISBON),
    )
)
_LOOK = listing("2027-03-08", "2027-03-20")

FINDING = (
    Task(
        "find-and-book",
        "Find the earliest hour next week in which alice@company.com, bob@company.com and I are all free and at work, "
        "and book 'Roadmap' then.",
        Expected(
            new=(New("2027-03-16 12:00", "2027-03-16 13:00", "roadmap", required=(ALICE, BOB)),), told=(ALICE, BOB)
        ),
        _FIND_AND_BOOK,
        {
            "on Alice's busy Monday": Play(
                (booking("Roadmap", "2027-03-15 09:00", "2027-03-15 10:00", attendees_required=f"{ALICE},{BOB}"),)
            ),
            "a later free hour": Play(
                (booking("Roadmap", "2027-03-17 12:00", "2027-03-17 13:00", attendees_required=f"{ALICE},{BOB}"),)
            ),
            "only found": Play(_FIND_AND_BOOK.calls[:1], "Tuesday at 12:00 is free for all of you."),
        },
        seeds=_FULL,
    ),
    Task(
        "invite-by-name",
        "Coffee with Dave Novak next Wednesday at 9, half an hour. Look up his address, I have met him before.",
        Expected(new=(New("2027-03-17 09:00", "2027-03-17 09:30", "coffee", required=(DAVE,)),), told=(DAVE,)),
        _BY_NAME,
        {
            "an address that was made up": _BY_NAME.but(1, attendees_required="dave.novak@company.com"),
            "nobody invited": _BY_NAME.but(1, attendees_required=None),
        },
    ),
    Task(
        "nobody-of-that-name",
        "Invite Zoe from legal to the release planning on Monday. If you can't find her address, change nothing and "
        "tell me.",
        Expected(
            says=(
                "zoe",
                r"can(no|')t|could ?n[o']t|not found|no (one|address|person|match)|didn't|did not|unable|nobody",
            )
        ),
        Play((Call(SEARCH, {"query": "zoe"}),), "I could not find Zoe's address, so I changed nothing."),
        {
            "an address that was made up": Play(
                (_LOOK, update(Id("Release planning"), attendees_add="zoe@company.com")),
                "I could not find Zoe, so I tried zoe@company.com.",
            ),
            "somebody else": Play(
                (_LOOK, update(Id("Release planning"), attendees_add=CAROL)), "I could not find Zoe and took Carol."
            ),
        },
    ),
    Task(
        "free-room",
        "I need Room Lisbon (lisbon@company.com) for an hour on Wednesday 17 March between 14:00 and 17:00, whenever "
        "it is first free: 'Rehearsal', just me and the room.",
        Expected(new=(New("2027-03-17 15:00", "2027-03-17 16:00", "rehearsal", rooms=(LISBON,)),), told=(LISBON,)),
        _FREE_ROOM,
        {
            "while it is taken": _FREE_ROOM.but(1, **span("2027-03-17 14:00", "2027-03-17 15:00")),
            "without the room": _FREE_ROOM.but(1, attendees_resource=None),
        },
        seeds=(Entry("Board meeting", "2027-03-17 14:00", owner=CAROL, rooms=(LISBON,)),),
    ),
    Task(
        "move-out-of-the-way",
        "My 1:1 with Bob clashes with his interviews now. Move it to the first half hour on the same Tuesday, from "
        "14:00 on, in which we are both free.",
        Expected(changed=(Changed(At("1:1 with Bob"), to("2027-03-16 15:00", "2027-03-16 15:30")),), told=(BOB,)),
        Play((_LOOK, update(Id("1:1 with Bob"), **span("2027-03-16 15:00", "2027-03-16 15:30")))),
        {
            "half an hour too early": Play(
                (_LOOK, update(Id("1:1 with Bob"), **span("2027-03-16 14:30", "2027-03-16 15:00")))
            ),
            "another day": Play((_LOOK, update(Id("1:1 with Bob"), **span("2027-03-17 15:00", "2027-03-17 15:30")))),
        },
        seeds=(Entry("Interviews", "2027-03-16 14:00", owner=BOB),),
    ),
)
