"""The switches of the start page as forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One field of a switch's form; `kind` is `person`, `tenant`, `choice`, or the type of an input."""

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
                (
                    _TENANT,
                    Field("policy", "Policy", "choice", "", ("allow_all", "managed", "none")),
                    Field("workflow", "Form to ask administrators", "choice", "", ("false", "true")),
                ),
            ),
            SwitchForm(
                "answer_invitation",
                "Answer an invitation",
                (
                    _PERSON,
                    Field("subject", "Subject", "text", "Northwind contract"),
                    Field("response", "Answer", "choice", "", ("accept", "tentativelyAccept", "decline")),
                ),
            ),
            SwitchForm("grant_admin_consent", "Consent for everybody", (_TENANT,)),
            SwitchForm("disable_app", "Disable the enterprise app", (_TENANT,)),
            SwitchForm("enable_app", "Enable the enterprise app", (_TENANT,)),
            SwitchForm("delete_app", "Delete the enterprise app", (_TENANT,)),
            SwitchForm("require_assignment", "Require assignment", (_TENANT,)),
        ),
    ),
    (
        "Other people's time",
        (
            SwitchForm(
                "add_busy",
                "Block somebody's time",
                (
                    _PERSON,
                    Field("start", "From (their own time)", "datetime-local", "09:00"),
                    Field("end", "To", "datetime-local", "10:00"),
                    Field("status", "Status", "choice", "", ("busy", "tentative", "oof", "workingElsewhere", "free")),
                    Field("subject", "Subject"),
                ),
            ),
            SwitchForm("clear_calendar", "Empty a calendar", (_PERSON,)),
            SwitchForm(
                "set_working_hours",
                "Working hours",
                (
                    _PERSON,
                    Field("starts", "From", "time", "09:00"),
                    Field("ends", "To", "time", "17:00"),
                    Field("zone_rules", "Zone", "choice", "", ("name", "custom", "swapped")),
                ),
            ),
            SwitchForm(
                "share_schedule",
                "What others see",
                (
                    _PERSON,
                    Field("shows", "Shows", "choice", "", ("availability", "details", "view", "nothing", "no_entry")),
                ),
            ),
            SwitchForm(
                "add_room",
                "Add a room, or change one",
                (
                    Field("address", "Address", "text", "hall@company.com"),
                    Field("answers", "Answers", "choice", "", ("automatic", "accept", "decline", "never")),
                ),
            ),
            SwitchForm(
                "add_list",
                "Add a list",
                (
                    Field("address", "Address", "text", "everybody@company.com"),
                    Field("members", "Members", "text", "alice@company.com, bob@company.com"),
                ),
            ),
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
                "scalekit_proxy",
                "Scalekit's proxy",
                (Field("enabled", "Enabled", "choice", "", ("false", "true")),),
            ),
            SwitchForm(
                "scalekit_proxy_error",
                "Next call through the proxy fails",
                (
                    Field(
                        "kind",
                        "How",
                        "choice",
                        "",
                        ("provider_401", "machine_401", "silent_401", "throttled", "html"),
                    ),
                    _TIMES,
                ),
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
