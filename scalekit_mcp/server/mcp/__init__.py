"""Tool calls over MCP, whatever carries them."""
