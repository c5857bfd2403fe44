"""The deadline of a whole tool call, for everything that it waits for, and the error to raise when it has passed.

A call makes several requests, each with waits of its own: a place in a queue, a refresh of the access, pauses that were
asked for, slow answers. Whatever waits asks the deadline how much is left, so that the sum is bounded and the ordinary
answers (throttled, outcome unknown) still come in time. What asks nobody is cut off a little later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

import anyio

from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import OutcomeUnknown, ProviderUnavailable, ScalekitMCPError

T = TypeVar("T")

MAX_CALL_SECONDS = 60.0
"""The longest that one tool call lasts, whatever it waits for; the person who is asked to consent is apart."""
_MARGIN = 1 / 12
"""The part of it that is kept for ending in order: no wait is begun or continued in the last five of sixty seconds."""


class CallDeadline:
    """When the present call has to have its answer, and what is known of the changes that it sent.

    Counts by the given clock, which tests move by hand, and by the event loop, which no change of the machine's time
    can turn back.
    """

    def __init__(self, clock: Clock, seconds: float = MAX_CALL_SECONDS) -> None:
        self.seconds = seconds
        self._clock = clock
        usable = seconds * (1 - _MARGIN)
        self._ends_at = clock.now() + timedelta(seconds=usable)
        self._loop_ends_at = anyio.current_time() + usable
        self._open = 0
        self._made = 0

    def remaining(self) -> float:
        """Seconds that waits may still take; 0 when there is no time left."""
        by_clock = (self._ends_at - self._clock.now()).total_seconds()
        return max(0.0, min(by_clock, self._loop_ends_at - anyio.current_time()))

    def change_sent(self) -> None:
        """A request that changes something is about to leave."""
        self._open += 1

    def change_answered(self, *, made: bool) -> None:
        """Its answer says whether the change was made."""
        self._open -= 1
        self._made += made

    @property
    def has_changed(self) -> bool:
        """Whether a change of this call was made, or may have been."""
        return bool(self._open or self._made)

    def error(self) -> ScalekitMCPError:
        """The error to raise when the time is over."""
        limit = f"The call was given up after {self.seconds:.0f} seconds."
        if self._open:
            return OutcomeUnknown(f"{limit} A change had been sent, and no answer tells whether it was made.")
        if self._made:
            return OutcomeUnknown(f"{limit} A change had been made by then; what was to follow it was not done.")
        return ProviderUnavailable(f"{limit} Nothing was changed.")


_current: ContextVar[CallDeadline | None] = ContextVar("call_deadline", default=None)


def call_deadline(clock: Clock) -> CallDeadline:
    """The deadline of the call that runs now; a new one outside of a call."""
    return _current.get() or CallDeadline(clock)


async def before_deadline(call: Callable[[], Awaitable[T]], *, clock: Clock, seconds: float = MAX_CALL_SECONDS) -> T:
    """The result of `call`, or what `CallDeadline.error` says after `seconds`."""
    deadline = CallDeadline(clock, seconds)
    token = _current.set(deadline)
    try:
        with anyio.move_on_after(seconds):
            return await call()
        raise deadline.error()
    finally:
        _current.reset(token)
