"""Item ids: opaque, case-sensitive, URL-safe base64, 152 characters (168 for an occurrence).

A mutable id holds a counter of the moves of its item, so that it changes when the item moves to another folder; the
immutable id does not (Graph page "Obtain immutable identifiers for Outlook resources"). Both forms are accepted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import date

_MUTABLE = bytes.fromhex("00032400")
_IMMUTABLE = bytes.fromhex("002400")
_ITEM_BYTES = 114
_OCCURRENCE_BYTES = 126


@dataclass(frozen=True, slots=True)
class ItemId:
    """What an id says: the item's key (16 bytes in hex), its moves (None in an immutable id), the occurrence's date."""

    key: str
    moves: int | None
    occurrence: date | None = None


def encode(mailbox: str, item: ItemId) -> str:
    """The text of an id; `mailbox` is the owner's object id."""
    head = _IMMUTABLE if item.moves is None else _MUTABLE
    body = bytes.fromhex(item.key) + (item.moves or 0).to_bytes(4, "big")
    length = _ITEM_BYTES
    if item.occurrence is not None:
        body += item.occurrence.toordinal().to_bytes(4, "big")
        length = _OCCURRENCE_BYTES
    owner = hashlib.sha256(mailbox.encode()).digest()[: length - 32 - len(body) - len(head)]
    filler = (owner * 4)[: length - 32 - len(body) - len(head)]
    payload = head + filler + body
    return base64.urlsafe_b64encode(payload + hashlib.sha256(mailbox.encode() + payload).digest()).decode()


def decode(mailbox: str, text: str) -> ItemId | None:
    """What an id of this mailbox says; None for anything else, also in another letter case."""
    if len(text) not in (152, 168):
        return None
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, check = raw[:-32], raw[-32:]
    if hashlib.sha256(mailbox.encode() + payload).digest() != check:
        return None
    occurrence = None
    if len(raw) == _OCCURRENCE_BYTES:
        occurrence = date.fromordinal(int.from_bytes(payload[-4:], "big"))
        payload = payload[:-4]
    moves = int.from_bytes(payload[-4:], "big") if payload.startswith(_MUTABLE) else None
    return ItemId(payload[-20:-4].hex(), moves, occurrence)


def change_key(mailbox: str, key: str, version: int) -> str:
    """The change key of one version of an item: 32 characters of base64."""
    digest = hashlib.sha256(f"{mailbox}/{key}/{version}".encode()).digest()[:14]
    return base64.b64encode(digest + version.to_bytes(8, "big")).decode()
