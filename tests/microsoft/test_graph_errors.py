"""Every code of Graph's that the product knows, against the error that it has to become."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.failures import MalformedEventId
from scalekit_mcp.errors import (
    Conflict,
    EventNotFound,
    InternalError,
    InvalidInput,
    MailboxUnavailable,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.microsoft.graph.error_table import FILTER_EXAMPLE, GRAPH_ERRORS
from scalekit_mcp.microsoft.graph.errors import GraphFailure, error_for
from scalekit_mcp.microsoft.graph.requests import GraphRequest, Named

REQUEST_ID = "7f9a9a3c-6d31-4c7e-9c9e-0f1c2d3e4f5a"


def body(code: str, message: str = "Something.", **inner: Any) -> bytes:
    return json.dumps(
        {"error": {"code": code, "message": message, "innerError": {"request-id": REQUEST_ID, **inner}}}
    ).encode()


def error(
    status: int,
    content: bytes,
    *,
    about: Named | None = None,
    params: dict[str, str] | None = None,
    claims: str | None = None,
) -> ScalekitMCPError:
    request = GraphRequest("GET", "/me/events", params=params, about=about, alone=about == "event")
    return error_for(GraphFailure.read(status, content), request.subject, claims=claims)


EXPECTED: dict[type[ScalekitMCPError], str] = {
    EventNotFound: "404:ErrorItemNotFound 404:itemNotFound",
    MalformedEventId: "400:ErrorInvalidIdMalformed 400:ErrorInvalidId 400:RequestBroker--ParseUri",
    InvalidInput: (
        "400:ErrorPropertyValidationFailure 400:ErrorInvalidRequest"
        " 400:ErrorInvalidParameter 400:ErrorInvalidArgument 400:TimeZoneNotSupportedException 400:BadRequest"
        " 400:invalidRequest 400:ErrorInvalidUrlQuery 400:ErrorInvalidUrlQueryFilter 400:ErrorRestrictionTooComplex"
        " 400:InefficientFilter 400:UnsupportedEntityExpression 400:UnsupportedQueryOption"
        " 400:ErrorOccurrenceCrossingBoundary 400:ErrorCalendarEndDateIsEarlierThanStartDate"
        " 400:ErrorCalendarDurationIsTooLong 400:ErrorInvalidRecipients 413:ErrorMessageSizeExceeded"
        " 400:ErrorTimeIntervalTooBig 410:SyncStateNotFound 410:resyncRequired 400:notSupported"
    ),
    InternalError: "400:UnableToDeserializePostBody 400:RequestBodyRead",
    Conflict: (
        "400:ErrorDuplicateTransactionId 412:ErrorIrresolvableConflict 412:resourceModified 409:ErrorConcurrentItemSave"
    ),
    PermissionMissing: (
        "403:ErrorAccessDenied 403:DelegatedCalendarAccessDenied 403:ErrorDelegatedCalendarAccessDenied"
        " 403:Authorization_RequestDenied 403:accessDenied 403:notAllowed"
    ),
    MailboxUnavailable: (
        "404:MailboxNotEnabledForRESTAPI 404:ErrorNonExistentMailbox 404:ErrorInvalidUser 404:ResourceNotFound"
        " 507:ErrorQuotaExceeded 507:quotaLimitReached 401:UnknownError"
    ),
    ProviderUnavailable: (
        "401:InvalidAuthenticationToken 401:unauthenticated 503:MailboxInfoStale 503:ErrorMailboxMoveInProgress"
        " 503:ErrorMailboxStoreUnavailable 503:serviceNotAvailable 503:ErrorServerBusy 500:ErrorInternalServerError"
        " 503:ErrorInternalServerTransientError 500:extensionError"
    ),
    Throttled: "429:ApplicationThrottled 429:TooManyRequests 429:activityLimitReached 400:ErrorExceededMessageLimit",
}
CASES = [
    (int(status), code, kind)
    for kind, pairs in EXPECTED.items()
    for status, code in (pair.split(":") for pair in pairs.split())
]


def test_the_table_holds_exactly_the_codes_that_these_tests_judge() -> None:
    assert sorted(code.lower() for _, code, _ in CASES) == sorted(GRAPH_ERRORS)


@pytest.mark.parametrize(("status", "code", "kind"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_code_becomes_its_error(status: int, code: str, kind: type[ScalekitMCPError]) -> None:
    for spelling in (code, code.upper(), code.lower()):
        found = error(status, body(spelling), about="event")
        assert type(found) is kind
        assert found.details["request_id"] == REQUEST_ID
        assert found.details["graph_status"] == status
        assert found.message.endswith((".", "?"))
        assert found.next_step.endswith((".", ")")) or FILTER_EXAMPLE in found.next_step


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ProviderUnavailable),
        (400, InvalidInput),
        (401, MailboxUnavailable),
        (403, PermissionMissing),
        (404, EventNotFound),
        (405, InternalError),
        (406, InternalError),
        (409, Conflict),
        (410, EventNotFound),
        (411, InternalError),
        (412, Conflict),
        (413, InvalidInput),
        (415, InternalError),
        (416, InternalError),
        (418, InternalError),
        (422, InvalidInput),
        (423, Conflict),
        (429, Throttled),
        (500, ProviderUnavailable),
        (501, InternalError),
        (502, ProviderUnavailable),
        (503, ProviderUnavailable),
        (504, ProviderUnavailable),
        (507, MailboxUnavailable),
        (509, Throttled),
        (599, ProviderUnavailable),
    ],
)
@pytest.mark.parametrize(
    "content",
    [b"", b"<html><body>Bad gateway</body></html>", b'{"error":"text"}', b"[1]", b"\xff\xfe", body("SomethingNew")],
    ids=["empty", "html", "odd-json", "list", "not-utf8", "unknown-code"],
)
def test_a_body_that_says_nothing_known_is_judged_by_its_status(
    status: int, kind: type[ScalekitMCPError], content: bytes
) -> None:
    found = error(status, content, about="event")
    assert type(found) is kind
    assert "<html>" not in found.message


def test_the_first_telling_code_from_outside_inwards_decides() -> None:
    nested = {
        "ERROR": {
            "Code": "BadRequest",
            "code": "BadRequest",
            "message": "Bad.",
            "InnerError": {"code": "SomethingNew", "innererror": {"code": "erroraccessdenied"}},
        }
    }
    assert type(error(403, json.dumps(nested).encode())) is PermissionMissing


def test_endless_nesting_ends() -> None:
    inner: dict[str, Any] = {"code": "ErrorAccessDenied"}
    for _ in range(50):
        inner = {"code": "SomethingNew", "innerError": inner}
    assert type(error(400, json.dumps({"error": inner}).encode())) is InvalidInput


def test_a_refused_filter_comes_back_with_microsofts_reason_and_an_example_that_works() -> None:
    reason = "The DateTimeOffset text '2026-04-01' should be in format 'yyyy-mm-ddThh:mm:ss'."
    found = error(400, body("BadRequest", reason), params={"$filter": "start/dateTime ge 2026-04-01", "$top": "5"})
    assert isinstance(found, InvalidInput)
    assert found.details["field"] == "filter"
    assert reason in found.message
    assert FILTER_EXAMPLE in found.next_step


@pytest.mark.parametrize(
    ("params", "reason", "field"),
    [
        ({"$orderby": "start"}, "The expression must evaluate to a single value.", "orderby"),
        ({"$select": "colour"}, "Parsing OData Select and Expand failed: no property 'colour'.", "select"),
        ({"$select": "id,subject", "$filter": "colour eq 1"}, "Could not find a property named 'colour'.", "filter"),
        ({"$filter": "x", "$orderby": "start"}, "The $orderby expression must evaluate to a value.", "orderby"),
        ({"$filter": "x", "$orderby": "start"}, "Syntax error at position 1.", "filter"),
    ],
)
def test_a_refused_query_names_the_option_at_fault(params: dict[str, str], reason: str, field: str) -> None:
    assert error(400, body("BadRequest", reason), params=params).details["field"] == field
    assert error(400, body("RequestBroker--ParseUri", reason), params=params).details["field"] == field


def test_a_select_that_may_be_our_own_is_not_blamed() -> None:
    found = error(400, body("BadRequest", "Syntax error at position 1."), params={"$select": "id,subject"})
    assert isinstance(found, InvalidInput)
    assert "field" not in found.details


def test_a_failure_of_the_service_on_a_filter_says_that_the_filter_may_be_the_cause() -> None:
    found = error(500, body("ErrorInternalServerError"), params={"$filter": "contains(body/content,'x')"})
    assert isinstance(found, ProviderUnavailable)
    assert FILTER_EXAMPLE in found.next_step


def test_microsofts_sentence_is_shown_without_trace_lines_and_harmful_characters() -> None:
    text = "Bad\u202e filter\x1b[31m.\r\nTrace ID: 255d1aef\r\nCorrelation ID: fb3d2015\r\nTimestamp: 2026" + "y" * 900
    message = error(400, body("ErrorInvalidRequest", text)).message
    assert message.isprintable()
    assert "Trace" not in message
    assert "255d1aef" not in message
    assert "2026" not in message
    assert "\u202e" not in message
    long = error(400, body("ErrorInvalidRequest", "z" * 5000)).message
    assert len(long) < 400


def test_a_sentence_that_may_hold_an_address_is_not_shown() -> None:
    found = error(404, body("ErrorInvalidUser", "The requested user 'dana@company.com' is invalid."))
    assert "dana" not in json.dumps(found.to_dict())


def test_a_reused_transaction_id_names_the_event_that_exists() -> None:
    content = body("ErrorDuplicateTransactionId", **{"@event.existingEventId": "AAMkAGI2="})
    assert error(400, content).details["existing_event_id"] == "AAMkAGI2="


def test_a_claims_challenge_that_a_fresh_token_did_not_meet_asks_for_a_new_sign_in() -> None:
    found = error(401, body("InvalidAuthenticationToken"), claims='{"access_token":{}}')
    assert isinstance(found, PermissionMissing)
    assert "reconnect" in found.next_step


def test_a_header_s_request_id_wins_and_nonsense_is_dropped() -> None:
    assert GraphFailure.read(400, body("BadRequest"), "abc-1").request_id == "abc-1"
    assert GraphFailure.read(400, b"", "a\r\nb").request_id is None


def test_no_reason_shows_in_a_repr() -> None:
    assert "Secret subject" not in repr(GraphFailure.read(400, body("BadRequest", "Secret subject")))


@given(status=st.integers(300, 599), content=st.binary(max_size=300))
def test_no_body_makes_the_translation_fail(status: int, content: bytes) -> None:
    assert isinstance(error(status, content), ScalekitMCPError)


JSON = st.recursive(st.none() | st.text(max_size=8) | st.integers(), lambda inner: st.lists(inner, max_size=3) | (
    st.dictionaries(st.sampled_from(["error", "code", "message", "innerError", "request-id"]), inner, max_size=4)
))  # fmt: skip


@given(status=st.sampled_from([400, 401, 403, 404, 500]), value=JSON)
def test_no_json_makes_the_translation_fail(status: int, value: Any) -> None:
    assert isinstance(error(status, json.dumps(value).encode()), ScalekitMCPError)
