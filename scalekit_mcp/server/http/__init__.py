"""One ASGI application for remote clients, and its bounds."""
