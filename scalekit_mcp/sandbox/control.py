"""The switches of a sandbox: every failure that an experimenter can turn on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scalekit_mcp.sandbox.world import World

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.dispatch import Dispatcher


class Controls:
    """Holds the world and its two halves, and turns the switches."""

    def __init__(self, *, seed: int, week_of: datetime | None) -> None:
        self._seed = seed
        self._week_of = week_of
        self._base_url = "http://localhost"
        self.reset()

    def reset(self) -> None:
        """Start over: a new world from the same seed. `world`, `people` and `clock` are new objects afterwards."""
        from scalekit_mcp.sandbox.dispatch import Dispatcher, build
        from scalekit_mcp.sandbox.seed import seed

        world = World(seed=self._seed, week_of=self._week_of)
        world.base_url = self._base_url
        seed(world)
        self.world = world
        self.halves = build(world)
        if not hasattr(self, "dispatcher"):
            self.dispatcher: Dispatcher = Dispatcher(self)

    @property
    def base_url(self) -> str:
        """Where the sandbox is reached."""
        return self._base_url

    @base_url.setter
    def base_url(self, value: str) -> None:
        self._base_url = self.world.base_url = value
