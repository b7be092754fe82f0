# make run        from a table of flights to answered predictions; leaves the server running
# make help       all targets
PROJECT ?= .
RUNTIME ?= process
UV ?= uv
export PYTHON
export PYTHONPATH = $(CURDIR)/container/code
python = .venv/bin/python
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

.PHONY: help run down test lint fix images conformance bench docs lock clean
.DEFAULT_GOAL = help

help:                      ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

run: .venv/run.stamp       ## the whole road: [PROJECT=examples/telco] [RUNTIME=docker] [PORT=8080]
	@$(python) -m ops run $(PROJECT) --runtime $(RUNTIME) $(if $(PORT),--port $(PORT))

down:                      ## stop every server that `make run` has left running
	@test ! -x $(python) || $(python) -m ops down

test: .venv/dev.stamp      ## all tests: [ARGS="-k flights"]
	@$(python) -m pytest -q $(ARGS)

lint: .venv/dev.stamp      ## what the CI checks: style, types, import rules
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy
	@.venv/bin/lint-imports

fix: .venv/dev.stamp       ## mend what the linter can mend
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

images:                    ## build canarywood:local
	docker build --tag canarywood:local container

conformance: .venv/run.stamp   ## SageMaker's contract against [IMAGE=name | URL=http://host:port]
	@$(python) -m conformance $(if $(IMAGE),--image $(IMAGE)) $(if $(URL),--url $(URL))

bench: .venv/dev.stamp     ## measure, and compare with benchmarks/baseline.json
	@$(python) -m benchmarks

docs: .venv/dev.stamp      ## write docs/reference from the code
	@$(python) -m docs

lock:                      ## resolve every lock file again: [ARGS=--upgrade]
	$(LOCK) $(ARGS) container/requirements.in -o container/requirements.txt
	$(LOCK) $(ARGS) requirements-run.in -c container/requirements.txt -o requirements-run.txt
	$(LOCK) $(ARGS) requirements-dev.in -c requirements-run.txt -o requirements-dev.txt

clean: down                ## stop the servers, remove what jobs and tests have written
	rm -rf .canarywood .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/%.stamp: requirements-%.txt
	@sh ops/venv.sh $<
	@touch $@
