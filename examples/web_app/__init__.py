"""A small web application that connects its own users' calendars; explained in docs/embedding.md."""
