"""The tools of the toolset `scheduling` on one connected account's mailbox."""
