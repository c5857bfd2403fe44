"""Scalekit's proxy: raw calls, and Microsoft Graph reached through it."""
