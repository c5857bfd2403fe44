"""Time zones as people write them: IANA and Windows names, and abbreviations."""
