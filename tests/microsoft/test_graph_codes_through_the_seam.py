"""Every Graph code that has a meaning of its own, switched on in the sandbox, up to what an agent reads.

The sandbox answers each code for as long as the call asks; what reading one event makes of it stands in `ON_GET`, and
where a write or a list makes something else of it, in `ELSEWHERE`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.microsoft.test_graph_errors import CASES
from tests.support.agent import Agent, agent, text_of

MEETING = {
    "subject": "Planning",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
}

Told = tuple[str, str, bool]
"""`code`, `who_acts`, `retryable` of the error object."""

ON_GET: dict[Told, str] = {
    ("event_not_found", "nobody", False): "ErrorItemNotFound itemNotFound",
    ("invalid_input", "nobody", False): (
        "ErrorInvalidIdMalformed ErrorInvalidId ErrorPropertyValidationFailure ErrorInvalidRequest"
        " ErrorInvalidParameter ErrorInvalidArgument TimeZoneNotSupportedException BadRequest invalidRequest"
        " ErrorInvalidUrlQuery ErrorInvalidUrlQueryFilter ErrorRestrictionTooComplex InefficientFilter"
        " UnsupportedEntityExpression UnsupportedQueryOption ErrorOccurrenceCrossingBoundary"
        " ErrorCalendarEndDateIsEarlierThanStartDate ErrorCalendarDurationIsTooLong ErrorInvalidRecipients"
        " ErrorMessageSizeExceeded ErrorTimeIntervalTooBig SyncStateNotFound resyncRequired notSupported"
    ),
    ("internal_error", "operator", False): "RequestBroker--ParseUri UnableToDeserializePostBody RequestBodyRead",
    ("conflict", "nobody", False): (
        "ErrorDuplicateTransactionId ErrorIrresolvableConflict resourceModified ErrorConcurrentItemSave"
    ),
    ("permission_missing", "user", False): (
        "ErrorAccessDenied DelegatedCalendarAccessDenied ErrorDelegatedCalendarAccessDenied accessDenied notAllowed"
    ),
    ("permission_missing", "it_admin", False): "Authorization_RequestDenied",
    ("mailbox_unavailable", "it_admin", False): (
        "MailboxNotEnabledForRESTAPI ErrorNonExistentMailbox ErrorInvalidUser ResourceNotFound"
    ),
    ("mailbox_unavailable", "user", False): "ErrorQuotaExceeded quotaLimitReached UnknownError",
    ("provider_unavailable", "operator", False): "InvalidAuthenticationToken unauthenticated",
    ("provider_unavailable", "nobody", True): (
        "MailboxInfoStale ErrorMailboxMoveInProgress ErrorMailboxStoreUnavailable serviceNotAvailable ErrorServerBusy"
        " ErrorInternalServerError ErrorInternalServerTransientError extensionError"
    ),
    ("throttled", "nobody", True): "ApplicationThrottled TooManyRequests activityLimitReached",
    ("throttled", "user", False): "ErrorExceededMessageLimit",
}
TOLD = {code: told for told, codes in ON_GET.items() for code in codes.split()}

_NOT_THERE: Told = ("mailbox_unavailable", "it_admin", False)
_UNKNOWN: Told = ("outcome_unknown", "user", False)
_FAILED_ON_A_WRITE = {"ErrorInternalServerError": _UNKNOWN, "extensionError": _UNKNOWN}
_NO_CALENDAR = {"ErrorItemNotFound": _NOT_THERE, "itemNotFound": _NOT_THERE}
_GONE = dict.fromkeys(("ErrorItemNotFound", "itemNotFound"), None)
_NO_ID: dict[str, Told | None] = dict.fromkeys(
    ("ErrorInvalidIdMalformed", "ErrorInvalidId", "RequestBroker--ParseUri"), ("event_not_found", "nobody", False)
)
ELSEWHERE: dict[str, dict[str, Told | None]] = {
    "get": {**_NO_ID},
    "list": {**_NO_CALENDAR},
    "create": {**_NO_CALENDAR, **_FAILED_ON_A_WRITE, "ErrorDuplicateTransactionId": _UNKNOWN},
    "update": {**_NO_ID, **_FAILED_ON_A_WRITE},
    "delete": {**_NO_ID, **_GONE, **_FAILED_ON_A_WRITE},
}
"""None is a success: what is already gone is deleted."""


async def arguments_of(me: Agent, tool: str) -> dict[str, Any]:
    if tool in {"list", "create"}:
        return {"list": {}, "create": MEETING}[tool]
    event_id = (await me.did("create", **MEETING))["id"]
    return {"event_id": event_id, **({"subject": "Moved"} if tool == "update" else {})}


@pytest.mark.parametrize("tool", ELSEWHERE)
async def test_every_code_of_graph_reaches_the_agent_as_its_error_and_leaves_the_account_active(tool: str) -> None:
    async with agent() as me:
        arguments = await arguments_of(me, tool)
        told: dict[str, Told | None] = {}
        for status, code, _ in CASES:
            me.fail(status=status, code=code, message="Microsoft's own words.", times=50)
            result = await me.call(tool, **arguments)
            assert result.structured_content is not None
            if result.is_error:
                error = result.structured_content["error"]
                told[code] = (error["code"], error["who_acts"], error["retryable"])
                assert error["message"] in text_of(result)
                assert error["next_step"] in text_of(result)
            else:
                told[code] = None
            assert await me.status() == ("ACTIVE", None)
        assert told == {**TOLD, **ELSEWHERE[tool]}
        me.heal()
        assert not (await me.call("list", top=1)).is_error


async def test_one_call_asks_the_identity_platform_at_most_once_after_a_401() -> None:
    async with agent() as me:
        me.fail(status=401, code="InvalidAuthenticationToken", times=50)
        error = await me.refused("list")
        assert error["code"] == "provider_unavailable"
        assert len(me.received()) == 2
        refreshes = [r for r in me.sandbox.requests if r.area == "identity" and r.path.endswith("/token")]
        assert len(refreshes) == 1
        assert await me.status() == ("ACTIVE", None)


async def test_a_throttled_call_that_waited_in_vain_says_for_how_long_to_stay_away() -> None:
    async with agent() as me:
        me.fail(status=429, code="ApplicationThrottled", headers={"Retry-After": "5"}, times=50)
        error = await me.refused("list")
        assert me.clock.sleeps == [5.0] * 5
        assert (error["code"], error["retry_after_seconds"]) == ("throttled", 5)
        assert "after 6 tries" in error["message"]
        me.clock.sleeps.clear()
        me.fail(status=429, code="ApplicationThrottled", headers={"Retry-After": "90"}, times=50)
        error = await me.refused("list")
        assert me.clock.sleeps == []
        assert (error["code"], error["retry_after_seconds"]) == ("throttled", 90)
        assert "longer pause than one call may wait" in error["message"]
