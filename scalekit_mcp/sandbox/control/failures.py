"""Switches of token endpoint, Graph, network and time; the other half of `Controls`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from scalekit_mcp.sandbox.world import GraphFault, Person, Switches, TokenFault, World
from scalekit_mcp.sandbox.world.faults import next_token_fault
from scalekit_mcp.sandbox.world.switches import checked_behaviour

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.dispatch import Halves

DEFAULT_CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


class FailureSwitches:
    """What goes wrong on the wire: refused, odd, slow and lost answers."""

    world: World
    halves: Halves

    def person(self, address: str) -> Person:
        """Somebody, by address."""
        found = self.world.people.get(address.strip().lower())
        if found is None:
            raise LookupError(f"The sandbox has nobody with the address '{address}'.")
        return found

    # Token endpoint

    def next_token_error(
        self,
        code: int | None,
        error: str | None = None,
        suberror: str | None = None,
        person: str | None = None,
        times: int = 1,
        claims: str | None = None,
        status: int | None = None,
        grant_type: str | None = None,
    ) -> None:
        """Answer the next token requests with an AADSTS number; error, suberror and status follow from it.

        Without a number (None) the answer is a bare `invalid_grant`, or the `error` given.
        """
        fault = next_token_fault(code, error=error, suberror=suberror, claims=claims, status=status)
        fault.person, fault.times, fault.grant_type = person, times, grant_type
        self.world.switches.token_faults.append(fault)

    def token_error_raw(
        self,
        status: int = 429,
        body: str = "Too Many Requests",
        headers: dict[str, str] | None = None,
        person: str | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next token requests with something that is not JSON, an HTML page for instance."""
        self.world.switches.token_faults.append(
            TokenFault(status=status, body=body, headers=dict(headers or {}), person=person, times=times)
        )

    def delay_token_answer(self, seconds: float, times: int = 1, person: str | None = None) -> None:
        """The next token requests are carried out after a pause (real seconds)."""
        self.world.switches.token_faults.append(TokenFault(delay_seconds=seconds, times=times, person=person))

    def require_mfa(self, required: bool = True) -> None:
        """Demand multifactor authentication at sign-in; grants made without it are refused with 50076."""
        self.world.switches.mfa_required = required

    def conditional_access(self, code: int | None = 53003) -> None:
        """Let a policy block sign-in and refresh with this AADSTS number; None lifts it."""
        self.world.switches.conditional_access = str(code) if code else None

    def expire_access_tokens(self, address: str | None = None) -> int:
        """End the access tokens of one person, or of everybody, now; how many there were."""
        return self.halves.tokens.expire(self.person(address).address if address else None)

    def expire_refresh_tokens(self, address: str | None = None, code: int = 700082) -> int:
        """End the refresh tokens of one person, or of everybody, with this AADSTS number; how many there were."""
        people = [self.person(address)] if address else list(self.world.people.values())
        return sum(self.halves.identity.store.end_refresh_tokens(person, code) for person in people)

    def rotation(self, policy: Literal["keep", "one_time", "none"]) -> None:
        """Refresh tokens: old ones stay valid (`keep`), die when used (`one_time`), or no new one comes (`none`)."""
        self.world.switches.rotation = policy

    def access_token_lifetime(self, seconds: int | None = None) -> None:
        """How long new access tokens live; None: random, 3600 to 5399 seconds."""
        self.world.switches.access_token_seconds = seconds

    def roll_signing_keys(self) -> None:
        """Sign with new keys from now on, without notice."""
        self.halves.tokens.keys.roll()

    # Graph

    def claims_challenge(
        self, claims: str | None = DEFAULT_CLAIMS, interactive: bool = False, person: str | None = None
    ) -> None:
        """Graph answers 401 until the access token was issued with these claims (JSON); None lifts it.

        `interactive`: a refresh with the claims is refused, only a new sign-in satisfies them.
        """
        switches = self.world.switches
        switches.claims_challenge = claims or None
        switches.claims_challenge_interactive, switches.claims_challenge_person = interactive, person

    def throttle_graph(self, times: int = 1, retry_after: int | None = None, person: str | None = None) -> None:
        """Answer the next Graph requests 429 with Retry-After in seconds."""
        seconds = self.world.switches.retry_after_seconds if retry_after is None else retry_after
        self.world.switches.graph_faults.append(
            GraphFault(
                status=429,
                code="ApplicationThrottled",
                message="Application is over its MailboxConcurrency limit.",
                headers={"Retry-After": str(seconds)},
                person=person,
                times=times,
            )
        )

    def graph_error(
        self,
        status: int,
        code: str | None = None,
        times: int = 1,
        method: str | None = None,
        path_contains: str | None = None,
        apply: bool = False,
        body: str | None = None,
        message: str | None = None,
        headers: dict[str, str] | None = None,
        person: str | None = None,
    ) -> None:
        """Answer the next fitting Graph requests with a failure; `apply` carries them out all the same."""
        self.world.switches.graph_faults.append(
            GraphFault(
                status=status,
                code=code,
                message=message,
                headers=dict(headers or {}),
                body=body,
                apply=apply,
                method=method,
                path_contains=path_contains,
                person=person,
                times=times,
            )
        )

    def drop_connection(
        self,
        when: Literal["before", "after"] = "before",
        area: Literal["graph", "identity"] = "graph",
        method: str | None = None,
        path_contains: str | None = None,
        person: str | None = None,
        times: int = 1,
    ) -> None:
        """Close the connection without an answer, before or after the request is carried out.

        `identity` means the token endpoint; `method` and `path_contains` narrow Graph requests only.
        """
        if area == "identity":
            self.world.switches.token_faults.append(TokenFault(drop=when, person=person, times=times))
            return
        self.world.switches.graph_faults.append(
            GraphFault(drop=when, method=method, path_contains=path_contains, person=person, times=times)
        )

    def slow(self, seconds: float = 0.0) -> None:
        """Every answer of identity and Graph waits this long (real seconds)."""
        self.world.switches.slow_seconds = seconds

    def behaviour(self, name: str, value: Any = None) -> None:
        """Let the look-alike behave in another way where Microsoft's behaviour varies or is not documented.

        Raises LookupError for an unknown name and ValueError for a value that it cannot take.
        """
        setattr(self.world.switches, name, checked_behaviour(name, value))

    def clear_faults(self) -> None:
        """Forget every failure that is still waiting for its request."""
        self.world.switches.token_faults.clear()
        self.world.switches.graph_faults.clear()

    def switches_off(self) -> None:
        """Every switch of token endpoint, Graph and network back to its default; people and consents stay."""
        self.world.switches = Switches()

    # Time

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self.world.clock.advance(seconds)

    def freeze_clock(self, at: datetime | None = None) -> None:
        """Stop the sandbox's time, at the present or at an aware instant. Raises ValueError for a naive one."""
        if at is not None and at.tzinfo is None:
            raise ValueError("at: an instant with an offset is expected")
        self.world.clock.freeze(at or self.world.clock.now())

    def unfreeze_clock(self) -> None:
        """Let the sandbox's time run on from where it stands."""
        self.world.clock.freeze(None)
