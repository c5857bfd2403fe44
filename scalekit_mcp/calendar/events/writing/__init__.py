"""Events as they are written to Microsoft: bodies, attendees, series and where these are cut."""
