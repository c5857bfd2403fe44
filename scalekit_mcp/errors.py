"""Every exception that the product raises on purpose.

```
ScalekitMCPError
├── AuthorizationRequired          authorization_required      the account is not ACTIVE; somebody must consent
│   └── AdminApprovalRequired      admin_approval_required     ... and it is the customer's IT
├── ConnectionMisconfigured        connection_misconfigured    the operator's Azure app or its secret is wrong
├── InvalidInput                   invalid_input               an argument is wrong; `field` names it
│   ├── ConnectedAccountNotFound   invalid_input               no account for this identifier
│   └── NotOffered                 invalid_input               Scalekit has this, this server has not
├── EventNotFound                  event_not_found
├── CalendarNotFound               calendar_not_found
├── PermissionMissing              permission_missing          a scope or a right is missing; the account stays ACTIVE
├── Conflict                       conflict                    somebody else changed it, or a key was reused
│   └── ConnectedAccountExists     conflict                    a new account was asked for, and there is one
├── MailboxUnavailable             mailbox_unavailable         no Exchange Online mailbox behind the account
├── Throttled                      throttled                   Microsoft asks for a pause longer than a call may wait
├── ProviderUnavailable            provider_unavailable        Microsoft cannot be reached or fails
├── OutcomeUnknown                 outcome_unknown             a change was sent, its answer was lost
├── VaultError                     vault_error                 the vault cannot be opened, read or written
├── ConfigurationError             configuration_error         settings; raised at the start
└── InternalError                  internal_error              our fault
```

A class per decision that a caller can take. Each answers five questions: what happened, to what (`message`), who acts
(`who_acts`), what next (`next_step`), and whether repeating the same call can help (`retryable`). No message ever
carries a token, code, verifier, secret or raw body.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

WhoActs = Literal["user", "it_admin", "operator", "nobody"]


class ScalekitMCPError(Exception):
    """Base of all exceptions raised on purpose.

    `details` holds the optional members of the error object: `retry_after_seconds`, `authorization_url`,
    `admin_consent_url`, `field`, `status`, `reason`. Members that are None are left out.
    """

    code: ClassVar[str] = "internal_error"
    default_who_acts: ClassVar[WhoActs] = "operator"
    default_next_step: ClassVar[str] = "Report this to the operator of the server."
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        next_step: str | None = None,
        who_acts: WhoActs | None = None,
        retryable: bool | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step
        self.who_acts: WhoActs = who_acts or self.default_who_acts
        self.retryable = self.default_retryable if retryable is None else retryable
        self.details = {name: value for name, value in details.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """The error object that tool results, REST answers and `--json` carry."""
        return {
            "code": self.code,
            "message": self.message,
            "who_acts": self.who_acts,
            "next_step": self.next_step,
            "retryable": self.retryable,
            **self.details,
        }


class AuthorizationRequired(ScalekitMCPError):
    """The connected account is not ACTIVE. Details: `status`, `reason`, `authorization_url`, `admin_consent_url`."""

    code = "authorization_required"
    default_who_acts = "user"
    default_next_step = "Ask the user to open the authorization link, then repeat the call."
    awaits_code: bool = False
    """Whether the person has signed in and a confirmation code is what is missing; for asking, not for the model."""


class AdminApprovalRequired(AuthorizationRequired):
    """The customer's IT administrator has to approve the application first."""

    code = "admin_approval_required"
    default_who_acts = "it_admin"
    default_next_step = "Send the admin consent link to the IT administrator; after the approval the user signs in."


class ConnectionMisconfigured(ScalekitMCPError):
    """Microsoft refuses the application itself; no account's status changes."""

    code = "connection_misconfigured"
    default_next_step = "The operator corrects the application's registration or its secret."


class InvalidInput(ScalekitMCPError):
    """An argument is wrong; `field` names it and the message says how to correct it."""

    code = "invalid_input"
    default_who_acts = "nobody"
    default_next_step = "Correct the argument and call again."

    def __init__(self, message: str, *, field: str | None = None, **keywords: Any) -> None:
        super().__init__(message, field=field, **keywords)


class ConnectedAccountNotFound(InvalidInput):
    """No connected account exists for this identifier on this connection."""

    def __init__(self, connection_name: str, identifier: str) -> None:
        super().__init__(
            f"There is no connected account for '{identifier}' on the connection '{connection_name}'.",
            field="identifier",
            next_step="Check the identifier, or create the account first.",
        )
        self.identifier = identifier


class NotOffered(InvalidInput):
    """Scalekit's SDK or API has this, this server has not; the message says why, `next_step` what to do instead."""

    def __init__(self, message: str, *, instead: str, field: str | None = None) -> None:
        super().__init__(
            message,
            field=field,
            next_step=f"Instead, {instead}. What works here is listed in docs/coming-from-scalekit.md.",
        )


class EventNotFound(ScalekitMCPError):
    """The event does not exist in this mailbox (any more)."""

    code = "event_not_found"
    default_who_acts = "nobody"
    default_next_step = "List the events again and use an id from that answer."


class CalendarNotFound(ScalekitMCPError):
    """The calendar does not exist in this mailbox (any more)."""

    code = "calendar_not_found"
    default_who_acts = "nobody"
    default_next_step = "Leave calendar_id out to use the default calendar, or use the id of an existing one."


class PermissionMissing(ScalekitMCPError):
    """The grant does not cover the call; the account stays ACTIVE."""

    code = "permission_missing"
    default_who_acts = "user"
    default_next_step = "Ask the user to open the authorization link and grant the missing permission."
    claims: str | None = None
    """A claims challenge (a JSON text) that only the person can meet; for the next authorization, not for the model."""


class Conflict(ScalekitMCPError):
    """The call contradicts what is stored: a concurrent change, a reused key, edited occurrences."""

    code = "conflict"
    default_who_acts = "nobody"
    default_next_step = "Read the event again and decide anew."


class ConnectedAccountExists(Conflict):
    """There is a connected account for this identifier already."""

    default_next_step = "Use the account that there is; get_or_create_connected_account answers it."

    def __init__(self, identifier: str) -> None:
        super().__init__(f"There is a connected account for '{identifier}' already.", field="identifier")


class MailboxUnavailable(ScalekitMCPError):
    """There is no usable Exchange Online mailbox behind the Microsoft account."""

    code = "mailbox_unavailable"
    default_who_acts = "it_admin"
    default_next_step = "The IT administrator checks the user's licence and mailbox."


class Throttled(ScalekitMCPError):
    """Microsoft asks for a pause longer than one call may wait; `retry_after_seconds` says how long."""

    code = "throttled"
    default_who_acts = "nobody"
    default_next_step = "Wait as long as retry_after_seconds says, then repeat the call."
    default_retryable = True


class ProviderUnavailable(ScalekitMCPError):
    """Microsoft cannot be reached, or fails; nothing is known to have changed."""

    code = "provider_unavailable"
    default_who_acts = "nobody"
    default_next_step = "Repeat the call in a minute."
    default_retryable = True


class OutcomeUnknown(ScalekitMCPError):
    """A change was sent and its answer was lost; the message says what is known."""

    code = "outcome_unknown"
    default_who_acts = "user"
    default_next_step = "Read the event before you repeat the change."


class VaultError(ScalekitMCPError):
    """The vault cannot be opened, read or written; nothing was overwritten."""

    code = "vault_error"
    default_next_step = "The operator checks the database, its disk and the vault keys."


class ConfigurationError(ScalekitMCPError):
    """One or several settings are missing or malformed; `problems` holds one sentence for each."""

    code = "configuration_error"
    default_next_step = "Correct the settings and start again."

    def __init__(self, *problems: str, next_step: str | None = None) -> None:
        super().__init__(" ".join(problems), next_step=next_step)
        self.problems = problems


class InternalError(ScalekitMCPError):
    """Something went wrong that is nobody's fault but ours."""

    code = "internal_error"
