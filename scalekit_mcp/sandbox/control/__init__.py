"""The switches over Python and HTTP, and the start page."""
