"""Small values that the browser keeps for us: sealed, bound to their purpose, short-lived."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from typing import Any, cast

from scalekit_mcp.clock import Clock

_INFO = b"scalekit-mcp/browser/v1"
_NONCE_BYTES = 12


class Sealer:
    """AES-256-GCM under keys derived with HKDF-SHA256; the first seals, all open; no key means one of this process."""

    def __init__(self, keys: Sequence[bytes], clock: Clock) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        material = list(keys) or [secrets.token_bytes(32)]
        self._ciphers = [AESGCM(HKDF(SHA256(), length=32, salt=None, info=_INFO).derive(key)) for key in material]
        self._clock = clock

    def seal(self, purpose: str, value: dict[str, Any], *, lifetime_seconds: int) -> str:
        """The value as URL-safe text that only `open` with the same purpose understands."""
        expires_at = self._clock.now().timestamp() + lifetime_seconds
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps({"exp": expires_at, "v": value}).encode()
        sealed = self._ciphers[0].encrypt(nonce, plain, purpose.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """The value, or None for anything that is not ours, not for this purpose, or over its time."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                plain = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode())
            except (InvalidTag, ValueError):
                continue
            content = json.loads(plain)
            fresh = content["exp"] > self._clock.now().timestamp()
            return cast("dict[str, Any]", content["v"]) if fresh else None
        return None
