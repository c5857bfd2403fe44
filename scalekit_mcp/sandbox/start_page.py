"""The start page: people, their week as a picture, applications, what came in, and the switches as forms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from scalekit_mcp.sandbox.seed import DEFAULT_PERSON

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.control import Controls
    from scalekit_mcp.sandbox.graph.week import WeekEntry
    from scalekit_mcp.sandbox.world import Person

LATEST_REQUESTS = 12


@dataclass(frozen=True)
class Field:
    """One field of a switch's form; `kind` is `person`, `tenant`, `choice`, `number` or `text`."""

    name: str
    label: str
    kind: str = "text"
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class SwitchForm:
    """One switch as a form."""

    name: str
    title: str
    fields: tuple[Field, ...] = ()


_PERSON = Field("address", "Person", "person")
_TENANT = Field("tenant", "Tenant", "tenant")
_TIMES = Field("times", "Times", "number", "1")
FORMS: tuple[tuple[str, tuple[SwitchForm, ...]], ...] = (
    (
        "Consent and people",
        (
            SwitchForm(
                "revoke_grant", "Revoke the grant", (_PERSON, Field("by", "By", "choice", "", ("user", "admin")))
            ),
            SwitchForm("revoke_sessions", "Revoke sessions", (_PERSON,)),
            SwitchForm("disable_person", "Disable a person", (_PERSON,)),
            SwitchForm("enable_person", "Enable or restore a person", (_PERSON,)),
            SwitchForm("delete_person", "Delete a person", (_PERSON,)),
            SwitchForm("no_mailbox", "Remove the mailbox", (_PERSON,)),
            SwitchForm(
                "teams_allowed",
                "Teams meetings",
                (_PERSON, Field("allowed", "Allowed", "choice", "", ("false", "true"))),
            ),
            SwitchForm(
                "set_consent_policy",
                "Who may consent",
                (_TENANT, Field("policy", "Policy", "choice", "", ("allow_all", "managed", "none"))),
            ),
            SwitchForm("grant_admin_consent", "Consent for everybody", (_TENANT,)),
            SwitchForm("disable_app", "Disable the enterprise app", (_TENANT,)),
            SwitchForm("enable_app", "Enable the enterprise app", (_TENANT,)),
            SwitchForm("delete_app", "Delete the enterprise app", (_TENANT,)),
            SwitchForm("require_assignment", "Require assignment", (_TENANT,)),
        ),
    ),
    (
        "Tokens",
        (
            SwitchForm(
                "next_token_error",
                "Next token request fails",
                (Field("code", "AADSTS number", "number", "50173"), _TIMES),
            ),
            SwitchForm(
                "token_error_raw",
                "Next token answer is not JSON",
                (Field("status", "HTTP status", "number", "429"), Field("body", "Body", "text", "Too Many Requests")),
            ),
            SwitchForm("expire_access_tokens", "Expire all access tokens"),
            SwitchForm("expire_refresh_tokens", "Expire all refresh tokens"),
            SwitchForm(
                "rotation",
                "Refresh token rotation",
                (Field("policy", "Policy", "choice", "", ("keep", "one_time", "none")),),
            ),
            SwitchForm("require_mfa", "Require MFA", (Field("required", "Required", "choice", "", ("true", "false")),)),
            SwitchForm(
                "conditional_access",
                "Conditional access blocks",
                (Field("code", "AADSTS number (0: off)", "number", "53003"),),
            ),
            SwitchForm("expire_client_secret", "Expire the client secret"),
            SwitchForm("roll_signing_keys", "Roll the signing keys"),
        ),
    ),
    (
        "Graph, network and time",
        (
            SwitchForm(
                "throttle_graph",
                "Throttle Graph",
                (_TIMES, Field("retry_after", "Retry-After (seconds)", "number", "2")),
            ),
            SwitchForm(
                "graph_error",
                "Next Graph request fails",
                (Field("status", "HTTP status", "number", "503"), Field("code", "Error code"), _TIMES),
            ),
            SwitchForm(
                "drop_connection",
                "Drop the connection",
                (
                    Field("when", "When", "choice", "", ("before", "after")),
                    Field("area", "Where", "choice", "", ("graph", "identity")),
                ),
            ),
            SwitchForm("claims_challenge", "Claims challenge"),
            SwitchForm("slow", "Slow answers", (Field("seconds", "Seconds", "number", "2"),)),
            SwitchForm("advance_clock", "Advance the clock", (Field("seconds", "Seconds", "number", "3600"),)),
            SwitchForm("clear_faults", "Forget waiting failures"),
            SwitchForm("switches_off", "All of these off"),
            SwitchForm("reset", "Start over"),
        ),
    ),
)


def start_page(controls: Controls, base_url: str) -> Response:
    """The page as an answer."""
    world = controls.world
    people = [person for person in world.people.values() if not person.deleted]
    first = [person for person in people if person.address == DEFAULT_PERSON]
    variables: dict[str, Any] = {
        "base_url": base_url,
        "environment": controls.settings(base_url),
        "people": people,
        "tenants": world.tenants,
        "apps": [app for app in world.apps.values() if not app.deleted],
        "weeks": [
            {"person": person, "days": _week(controls, person)}
            for person in [*first, *(person for person in people if person not in first)]
            if person.has_mailbox and person.enabled
        ],
        "groups": FORMS,
        "switches": world.switches,
        "now": world.clock.now(),
        "requests": list(world.requests)[-LATEST_REQUESTS:][::-1],
    }
    return controls.halves.pages.render("start.html", variables)


def _week(controls: Controls, person: Person) -> list[dict[str, Any]]:
    from scalekit_mcp.sandbox.graph.week import calendar_week, week_start

    monday = week_start(controls.world)
    entries = calendar_week(controls.world, person, monday)
    return [
        {"date": day, "events": [_shown(entry, day) for entry in entries if _touches(entry, day)]}
        for day in (monday + timedelta(days=number) for number in range(7))
    ]


def _touches(entry: WeekEntry, day: date) -> bool:
    begins, ends = datetime.combine(day, datetime.min.time()), datetime.combine(day, datetime.min.time())
    return entry.start < ends + timedelta(days=1) and entry.end > begins


def _shown(entry: WeekEntry, day: date) -> dict[str, str]:
    if entry.all_day:
        return {"time": "all day", "subject": entry.subject, "show_as": entry.show_as}
    begins = f"{entry.start:%H:%M}" if entry.start.date() == day else "..."
    ends = f"{entry.end:%H:%M}" if entry.end.date() == day else "..."
    return {"time": f"{begins} to {ends}", "subject": entry.subject, "show_as": entry.show_as}
