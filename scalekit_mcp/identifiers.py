"""The identifier: the operator's own string for a user. One rule, wherever an identifier comes in.

Settings, session tokens, access tokens, the gateway's header, REST, Python and the command line all ask here.
"""

from __future__ import annotations

import re

from scalekit_mcp.errors import InvalidInput

MAX_IDENTIFIER_CHARACTERS = 100

# C0 and C1 control characters, DEL, the line ends of Unicode, and halves of surrogate pairs, which no UTF-8 text holds.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NAMES_AN_ACCOUNT = re.compile(f"ms:(?P<tid>{_GUID}):(?P<oid>{_GUID})")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_identifier(value: object) -> str:
    """The identifier, unchanged; raises `InvalidInput` (`field` is `identifier`) for what cannot be one.

    It has 1 to 100 characters, one of which is not white space, and no control character, line end or half of a
    surrogate pair. The refusal does not repeat it.
    """
    if not isinstance(value, str):
        raise _refused("is text")
    if not 1 <= len(value) <= MAX_IDENTIFIER_CHARACTERS:
        raise _refused(f"has 1 to {MAX_IDENTIFIER_CHARACTERS} characters, not {len(value)}")
    if _FORBIDDEN.search(value):
        raise _refused("has no control characters, line ends or halves of surrogate pairs")
    if value.isspace():
        raise _refused("is more than white space")
    return value


def account_named_by(identifier: str) -> tuple[str, str] | None:
    """The Microsoft account that an identifier itself names, `ms:{tid}:{oid}`, as (tid, oid); None for any other one.

    Such an identifier is connected with that account and never with another.
    """
    found = _NAMES_AN_ACCOUNT.fullmatch(identifier.casefold())
    return None if found is None else (found["tid"], found["oid"])


def identifier_naming(tid: str, oid: str) -> str:
    """The identifier that names a Microsoft account: both parts are GUIDs that never change hands."""
    return f"ms:{tid}:{oid}".lower()


def has_lone_surrogate(text: str) -> bool:
    """Whether a text holds half of a surrogate pair: JSON can spell one, UTF-8 cannot carry it."""
    return _SURROGATE.search(text) is not None


def _refused(rule: str) -> InvalidInput:
    return InvalidInput(
        f"The identifier is not valid: an identifier {rule}.",
        field="identifier",
        next_step="Use the identifier that the operator's own system has for the user.",
    )
