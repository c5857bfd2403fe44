"""The ASGI application for remote clients, and its limits."""
