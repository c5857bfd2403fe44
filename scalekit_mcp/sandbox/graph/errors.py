"""How the look-alike refuses: Graph's status, code and message (Graph page "Microsoft Graph error responses")."""

from __future__ import annotations

from typing import Any


class GraphError(Exception):
    """An answer in Graph's error shape.

    Attributes:
        status: the HTTP status.
        code: Graph's error code; may be empty for an answer without a body.
        message: the text beside it.
        headers: further response headers.
        extra: further members of the `error` object.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.extra = extra or {}


def item_not_found() -> GraphError:
    """404: no such event or calendar in this mailbox."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> GraphError:
    """400: the text is no id of this mailbox."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def access_denied() -> GraphError:
    """403: the token lacks the permission."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def bad_request(message: str) -> GraphError:
    """400 from the OData layer."""
    return GraphError(400, "BadRequest", message)


def validation_failure() -> GraphError:
    """400: a combination of values that the store refuses."""
    return GraphError(400, "ErrorPropertyValidationFailure", "At least one property failed validation.")


def invalid_request(rule: str) -> GraphError:
    """400: a rule of the calendar is broken; `rule` is one sentence."""
    return GraphError(400, "ErrorInvalidRequest", f"Your request can't be completed. {rule}")


def zone_not_supported(name: str) -> GraphError:
    """400: neither a Windows name nor a known IANA name."""
    return GraphError(
        400,
        "TimeZoneNotSupportedException",
        f"A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'.",
    )
