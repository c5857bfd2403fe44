"""What calendars do: events, meetings, series, Teams meetings and the week that everybody finds."""
