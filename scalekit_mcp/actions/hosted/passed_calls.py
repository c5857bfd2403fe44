"""Calls of the caller's own making to Microsoft Graph, for hosted accounts: once, through Scalekit's proxy."""

from __future__ import annotations

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.provider_call import ProviderCall, ProviderResponse
from scalekit_mcp.errors import AuthorizationRequired, OutcomeUnknown
from scalekit_mcp.scalekit import AnswerLostError, ProxiedGraph, ScalekitProxy

_IMMUTABLE_ID = 'IdType="ImmutableId"'


class PassedCalls:
    """Sends them as they are; what comes back is Microsoft's answer, whatever its status."""

    def __init__(self, proxy: ScalekitProxy, endpoint: ProxiedGraph, active: ActiveAccounts) -> None:
        self._proxy = proxy
        self._endpoint = endpoint
        self._active = active

    async def send(self, key: AccountKey, path: str, call: ProviderCall) -> ProviderResponse:
        """The answer to one call; immutable ids are asked for unless the call says which ids it wants.

        Raises `ScalekitMCPError` where it was not Microsoft that refused, and for an account that is not ACTIVE.
        """
        await self._active.require(key)
        headers = dict(call.headers)
        prefer = headers.get("Prefer", "")
        if "idtype" not in prefer.casefold():
            headers["Prefer"] = f"{_IMMUTABLE_ID}, {prefer}" if prefer else _IMMUTABLE_ID
        try:
            answer = await self._proxy.send(
                call.method,
                path,
                connection_name=key.connection_name,
                identifier=key.identifier,
                params=call.query or None,
                headers=headers,
                content=call.content,
            )
        except AnswerLostError as lost:
            raise OutcomeUnknown(
                "The request was sent through Scalekit's proxy and no answer came: it may or may not have been done.",
                next_step="Read what it was to change before you repeat it.",
            ) from lost
        if 300 <= answer.status_code < 500:
            error = self._endpoint.refusal(answer.status_code, answer.headers, answer.content).error
            if error is not None:
                explained = await self._active.explained(key, error)
                if explained is not error or not isinstance(error, AuthorizationRequired):
                    raise explained
        return ProviderResponse.of(answer.status_code, answer.headers, answer.content)
