"""Sealing: AES-256-GCM under a ring of named keys, with a subkey for each record (RFC 5869, NIST SP 800-38D).

A sealed record names its key, so that a ring can be rotated while it serves: the first key seals, all of them open.
The associated data binds a record to its key, its kind and its owner: a record copied to another account does not open.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scalekit_mcp.errors import ConfigurationError, VaultError

_FORMAT = 1
KEY_BYTES = 32
_NONCE_BYTES = 12


class BrokenSealError(ValueError):
    """A small sealed text is damaged, expired, of another kind or of another context."""


class KeyRing:
    """Named 32-byte keys, in order: the first seals, all open. Keys never show in a `repr`.

    `source` is a key file that is read again when a record names a key the ring does not hold, so that a rotation by
    another process needs no restart.
    """

    def __init__(self, keys: Sequence[tuple[str, bytes]], *, source: Path | None = None) -> None:
        _check_keys(keys, "vault")
        if any(len(key) != KEY_BYTES for _, key in keys):
            raise ConfigurationError(f"A vault key is {KEY_BYTES} bytes long, neither more nor less.")
        self._keys = dict(keys)
        self._source = source

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of the keys; the first one seals."""
        return tuple(self._keys)

    @property
    def sealing_key_id(self) -> str:
        """The name of the key that seals."""
        return next(iter(self._keys))

    @classmethod
    def generate(cls) -> KeyRing:
        """A ring of one new key that nobody else knows, for a vault in memory."""
        return cls([(_new_key_id(), secrets.token_bytes(KEY_BYTES))])

    @classmethod
    def from_text(cls, text: str, *, source: Path | None = None, kind: str = "vault") -> KeyRing:
        """The ring of the keys that `read_keys` reads, of 32 bytes each; raises `ConfigurationError`."""
        return cls(list(read_keys(text, kind).items()), source=source)

    @classmethod
    def from_file(cls, path: Path, *, create: bool = True, kind: str = "vault") -> KeyRing:
        """Read the key file at `path`; create it (mode 0600, one new key) if there is none and `create` is true.

        Two processes that create it at once end with the same key.

        Raises:
            ConfigurationError: the file is malformed.
            VaultError: it cannot be read or written.
        """
        try:
            if create and not path.exists():
                _create_key_file(path)
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as exc:
            raise VaultError(f"The {kind} key file {path} cannot be read or written.") from exc
        return cls.from_text(text, source=path, kind=kind)

    def to_text(self) -> str:
        """The ring as `from_text` reads it. It holds the keys: write it nowhere but into a key file."""
        return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in self._keys.items())

    def key(self, key_id: str) -> bytes | None:
        """The key of this name; the key file is read again for a name that is not known yet, with its order."""
        if key_id not in self._keys and self._source is not None and self._source.exists():
            self._keys = KeyRing.from_file(self._source, create=False)._keys | self._keys
        return self._keys.get(key_id)

    # Records of the vault

    def seal(
        self, plaintext: bytes, *, kind: str, owner: str, context: Sequence[str], key_id: str | None = None
    ) -> bytes:
        """Seal a record. `owner` (an account's id) chooses the subkey; `kind` and `context` are associated data.

        The first key seals, unless `key_id` names another one of the ring.
        """
        key_id = key_id or self.sealing_key_id
        nonce = os.urandom(_NONCE_BYTES)
        name = key_id.encode()
        cipher = AESGCM(_subkey(self._keys[key_id], kind, owner))
        sealed = cipher.encrypt(nonce, plaintext, _associated(key_id, kind, context))
        return bytes((_FORMAT, len(name))) + name + nonce + sealed

    def open(self, record: bytes, *, kind: str, owner: str, context: Sequence[str]) -> bytes:
        """Open a record.

        Raises:
            VaultError: it is damaged, belongs elsewhere, or its key is not on the ring; nothing is changed.
        """
        subject = f"The sealed {kind} of '{context[-1]}'"
        key_id, nonce, sealed = _parse(record, subject)
        key = self.key(key_id)
        if key is None:
            raise VaultError(
                f"{subject} needs the vault key '{key_id}', which is not among the keys given "
                f"({', '.join(self._keys)}). Nothing was overwritten.",
                next_step="The operator adds the missing key to the vault keys and starts again.",
            )
        try:
            return AESGCM(_subkey(key, kind, owner)).decrypt(nonce, sealed, _associated(key_id, kind, context))
        except InvalidTag:
            raise VaultError(
                f"{subject} does not open with the vault key '{key_id}': the key is another one, or the record was "
                "damaged or copied from another account. Nothing was overwritten.",
                next_step="The operator restores the right vault key, or the database from a backup.",
            ) from None

    # Small sealed texts: page cursors, the state of an admin consent

    def seal_token(
        self, kind: str, context: str, payload: Mapping[str, Any], *, expires_at: datetime | None = None
    ) -> str:
        """Seal a small JSON object into url-safe text, bound to `kind` and `context`."""
        body = {"p": dict(payload), "e": None if expires_at is None else int(expires_at.timestamp())}
        sealed = self.seal(json.dumps(body, separators=(",", ":")).encode(), kind=kind, owner="text", context=[context])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open_token(self, kind: str, context: str, text: str, *, now: datetime) -> dict[str, Any]:
        """Open what `seal_token` made.

        Raises:
            BrokenSealError: it is damaged, of another kind or context, or its time is over.
        """
        try:
            record = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            body = json.loads(self.open(record, kind=kind, owner="text", context=[context]))
        except (ValueError, VaultError):
            raise BrokenSealError("The sealed text is damaged or belongs elsewhere.") from None
        if body["e"] is not None and datetime.fromtimestamp(body["e"], UTC) <= now:
            raise BrokenSealError("The time of the sealed text is over.")
        return body["p"]


def read_keys(text: str, kind: str) -> dict[str, bytes]:
    """Read `name:base64,name:base64`, also one to a line: keys of 32 bytes or more, in standard or url-safe base64.

    `kind` ("vault", "session") says in errors which keys these are.

    Raises:
        ConfigurationError: there is no key, or one is malformed, short or named twice; the message never quotes a key.
    """
    keys: list[tuple[str, bytes]] = []
    for number, part in enumerate((piece for piece in text.replace("\n", ",").split(",") if piece.strip()), 1):
        key_id, colon, encoded = part.partition(":")
        plain = encoded.strip().translate(str.maketrans("-_", "+/"))
        try:
            key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except ValueError:
            key = b""
        if not colon or not key:
            raise ConfigurationError(f"{kind.capitalize()} key number {number} is not 'name:base64'.")
        keys.append((key_id.strip(), key))
    _check_keys(keys, kind)
    return dict(keys)


def _check_keys(keys: Sequence[tuple[str, bytes]], kind: str) -> None:
    if not keys:
        raise ConfigurationError(f"There is no {kind} key.")
    for number, (key_id, key) in enumerate(keys, 1):  # the name is not quoted: it may be the key, written first
        if not key_id or len(key_id.encode()) > 255 or any(sign in key_id for sign in ":, \t\r\n"):
            raise ConfigurationError(
                f"{kind.capitalize()} key number {number} needs a name without ':', ',' or spaces."
            )
        if len(key) < KEY_BYTES:
            raise ConfigurationError(f"{kind.capitalize()} key number {number} is shorter than {KEY_BYTES} bytes.")
    if len({key_id for key_id, _ in keys}) != len(keys):
        raise ConfigurationError(f"Two {kind} keys have the same name.")


def add_key_to_file(path: Path) -> KeyRing:
    """Put a new key in front of the key file, atomically; old records open as before, new ones use the new key."""
    ring = KeyRing.from_file(path, create=False)
    text = KeyRing([(_new_key_id(), secrets.token_bytes(KEY_BYTES)), *ring._keys.items()]).to_text()  # pyright: ignore[reportPrivateUsage] - same module
    temporary = _write_private(path, text)
    try:
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise VaultError(f"The vault key file {path} cannot be written; it is as it was.") from exc
    return KeyRing.from_file(path, create=False)


def sha256_text(secret: str) -> str:
    """The SHA-256 of a text in hexadecimal, by which a stored random secret is found."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same_text(first: str | None, second: str | None) -> bool:
    """Compare in constant time; None equals nothing."""
    return first is not None and second is not None and hmac.compare_digest(first.encode(), second.encode())


def _parse(record: bytes, subject: str) -> tuple[str, bytes, bytes]:
    length = record[1] if len(record) > 1 else 0
    if len(record) < 2 + length + _NONCE_BYTES + 16 or record[0] != _FORMAT or not length:
        raise VaultError(
            f"{subject} is truncated or not a sealed record. Nothing was overwritten.",
            next_step="The operator restores the database from a backup.",
        )
    start = 2 + length
    name = record[2:start].decode("utf-8", "replace")
    return name, record[start : start + _NONCE_BYTES], record[start + _NONCE_BYTES :]


def _subkey(key: bytes, kind: str, owner: str) -> bytes:
    # HKDF-SHA256 (RFC 5869) for one block of output, on hmac: a tenth of the cost of a general implementation.
    extracted = hmac.digest(b"scalekit-mcp vault", key, "sha256")
    return hmac.digest(extracted, _joined([kind, owner]) + b"\x01", "sha256")


def _associated(key_id: str, kind: str, context: Sequence[str]) -> bytes:
    return _joined([key_id, kind, *context])


def _joined(parts: Sequence[str]) -> bytes:
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _new_key_id() -> str:
    return "k" + secrets.token_hex(4)


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _write_private(path, KeyRing.generate().to_text())
    try:
        os.link(temporary, path)  # appears whole or not at all, and never replaces another process's key
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileExistsError):
            _write_exclusive(path, temporary.read_text("ascii"))
    finally:
        temporary.unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    _write_exclusive(temporary, text)
    return temporary


def _write_exclusive(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
