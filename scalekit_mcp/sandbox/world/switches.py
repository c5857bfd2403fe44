"""What an experimenter may turn: how the look-alike behaves where the truth varies, and failures that wait.

`Behaviours` holds the settings that `Controls.behaviour` changes by name; each field says what it is about.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args, get_type_hints

T = TypeVar("T")


def _of(default: T, about: str, *, verified: bool = False) -> T:
    """A field with its explanation; `verified`: Microsoft documents it, the switch only changes a setting."""
    described: Any = field(default=default, metadata={"about": about, "verified": verified})
    return described


@dataclass
class TokenFault:
    """One switched failure of the token endpoint."""

    code: int | None = None
    error: str = "invalid_grant"
    suberror: str | None = None
    status: int = 400
    claims: str | None = None
    body: str | None = None
    """A raw body instead of the JSON error."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    drop: str | None = None
    """`before` or `after` the token request is carried out: the connection is closed without an answer."""
    delay_seconds: float = 0.0
    person: str | None = None
    """Address of the only person it applies to."""
    grant_type: str | None = None
    times: int = 1


@dataclass
class GraphFault:
    """One switched failure of Graph."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    drop: str | None = None
    """`before` or `after` the write: the connection is closed without an answer."""
    apply: bool = False
    """Carry the request out, then answer with the failure."""
    delay_seconds: float = 0.0
    method: str | None = None
    path_contains: str | None = None
    person: str | None = None
    times: int = 1


@dataclass
class Behaviours:
    """How the look-alike behaves; the default is what is documented or was seen most."""

    rotation: Literal["keep", "one_time", "none"] = _of(
        "keep",
        "A refresh answers a new refresh token and old ones live on (`keep`), the used one dies (`one_time`), "
        "or no new one comes (`none`).",
        verified=True,
    )
    personal_rotation: Literal["same", "keep", "one_time", "none"] = _of(
        "same", "The same for personal accounts; `same` follows `rotation`."
    )
    access_token_seconds: int | None = _of(
        None, "Life of access tokens; nothing means random, 3600 to 5399.", verified=True
    )
    refresh_token_days: int = _of(90, "Days without use after which a refresh token ends.", verified=True)
    personal_refresh_token_days: int | None = _of(None, "The same for personal accounts; nothing follows the other.")
    code_seconds: int = _of(600, "Life of an authorization code.", verified=True)
    device_code_seconds: int = _of(900, "Life of a device code.", verified=True)
    device_interval_seconds: int = _of(5, "How long a device waits between two polls.", verified=True)
    scope_echo: Literal["by_account", "full", "short"] = _of(
        "by_account",
        "Scopes of a token answer: full names for organizations and short for personal accounts, or one form for all.",
    )
    deleted_app_code: Literal[700016, 65001] = _of(
        700016, "What a refresh answers after the enterprise application was deleted."
    )
    redirect_after_admin_request: bool = _of(
        False, "Once a request for approval was sent, the browser goes back with `access_denied`."
    )
    error_separator: str = _of(
        "\r\n",
        "Between text, trace id, correlation id and timestamp of an `error_description`; newer answers: a space.",
    )
    page_size: int = _of(10, "Events or calendars on a page when `$top` is not given.", verified=True)
    retry_after_seconds: int = _of(2, "`Retry-After` of a switched 429.")
    concurrency_limit: int = _of(
        0, "Requests that Graph carries out at once before it answers 429; 0: no limit. Microsoft: 4."
    )
    concurrency_per: Literal["mailbox", "app"] = _of(
        "mailbox", "What `concurrency_limit` counts: an application in one mailbox, or in all mailboxes."
    )
    undeclared_properties: Literal["refuse", "ignore"] = _of("refuse", "Properties that an event does not have.")
    missing_time_zone: Literal["refuse", "utc"] = _of("refuse", "A `dateTime` without a `timeZone`.")
    iana_zones: Literal["mapped", "documented"] = _of(
        "mapped", "IANA names: every one with a Windows counterpart, or only those that Microsoft lists."
    )
    dst_gap: Literal["shift", "refuse"] = _of("shift", "A wall-clock time inside a gap: move it forward, or refuse it.")
    datetime_offset: Literal["convert", "ignore", "refuse"] = _of(
        "convert", "A `dateTime` with an offset beside its `timeZone`."
    )
    relative_days: Literal["first_match", "nth_listed"] = _of(
        "first_match", "Several days in a relative pattern: the earliest n-th day, or the n-th day of the set."
    )
    recurrence_update: Literal["replace", "merge"] = _of(
        "replace", "An incomplete pattern or range in a PATCH: judged by itself, or laid over the present one."
    )
    series_end_update: Literal["discard", "keep"] = _of(
        "discard", "Edited and deleted dates of a series whose end alone changes: gone, as in Outlook, or kept."
    )
    duplicate_transaction_status: Literal[400, 409] = _of(400, "HTTP status of `ErrorDuplicateTransactionId`.")
    duplicate_transaction_after_delete: Literal["forget", "remember"] = _of(
        "forget", "The transactionId of a deleted event: free again, or answered with the deleted event."
    )
    transaction_memory_days: int | None = _of(None, "How long a transactionId is remembered; nothing means always.")
    me_events: Literal["default", "all"] = _of(
        "default", "`GET /me/events` lists the default calendar, or all of them."
    )
    top_over_1000: Literal["clamp", "refuse"] = _of("clamp", "`$top` above 1000.")
    view_created: Literal["omit", "refuse"] = _of(
        "omit", "`$select` of createdDateTime on a calendarView: leave the property out, or refuse the request."
    )
    all_day_window: Literal["utc_day", "zone"] = _of(
        "utc_day", "All-day events meet a window by their UTC days, or by the days of their own zone."
    )
    deleted_readable: bool = _of(True, "An event in Deleted Items can still be read by its immutable id.")
    me_permanent_delete: bool = _of(True, "`permanentDelete` also answers below `/me`, not only below `/users/{id}`.")
    people_without_address: Literal["keep", "refuse"] = _of(
        "keep",
        "A change of attendees that carries along somebody on the event who has no mail address (an entry of the "
        "directory, a list): such a person is kept, or the change is refused.",
    )
    most_attendees: int = _of(500, "More attendees than this are refused; some tenants are said to allow more.")
    reset_answers: bool = _of(True, "When the organizer moves a meeting, the attendees' answers start over.")
    teams_body_alternates: bool = _of(
        True, "After a body without the join block ended a meeting, the next such body makes a new one.", verified=True
    )
    patch_server_properties: Literal["ignore", "refuse"] = _of(
        "ignore", "Properties in a PATCH that only the server sets, or only a create may give."
    )
    if_match: bool = _of(True, "`If-Match` on an event is honoured with 412.")
    if_match_never_fits: bool = _of(False, "Every `If-Match` on an event is answered with 412, even a fitting one.")
    expand_exceptions: Literal["answer", "refuse", "ignore"] = _of(
        "answer", "`$expand=exceptionOccurrences` on a series: carried out, refused with 400, or left out in silence."
    )
    select_cancelled: Literal["answer", "refuse"] = _of("answer", "`$select=cancelledOccurrences` on a series.")
    instances: bool = _of(True, "`/instances` of a series is offered.", verified=True)
    permanent_delete: bool = _of(True, "`permanentDelete` is offered at all; Microsoft names it for the global cloud.")
    view_order: Literal["keep", "refuse", "ignore"] = _of(
        "keep", "`$orderby` on a calendarView: carried out, refused with 400, or another order than the one asked for."
    )
    gone_status: Literal[404, 400, 409, 410] = _of(404, "Status of a DELETE or cancel of an event that is deleted.")
    repeated_transaction: Literal["event", "refuse"] = _of(
        "event", "The same transactionId with the same content: the event of the first time, or refused."
    )
    schedule_addresses: Literal[20, 100] = _of(
        20,
        "Addresses that one getSchedule may ask for, members of lists too: 20 is documented, 100 were seen to work.",
    )
    schedule_days: int = _of(62, "Days that the window of getSchedule may have.", verified=True)
    most_schedule_entries: int = _of(
        1000, "Entries in the window of getSchedule beyond which somebody is answered with error 5006.", verified=True
    )
    schedule_null_interval: Literal["fail", "default"] = _of(
        "fail", "`availabilityViewInterval: null` in getSchedule: 500, or the default of 30 minutes."
    )
    schedule_elsewhere: Literal["0", "4"] = _of("0", "The digit of workingElsewhere in an availabilityView.")
    schedule_status: Literal["lower", "title"] = _of(
        "lower", "The status of schedule items: `busy`, or `Busy` as in one of Microsoft's samples."
    )
    schedule_id: Literal["asked", "mailbox"] = _of(
        "asked", "`scheduleId` repeats the address that was asked for, or gives the mailbox's own."
    )
    schedule_personal_status: Literal[403, 404, 501] = _of(
        403, "The status with which getSchedule refuses a personal account."
    )
    schedule_all_day: Literal["zone", "utc_day"] = _of(
        "zone", "All-day events in getSchedule: the midnights of the zone they were made in, or those of UTC."
    )
    schedule_unanswered: Literal["tentative", "omit"] = _of(
        "tentative", "Invitations without an answer in getSchedule: tentative, or left out."
    )
    schedule_cancelled: Literal["free", "omit"] = _of(
        "free", "Cancelled meetings and declined ones that are kept in getSchedule: free, or left out."
    )
    schedule_order: Literal["asked", "reversed"] = _of("asked", "The order of the entries of getSchedule.")
    room_answer_seconds: int = _of(0, "How long a room takes to answer; it never answers before the next request.")
    declined: Literal["deleted", "kept"] = _of(
        "deleted", "An event that somebody declines: in Deleted Items, or kept as free (a setting of newer mailboxes)."
    )
    declined_readable: bool = _of(False, "A declined event in Deleted Items can still be read by its immutable id.")
    response_not_requested: Literal["refuse", "refuse_sent", "accept"] = _of(
        "refuse", "An answer to a meeting whose organizer asked for none: refused, refused when sent, or accepted."
    )
    response_too_late: Literal["accept", "refuse"] = _of("accept", "An answer to a meeting that is cancelled or over.")
    comment_without_response: Literal["ErrorInvalidRequest", "ErrorInvalidParameter"] = _of(
        "ErrorInvalidRequest", "The error of an answer with a comment that is not to be sent."
    )
    other_mailbox_id: Literal["not_found", "malformed"] = _of(
        "not_found", "The id of an event in somebody else's mailbox: 404, or 400 like a text that is no id."
    )
    shared_calendars_need_scope: bool = _of(
        True, "Events of a calendar that somebody shares need `Calendars.Read.Shared` or `Calendars.ReadWrite.Shared`."
    )
    is_default_calendar: Literal["answer", "omit"] = _of(
        "answer", "Calendars say `isDefaultCalendar`, or not, as some years ago."
    )
    people_api: Literal["offered", "absent"] = _of(
        "offered", "`/me/people` is offered; it is said to be absent in the cloud of China."
    )
    people_sources: Literal["header", "both"] = _of(
        "header", "A search for people looks into the directory when a header asks for it, or always.", verified=True
    )
    people_fuzzy: bool = _of(True, "A search for people forgives one wrong letter in a word.")
    people_groups: bool = _of(True, "`/me/people` also answers groups and lists.")
    people_apostrophe: Literal["accept", "refuse"] = _of("accept", "An apostrophe in the `$search` of `/me/people`.")
    people_primary: Literal["first", "last"] = _of(
        "first", "Where the primary address stands among the `scoredEmailAddresses` of a person."
    )
    people_nameless: bool = _of(True, "`/me/people` also answers entries that have no mail address.")
    occurrence_id_extra: bool = _of(False, "Answer the undocumented `occurrenceId` too.")


@dataclass
class Switches(Behaviours):
    """Behaviours, and what is turned on at the moment."""

    mfa_required: bool = False
    conditional_access: str | None = None
    """An AADSTS number, e.g. `53003`, raised at sign-in and refresh."""
    claims_challenge: str | None = None
    """A claims JSON that Graph demands with 401 until a token was issued with it."""
    claims_challenge_interactive: bool = False
    """True: a refresh with those claims is refused; only a new sign-in satisfies the challenge."""
    claims_challenge_person: str | None = None
    """Address of the only person it applies to."""
    withheld_scopes: set[str] = field(default_factory=set[str])
    """Scopes that token answers leave out although they were consented to."""
    slow_seconds: float = 0.0
    """Every answer of identity and Graph waits this long."""
    proxy_enabled: bool = True
    """Whether Scalekit's proxy is enabled for the provider Outlook."""
    proxy_faults: list[str] = field(default_factory=list[str])
    """Failures of the next requests to Scalekit's proxy, by their names."""
    token_faults: list[TokenFault] = field(default_factory=list[TokenFault])
    graph_faults: list[GraphFault] = field(default_factory=list[GraphFault])


@dataclass(frozen=True)
class Behaviour:
    """One behaviour as a page or a table shows it."""

    name: str
    default: Any
    choices: tuple[Any, ...]
    """The values it can take; empty where it is a number or a text."""
    about: str
    verified: bool


def behaviours() -> list[Behaviour]:
    """All of them, in order."""
    types = get_type_hints(Behaviours)

    def of(known: Field[Any]) -> Behaviour:
        choices = (True, False) if types[known.name] is bool else get_args(types[known.name])
        given = tuple(choice for choice in choices if not isinstance(choice, type))
        return Behaviour(known.name, known.default, given, known.metadata["about"], known.metadata["verified"])

    return [of(known) for known in fields(Behaviours)]


def checked_behaviour(name: str, value: Any) -> Any:
    """The value as the behaviour has it; texts of forms are read as numbers and truths.

    Raises:
        LookupError: there is no such behaviour.
        ValueError: it cannot take that value.
    """
    from pydantic import TypeAdapter

    types = get_type_hints(Behaviours)
    if name not in types:
        raise LookupError(f"The sandbox has no behaviour '{name}'.")
    choices = next(known.choices for known in behaviours() if known.name == name)
    named = {str(choice).lower(): choice for choice in choices}
    if isinstance(value, str) and choices:
        value = named.get(value.strip().lower(), value)
    elif isinstance(value, str) and value.strip().lower() in ("", "none"):
        value = value if types[name] is str else None
    return TypeAdapter(types[name]).validate_python(value)
