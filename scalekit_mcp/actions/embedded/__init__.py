"""Our own vault, the operator's Azure app, Microsoft Graph directly."""
