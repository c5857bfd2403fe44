"""The page about troubles quotes errors in the words that the code has."""

from __future__ import annotations

import pytest
from docs_support import ROOT

QUOTED = (
    ("is not enabled for this provider", "scalekit_mcp/scalekit/proxy/proxy.py"),
    ("proxy not enabled for provider: SCALEKIT_MCP_REST_PROXY turns it on", "scalekit_mcp/server/rest/proxy.py"),
    ("headers whose names have an underscore", "scalekit_mcp/scalekit/proxy/proxied_graph.py"),
    ("There is no connection ", "scalekit_mcp/actions/inputs.py"),
    ("the connection of the calendar", "scalekit_mcp/settings/checks.py"),
    ("The token was not issued for this server.", "scalekit_mcp/server/callers/oidc.py"),
    ("is from another authorization server", "scalekit_mcp/server/callers/oidc.py"),
    ("it could not be reached", "evaluation/models/endpoint.py"),
    ("something that is no JSON object", "evaluation/models/endpoint.py"),
    ("as the protocol wants it", "evaluation/models/endpoint.py"),
)


@pytest.mark.parametrize(("words", "file"), QUOTED)
def test_an_error_is_quoted_as_the_code_has_it(words: str, file: str) -> None:
    page = " ".join((ROOT / "docs" / "troubleshooting.md").read_text("utf-8").split())
    assert words.strip() in page
    assert words in (ROOT / file).read_text("utf-8")
