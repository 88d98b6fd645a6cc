#!/usr/bin/env bash
# Installs what is missing for a target of the Makefile: `scripts/setup.sh demo|lint|test|browser|bench|crash|soak|model|chaos|cluster|all`.
# System packages come from apt, if there is one and this is root; otherwise they are named.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

packages=() # of the system, as Debian calls them

has() { command -v "$1" >/dev/null 2>&1; }

need_rust() {
  has cargo || die "cargo is missing: install Rust $(rust_version) or newer, as https://rustup.rs says"
}

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

need_compiler() { has cc || packages+=(build-essential); }

# The other languages of docs/verify are run where they are, and not installed.
need_python() {
  has curl || packages+=(curl)
  has python3 || packages+=(python3)
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  python3 -c 'import yaml' 2>/dev/null || packages+=(python3-yaml)
}

need_node() {
  has node && has npm || die "Node is missing: install version 20 or newer, with npm, as https://nodejs.org says"
  local version
  version=$(node --version)
  version=${version#v}
  ((${version%%.*} >= 20)) || die "Node $version is too old: install version 20 or newer, as https://nodejs.org says"
}

# CHROMIUM names another one.
need_chromium() {
  [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || packages+=(chromium)
  has openssl || packages+=(openssl)
}

# FIREFOX names another one.
need_firefox() { [[ -x ${FIREFOX:-/usr/bin/firefox-esr} ]] || packages+=(firefox-esr); }

# PostgreSQL and PgBouncer as programs alone: tests start private clusters of their own, and no cluster of the
# system's is made or started.
need_postgresql() {
  { compgen -G '/usr/lib/postgresql/*/bin/initdb' || has initdb; } >/dev/null || packages+=(postgresql)
  { has pgbouncer || [[ -x /usr/sbin/pgbouncer ]]; } || packages+=(pgbouncer)
}

# Debian makes and starts a cluster with the package, unless it is told before.
no_system_cluster() {
  local conf=/etc/postgresql-common/createcluster.conf
  [[ " ${packages[*]} " == *" postgresql "* ]] || return 0
  if ! grep -qs '^ *create_main_cluster' "$conf"; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common
    printf 'create_main_cluster = false\n' >>"$conf"
  fi
}

# The program alone: the harness starts one of its own.
need_nginx() { { has nginx || [[ -x /usr/sbin/nginx ]]; } || packages+=(nginx); }

# Debian starts a server with the package, unless it is masked before.
no_system_nginx() {
  [[ " ${packages[*]} " == *" nginx "* ]] && has systemctl || return 0
  if systemctl mask --quiet nginx.service 2>/dev/null; then
    note "nginx.service is masked: systemctl unmask nginx, if it is to serve here"
  fi
}

need_wrk() { has wrk || packages+=(wrk); }

need_component() { # rustfmt and clippy come with most toolchains
  cargo "$2" --version >/dev/null 2>&1 && return
  has rustup || die "cargo $2 is missing: install the component $1 of your Rust toolchain"
  say "installing the component $1"
  rustup component add "$1"
}

need_deny() {
  cargo deny --version >/dev/null 2>&1 && return
  say "installing cargo-deny, which takes some minutes"
  cargo install cargo-deny --locked
}

install_packages() {
  ((${#packages[@]})) || return 0
  if ! has apt-get || ((EUID != 0)); then
    die "missing: ${packages[*]} (as Debian names them); install them with your system's package manager, such as
       sudo apt-get install ${packages[*]}"
  fi
  say "installing ${packages[*]}"
  apt-get update -qq
  no_system_cluster
  no_system_nginx
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

case ${1:-all} in
  demo | crash | model) steps=(need_rust need_compiler) ;;
  soak) steps=(need_rust need_compiler need_node) ;;
  browser) steps=(need_rust need_compiler need_node need_chromium need_firefox) ;;
  chaos) steps=(need_rust need_compiler need_node need_chromium) ;;
  cluster) steps=(need_rust need_compiler need_postgresql need_nginx) ;;
  lint) steps=(need_rust need_compiler need_node lint_tools) ;;
  test) steps=(need_rust need_compiler need_python need_node need_chromium need_postgresql need_nginx lint_tools) ;;
  bench) steps=(need_rust need_compiler need_wrk need_postgresql) ;;
  all) steps=(need_rust need_compiler need_python need_node need_chromium need_firefox need_wrk need_postgresql need_nginx lint_tools) ;;
  *) die "unknown target $1; there are demo, lint, test, browser, bench, crash, soak, model, chaos, cluster, all" ;;
esac

lint_tools() {
  # A C compiler may be among the packages, and building cargo-deny takes one.
  install_packages
  packages=()
  need_component rustfmt fmt
  need_component clippy clippy
  need_deny
}

for step in "${steps[@]}"; do "$step"; done
install_packages
