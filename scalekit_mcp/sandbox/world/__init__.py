"""The sandbox's one state: people, tenants, applications, mailboxes, the clock, the switches and what was received."""

from __future__ import annotations

from scalekit_mcp.sandbox.world.clock import SandboxClock
from scalekit_mcp.sandbox.world.directory import CONSUMER_TENANT, AppRegistration, EnterpriseApp, Person, Tenant
from scalekit_mcp.sandbox.world.records import MailRecord, RecordedRequest
from scalekit_mcp.sandbox.world.state import World
from scalekit_mcp.sandbox.world.switches import GraphFault, Switches, TokenFault

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
