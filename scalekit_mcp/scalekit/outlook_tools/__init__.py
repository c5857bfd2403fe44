"""The calendar by Scalekit's own Outlook tools, where its proxy is not used."""
