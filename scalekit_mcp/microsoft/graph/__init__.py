"""Microsoft Graph over HTTP, and what its refusals mean."""
