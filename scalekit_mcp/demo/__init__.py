"""The guided tour: a real MCP client, a real server process over stdio, and the built-in Microsoft."""
