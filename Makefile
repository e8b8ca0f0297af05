# Needs make and Python 3.11 or newer; everything else goes into .venv on first use.
PYTHON ?= python3
BIN    := .venv/bin
STAMP  := .venv/.installed
LOG    := .venv/.pytest.log
SHELL  := bash

# Pure modules, held to full branch coverage. The import contract "pure" in pyproject.toml lists the same ones.
PURE := cra/amount.py,cra/canonical.py,cra/protocol/*,cra/ledger/chain.py,cra/ledger/checkpoint.py,cra/ledger/filter.py,cra/ledger/merkle.py,cra/ledger/verdict.py,cra/policy/*,cra/printable.py,cra/redaction/*,cra/replay/compare.py,cra/replay/normal.py,cra/replay/rule.py,cra/replay/step.py,cra/replay/value.py,cra/resolver/relevance.py,cra/resolver/spelling.py,cra/resolver/words.py

.DEFAULT_GOAL := test
.PHONY: demo test test-full bench lint format docs pictures clean

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

# pytest's closing line is printed again at the end: it is the answer.
test: lint
	@set -o pipefail; $(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report= \
		$(if $(MAKE_TERMOUT),--color=yes) | tee $(LOG)
	@$(BIN)/coverage report --include='$(PURE)' --fail-under=100
	@tail -n 1 $(LOG)

test-full: export CRA_TEST_FULL := 1
test-full: test

bench: $(STAMP)
	@$(BIN)/python -m bench

lint: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

# The screens in the README are those that the tests compare; look at them before you commit them.
pictures: $(STAMP)
	@$(BIN)/python -m pytest -q tests/test_tui_pictures.py --snapshot-update

docs: $(STAMP)
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Removes what make and the tools made, never a trace.
clean:
	@rm -rf .venv build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find cra tests bench examples specs docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) here: install Python 3.11 or newer, or name one with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cra needs Python 3.11 or newer, found " + sys.version.split()[0] + ": name another with make PYTHON=...")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo 'installing cra and its tools into .venv'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@
