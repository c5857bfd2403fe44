"""What clients see: the MCP server, its callers, the consent in the client, the pages, REST. Alone imports `mcp`."""
