"""Which way the calls of a hosted connection take: Scalekit's proxy to Microsoft Graph, or Scalekit's own tools."""

from __future__ import annotations

import logging

from scalekit_mcp.settings import HostedCalls

logger = logging.getLogger(__name__)


class CallWays:
    """The way that calls take in this process: as set, or with `auto` the proxy until Scalekit says it is off.

    Scalekit enables its proxy for a provider and an environment, so that what one call learns holds for all.
    """

    def __init__(self, setting: HostedCalls) -> None:
        self._setting = setting
        self._proxy = setting != "tools"

    @property
    def over_proxy(self) -> bool:
        """Whether calls go through the proxy now."""
        return self._proxy

    @property
    def may_fall_back(self) -> bool:
        """Whether a call may go on through the tools where the proxy is off."""
        return self._setting == "auto"

    def fall_back(self) -> None:
        """Take the tools from now on; said once in the log."""
        if not self._proxy:
            return
        self._proxy = False
        logger.warning(
            "Scalekit's proxy is not enabled for this provider: calls go through Scalekit's own tools from now on, "
            "which refuse some parameters (SCALEKIT_MCP_HOSTED_CALLS=tools says so from the start)"
        )
