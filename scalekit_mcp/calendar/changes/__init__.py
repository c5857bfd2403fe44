"""Changes of events: updating, deleting, cutting a series, single dates of one, `only_if_free`."""
