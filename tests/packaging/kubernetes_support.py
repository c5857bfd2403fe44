"""The manifests of `deploy/kubernetes/` as they are applied, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import yaml
from packaging_support import ROOT
from test_bundle import variables

from scalekit_mcp.server.http.serving import DRAIN_SECONDS
from scalekit_mcp.settings.loading import SECRETS

FOLDER = ROOT / "deploy" / "kubernetes"
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
CLOSE_SECONDS = 10
PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}

Manifest = dict[str, Any]


def kustomization() -> Manifest:
    return yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))


def manifests() -> list[Manifest]:
    return [
        found
        for name in kustomization()["resources"]
        for found in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
    ]


def lines_of(name: str) -> dict[str, str]:
    """The assignments of a file, without comments."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines if re.match(r"\w+\s*=", line))


def named(objects: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [found for found in objects if (found["kind"], found["metadata"]["name"]) == (kind, name)]
    return found


def pod_of(objects: list[Manifest], name: str) -> Manifest:
    return named(objects, "Deployment", name)["spec"]["template"]["spec"]


def environment_of(objects: list[Manifest]) -> dict[str, str]:
    """What a replica is started with."""
    (container,) = pod_of(objects, "scalekit-mcp")["containers"]
    return {**lines_of("settings.env"), **{entry["name"]: entry.get("value", "") for entry in container["env"]}}


def problems(objects: list[Manifest]) -> list[str]:
    """Everything that would go wrong in a cluster; nothing for the manifests as they are."""
    found = [problem for made in objects if made["kind"] == "Deployment" for problem in _unsafe(made)]
    return [*found, *_unreachable(objects), *_server_problems(objects)]


def _unsafe(deployment: Manifest) -> Iterator[str]:
    """Pods that may do more than they need, or that stand and fall together."""
    spec, pod = deployment["spec"], deployment["spec"]["template"]["spec"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    spread = [constraint["labelSelector"]["matchLabels"] for constraint in pod.get("topologySpreadConstraints", [])]
    security = pod.get("securityContext", {})
    rules = {
        "one replica alone": spec["replicas"] < 2,
        "the deployment does not select its pods": spec["selector"]["matchLabels"] != labels,
        "both replicas may stand on one node": not spread,
        "the spread counts other pods": any(counted != labels for counted in spread),
        "the pod has a token of the cluster": pod.get("automountServiceAccountToken") is not False,
        "Kubernetes sets variables for services": pod.get("enableServiceLinks") is not False,
        "it may run as root": not security.get("runAsNonRoot") or not security.get("runAsUser"),
        "every system call is allowed": security.get("seccompProfile") != {"type": "RuntimeDefault"},
    }
    yield from (problem for problem, holds in rules.items() if holds)
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for container in pod["containers"]:
        yield from _unsafe_container(container)
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            if "emptyDir" not in volume and not mount.get("readOnly"):
                yield f"{mount['name']} may be written"
            if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
                yield f"{mount['name']} is open to every user"


def _unsafe_container(container: Manifest) -> Iterator[str]:
    own, resources = container.get("securityContext", {}), container.get("resources", {})
    variables_of_secrets = [entry for entry in container.get("env", []) if "valueFrom" in entry]
    variables_of_secrets += [entry for entry in container.get("envFrom", []) if "secretRef" in entry]
    rules = {
        "capabilities are kept": own.get("capabilities", {}).get("drop") != ["ALL"],
        "privileges may be gained": own.get("allowPrivilegeEscalation") is not False,
        "its files may be written": own.get("readOnlyRootFilesystem") is not True,
        "its share of the node is open": any(
            {"cpu", "memory"} - set(resources.get(kind, {})) for kind in ("requests", "limits")
        ),
        "a secret stands in a variable": bool(variables_of_secrets),
    }
    yield from (problem for problem, holds in rules.items() if holds)


def _unreachable(objects: list[Manifest]) -> Iterator[str]:
    """Services, budgets, policies and the Ingress that find no pod, no port or no service."""
    pods = {
        tuple(made["spec"]["template"]["metadata"]["labels"].items()): [
            port["name"] for container in made["spec"]["template"]["spec"]["containers"] for port in container["ports"]
        ]
        for made in objects
        if made["kind"] == "Deployment"
    }
    services = {made["metadata"]["name"]: made for made in objects if made["kind"] == "Service"}
    for service in services.values():
        ports = pods.get(tuple(service["spec"]["selector"].items()), [])
        if any(port["targetPort"] not in ports for port in service["spec"]["ports"]):
            yield f"the service {service['metadata']['name']} reaches no port"
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        chosen = [made["spec"][key]["matchLabels"] for made in objects if made["kind"] == kind]
        if {tuple(labels.items()) for labels in chosen} != set(pods):
            yield f"{kind}: not one for each deployment"
    for made in objects:
        if made["kind"] != "Ingress":
            continue
        (rule,) = made["spec"]["rules"]
        if made["spec"]["tls"][0]["hosts"] != [rule["host"]]:
            yield "the Ingress has no TLS for its host"
        if lines_of("settings.env")["SCALEKIT_MCP_PUBLIC_URL"] != f"https://{rule['host']}":
            yield "the Ingress serves another host than the public address"
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            ports = services.get(backend["name"], {"spec": {"ports": []}})["spec"]["ports"]
            if backend["port"]["name"] not in [port["name"] for port in ports]:
                yield f"the Ingress sends {path['path']} nowhere"


def _server_problems(objects: list[Manifest]) -> Iterator[str]:
    pod, values = pod_of(objects, "scalekit-mcp"), environment_of(objects)
    (container,) = pod["containers"]
    for name in sorted(set(values) - variables()):
        yield f"{name} is no setting"
    for name in sorted(set(values) & set(SECRETS)):
        yield f"{name} stands in the manifest"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    secret = {mount["mountPath"] for mount in container["volumeMounts"] if "secret" in volumes[mount["name"]]}
    for name, value in values.items():
        if name.endswith("_FILE") and str(PurePosixPath(value).parent) not in secret:
            yield f"{name} names a file that is not mounted"
    user = re.search(r"--uid (\d+)", CONTAINER)
    assert user
    if pod["securityContext"].get("runAsUser") != int(user[1]):
        yield "it does not run as the image's user"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    if str(ports.get("http")) != values["SCALEKIT_MCP_PORT"]:
        yield "the port is not the one that is listened on"
    for kind, path in PROBES.items():
        asked = container.get(kind, {}).get("httpGet", {})
        if asked.get("path") != path or asked.get("port") not in ports:
            yield f"{kind} does not ask {path}"
    delay = float(values["SCALEKIT_MCP_STOP_DELAY_SECONDS"])
    noticed = container["readinessProbe"]
    if delay <= noticed["periodSeconds"] * noticed["failureThreshold"] + noticed["timeoutSeconds"]:
        yield "calls are refused before the pod is known to stop"
    if pod.get("terminationGracePeriodSeconds", 30) < delay + DRAIN_SECONDS + CLOSE_SECONDS:
        yield "it is killed while calls are in flight"
