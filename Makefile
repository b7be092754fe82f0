# make run        from a table of flights to answered predictions; leaves the server running
# make help       all targets
PROJECT ?= .
RUNTIME ?= process
UV ?= uv
export PYTHON
export PYTHONPATH = $(CURDIR)/container/code
python = .venv/bin/python
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal \
	--generate-hashes --no-emit-index-url --no-emit-find-links $(ARGS)
OLD = $(LOCK) --python-version 3.11
NEW = $(LOCK) --python-version 3.12

.PHONY: help run down test test-matrix lint fix images conformance bench docs lock clean
.DEFAULT_GOAL = help

help:                      ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: .venv/run.stamp       ## the whole road: [PROJECT=examples/telco] [RUNTIME=docker] [PORT=8080]
	@$(python) -m ops run $(PROJECT) --runtime $(RUNTIME) $(if $(PORT),--port $(PORT))

down:                      ## stop every server that `make run` has left running
	@test ! -x $(python) || $(python) -m ops down

test: .venv/dev.stamp      ## all tests: [ARGS="-k flights"]
	@$(python) -m pytest -q $(ARGS)

test-matrix:               ## the unit tests on the newest xgboost and a newer Python
	@scripts/test_matrix.sh $(ARGS)

lint: .venv/dev.stamp      ## what the CI checks: style, types, import rules
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy
	@.venv/bin/lint-imports

fix: .venv/dev.stamp       ## mend what the linter can mend
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

images:                    ## build canarywood:local
	@scripts/images.sh

conformance: .venv/run.stamp   ## SageMaker's contract against [IMAGE=name | URL=http://host:port]
	@$(python) -m conformance $(if $(IMAGE),--image $(IMAGE),$(if $(URL),--url $(URL),--process))

bench: .venv/dev.stamp     ## measure, and compare with benchmarks/baseline.json
	@$(python) -m benchmarks

docs: .venv/dev.stamp      ## write docs/reference from the code
	@$(python) -m docs

lock:                      ## resolve every lock file again: [ARGS=--upgrade]; needs uv
	$(OLD) container/requirements.in -o container/requirements.txt
	$(OLD) requirements-run.in -c container/requirements.txt -o requirements-run.txt
	$(OLD) requirements-dev.in -c requirements-run.txt -o requirements-dev.txt
	$(NEW) container/requirements-xgboost-3.4.in -o container/requirements-xgboost-3.4.txt
	$(NEW) requirements-matrix.in -c container/requirements-xgboost-3.4.txt -o requirements-matrix.txt

clean: down                ## stop the servers, remove what jobs and tests have written
	rm -rf .canarywood .venv-matrix .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/%.stamp: requirements-%.txt
	@sh ops/venv.sh $<
	@touch $@
