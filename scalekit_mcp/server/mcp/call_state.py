"""The state that a call of protocol 2026-07-28 carries between its rounds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Step(StrEnum):
    """The step of a call that waits for the user."""

    URL = "url"
    WAIT = "wait"
    CODE = "code"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class CallState:
    """What a 2026-07-28 call carries from round to round; sealed and bound to the call by `RequestStateBoundary`.

    Never a token or a ticket. `confirmed` remembers that a person has confirmed the call itself, `failed_at` the
    failure that the account showed before this call's question (`Consent._earlier_failure`).
    """

    step: Step
    round: int = 0
    admin_consent_url: str | None = None
    authorization_url: str | None = None
    confirmed: bool = False
    failed_at: str | None = None

    def dump(self) -> str:
        """The state as text."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def load(cls, text: str | None) -> CallState | None:
        """The state out of a request; None for a first round or a text that is not ours."""
        if text is None:
            return None
        try:
            raw = json.loads(text)
            return cls(
                step=Step(raw["step"]),
                round=int(raw.get("round", 0)),
                admin_consent_url=raw.get("admin_consent_url"),
                authorization_url=raw.get("authorization_url"),
                confirmed=raw.get("confirmed") is True,
                failed_at=raw.get("failed_at"),
            )
        except (ValueError, KeyError, TypeError):
            return None
