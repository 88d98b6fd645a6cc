# The commands of this repository; `make` lists them. Each installs what it needs and lacks.

.DEFAULT_GOAL := help
.PHONY: help demo test browser bench crash soak model chaos cluster fmt lint check clean setup

JAVASCRIPT_CLIENTS := sdk/browser/build/src/chaos-client.js

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build Daypass and play its six walks over real HTTP
	@scripts/setup.sh demo
	cargo build --locked --release --bin daypass
	target/release/daypass demo

test: ## Run all checks and tests, as CI does
	@scripts/setup.sh test
	@scripts/test.sh

bench: ## Measure against the floor, and growth, memory, sign-in storm and start
	@scripts/setup.sh bench
	@scripts/bench.sh all

crash: ## Kill the service 20 times under load and check every acknowledged rotation
	@scripts/setup.sh crash
	cargo build --locked --release --bin daypass
	@scripts/crash.sh --kills 20 --binary target/release/daypass

soak: ## Make 100,000 calls through client and verifier, with faults; nobody may be signed out
	@scripts/setup.sh soak
	cargo run --locked --release -p daypass-testkit --features soak --bin daypass-soak -- --calls 100000
	cargo test --locked -p daypass-client --features contract --test processes -- two_hundred --include-ignored
	cargo build --locked -p daypass
	npm ci --prefix sdk
	DAYPASS_BINARY=$(CURDIR)/target/debug/daypass DAYPASS_LOOPS=200 npm test --prefix sdk --workspace @daypass/client -- file

model: ## Check rotation exhaustively: every configuration, every limit, every mutant
	@scripts/setup.sh model
	cargo run --locked --release -p daypass-model -- --deep

browser: ## Run every scenario of the client in Chromium, and the core of them in Firefox
	@scripts/setup.sh browser
	cargo build --locked -p daypass
	npm ci --prefix sdk
	npm run build --prefix sdk
	DAYPASS_BINARY=$(CURDIR)/target/debug/daypass npm test --prefix sdk --workspace @daypass/browser-tests
	DAYPASS_BINARY=$(CURDIR)/target/debug/daypass npm run test:firefox --prefix sdk --workspace @daypass/browser-tests

chaos: ## Run the real thing, browser and Node included, under faults, kills and thieves: a million rotations, twice
	@scripts/setup.sh chaos
	cargo build --locked --release -p daypass -p daypass-chaos
	npm ci --prefix sdk
	npm run build --prefix sdk
	target/release/daypass-chaos --rotations 1000000 --seed 1 --javascript $(JAVASCRIPT_CLIENTS)
	target/release/daypass-chaos --rotations 1000000 --seed 2 --javascript $(JAVASCRIPT_CLIENTS)

cluster: ## Run three nodes behind nginx on a primary and its standby, under load and faults
	@scripts/setup.sh cluster
	cargo build --locked --release -p daypass -p daypass-cluster
	target/release/daypass-cluster --strict --json target/cluster.json

fmt: ## Format the code
	cargo fmt --all

lint: ## Check format, lints and dependencies
	@scripts/setup.sh lint
	@scripts/test.sh lint

check: ## Type-check everything, quickly
	cargo check --workspace --all-targets

clean: ## Remove what was built and measured
	cargo clean

setup: ## Install what any target needs
	@scripts/setup.sh all
