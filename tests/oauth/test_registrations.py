"""Dynamic registration without a table (RFC 7591)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.auth import OAuthClientInformationFull

from scalekit_mcp.accounts.model.grants import ClientKind
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.server.oauth.answers import OAuthError
from scalekit_mcp.server.oauth.clients import MOST_BODY_BYTES, Registrations, shown_name
from scalekit_mcp.server.oauth.redirects import chosen
from tests.oauth.oauth_support import CLAUDE, NEWER, REGISTRATIONS, RING, body
from tests.support.clock import HandClock


@pytest.fixture
def registrations() -> Registrations:
    return Registrations(RING, HandClock())


def refusal(registrations: Registrations, sent: bytes) -> str:
    with pytest.raises(OAuthError) as refused:
        registrations.register(sent)
    assert refused.value.status == 400
    return refused.value.error


@pytest.mark.parametrize("host", REGISTRATIONS)
def test_each_host_registers_and_comes_with_its_redirect_uri(registrations: Registrations, host: str):
    sent, redirect_uri = REGISTRATIONS[host]
    answer = registrations.register(json.dumps(sent).encode())
    OAuthClientInformationFull.model_validate(answer)
    client = registrations.find(answer["client_id"])
    assert client is not None
    assert client.kind is ClientKind.REGISTRATION
    assert client.name == sent["client_name"]
    assert chosen(client.redirect_uris, redirect_uri) == redirect_uri
    assert answer["redirect_uris"] == sent["redirect_uris"]
    assert client.refreshes
    assert None not in answer.values()


def test_the_id_of_a_small_registration_is_short(registrations: Registrations):
    sent = body(redirect_uris=["http://localhost:3030/callback"], client_name="Claude Code")
    assert len(registrations.register(sent)["client_id"]) <= 240


def test_the_id_shows_nothing_of_the_registration_and_is_new_each_time(registrations: Registrations):
    first, second = (registrations.register(body())["client_id"] for _ in range(2))
    assert first != second
    assert "claude" not in first.lower()


@pytest.mark.parametrize(
    "sent",
    [b"", b"[]", b"null", b"5", b"{", b"\xff\xfe", b"[" * 10_000, b'{"a":' * 3_000, b'{"a": ' + b"9" * 10_000 + b"}"],
    ids=["empty", "list", "null", "number", "broken", "not UTF-8", "deep", "deep object", "endless number"],
)
def test_what_is_no_json_object_is_refused(registrations: Registrations, sent: bytes):
    assert refusal(registrations, sent) == "invalid_client_metadata"


def test_a_body_of_16_kib_is_taken_and_a_longer_one_is_not(registrations: Registrations):
    small = body(x="")
    registrations.register(body(x="a" * (MOST_BODY_BYTES - len(small))))
    assert MOST_BODY_BYTES == 16_384
    sent = body(x="a" * (MOST_BODY_BYTES - len(small) + 1))
    assert refusal(registrations, sent) == "invalid_client_metadata"


@pytest.mark.parametrize(
    "uris",
    [None, [], "https://claude.ai/cb", {}, ["javascript:alert(1)", "http://evil.example/cb"], [None, 5, [CLAUDE]]],
)
def test_a_client_without_an_acceptable_redirect_uri_is_refused(registrations: Registrations, uris: Any):
    assert refusal(registrations, body(redirect_uris=uris)) == "invalid_redirect_uri"


def test_unacceptable_redirect_uris_are_left_out_and_not_fatal(registrations: Registrations):
    """Cursor sends three at once; refusing for one of them breaks the connection in many servers."""
    answer = registrations.register(body(redirect_uris=["http://evil.example/cb", CLAUDE, "javascript:x"]))
    assert answer["redirect_uris"] == [CLAUDE]
    client = registrations.find(answer["client_id"])
    assert client is not None
    assert client.redirect_uris == (CLAUDE,)


def test_a_client_has_at_most_ten_redirect_uris(registrations: Registrations):
    uris = [f"https://a.example/{number}" for number in range(11)]
    registrations.register(body(redirect_uris=[*uris[:10], "http://evil.example"]))
    assert refusal(registrations, body(redirect_uris=uris)) == "invalid_redirect_uri"


@pytest.mark.parametrize("method", [None, "none", "private_key_jwt", "tls_client_auth", "", 5, ["client_secret_post"]])
def test_a_client_that_names_no_secret_gets_none(registrations: Registrations, method: Any):
    """A secret beside `none` is the prime suspect for a broken Copilot Studio."""
    answer = registrations.register(body(token_endpoint_auth_method=method))
    assert answer["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in answer
    assert "client_secret_expires_at" not in answer
    client = registrations.find(answer["client_id"])
    assert client is not None
    assert client.secret is None


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_a_confidential_client_gets_a_secret_of_its_own_that_does_not_expire(registrations: Registrations, method: str):
    first, second = (registrations.register(body(token_endpoint_auth_method=method)) for _ in range(2))
    assert first["token_endpoint_auth_method"] == method
    assert first["client_secret"] != second["client_secret"]
    assert len(first["client_secret"]) == 64
    assert first["client_secret_expires_at"] == 0
    assert type(first["client_secret_expires_at"]) is int
    client = registrations.find(first["client_id"])
    assert client is not None
    assert client.secret == first["client_secret"]
    assert first["client_secret"] not in repr(client)
    assert first["client_id"] not in repr(client)


def test_ids_and_secrets_hold_after_a_new_key_and_are_unknown_once_theirs_is_gone(registrations: Registrations):
    answer = registrations.register(body(token_endpoint_auth_method="client_secret_post"))
    rotated = Registrations(NEWER, HandClock()).find(answer["client_id"])
    assert rotated is not None
    assert rotated.secret == answer["client_secret"]
    gone = KeyRing([("two", bytes(range(1, 33)))])
    assert Registrations(gone, HandClock()).find(answer["client_id"]) is None


def test_a_registration_does_not_expire(registrations: Registrations):
    clock = HandClock()
    answer = Registrations(RING, clock).register(body())
    clock.advance(10 * 365 * 86_400)
    assert Registrations(RING, clock).find(answer["client_id"]) is not None


def test_an_id_that_was_not_sealed_here_is_unknown(registrations: Registrations):
    known = registrations.register(body())["client_id"]
    other = RING.seal_token("browser cookie", "", {"n": "", "u": [CLAUDE], "r": True, "t": 0})
    for client_id in (
        "",
        "dcr.",
        "dcr.x",
        known[:-4] + "AAAA",
        known.removeprefix("dcr."),
        f"dcr.{other}",
        "dcr.\u00e9",
        known + "A" * 30_000,
    ):
        assert registrations.find(client_id) is None


@pytest.mark.parametrize(
    ("grant_types", "refreshes"),
    [
        (None, True),
        (["authorization_code", "refresh_token"], True),
        (["authorization_code"], False),
        ([], False),
    ],
)
def test_refresh_tokens_are_for_clients_that_do_not_rule_them_out(
    registrations: Registrations, grant_types: Any, refreshes: bool
):
    answer = registrations.register(body(grant_types=grant_types))
    assert ("refresh_token" in answer["grant_types"]) is refreshes
    client = registrations.find(answer["client_id"])
    assert client is not None
    assert client.refreshes is refreshes


@pytest.mark.parametrize("member", [{"response_types": ["token"]}, {"response_types": "code"}, {"grant_types": "x"}])
def test_other_response_types_are_refused(registrations: Registrations, member: dict[str, Any]):
    assert refusal(registrations, body(**member)) == "invalid_client_metadata"


@pytest.mark.parametrize(
    "members", [{"client_name": None}, {"client_name": "\u202e"}, {"client_name": 7, "scope": None}]
)
def test_no_member_of_an_answer_is_null_or_empty(registrations: Registrations, members: dict[str, Any]):
    """The parser of a host fails on null."""
    sent = {"redirect_uris": [CLAUDE], **members}
    answer = registrations.register(json.dumps(sent).encode())
    assert [name for name, value in answer.items() if value is None or value == ""] == []
    assert "client_name" not in answer


def test_requested_members_come_back_if_they_are_short_texts(registrations: Registrations):
    answer = registrations.register(
        body(
            application_type="native",
            software_id="a" * 201,
            software_version=7,
            client_uri="https://a.example",
            logo_uri=1,
        )
    )
    assert answer["application_type"] == "native"
    assert answer["client_uri"] == "https://a.example"
    assert not {"software_id", "software_version", "logo_uri", "scope"} & set(answer)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Claude", "Claude"),
        ("a" * 200, "a" * 100),
        ("evil\u202emoc.elgoog", "evilmoc.elgoog"),
        ("a\x00b\x1b[31m\u200b\u2066c\ue000", "ab[31mc"),
        ("two\nlines\u2028three", "twolinesthree"),
        ("  many   blanks ", "many blanks"),
        ('x\u201d and is published by "claude.ai" (verified)', "x' and is published by 'claude.ai' (verified)"),
        (None, ""),
        (7, ""),
        ("\ud800half", "half"),
        ("caf\u00e9 \u4e2d", "caf\u00e9 \u4e2d"),
    ],
)
def test_a_name_is_shown_short_on_one_line_and_without_hidden_characters(name: object, shown: str):
    assert shown_name(name) == shown
