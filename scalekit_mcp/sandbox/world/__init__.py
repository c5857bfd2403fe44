"""The sandbox's one state: people, tenants, applications, mailboxes, the clock, the switches and what was received."""

from __future__ import annotations

from scalekit_mcp.sandbox.world.state import (
    CONSUMER_TENANT,
    AppRegistration,
    EnterpriseApp,
    GraphFault,
    MailRecord,
    Person,
    RecordedRequest,
    SandboxClock,
    Switches,
    Tenant,
    TokenFault,
    World,
)

__all__ = [
    "CONSUMER_TENANT",
    "AppRegistration",
    "EnterpriseApp",
    "GraphFault",
    "MailRecord",
    "Person",
    "RecordedRequest",
    "SandboxClock",
    "Switches",
    "Tenant",
    "TokenFault",
    "World",
]
