"""Page tokens of lists, sealed with a key ring."""

from __future__ import annotations

from base64 import b64decode, b64encode

from scalekit_mcp.accounts import BrokenSealError, KeyRing
from scalekit_mcp.clock import Clock


class SealedPages:
    """Seals and opens page tokens with a key ring."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._ring = ring
        self._clock = clock

    def seal(self, payload: bytes, context: bytes) -> str:
        """A text that only `open` with the same context reads back."""
        return self._ring.seal_token("page", context.hex(), {"page": b64encode(payload).decode()})

    def open(self, token: str, context: bytes) -> bytes:
        """The sealed payload; raises ValueError."""
        try:
            return b64decode(self._ring.open_token("page", context.hex(), token, now=self._clock.now())["page"])
        except BrokenSealError as error:
            raise ValueError("not a page of this account") from error
