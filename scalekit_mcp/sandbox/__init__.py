"""A MICROSOFT LOOK-ALIKE for demonstrations and tests; shares no code with what it imitates."""
