"""Tasks about meetings of other people: answering them, and what only their organizers can do."""

from __future__ import annotations

from evaluation.expectations import At, Changed, Expected, answered, having
from evaluation.scene import CAROL, DANA, DAVE, Entry, weekly
from evaluation.task import DELETE, RESPOND, Call, Id, Play, Task, listing, span, update

_LOOK = listing("2027-03-15", "2027-03-27")
_BUDGET = Id("Budget review")
_FORUM = Entry("Architecture forum", "2027-03-04 13:00", owner=DAVE, required=(DANA,), recurrence=weekly("thursday"))


def _respond(response: str, event: Id = _BUDGET, **more: object) -> Play:
    return Play((_LOOK, Call(RESPOND, {"event_id": event, "response": response, **more})))


_ACCEPT = _respond("accept")
_PROPOSE = _respond(
    "decline",
    proposed_start_datetime="2027-03-19T10:00:00",
    proposed_end_datetime="2027-03-19T11:00:00",
    proposed_timezone="America/Chicago",
)
_MAYBE = _respond("tentative", send_response=False)
_ONE_DATE = _respond("decline", Id("Architecture forum", "2027-03-25"), apply_to="this")

INVITATIONS = (
    Task(
        "accept",
        "Accept Carol's budget review next week.",
        Expected(
            changed=(Changed(At("Budget review"), having(answer="accepted", show_as="busy")),),
            told=(CAROL,),
            also=(answered(CAROL, "Budget review", "accepted"),),
        ),
        _ACCEPT,
        {
            "declined": _respond("decline"),
            "maybe": _respond("tentative"),
            "Carol does not hear of it": _respond("accept", send_response=False),
        },
    ),
    Task(
        "decline-and-propose",
        "Decline the budget review and propose Friday 19 March instead, same time of day.",
        Expected(
            gone=(At("Budget review"),),
            told=(CAROL,),
            also=(answered(CAROL, "Budget review", "declined", "2027-03-19 10:00"),),
        ),
        _PROPOSE,
        {
            "another day": _PROPOSE.but(
                1, proposed_start_datetime="2027-03-18T11:00:00", proposed_end_datetime="2027-03-18T12:00:00"
            ),
            "no proposal": _respond("decline"),
            "deleted": Play((_LOOK, Call(DELETE, {"event_id": _BUDGET}))),
        },
    ),
    Task(
        "maybe-without-mail",
        "Put me down as maybe for the budget review, but don't send Carol a mail about it.",
        Expected(changed=(Changed(At("Budget review"), having(answer="tentativelyAccepted", show_as="tentative")),)),
        _MAYBE,
        {"Carol was mailed": _respond("tentative"), "accepted": _respond("accept", send_response=False)},
    ),
    Task(
        "decline-one-date",
        "I can't come to Dave's architecture forum on 25 March. Decline just that one, the others stay as they are.",
        Expected(gone=(At("Architecture forum", on="2027-03-25"),), told=(DAVE,)),
        _ONE_DATE,
        {
            "the whole series": _ONE_DATE.but(1, apply_to="series"),
            "the week before": _ONE_DATE.but(1, event_id=Id("Architecture forum", "2027-03-18")),
            "deleted without a word to Dave": Play(
                (_LOOK, Call(DELETE, {"event_id": Id("Architecture forum", "2027-03-25")}))
            ),
        },
        seeds=(_FORUM,),
    ),
    Task(
        "move-somebody-elses",
        "Move the budget review on 18 March to 11 o'clock for everybody. If you can't do that, change nothing, answer "
        "nobody, and tell me who can.",
        Expected(says=("carol",)),
        Play((_LOOK,), "Only Carol, who organizes it, can move it. I changed nothing."),
        {
            "only Dana's copy moved": Play(
                (_LOOK, update(_BUDGET, **span("2027-03-18 11:00", "2027-03-18 12:00"))),
                "I moved it; Carol organizes it.",
            ),
            "declined with a proposal": _PROPOSE.saying("I asked Carol to move it."),
            "not said who can": Play((_LOOK,), "I cannot move it."),
        },
    ),
    Task(
        "leave-quietly",
        "Take the budget review out of my calendar without answering it: Carol is not to get a mail.",
        Expected(gone=(At("Budget review"),)),
        Play((_LOOK, Call(DELETE, {"event_id": _BUDGET}))),
        {"declined": _respond("decline"), "only shown as free": Play((_LOOK, update(_BUDGET, showAs="free")))},
    ),
    Task(
        "whose-meetings",
        "Which of my meetings next week are organized by somebody else? Tell me their names and organizers.",
        Expected(
            says=("budget review", "carol"), never_says=("release planning.{0,40}(organi[sz]ed by|from) (alice|bob)",)
        ),
        Play((_LOOK,), "One: the budget review on Thursday, organized by Carol Adeyemi."),
        {
            "the wrong one": Play((_LOOK,), "The release planning, organized by Alice."),
            "accepted on the way": _ACCEPT.saying("The budget review, organized by Carol. I accepted it."),
        },
    ),
)
