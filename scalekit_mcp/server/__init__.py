"""WHAT CLIENTS SEE: MCP, callers, consent and its pages."""
