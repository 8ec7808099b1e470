# Kefu. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help

PYTHON ?= python3
CALLS ?=
INSTANCES ?=
PART ?=
BOARD ?= on-call
SETTINGS ?=
ROUNDS ?= 5
BUSY ?= 0
SEED ?=
FAULTS ?=
VENV := .venv
BIN := $(VENV)/bin
KEFU := $(BIN)/kefu
STAMP := $(VENV)/.installed
# as many as there are cores, but a worker has a PostgreSQL, a NATS and often a stack of its own
WORKERS := --numprocesses=logical --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
# Images set it to stay small; here every process would compile some thousand modules anew at each start.
export PYTHONDONTWRITEBYTECODE :=
SOURCES := services tests grafana protos/generate.py charts/generate.py

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run

.PHONY: up down status logs reset doctor
up: setup ## start everything on this machine and print where it is
	@$(KEFU) up
down: setup ## stop it; its state stays in .kefu/
	@$(KEFU) down
status: setup ## what runs, how it is, where it listens
	@$(KEFU) status
logs: setup ## follow the logs of every process
	@$(KEFU) logs
reset: setup ## stop it and forget its state
	@$(KEFU) reset
doctor: setup ## what is wrong, and what to do
	@$(KEFU) doctor

##@ Work on it

.PHONY: setup
setup: $(STAMP) ## make the virtual environment from the lock (done by the other targets)

$(STAMP): requirements-bootstrap.lock requirements-dev.lock pyproject.toml protos/gen/pyproject.toml services/gateway/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit("Kefu needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; choose one with PYTHON=…") if sys.version_info < (3, 11) else None'
	@echo "Installing the locked packages into $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-bootstrap.lock requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e protos/gen -e .
	@$(BIN)/python -m services.gateway.console.vendor
	@touch $@

.PHONY: test
test: setup ## every test (real PostgreSQL, NATS and browser), at most ten minutes on two cores
	@$(BIN)/python -m pytest tests $(WORKERS) --durations=25

.PHONY: check
check: setup lint types imports protos-check charts-check ## format, lint, types, import contracts, protos, chart

.PHONY: fmt lint types imports
fmt: setup ## format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix --quiet $(SOURCES)
lint: setup
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
types: setup
	@$(BIN)/mypy
imports: setup
	@$(BIN)/lint-imports

.PHONY: protos protos-check
protos: setup ## regenerate protos/gen, the TypeScript client among it
	@$(BIN)/python protos/generate.py
	@$(BIN)/python -m services.gateway.openapi.client
protos-check: setup ## protos/gen is current; buf lint and buf breaking
	@$(BIN)/python protos/generate.py --check
	@cd protos && ../$(BIN)/buf lint gen/kefu/image.binpb --config buf.yaml --path kefu
	@cd protos && ../$(BIN)/buf breaking gen/kefu/image.binpb --against baseline.binpb --config buf.yaml --path kefu

.PHONY: protos-baseline
protos-baseline: protos-check ## a step of each release: what later contracts may not break
	@cp protos/gen/kefu/image.binpb protos/baseline.binpb

.PHONY: charts charts-check
charts: setup ## write the chart's README and what each environment renders to
	@$(BIN)/python charts/generate.py
	@$(BIN)/python -m tests.charts.golden
charts-check: setup
	@$(BIN)/python charts/generate.py --check

.PHONY: clauses clauses-mutate
clauses: setup ## how many clauses of each regime and service a passing test shows, and which none does
	@rm -f .kefu/clauses.json
	@code=0; $(BIN)/python -m pytest tests $(WORKERS) -m clause || code=$$?; $(BIN)/python -m tests.clauses.report; exit $$code
clauses-mutate: setup ## switch each tied setting off and expect its tests to fail (after `make clauses`; SETTINGS="sla.handoff_s …" for some)
	@$(BIN)/python -m tests.clauses.mutate $(SETTINGS)

.PHONY: lock
lock: setup ## write the lock files again from requirements*.in
	@for name in requirements-bootstrap requirements requirements-dev; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $$name.in -o $$name.lock; \
	done

##@ On call

.PHONY: dashboards panels
dashboards: setup ## write grafana/dashboards and grafana/rules anew from their sources
	@$(BIN)/python -m grafana
panels: setup ## present values of a board's panels (BOARD=work, PROMETHEUS=http://…)
	@$(BIN)/python -m grafana.panels $(BOARD)

.PHONY: drill drill-check drill-restore
drill: setup ## a stack with one fault that nobody tells you: find it (SEED=7)
	@$(BIN)/python -m tests.drills.on_call $(SEED)
drill-check: setup ## each fault by itself: its alert fires, its runbook runs, it resolves (FAULTS=surge)
	@$(BIN)/python -m tests.drills.on_call --check $(FAULTS)
drill-restore: setup ## lose a disk under writes and restore: what is lost, how long it takes (FILL_MB=200)
	@$(BIN)/python -m tests.drills.restore

##@ Measure

.PHONY: rolling
rolling: setup ## restart two replicas of everything in turn under load: no call may fail (ROUNDS=5, BUSY=2)
	@KEFU_ROUNDS=$(ROUNDS) KEFU_BUSY=$(BUSY) $(BIN)/python -m pytest -s tests/faults/test_rolling.py

.PHONY: capacity bench-intake bench-timers bench-gateway bench-events bench-steady bench-soak bench-scale bench-stack bench-forecast bench-staffing bench-roster bench-site-roster bench-tiers bench-sampling staffing-model replay screenshots
bench-intake: setup ## messages and whole conversations a second (each of these: QUICK=1 for under a minute)
	@$(BIN)/python -m tests.bench.bench_intake
bench-timers: setup ## deadlines armed, fired, and how late
	@$(BIN)/python -m tests.bench.bench_timers
bench-gateway: setup ## REST and SSE beside the floor of the same web server
	@$(BIN)/python -m tests.bench.bench_gateway
bench-events: setup ## events a second from outbox to inbox
	@$(BIN)/python -m tests.bench.bench_events
bench-steady: setup ## three hundred durable messages a second for half an hour
	@$(BIN)/python -m tests.bench.bench_steady
bench-soak: setup ## a thousand streams for ten minutes, some of which never read: memory stays flat
	@$(BIN)/python -m tests.bench.bench_soak
bench-scale: setup ## a message's cost with ten million stored, and with two replicas
	@$(BIN)/python -m tests.bench.bench_scale
capacity: setup ## memory and CPU of every process at several loads, into docs/operations/capacity.json
	@$(BIN)/python -m tests.bench.capacity
bench-stack: setup ## seconds that `kefu up` takes, and what each process holds
	@$(BIN)/python -m tests.bench.bench_stack
bench-forecast: setup ## forecasts beside the plain ones, intervals, today's update (CALLS=history.csv)
	@$(BIN)/python -m tests.bench.bench_forecast $(CALLS)
bench-staffing: setup ## people needed in 13,440 cells, and the closed forms beside the simulation
	@$(BIN)/python -m tests.bench.bench_staffing
bench-tiers: setup ## a million customers tiered, a purchase, a real file imported, the ledger audited (PART=tiers|orders|ledger)
	@$(BIN)/python -m tests.bench.bench_tiers $(PART)
bench-sampling: setup ## a week drawn from ten million recordings and run again by the verifier; scorecards of a month from ten million observations (PART=scorecards)
	@$(if $(filter scorecards,$(PART)),:,$(BIN)/python -m tests.bench.bench_sampling)
	@$(BIN)/python -m tests.bench.bench_scorecards
bench-site-roster: setup ## a site's two weeks with forty people: bound, gap, what the solver holds, into docs/operations/solver.json
	@$(BIN)/python -m tests.bench.site_roster
bench-roster: setup ## rosters of the public benchmarks, checked and proved (INSTANCES="5 6" for some, ten minutes each)
	@$(BIN)/python -m tests.bench.bench_roster $(INSTANCES)
staffing-model: setup ## fit the correction for uneven handling times again (some minutes)
	@$(BIN)/python -m tests.bench.staffing_model
replay: setup ## replay a recorded call log day by day into docs/replay.md (CALLS=file.tsv.gz)
	@test -n "$(CALLS)" || { echo "make replay CALLS=path/to/log.tsv.gz"; exit 2; }
	@$(BIN)/python -m services.stack.weeks "$(CALLS)"
screenshots: setup ## the pictures of docs/, from a real browser
	@$(BIN)/python -m tests.browser.screenshots
