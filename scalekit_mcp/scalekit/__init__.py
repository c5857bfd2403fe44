"""Hosted by Scalekit: its REST API, and a user's mailbox by way of its tools."""
