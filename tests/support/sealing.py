"""A page sealer for tests of the Microsoft room: authenticated, bound to its context, not encrypted."""

import base64
import hashlib
import hmac


class Sealer:
    """Seals with HMAC-SHA256 over context and payload."""

    def __init__(self, key: bytes = b"a test's key") -> None:
        self._key = key

    def seal(self, payload: bytes, context: bytes) -> str:
        return base64.urlsafe_b64encode(self._mac(payload, context) + payload).decode()

    def open(self, token: str, context: bytes) -> bytes:
        raw = base64.urlsafe_b64decode(token)
        mac, payload = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, self._mac(payload, context)):
            raise ValueError("not a token of this context")
        return payload

    def _mac(self, payload: bytes, context: bytes) -> bytes:
        return hmac.new(self._key, context + b"\0" + payload, hashlib.sha256).digest()
