#!/usr/bin/env bash
# Checks what is in deploy/ as far as this machine can: YAML by Python, nginx's settings by nginx, scripts by
# bash, and settings of the service by the service. BINARY=PATH is the service; without it its part is skipped, and said.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

scripts() {
  local script
  for script in deploy/compose/*.sh; do bash -n "$script" || die "$script"; done
  say "scripts: read"
}

yaml() {
  python3 -c 'import yaml' || die "YAML: Python has no yaml; scripts/setup.sh test installs it"
  python3 - <<'PYTHON' || die "YAML"
import glob, sys, yaml

def documents(file):
    with open(file, encoding="utf-8") as text:
        return [document for document in yaml.safe_load_all(text) if document]

def need(right, told):
    if not right:
        sys.exit(told)

services = documents("deploy/compose.yaml")[0]["services"]
for name, service in services.items():
    for other in service.get("depends_on", []):
        need(other in services, f"compose.yaml: {name} waits for {other}, which is not there")

objects = [(file, it) for file in sorted(glob.glob("deploy/kubernetes/*.yaml")) for it in documents(file)]
labels = [it["spec"]["template"]["metadata"]["labels"] for _, it in objects if "template" in it.get("spec", {})]
for file, it in objects:
    told = f'{file}: {it["kind"]} {it["metadata"]["name"]}'
    spec = it.get("spec", {})
    selector = spec.get("selector")
    selector = selector.get("matchLabels", selector) if selector else None
    if selector:
        need(any(selector.items() <= pod.items() for pod in labels), f"{told} selects no pod")
    if "template" not in spec:
        continue
    pod = spec["template"]["spec"]
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    for container in pod["containers"]:
        for mount in container.get("volumeMounts", []):
            need(mount["name"] in volumes, f'{told}: no volume {mount["name"]}')
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("readinessProbe", "livenessProbe"):
            for how in container.get(probe, {}).values():
                if isinstance(how, dict):
                    need(how["port"] in ports, f'{told}: no port {how["port"]}')
for resource in documents("deploy/kustomization.yaml")[0]["resources"]:
    need(documents(f"deploy/{resource}"), f"kustomization.yaml: {resource}")
PYTHON
  say "YAML: read, and what it refers to is there"
}

# nginx wants to find every host and file that it is told of.
nginx_settings() {
  local nginx list
  nginx=$(command -v nginx || command -v /usr/sbin/nginx) || die "nginx is not installed; scripts/setup.sh test installs it"
  openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout "$made/privkey.pem" -out "$made/fullchain.pem" 2>/dev/null ||
    die "nginx: openssl made no certificate"
  for list in deploy/nginx/upstream-*.conf; do
    sed -E 's/server [a-z0-9]+:/server 127.0.0.1:/' "$list" >"$made/upstream.conf"
    sed -E -e "s|/etc/nginx/tls|$made|; s|/etc/nginx/upstream.conf|$made/upstream.conf|; s|/dev/std(out\|err)|$made/log|" \
      -e "s|^worker_processes|pid $made/pid; &|" deploy/nginx/nginx.conf >"$made/nginx.conf"
    "$nginx" -t -q -p "$made" -e "$made/log" -c "$made/nginx.conf" || die "nginx refuses nginx.conf with $list"
  done
  say "nginx: takes its settings with each list of nodes"
}

settings() {
  local binary=${BINARY:-}
  [[ -n $binary ]] || { say "daypass.toml: skipped, since BINARY is not set"; return 0; }
  DAYPASS_DATABASE='postgres://daypass:x@primary:5432,replica:5432/daypass?sslmode=disable' \
    DAYPASS_MASTER_KEY=x "$binary" check-config --config deploy/daypass.toml >"$made/config" || die "daypass.toml"
  ! grep -q '^# Note' "$made/config" || die "daypass.toml: $(grep '^# Note' "$made/config")"
  say "daypass.toml: taken, without a remark"
}

scripts
yaml
nginx_settings
settings
