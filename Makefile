# Everything a person does here is one word after `make`; `make help` lists
# the words. What a step needs and the machine lacks is brought into .runtime/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SETUP := scripts/setup
export PATH := $(PATH):$(CURDIR)/.runtime/bin

.PHONY: help
help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: ## Bring what serving needs: checks the toolchain, fetches ONNX Runtime
	@$(SETUP)/toolchain.sh
	@$(SETUP)/ort.sh

.PHONY: setup-tests
setup-tests: setup ## Bring what the tests need besides: Redis, Chromium, Python packages
	@$(SETUP)/redis.sh
	@$(SETUP)/browser.sh
	@$(SETUP)/python.sh

.PHONY: run
run: setup ## Build and serve on AISLE_LISTEN (127.0.0.1:8080) the models in AISLE_MODELS (models)
	@cargo build --release --locked --package aisle-cli
	@exec "$${CARGO_TARGET_DIR:-target}/release/aisle" serve

.PHONY: trainer
trainer: setup ## Build a program that can also learn in networks themselves: aisle train --fine-tune
	@cargo build --release --locked --package aisle-cli --features fine-tune

.PHONY: starter
starter: trainer ## Make models/starter anew from photographs in STARTER_DATA; see its card
	@scripts/starter/make.sh "$(STARTER_DATA)" "$(STARTER_NETWORKS)" \
		"$${CARGO_TARGET_DIR:-target}/release/aisle"

.PHONY: check
check: ## Formatting, lints and documentation, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package aisle-cli --all-targets --features fine-tune --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet

.PHONY: test
test: setup-tests check ## Set up, check and run every test
	@if command -v cargo-deny >/dev/null; then \
		cargo deny --config .deny.toml --locked check --hide-inclusion-graph bans licenses sources; \
	fi
	@# Two for each processor: they wait for servers more than they calculate.
	RUST_TEST_THREADS="$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))}" \
		cargo test --workspace --features aisle-cli/fine-tune --locked --no-fail-fast

.PHONY: deny
deny: ## Licences, advisories, bans and sources of the dependencies
	@$(SETUP)/cargo-deny.sh
	cargo deny --config .deny.toml --locked check bans licenses sources
	cargo deny --config .deny.toml --locked check advisories

.PHONY: openapi
openapi: ## Rewrite openapi/openapi.json from the code
	cargo run --quiet --locked --package aisle-cli -- openapi >openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

.PHONY: bench
bench: setup-tests ## Measure all against the limits and the goals; BENCH="throughput latency" picks parts
	cargo build --release --locked --package aisle-cli
	cargo bench --locked --package aisle-tests --bench service -- $(BENCH) \
		--seconds="$(BENCH_SECONDS)" --rounds="$(BENCH_ROUNDS)" --clients="$(BENCH_CLIENTS)" \
		--sizes="$(BENCH_SIZES)" --model="$(or $(BENCH_MODEL),$(AISLE_MODELS))" \
		--pictures="$(BENCH_PICTURES)" --provider="$(BENCH_PROVIDER)" \
		--python="$(BENCH_PYTHON)" --json="$(BENCH_JSON)"

.PHONY: bench-peers
bench-peers: setup-tests ## The same beside Celery, FastAPI, LitServe and Triton, which it brings from PyPI
	@$(SETUP)/peers.sh
	@$(MAKE) bench

.PHONY: bench-train
bench-train: setup ## The time of aisle train beside scikit-learn: BENCH_MODEL, and BENCH_PICTURES with train/ and validation/
	@$(SETUP)/learning.sh
	@cargo build --release --locked --package aisle-cli
	@.runtime/learning/bin/python tests/peers/scikit_learn.py \
		"$${CARGO_TARGET_DIR:-target}/release/aisle" "$(BENCH_MODEL)" "$(BENCH_PICTURES)" $(BENCH_ROUNDS)

.PHONY: chaos
chaos: setup-tests ## Faults against real processes, at length; CHAOS=name picks, CHAOS=--list lists
	cargo build --release --locked --package aisle-cli
	cargo bench --locked --package aisle-tests --bench chaos -- $(CHAOS)

.PHONY: soak
soak: setup-tests ## A fault each minute at 70 % load for SOAK_MINUTES (30); SOAK=redis or sqlite picks
	cargo build --release --locked --package aisle-cli
	cargo bench --locked --package aisle-tests --bench chaos -- --soak=$(or $(SOAK_MINUTES),30) $(SOAK)

.PHONY: fuzz
fuzz: setup ## Fuzz what parses foreign bytes, each target for FUZZ_SECONDS (60)
	@$(SETUP)/fuzz.sh
	@scripts/fuzz.sh

.PHONY: clean
clean: ## Remove what was built and what was brought
	cargo clean
	rm -rf .runtime
