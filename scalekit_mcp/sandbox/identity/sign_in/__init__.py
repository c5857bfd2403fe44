"""What a browser meets on the way to a code: authorization requests, consent, device codes."""
