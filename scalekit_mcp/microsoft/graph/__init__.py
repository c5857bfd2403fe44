"""Microsoft Graph over HTTP, and its errors."""
