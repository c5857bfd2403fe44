"""The exceptions of a `Mailbox` beside those in `scalekit_mcp.errors`."""

from __future__ import annotations

from scalekit_mcp.errors import EventNotFound, ProviderUnavailable


class ChangeAnswerLostError(Exception):
    """A change was sent and its answer was lost, and it must not simply be sent again.

    `sent` is True when it left whole (Microsoft may have carried it out) and False when it broke off while being sent
    (Microsoft has hardly carried it out). `carried_out`: the status said that it was, only the answer's body cannot be
    read. Whoever asked for the change settles it by reading.
    """

    def __init__(self, *, sent: bool, status: int | None, request_id: str | None, carried_out: bool = False) -> None:
        super().__init__("The answer to a change was lost.")
        self.sent = sent
        self.status = status
        self.request_id = request_id
        self.carried_out = carried_out


class AnswerTooLong(ProviderUnavailable):
    """The answer to a read is larger than the limit for one answer."""

    def __init__(self) -> None:
        super().__init__(
            "Microsoft Graph's answer is too large to be read.",
            retryable=False,
            next_step="Ask for less: a smaller `top`, a shorter window, or a `select` without `body`.",
        )


class UnreadableAnswer(ProviderUnavailable):
    """An answer of Graph has another shape than expected; the error never holds its content."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Microsoft Graph's answer cannot be used: {what}.")


class MalformedEventId(EventNotFound):
    """No event can have this id: it was shortened, retyped or made up."""
