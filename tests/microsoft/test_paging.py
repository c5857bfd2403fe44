import base64
import hashlib
import hmac
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.events.answers.rows import LIST_FIELDS
from scalekit_mcp.calendar.listing.page_tokens import ListQuery, Pages, Position
from scalekit_mcp.errors import InvalidInput
from tests.support.sealing import Sealer

QUERY = ListQuery(given={"filter": "startswith(subject,'A')", "top": 5}, timezone="Europe/Berlin")


def pages(identifier: str = "ana", connection_name: str = "outlook", sealer: Sealer | None = None) -> Pages:
    return Pages(sealer or Sealer(b"k"), connection_name=connection_name, identifier=identifier)


positions = st.builds(
    Position, link=st.none() | st.text(min_size=1), offset=st.integers(0, 999), start=st.none(), rank=st.none()
) | st.builds(Position, start=st.text(min_size=1), rank=st.text(min_size=1))


@given(positions, st.dictionaries(st.text(max_size=9), st.text() | st.integers(), max_size=4))
def test_a_page_gives_back_the_whole_query_and_its_position(position: Position, arguments: dict[str, Any]):
    query = ListQuery(given=arguments, timezone="UTC")
    assert pages().open(pages().seal(query, position), {}) == (query, position)


def test_an_equal_argument_beside_the_page_is_accepted():
    token = pages().seal(QUERY, Position(offset=3))
    assert pages().open(token, {"top": 5})[1] == Position(offset=3)


@pytest.mark.parametrize("beside", [{"top": 6}, {"filter": "x"}, {"orderby": "start/dateTime"}, {"calendar_id": "c"}])
def test_another_argument_beside_the_page_is_refused_naming_both(beside: dict[str, Any]):
    token = pages().seal(QUERY, Position(offset=3))
    with pytest.raises(InvalidInput) as refused:
        pages().open(token, beside)
    assert refused.value.details["field"] == "page"
    assert next(iter(beside)) in refused.value.message


@pytest.mark.parametrize("other", [{"identifier": "bob"}, {"connection_name": "outlook-eu"}])
def test_a_page_of_another_identifier_or_connection_is_refused(other: dict[str, Any]):
    token = pages().seal(QUERY, Position(offset=3))
    with pytest.raises(InvalidInput) as refused:
        pages(**other).open(token, {})
    assert refused.value.details["field"] == "page"


@given(st.integers(0, 500), st.integers(1, 255))
def test_a_changed_page_is_refused(at: int, by: int):
    token = pages().seal(QUERY, Position(offset=3))
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[at % len(raw)] ^= by
    with pytest.raises(InvalidInput):
        pages().open(base64.urlsafe_b64encode(bytes(raw)).decode(), {})


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'{"page1":{}}', b'{"page1":[1]}', b"\xff", b'{"page1":{"at":3}}'])
def test_a_sealed_payload_of_another_form_is_refused(payload: bytes):
    sealer = Sealer(b"k")
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(payload) + packer.flush()
    token = sealer.seal(packed, b'["page", "outlook", "ana"]')
    with pytest.raises(InvalidInput):
        pages(sealer=sealer).open(token, {})


@pytest.mark.parametrize("token", ["", "x", "not a token", "ü"])
def test_nonsense_is_refused_as_a_page(token: str):
    with pytest.raises(InvalidInput):
        pages().open(token, {})


def test_the_test_sealer_binds_its_context():
    sealed = Sealer(b"k").seal(b"p", b"c")
    mac = hmac.new(b"k", b"c\0p", hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(sealed) == mac + b"p"


def test_the_page_of_an_ordinary_list_is_a_short_text():
    link = "https://graph.microsoft.com/v1.0/me/events?%24select=" + "%2c".join(LIST_FIELDS) + "&%24top=20&%24skip=40"
    assert len(pages().seal(QUERY, Position(link=link))) < 300
