"""`deploy/kubernetes/` fits the server and Kubernetes' published schemas; a manifest that does not is noticed."""

from __future__ import annotations

import ast
import copy
import importlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml
from deploy_support import accepted_over_http, example_secrets
from kubernetes_support import (
    FOLDER,
    PROBES,
    Manifest,
    environment_of,
    kustomization,
    lines_of,
    manifests,
    named,
    pod_of,
    problems,
)
from packaging_support import ROOT

from scalekit_mcp.server.http.middleware import OPERATORS_PAGES
from tests.support.remote_process import remote_process

OLDEST, NEWEST = "1.31", "1.37"


def schema_problems(objects: list[Manifest], version: str) -> list[str]:
    """What the API of this version refuses; unknown fields too."""
    from kubernetes_validate import ValidationError, validate

    found: list[str] = []
    for made in objects:
        try:
            validate(made, version, strict=True)
        except ValidationError as error:
            found.append(f"{made['kind']} {'.'.join(map(str, error.path))}: {error.message}")
    return found


def test_the_manifests_fit_the_server():
    assert problems(manifests()) == []


def test_every_file_of_the_folder_is_applied():
    read = kustomization()
    generated = [
        name for made in read["configMapGenerator"] for name in (*made.get("envs", []), *made.get("files", []))
    ]
    named_there = {*read["resources"], *generated, "kustomization.yaml"}
    assert named_there == {path.name for path in FOLDER.iterdir() if path.is_file()}
    images = {container["image"] for container in pod_of(manifests(), "scalekit-mcp")["containers"]}
    assert images == {image["name"] for image in read["images"]}


def server(objects: list[Manifest]) -> Any:
    return pod_of(objects, "scalekit-mcp")["containers"][0]


def set_variable(name: str, value: str) -> Callable[[list[Manifest]], None]:
    return lambda objects: server(objects)["env"].append({"name": name, "value": value})


BROKEN: dict[str, Callable[[list[Manifest]], Any]] = {
    "one replica alone": lambda objects: named(objects, "Deployment", "scalekit-mcp")["spec"].update(replicas=1),
    "the deployment does not select its pods": lambda objects: named(objects, "Deployment", "pgbouncer")["spec"].update(
        selector={"matchLabels": {"app": "other"}}
    ),
    "both replicas may stand on one node": lambda objects: pod_of(objects, "scalekit-mcp").pop(
        "topologySpreadConstraints"
    ),
    "the pod has a token of the cluster": lambda objects: pod_of(objects, "pgbouncer").pop(
        "automountServiceAccountToken"
    ),
    "Kubernetes sets variables for services": lambda objects: pod_of(objects, "scalekit-mcp").pop("enableServiceLinks"),
    "it may run as root": lambda objects: pod_of(objects, "pgbouncer")["securityContext"].pop("runAsNonRoot"),
    "every system call is allowed": lambda objects: pod_of(objects, "pgbouncer")["securityContext"].pop(
        "seccompProfile"
    ),
    "it does not run as the image's user": lambda objects: pod_of(objects, "scalekit-mcp")["securityContext"].update(
        runAsUser=1000
    ),
    "capabilities are kept": lambda objects: server(objects)["securityContext"].pop("capabilities"),
    "privileges may be gained": lambda objects: server(objects)["securityContext"].pop("allowPrivilegeEscalation"),
    "its files may be written": lambda objects: server(objects)["securityContext"].pop("readOnlyRootFilesystem"),
    "its share of the node is open": lambda objects: server(objects)["resources"]["limits"].pop("memory"),
    "a secret stands in a variable": lambda objects: server(objects)["envFrom"].append({"secretRef": {"name": "x"}}),
    "secrets may be written": lambda objects: server(objects)["volumeMounts"][0].pop("readOnly"),
    "secrets is open to every user": lambda objects: pod_of(objects, "scalekit-mcp")["volumes"][0]["secret"].pop(
        "defaultMode"
    ),
    "SCALEKIT_MCP_VAULT_KEY is no setting": set_variable("SCALEKIT_MCP_VAULT_KEY", "x"),
    "SCALEKIT_MCP_VAULT_KEYS stands in the manifest": set_variable("SCALEKIT_MCP_VAULT_KEYS", "x"),
    "SCALEKIT_MCP_WEBHOOK_SECRET_FILE names a file that is not mounted": set_variable(
        "SCALEKIT_MCP_WEBHOOK_SECRET_FILE", "/run/other/webhook_secret"
    ),
    "the port is not the one that is listened on": set_variable("SCALEKIT_MCP_PORT", "8080"),
    "livenessProbe does not ask /healthz": lambda objects: server(objects)["livenessProbe"]["httpGet"].update(
        path="/health"
    ),
    "readinessProbe does not ask /readyz": lambda objects: server(objects)["readinessProbe"]["httpGet"].update(
        port="web"
    ),
    "startupProbe does not ask /healthz": lambda objects: server(objects).pop("startupProbe"),
    "calls are refused before the pod is known to stop": lambda objects: server(objects)["readinessProbe"].update(
        periodSeconds=10
    ),
    "it is killed while calls are in flight": lambda objects: pod_of(objects, "scalekit-mcp").update(
        terminationGracePeriodSeconds=40
    ),
    "the service pgbouncer reaches no port": lambda objects: named(objects, "Service", "pgbouncer")["spec"]["ports"][
        0
    ].update(targetPort="other"),
    "PodDisruptionBudget: not one for each deployment": lambda objects: objects.remove(
        named(objects, "PodDisruptionBudget", "scalekit-mcp")
    ),
    "NetworkPolicy: not one for each deployment": lambda objects: objects.remove(
        named(objects, "NetworkPolicy", "pgbouncer")
    ),
    "the Ingress serves another host than the public address": lambda objects: named(
        objects, "Ingress", "scalekit-mcp"
    )["spec"]["rules"][0].update(host="other.example.com"),
    "the Ingress sends / nowhere": lambda objects: objects.remove(named(objects, "Service", "scalekit-mcp")),
}


@pytest.mark.parametrize("expected", BROKEN)
def test_a_manifest_that_breaks_a_rule_is_noticed(expected: str):
    objects = copy.deepcopy(manifests())
    BROKEN[expected](objects)
    assert expected in problems(objects)


def test_the_settings_of_the_manifests_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    values = environment_of(manifests())
    files = {name: value for name, value in values.items() if name.endswith("_FILE")}
    secrets = example_secrets(database_host="pgbouncer:6432")
    for name, path in files.items():
        place = tmp_path / Path(path).name
        place.write_text(secrets[name.removesuffix("_FILE")] + "\n", "utf-8")
        values[name] = str(place)
    settings = accepted_over_http(values, monkeypatch)
    assert settings.host == "0.0.0.0"  # noqa: S104 - inside its pod
    assert settings.stateless
    service = named(manifests(), "Service", "pgbouncer")
    assert settings.database_url
    host = f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert host in settings.database_url.get_secret_value()


def test_the_probes_are_answered_by_the_address_of_a_pod(tmp_path: Path):
    with remote_process(tmp_path, "--sandbox") as started:
        for kind in PROBES:
            path = server(manifests())[kind]["httpGet"]["path"]
            answer = httpx.get(f"http://127.0.0.1:{started.port}{path}", headers={"host": "10.42.0.7:8754"}, timeout=30)
            assert answer.status_code == 200, kind


def served_paths() -> Iterator[str]:
    """The fixed paths of the routes in the server's source."""
    for source in (ROOT / "scalekit_mcp" / "server").rglob("*.py"):
        tree = ast.parse(source.read_text("utf-8"))
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in {"Route", "Mount"}:
                continue
            module = importlib.import_module(".".join(source.relative_to(ROOT).with_suffix("").parts))
            expression = compile(ast.Expression(call.args[0]), source.name, "eval")
            try:
                yield eval(expression, vars(module))  # noqa: S307 - our own source
            except NameError:
                continue  # given from outside: below a route of this list, or a document under /.well-known


def test_the_ingress_passes_every_route_on_but_those_of_the_operator():
    (rule,) = named(manifests(), "Ingress", "scalekit-mcp")["spec"]["rules"]
    paths = [(entry["path"], entry["pathType"]) for entry in rule["http"]["paths"]]
    served = set(served_paths())
    assert {"/mcp", "/authorize", "/token", "/register", "/oauth/callback", "/metrics"} <= served

    def passed_on(path: str) -> bool:
        return any(path == known or (kind == "Prefix" and path.startswith(f"{known}/")) for known, kind in paths)

    assert {path for path in served if not passed_on(path)} == set(OPERATORS_PAGES)


def test_the_pooler_keeps_prepared_statements_and_gives_up_before_a_replica_does():
    values = lines_of("pgbouncer.ini")
    assert values["pool_mode"] == "transaction"
    assert int(values["max_prepared_statements"]) > 0
    assert int(values["query_wait_timeout"]) < 20
    (container,) = pod_of(manifests(), "pgbouncer")["containers"]
    assert int(values["listen_port"]) == container["ports"][0]["containerPort"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(values["auth_file"]).parent.as_posix()) in mounted
    assert Path(container["command"][1]).parent.as_posix() in mounted


@pytest.mark.full
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_manifests_fit_the_published_schemas(version: str):
    assert schema_problems(manifests(), version) == []


@pytest.mark.full
@pytest.mark.parametrize(
    "change",
    [
        lambda objects: server(objects).update(readynessProbe={}),
        lambda objects: named(objects, "Deployment", "scalekit-mcp")["spec"].update(replicas="two"),
        lambda objects: pod_of(objects, "scalekit-mcp")["topologySpreadConstraints"][0].pop("topologyKey"),
        lambda objects: named(objects, "PodDisruptionBudget", "pgbouncer")["spec"].update(maxUnavaliable=1),
        lambda objects: named(objects, "Ingress", "scalekit-mcp")["spec"]["rules"][0]["http"]["paths"][0].pop(
            "pathType"
        ),
    ],
)
def test_a_manifest_that_kubernetes_would_refuse_is_noticed(change: Callable[[list[Manifest]], Any]):
    objects = copy.deepcopy(manifests())
    change(objects)
    assert schema_problems(objects, NEWEST)


@pytest.mark.full
def test_kustomize_makes_what_the_schemas_accept():
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert schema_problems(made, NEWEST) == []
    assert len(made) == len(manifests()) + len(kustomization()["configMapGenerator"])
    maps = {found["metadata"]["name"] for found in made if found["kind"] == "ConfigMap"}
    used = {source["configMapRef"]["name"] for source in server(made)["envFrom"]}
    used |= {volume["configMap"]["name"] for volume in pod_of(made, "pgbouncer")["volumes"] if "configMap" in volume}
    assert used == maps
