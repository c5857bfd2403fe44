"""`WWW-Authenticate` and `Retry-After` as Microsoft really sends them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.microsoft.identity.challenge import Challenge, claims_challenge, parse_challenges, retry_after_seconds

CLAIMS = {"access_token": {"nbf": {"essential": True, "value": "1604106651"}}}
COMPACT = json.dumps(CLAIMS, separators=(",", ":"))
STANDARD = base64.b64encode(COMPACT.encode()).decode()
NOW = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)


def header(claims: str, *, quotes: bool = True) -> str:
    value = f'"{claims}"' if quotes else claims
    return (
        'Bearer realm="", authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, '
        'client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", '
        f'claims={value}, errorDescription="Continuous access evaluation, result: InteractionRequired"'
    )


def test_a_challenge_with_an_unquoted_address_is_read_whole() -> None:
    (challenge,) = parse_challenges([header(STANDARD)])
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "",
        "authorization_uri": "https://login.microsoftonline.com/common/oauth2/authorize",
        "client_id": "00000003-0000-0000-c000-000000000000",
        "error": "insufficient_claims",
        "claims": STANDARD,
        "errordescription": "Continuous access evaluation, result: InteractionRequired",
    }


@pytest.mark.parametrize("quotes", [True, False], ids=["quoted", "unquoted"])
@pytest.mark.parametrize("padding", [True, False], ids=["padded", "unpadded"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "url-safe"])
@pytest.mark.parametrize("text", [COMPACT, '{"access_token":{"acrs":{"essential":true,"value":"c1?>~"}}}'])
def test_claims_are_decoded_in_every_alphabet_and_with_any_padding(
    text: str, encode: object, padding: bool, quotes: bool
) -> None:
    encoded = encode(text.encode()).decode()  # type: ignore[operator]
    found = claims_challenge([header(encoded if padding else encoded.rstrip("="), quotes=quotes)])
    assert found is not None
    assert json.loads(found) == json.loads(text)


def test_claims_are_found_among_several_challenges_and_headers() -> None:
    headers = ['Negotiate, Basic realm="a, b"', f'DPoP algs="ES256", {header(STANDARD)}']
    assert [challenge.scheme for challenge in parse_challenges(headers)] == ["negotiate", "basic", "dpop", "bearer"]
    assert claims_challenge(headers) == COMPACT


def test_an_escaped_quote_stays_inside_its_value() -> None:
    assert parse_challenges([r'Bearer error="a \"b\" c", x=1']) == (
        Challenge("bearer", {"error": 'a "b" c', "x": "1"}),
    )


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", 'Bearer claims=""', 'Bearer claims="!!!"', 'Bearer claims="bm90IGpzb24="', 'Bearer claims="WzFd"',
     'Basic claims="e30="', 'claims="e30="', "x" * 40_000],
)  # fmt: skip
def test_headers_without_usable_claims_give_none(value: str) -> None:
    assert claims_challenge([value]) is None


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_header_makes_the_parser_fail(headers: list[str]) -> None:
    assert isinstance(parse_challenges(headers), tuple)
    claims_challenge(headers)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("10", 10.0),
        (" 0 ", 0.0),
        ("Mon, 30 Mar 2026 09:00:12 GMT", 12.0),
        ("Mon, 30 Mar 2026 08:00:00 GMT", 0.0),
        ("Monday, 30-Mar-26 09:00:12 GMT", 12.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 40, None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds
