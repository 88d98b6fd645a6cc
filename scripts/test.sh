#!/usr/bin/env bash
# Everything that a change has to pass (`make test`), the quick checks first; stops at the first that
# fails. `scripts/test.sh lint` runs only those that need no test run.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

passed=0
failed=0
begun=$SECONDS

step() { # step NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  title "$name"
  note "\$ $*"
  if "$@"; then
    passed=$((passed + 1))
    say "${green}$name passed${plain} in $((SECONDS - start)) s"
  else
    failed=1
    say "${red}$name failed${plain} after $((SECONDS - start)) s"
    finish
  fi
}

finish() {
  local minutes=$(((SECONDS - begun) / 60)) seconds=$(((SECONDS - begun) % 60))
  say ""
  say "finished in $minutes min $seconds s"
  say "steps: $passed passed, $failed failed"
  exit "$failed"
}

export DAYPASS_BINARY=$PWD/target/debug/daypass
package() { npm test --prefix sdk --workspace "@daypass/$1"; }

web_example() { npm ci --prefix examples/web && npm test --prefix examples/web; }

step "format" cargo fmt --all --check
step "clippy" cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
step "dependencies" cargo deny --locked check bans licenses sources
step "npm packages" npm ci --prefix sdk
step "npm build" npm run build --prefix sdk
step "npm lint" npm run lint --prefix sdk
[[ ${1:-all} == lint ]] && finish
step "tests" cargo test --workspace --all-features --locked
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --locked
step "programs" cargo build --workspace --all-features --bins --locked
step "demo" target/debug/daypass demo
step "client in JavaScript" package client
step "verifier in JavaScript" package verify
step "browser" package browser-tests
step "example web" web_example
step "fresh project" scripts/fresh.sh --binary target/debug/daypass
step "snippets" scripts/snippets.sh --binary target/debug/daypass
step "bench verify" target/debug/daypass bench verify --tokens 200 --duration 1s
step "bench refresh" target/debug/daypass bench refresh --sessions 2000 --active 1000 --duration 2s --warm-up 200ms
step "bench login" target/debug/daypass bench login --users 4 --connections 4 --duration 2s --warm-up 200ms
step "soak" target/debug/daypass-soak --calls 5000
step "model" target/debug/daypass-model
step "chaos" target/debug/daypass-chaos --rotations 5000 --seed 1 --javascript sdk/browser/build/src/chaos-client.js
step "chaos, PostgreSQL" target/debug/daypass-chaos --rotations 1500 --seed 2 --database
step "cluster" target/debug/daypass-cluster --short
step "crash" scripts/crash.sh --kills 3 --binary target/debug/daypass
finish
