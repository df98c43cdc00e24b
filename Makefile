# Everything a user or a pipeline calls; each target sets up what it needs first.
# On a machine with Python 3.11 or newer, git and make: `make demo`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
MUTANTS := $(VENV)/.mutants-installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-long lint wheel-test agent format kafka axe bench-sampler bench-verdict bench-memory bench-forecast bench-scale bench-fleet bench-live bench-load bench-faults bench-ledger bench-startup bench-prometheus bench-routes fuzz mutants lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: $(RUNTIME) ## compare every strategy on the embedded broker, in under 5 minutes
	$(BIN)/tidemark compare --duration 36 --rate 10 --interval 0.25 --plateau 8 --verify-messages

test: $(DEV) ## run the tests, in under 12 minutes
	$(BIN)/python -m pytest -m "not long"

test-long: $(DEV) ## run what takes longer: whole runs through every fault, the services of examples/
	$(BIN)/python -m pytest -m long

lint: $(DEV) ## check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

wheel-test: ## build the wheel, and run it in a project of somebody else's
	PYTHON=$(PYTHON) .ci/wheel

agent: $(BIN)/python ## pack the sampler for other hosts: tidemark-agent.pyz, for Python 3.9 or newer
	@$(BIN)/python -m tidemark.agent.archive tidemark-agent.pyz

format: $(DEV) ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

kafka: .kafka/.fetched ## fetch the jars of real Kafka brokers (needs Maven and a JDK)

.kafka/.fetched: kafka/pom.xml
	rm -rf .kafka/jars
	mvn --quiet --batch-mode --file kafka/pom.xml dependency:copy-dependencies
	@touch $@

axe: .axe/.fetched ## fetch axe-core, which checks the pages in the browser (needs npm)

.axe/.fetched: tests/axe/package.json tests/axe/package-lock.json
	rm -rf .axe
	mkdir .axe
	cp tests/axe/package.json tests/axe/package-lock.json .axe/
	npm ci --prefix .axe --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

bench-sampler: $(DEV) ## the sampler at up to 180,234 connections beside ss, netstat and psutil
	$(BIN)/python -m benchmarks.sampler

bench-verdict: $(DEV) ## precision and recall of the verdict on a labelled corpus
	$(BIN)/python -m benchmarks.verdict

bench-memory: $(DEV) ## the verdict on memory on recorded real services, some of them recorded anew (Go, Node, a JDK, Maven)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.memory.bench

bench-forecast: $(DEV) ## forecasts of real deaths, from the first quarter of the life
	$(BIN)/python -m benchmarks.forecast

bench-live: $(DEV) ## what it costs a run to be looked at: p99 with the page open and without
	$(BIN)/python -m benchmarks.live

bench-load: $(DEV) ## the load generator beside a bare FastHttpUser, vegeta and k6, twenty minutes (Go)
	$(BIN)/python -m benchmarks.load

bench-scale: $(DEV) ## reports of runs of 72 and 24 hours: seconds and memory
	$(BIN)/python -m benchmarks.scale

bench-fleet: $(DEV) ## 1,000 targets of a day: compacted, judged by one process, two, and a Dask cluster (half an hour)
	$(BIN)/python -m benchmarks.fleet

bench-faults: $(DEV) ## break every part of a run many times over, in about an hour: docs/reliability.md
	$(BIN)/python -m benchmarks.faults

bench-ledger: $(DEV) ## ten runs with a random fault each: nothing left running, every ledger adds up
	$(BIN)/python -m benchmarks.faults_asked

bench-routes: $(DEV) ## which of three routes leaks: 20 simulated runs that leak, 20 that do not
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.routes

bench-prometheus: $(DEV) ## what a real Prometheus server holds of a leak beside what the sampler saw of it, ten minutes (Go)
	$(BIN)/python -m benchmarks.prometheus

fuzz: $(DEV) ## run directories, options and web forms at random: no traceback, no hang, nothing passed unseen
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.fuzz

bench-startup: $(DEV) ## how soon help, version, the sampler and the gate answer
	$(BIN)/python -m benchmarks.startup

mutants: $(MUTANTS) ## small faults in the judge: which share its tests let through
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.mutants

lock: $(DEV) ## resolve the dependencies anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet --upgrade \
	    --no-emit-find-links --no-emit-index-url --python-version 3.11 \
	    pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet --upgrade \
	    --no-emit-find-links --no-emit-index-url --python-version 3.11 \
	    --constraint requirements.lock \
	    --group dev pyproject.toml --output-file requirements-dev.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet --upgrade \
	    --no-emit-find-links --no-emit-index-url --python-version 3.11 \
	    --constraint requirements-dev.lock \
	    --group mutants --output-file requirements-mutants.lock

clean: ## remove the virtual environment and the caches; results stay
	rm -rf $(VENV) .axe .kafka .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build tidemark-agent.pyz

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Tidemark needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; exit 2; }

$(RUNTIME): $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	@touch $@

$(MUTANTS): $(DEV) requirements-mutants.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-mutants.lock
	@touch $@
