"""What `doctor` found: findings, each of a check with a name that stays, in one report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scalekit_mcp.cli.doctor.mistakes import MISTAKES
from scalekit_mcp.errors import WhoActs

State = Literal["ok", "mistake", "warning", "unknown"]

Check = Literal[
    "settings",
    "scopes",
    "authority",
    "certificate",
    "discovery",
    "clock",
    "cloud",
    "redirect",
    "application",
    "audience",
    "client",
    "graph",
    "secret expiry",
    "consent",
    "platform",
    "scalekit",
    "proxy",
    "public address",
    "remote hosts",
    "challenge",
    "resource document",
    "server metadata",
    "endpoints",
    "callback",
    "network",
    "way",
    "traces",
    "authorities",
    "files",
    "vault",
    "accounts",
    "seen",
]
"""The names of checks, which stay from version to version."""

CHECKS: dict[Check, str] = {
    "settings": "The id of the application, and that the secret is no id.",
    "scopes": "Whether the scopes that are asked for fit the tools.",
    "authority": "Who can sign in at the tenant that is set.",
    "certificate": "The certificate that proves the application: whether it can be read, and its end.",
    "discovery": "Whether the login host answers, and whether it knows the tenant.",
    "clock": "This machine's clock beside that of Microsoft or Scalekit.",
    "cloud": "Whether login host and Graph host belong to one cloud.",
    "redirect": "Whether each redirect URI is registered.",
    "application": "Whether Microsoft knows the application at this authority.",
    "audience": "Whether the registration admits the accounts that shall sign in.",
    "client": "Whether Microsoft takes the secret or the certificate.",
    "graph": "Whether Microsoft Graph answers.",
    "secret expiry": "When the secret ends, which cannot be seen from outside.",
    "consent": "Whether people may consent by themselves, which cannot be seen from outside.",
    "platform": "The platform of the redirect URIs, which cannot be seen from outside.",
    "scalekit": "Hosted mode: whether Scalekit answers and takes the API credentials.",
    "proxy": "Hosted mode: whether Scalekit's proxy carries calls, or its tools are used in its place.",
    "public address": "Sign-in: where the name of the public address leads.",
    "remote hosts": "Sign-in: whether the public address answers in time.",
    "challenge": "Sign-in: whether /mcp refuses a request without a token, and says where to sign in.",
    "resource document": "Sign-in: the document about /mcp, as hosts fetch it.",
    "server metadata": "Sign-in: the document about the authorization server, as hosts fetch it.",
    "endpoints": "Sign-in: whether machines reach /register and /token.",
    "callback": "Sign-in: whether Microsoft's answer would come back to this server.",
    "network": "The proxies and the certificate authorities that are used.",
    "way": "Which host is reached through which proxy.",
    "traces": "Whether traces for a collector on this machine would go through a proxy.",
    "authorities": "The certificate authorities that variables name: whether they can be read and are valid today.",
    "files": "Whether other users of this machine can read or change files with keys, tokens and secrets.",
    "vault": "Whether the vault could be looked at.",
    "accounts": "What accounts that are not ACTIVE tell of the application.",
    "seen": "The number of `--seen`.",
}
"""What each check looks at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and who acts.

    `mistake` is a name of `MISTAKES`; `evidence` is Microsoft's own number or word.
    """

    check: Check
    state: State
    message: str
    mistake: str | None = None
    fix: str | None = None
    evidence: str | None = None
    who_acts: WhoActs = "nobody"


@dataclass(slots=True)
class Report:
    """All findings, in the order of the checks; a mistake is told once, with all its evidence."""

    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that were found."""
        return tuple(found.mistake for found in self.findings if found.state == "mistake" and found.mistake)

    def add(self, check: Check, state: State, message: str, *, fix: str | None = None) -> None:
        """Add what is no mistake; a `fix` is for the operator."""
        self.findings.append(Finding(check, state, message, fix=fix, who_acts="operator" if fix else "nobody"))

    def add_mistake(self, check: Check, name: str, evidence: str, *, message: str | None = None) -> None:
        """Add a mistake, once."""
        if name in self.mistakes:
            return
        known = MISTAKES[name]
        text = message or f"{known.title}."
        self.findings.append(Finding(check, "mistake", text, name, known.fix, evidence, known.who_acts))
