# make demo: the console on a simulated house. make test: everything that is checked.
.DEFAULT_GOAL := help
.PHONY: help demo test lint clean

help:
	@echo 'make demo   the console on a simulated house (installs into .venv the first time)'
	@echo 'make test   lint, types, import contracts and all tests'
	@echo 'make lint   the same without the tests'
	@echo 'make clean  remove .venv and caches'

demo:
	@sh scripts/prepare run
	@exec .venv/bin/v2h-console demo

lint:
	@sh scripts/prepare dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

# What runs in real time, with processes of its own, has the machine to itself; the rest shares it.
test: lint
	.venv/bin/python -m pytest -m 'not live' -n auto --dist worksteal
	.venv/bin/python -m pytest -m live

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
