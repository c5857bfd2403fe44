"""Lists of events: a query or a window of time, page by page."""
