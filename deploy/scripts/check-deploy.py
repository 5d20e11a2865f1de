#!/usr/bin/env python3
"""Holds what is in deploy/ against itself and against the documents.

    check-deploy.py [RENDERED...]     files that kustomize has made, besides those of deploy/

Every setting that is named must be in the table of docs/OPERATIONS.md. What a kustomization names must be there, and every
manifest named by one, or be an example. Every pod must be hardened. What selects or names a workload must find one. Prints what is
wrong, a line each. Wants PyYAML.
"""

import glob
import os
import re
import sys

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANIFESTS = os.path.join(ROOT, "deploy", "kubernetes")
SETTING = re.compile(r"\b(?:LASTSEEN_[A-Z][A-Z_]*|DATABASE_URL|REDIS_URL)\b")
USER = 65532

wrong = []


def complain(path, text):
    wrong.append(f"{os.path.relpath(path, ROOT)}: {text}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def documents(path):
    return [document for document in yaml.safe_load_all(read(path)) if document]


def settings():
    """The names in the first column of the table of settings."""
    section = read(os.path.join(ROOT, "docs", "OPERATIONS.md")).split("\n## Settings\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in SETTING.findall(row)}


def check_settings(paths):
    known = settings()
    if len(known) < 20:
        complain(os.path.join(ROOT, "docs", "OPERATIONS.md"), "its table of settings was not found")
    for path in paths:
        for name in sorted(set(SETTING.findall(read(path))) - known):
            complain(path, f"{name} is no setting of docs/OPERATIONS.md")


def check_kustomizations():
    named = set()
    for path in glob.glob(f"{MANIFESTS}/**/kustomization.yaml", recursive=True):
        named.add(path)
        for document in documents(path):
            lists = [document.get(key, []) for key in ("resources", "components")]
            parts = [part for parts in lists for part in parts] + [patch["path"] for patch in document.get("patches", [])]
            for part in parts:
                there = os.path.normpath(os.path.join(os.path.dirname(path), part))
                there = os.path.join(there, "kustomization.yaml") if os.path.isdir(there) else there
                named.add(there)
                if not os.path.isfile(there):
                    complain(path, f"{part} is not there")
    for path in glob.glob(f"{MANIFESTS}/**/*.yaml", recursive=True):
        if path not in named and not path.endswith(".example.yaml"):
            complain(path, "no kustomization names it")


def check_pod(path, name, spec, secrets):
    of_pod = spec.get("securityContext", {})
    if not (of_pod.get("runAsNonRoot") and of_pod.get("runAsUser") == USER):
        complain(path, f"{name} does not run as {USER}")
    if of_pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        complain(path, f"{name} has no seccomp profile")
    if spec.get("automountServiceAccountToken") is not False:
        complain(path, f"{name} has a token")
    if spec.get("enableServiceLinks") is not False:
        complain(path, f"{name} gets variables of services, which may look like settings")
    for container in spec["containers"]:
        context = container.get("securityContext", {})
        hardened = (
            context.get("allowPrivilegeEscalation") is False
            and context.get("readOnlyRootFilesystem") is True
            and context.get("capabilities", {}).get("drop") == ["ALL"]
        )
        if not hardened:
            complain(path, f"{name} may write or do more than it needs")
        if "memory" not in container.get("resources", {}).get("limits", {}):
            complain(path, f"{name} may take all memory")
        for source in container.get("envFrom", []):
            secrets.update([source["secretRef"]["name"]] if "secretRef" in source else [])
        for variable in container.get("env", []):
            if "valueFrom" in variable and "secretKeyRef" in variable["valueFrom"]:
                secrets.add(variable["valueFrom"]["secretKeyRef"]["name"])
            elif re.search("PASSWORD|SECRET|_URL$", variable["name"]):
                complain(path, f"{name} has {variable['name']} in the open")


def check_rendered(path):
    everything = documents(path)
    secrets = set()
    pods, ports, workloads = {}, {}, set()
    for document in everything:
        kind, name = document["kind"], document["metadata"]["name"]
        if kind in ("Deployment", "Job"):
            template = document["spec"]["template"]
            workloads.add((kind, name))
            pods[name] = template["metadata"]["labels"]
            ports[name] = {port["name"]: port["containerPort"] for c in template["spec"]["containers"] for port in c.get("ports", [])}
            check_pod(path, name, template["spec"], secrets)
        if kind == "Secret":
            complain(path, f"the Secret {name} is in it")
    for name in secrets - {document["metadata"]["name"] for document in documents(f"{MANIFESTS}/secret.example.yaml")}:
        complain(path, f"the Secret {name} has no example")

    def found(labels):
        return [name for name, has in pods.items() if labels.items() <= has.items()]

    services = {d["metadata"]["name"]: d for d in everything if d["kind"] == "Service"}
    for document in everything:
        kind, name, spec = document["kind"], document["metadata"]["name"], document.get("spec", {})
        what = f"{kind} {name}"
        if kind == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if (target["kind"], target["name"]) not in workloads:
                complain(path, f"{what} scales nothing")
        elif kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor", "Deployment"):
            selector = spec.get("podSelector") if kind == "NetworkPolicy" else spec.get("selector")
            if kind == "Service":
                selector = {"matchLabels": selector} if selector else None
            # A Service without pods is meant to be one.
            if selector and "matchLabels" in selector and not found(selector["matchLabels"]):
                complain(path, f"{what} selects nothing")
            if kind == "Service" and selector:
                for port in spec["ports"]:
                    if not all(port["targetPort"] in ports[pod] for pod in found(selector["matchLabels"])):
                        complain(path, f"{what} leads to a port that is not there")
        elif kind == "ServiceMonitor":
            wanted = spec["selector"]["matchLabels"]
            meant = [s for s in services.values() if wanted.items() <= s["metadata"].get("labels", {}).items()]
            names = {port.get("name") for service in meant for port in service["spec"]["ports"]}
            if not meant or any(endpoint["port"] not in names for endpoint in spec["endpoints"]):
                complain(path, f"{what} watches nothing")
        elif kind == "Ingress":
            for rule in spec["rules"]:
                for part in rule["http"]["paths"]:
                    if part["backend"]["service"]["name"] not in services:
                        complain(path, f"{what} leads to a Service that is not there")


def check_compose(path):
    services = yaml.safe_load(read(path))["services"]
    for name, service in services.items():
        if not (service.get("read_only") and service.get("cap_drop") == ["ALL"] and service.get("security_opt") == ["no-new-privileges:true"]):
            complain(path, f"{name} may write or do more than it needs")
        for other in service.get("depends_on", {}):
            if other not in services:
                complain(path, f"{name} waits for {other}, which is not there")
    example = read(os.path.join(ROOT, "deploy", "docker", "env.example"))
    for name in sorted(set(re.findall(r"\$\{([A-Z_]+):[?-]", read(path)))):
        if not re.search(rf"^#?{name}=", example, re.MULTILINE):
            complain(path, f"{name} is not in deploy/docker/env.example")


def main(rendered):
    paths = [os.path.join(ROOT, "deploy", name) for name in ("compose.yml", "compose.dev.yml")]
    paths += glob.glob(f"{ROOT}/deploy/docker/*") + glob.glob(f"{MANIFESTS}/**/*.*", recursive=True)
    check_settings(paths)
    check_kustomizations()
    check_compose(paths[0])
    for path in rendered:
        check_rendered(path)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
