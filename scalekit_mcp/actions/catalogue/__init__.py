"""Tools of Scalekit's Outlook catalogue that our own tools do under another name or with other parameters."""
