"""The seam beneath the server: the embedded actions on the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.watched_actions import WatchedActions, watched_actions


@pytest.fixture
async def actions() -> AsyncIterator[WatchedActions]:
    async with watched_actions() as actions:
        yield actions


@pytest.fixture
async def actions_with_codes() -> AsyncIterator[WatchedActions]:
    """Whoever signs in types the code that the page shows, too."""
    async with watched_actions(user_verification="confirm") as actions:
        yield actions
