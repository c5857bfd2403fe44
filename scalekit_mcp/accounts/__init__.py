"""WHO IS CONNECTED: connected accounts, their statuses, the vault. Knows no provider and no MCP."""
