"""Tasks for a language model in front of the MCP server, graded by the sandbox's calendars afterwards."""
