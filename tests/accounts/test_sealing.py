"""Sealed records and small sealed texts: what opens, what does not, and what is said then."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.accounts.vault.sealing.key_ring import BrokenSealError, KeyRing, add_key_to_file, read_keys
from scalekit_mcp.errors import ConfigurationError, VaultError
from scalekit_mcp.server.callers.session_tokens import parse_keys

NOW = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
KEY_A, KEY_B = bytes(range(32)), bytes(range(1, 33))
SEAL: dict[str, Any] = {"kind": "tokens", "owner": "ca_1", "context": ["outlook", "ana"]}


@given(st.binary(max_size=5000))
def test_what_was_sealed_opens_and_shows_nothing_of_it(plaintext: bytes):
    ring = KeyRing([("a", KEY_A)])
    record = ring.seal(plaintext, **SEAL)
    assert ring.open(record, **SEAL) == plaintext
    assert len(plaintext) < 8 or plaintext not in record


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"kind": "attempt"},
        {"owner": "ca_2"},
        {"context": ["outlook", "bea"]},
        {"context": ["other", "ana"]},
        {"context": ["outlookana"]},
    ],
)
def test_a_record_copied_elsewhere_does_not_open(elsewhere: dict[str, Any]):
    ring = KeyRing([("a", KEY_A)])
    with pytest.raises(VaultError, match="Nothing was overwritten"):
        ring.open(ring.seal(b"secret", **SEAL), **{**SEAL, **elsewhere})


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=0, max_value=7))
def test_a_record_with_one_bit_changed_does_not_open(position: int, bit: int):
    ring = KeyRing([("a", KEY_A)])
    record = bytearray(ring.seal(b"a secret of some length, long enough", **SEAL))
    record[position] ^= 1 << bit
    with pytest.raises(VaultError):
        ring.open(bytes(record), **SEAL)


@given(st.integers(min_value=0, max_value=70))
def test_a_truncated_record_does_not_open(length: int):
    ring = KeyRing([("a", KEY_A)])
    record = ring.seal(b"a secret of some length, long enough", **SEAL)
    with pytest.raises(VaultError):
        ring.open(record[: min(length, len(record) - 1)], **SEAL)


def test_the_first_key_seals_and_all_keys_open():
    old, both = KeyRing([("a", KEY_A)]), KeyRing([("b", KEY_B), ("a", KEY_A)])
    assert both.open(old.seal(b"x", **SEAL), **SEAL) == b"x"
    with pytest.raises(VaultError, match="needs the vault key 'b'"):
        old.open(both.seal(b"x", **SEAL), **SEAL)


def test_another_key_under_the_same_name_does_not_open():
    with pytest.raises(VaultError, match="the key is another one"):
        KeyRing([("a", KEY_B)]).open(KeyRing([("a", KEY_A)]).seal(b"x", **SEAL), **SEAL)


def test_a_ring_is_read_from_text_and_shows_no_key():
    text = f"a:{base64.b64encode(KEY_A).decode()}, b:{base64.urlsafe_b64encode(KEY_B).decode().rstrip('=')}"
    ring = KeyRing.from_text(text)
    assert ring.key_ids == ("a", "b")
    assert ring.key("b") == KEY_B
    assert repr(ring) == "KeyRing(a, b)"


BASE64_A = base64.b64encode(KEY_A).decode()


@pytest.mark.parametrize("kind", ["vault", "session"])
@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "There is no {} key."),
        (" ,\n", "There is no {} key."),
        ("a", "{} key number 1 is not 'name:base64'."),
        ("a:", "{} key number 1 is not 'name:base64'."),
        (f"a:{BASE64_A[:-4]}!{BASE64_A[-4:]}", "{} key number 1 is not 'name:base64'."),
        (f"a:{BASE64_A}=", "{} key number 1 is not 'name:base64'."),
        (f"a:{BASE64_A}\nb:ä", "{} key number 2 is not 'name:base64'."),
        (f"{BASE64_A}:a234", "{} key number 1 is shorter than 32 bytes."),
        (f":{BASE64_A}", "{} key number 1 needs a name without ':', ',' or spaces."),
        (f"a b:{BASE64_A}", "{} key number 1 needs a name without ':', ',' or spaces."),
        (f"a:{BASE64_A},a:{BASE64_A}", "Two {} keys have the same name."),
    ],
)
def test_malformed_key_text_is_refused_alike_for_both_settings_without_quoting_it(kind: str, text: str, refusal: str):
    with pytest.raises(ConfigurationError) as raised:
        KeyRing.from_text(text) if kind == "vault" else parse_keys(text)
    assert raised.value.message == refusal.format(kind.capitalize() if refusal.startswith("{}") else kind)
    assert BASE64_A[:10] not in str(raised.value)


def test_keys_may_stand_one_to_a_line_with_spaces_around_them():
    lines = f"\n a : {BASE64_A} \r\nb:{base64.urlsafe_b64encode(KEY_B).decode()}\n"
    assert read_keys(lines, "session") == {"a": KEY_A, "b": KEY_B}


def test_a_vault_key_has_32_bytes_and_a_session_key_may_have_more():
    text = f"a:{base64.b64encode(KEY_A + b'x').decode()}"
    assert parse_keys(text) == {"a": KEY_A + b"x"}
    with pytest.raises(ConfigurationError, match="A vault key is 32 bytes long"):
        KeyRing.from_text(text)


# The key file


def test_a_key_file_is_private_and_is_read_again_as_it_was(tmp_path: Path):
    path = tmp_path / "config" / "vault.keys"
    ring = KeyRing.from_file(path)
    assert KeyRing.from_file(path).to_text() == ring.to_text()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["vault.keys"]


def test_processes_that_create_the_key_file_at_once_get_the_same_key(tmp_path: Path):
    path = tmp_path / "vault.keys"
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(lambda _: KeyRing.from_file(path), range(64)))
    assert len({ring.to_text() for ring in rings}) == 1


def test_a_key_added_to_the_file_seals_from_then_on_and_older_rings_open_it(tmp_path: Path):
    path = tmp_path / "vault.keys"
    running = KeyRing.from_file(path)
    old = running.seal(b"x", **SEAL)
    rotated = add_key_to_file(path)
    new = rotated.seal(b"y", **SEAL)
    assert rotated.open(old, **SEAL) == b"x"
    assert running.open(new, **SEAL) == b"y"
    assert running.key_ids == rotated.key_ids


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()])
def test_a_key_file_that_cannot_be_read_is_a_vault_error(tmp_path: Path, damage: Callable[[Path], None]):
    path = tmp_path / "vault.keys"
    damage(path)
    with pytest.raises(VaultError, match="cannot be read"):
        KeyRing.from_file(path)


# Small sealed texts


def test_a_sealed_text_is_url_safe_and_opens_in_its_context_until_its_time_is_over():
    ring = KeyRing.generate()
    text = ring.seal_token("page", "ana", {"after": "ü/?&="}, expires_at=NOW + timedelta(seconds=10))
    assert all(sign.isalnum() or sign in "-_" for sign in text)
    assert ring.open_token("page", "ana", text, now=NOW) == {"after": "ü/?&="}
    for kind, context, at in (
        ("page", "bea", NOW),
        ("state", "ana", NOW),
        ("page", "ana", NOW + timedelta(seconds=10)),
    ):
        with pytest.raises(BrokenSealError):
            ring.open_token(kind, context, text, now=at)


@pytest.mark.parametrize("text", ["", "A", "not base64!", "AAAA" * 20, "ä"])
def test_a_text_that_was_never_sealed_does_not_open(text: str):
    with pytest.raises(BrokenSealError):
        KeyRing.generate().open_token("page", "ana", text, now=NOW)
