"""A pytest plugin: test an Outlook agent, synchronous or not, against a sandbox of its own.

It is found by itself where this package is installed; `-p no:scalekit_mcp.sandbox.pytest_plugin` leaves it out.

```python
def test_my_agent_books_a_meeting(outlook_sandbox):
    my_agent(environment=outlook_sandbox.environment(outlook_sandbox.url)).run("book lunch with Alice")
    assert any(request.method == "POST" for request in outlook_sandbox.requests if request.area == "graph")
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scalekit_mcp.sandbox import Sandbox


@pytest.fixture
def outlook_sandbox_options() -> dict[str, Any]:
    """Arguments of `Sandbox`: define a fixture of this name to give `seed` or `week_of`."""
    return {}


@pytest.fixture
def outlook_sandbox(outlook_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """A running sandbox, fresh for this test; `url` is where it answers.

    It serves from a thread of its own, so that code under test may block or bring its own event loop.
    """
    from anyio.from_thread import start_blocking_portal

    from scalekit_mcp.sandbox import Sandbox

    sandbox = Sandbox(**outlook_sandbox_options)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(sandbox.serve()):
        yield sandbox
