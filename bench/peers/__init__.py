"""Other MCP servers for Outlook calendars, measured beside ours and the floor against the same sandbox."""
