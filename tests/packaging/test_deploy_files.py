"""What `deploy/` and the container file name exists: settings, sources, lock file, routes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from packaging_support import ROOT
from test_bundle import variables

from scalekit_mcp.server.http.protocol import IDLE_SECONDS
from scalekit_mcp.server.http.serving import DRAIN_SECONDS

DEPLOY = ROOT / "deploy"
CONTAINER = (DEPLOY / "Containerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def test_the_container_file_copies_what_there_is_and_runs_as_nobody_special():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINER, re.MULTILINE)
    assert copied
    assert not [name for line in copied for name in line.split() if not (ROOT / name).exists()]
    assert "--require-hashes -r requirements/server.txt" in CONTAINER
    assert re.search(r"^USER (?!root)\w+$", CONTAINER, re.MULTILINE)
    assert set(re.findall(r"\b(SCALEKIT_MCP_\w+|MICROSOFT_\w+)=", CONTAINER)) <= variables()


def test_the_compose_file_runs_two_replicas_of_one_configuration():
    servers = [service for name, service in COMPOSE["services"].items() if name.startswith("server-")]
    assert len(servers) == 2
    assert servers[0] == servers[1]
    assert set(servers[0]["environment"]) <= variables()
    assert set(servers[0]["secrets"]) == set(COMPOSE["secrets"])
    for value in servers[0]["environment"].values():
        if value.startswith("/run/secrets/"):
            assert value.removeprefix("/run/secrets/") in COMPOSE["secrets"]


def test_no_secret_stands_in_a_deploy_file():
    assert not [v for s in COMPOSE["services"].values() for v in s.get("environment", {}).values() if "password" in v]
    assert (DEPLOY / ".gitignore").read_text("utf-8").split() == ["secrets/", ".env"]
    for name in (".dockerignore", ".containerignore"):
        left_out = (ROOT / name).read_text("utf-8").split()
        assert {"deploy/secrets", "deploy/kubernetes/secrets", "deploy/.env"} <= set(left_out)


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_each_proxy_reaches_both_replicas_and_keeps_the_metrics_inside(name: str):
    text = (DEPLOY / name).read_text("utf-8")
    assert "server-1:8754" in text
    assert "server-2:8754" in text
    for route in ("metrics", "readyz", "healthz"):
        assert route in text


def test_the_servers_lock_holds_the_same_versions_as_the_tested_one():
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements" / name).read_text("utf-8"), re.MULTILINE))

    assert pins("runtime.txt") <= pins("server.txt") <= pins("full.txt")
    assert any(pin.startswith("asyncpg==") for pin in pins("server.txt"))


def test_a_replica_that_stops_has_time_for_the_proxy_to_notice_and_for_its_calls_to_finish():
    server = COMPOSE["services"]["server-1"]
    delay = float(server["environment"]["SCALEKIT_MCP_STOP_DELAY_SECONDS"])
    interval = re.search(r"^\s*health_interval (\d+)s$", (DEPLOY / "Caddyfile").read_text("utf-8"), re.MULTILINE)
    assert interval
    assert int(interval[1]) * 3 < delay
    assert float(server["stop_grace_period"].removesuffix("s")) > delay + DRAIN_SECONDS + 5


def loose(compose: dict[str, Any]) -> list[str]:
    """Which services may do or take more than they need."""
    found: list[str] = []
    for name, service in compose["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        rules = {
            "has no limit": {"cpus", "memory", "pids"} - set(limits),
            "keeps capabilities": service.get("cap_drop") != ["ALL"],
            "adds capabilities": set(service.get("cap_add", [])) - ({"NET_BIND_SERVICE"} if name == "proxy" else set()),
            "may gain privileges": "no-new-privileges:true" not in service.get("security_opt", []),
            "may write its files": not service.get("read_only"),
            "is privileged": service.get("privileged"),
        }
        found += [f"{name} {problem}" for problem, holds in rules.items() if holds]
    return found


def test_no_service_may_do_or_take_more_than_it_needs():
    assert loose(COMPOSE) == []


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("proxy has no limit", lambda all_: all_["proxy"]["deploy"]["resources"]["limits"].pop("memory")),
        ("server-1 keeps capabilities", lambda all_: all_["server-1"].pop("cap_drop")),
        ("database adds capabilities", lambda all_: all_["database"].update(cap_add=["SYS_ADMIN"])),
        ("database may gain privileges", lambda all_: all_["database"].pop("security_opt")),
        ("proxy may write its files", lambda all_: all_["proxy"].pop("read_only")),
        ("server-2 is privileged", lambda all_: all_["server-2"].update(privileged=True)),
    ],
)
def test_a_service_that_may_is_noticed(expected: str, change: Callable[[dict[str, Any]], Any]):
    compose = copy.deepcopy(COMPOSE)
    change(compose["services"])
    assert expected in loose(compose)


@pytest.mark.parametrize(
    ("file", "pattern"), [("Caddyfile", r"\bkeepalive (\d+)s"), ("nginx.conf", r"keepalive_timeout (\d+)s;")]
)
def test_a_proxy_drops_idle_connections_before_a_replica_closes_them(file: str, pattern: str) -> None:
    (seconds,) = re.findall(pattern, (DEPLOY / file).read_text("utf-8"))
    assert int(seconds) < IDLE_SECONDS
