"""Who owns a mailbox, where nobody else tells (`GET /me`).

Source: Get user. A work or school account's id is the GUID of its directory object; that of a personal account is
sixteen hexadecimal digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scalekit_mcp.microsoft.graph.client import GraphSession
from scalekit_mcp.microsoft.graph.requests import GraphRequest
from scalekit_mcp.microsoft.identity.id_token import is_guid

_PERSONAL_ID = re.compile(r"[0-9A-Fa-f]{16}")


@dataclass(frozen=True, slots=True)
class MailboxOwner:
    """The user's own address and object id (None: not known, or a personal account)."""

    address: str = field(default="", repr=False)
    oid: str | None = None
    personal: bool = False


async def mailbox_owner(session: GraphSession) -> MailboxOwner:
    """The owner of the mailbox; needs the permission User.Read. Raises what `GraphSession.send` raises."""
    request = GraphRequest("GET", "/me", params={"$select": "id,mail,userPrincipalName"})
    body = (await session.send(request)).body
    user_id = body.get("id")
    addresses = (body.get("mail"), body.get("userPrincipalName"))
    address = next((text for text in addresses if isinstance(text, str) and "@" in text), "")
    if not isinstance(user_id, str):
        return MailboxOwner(address)
    personal = _PERSONAL_ID.fullmatch(user_id) is not None
    return MailboxOwner(address, user_id if is_guid(user_id) else None, personal)
