"""What a calendar means: the operations of the tools on a mailbox. It knows events, not HTTP."""
