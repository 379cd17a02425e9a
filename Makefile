PYTHON ?= python3
PORT ?= 8000
RUN := .venv/bin/python
LOCK := .venv/bin/uv pip compile --universal --no-annotate --generate-hashes --python-version 3.11 --quiet
# Throw-away values: the deploy check wants production settings, and production takes no secret from the repository.
PRODUCTION = DJANGO_SETTINGS_MODULE=config.settings.prod ALLOWED_HOSTS=stockwright.example \
	SECURE_HSTS_INCLUDE_SUBDOMAINS=1 SECURE_HSTS_PRELOAD=1 \
	SECRET_KEY=$$($(RUN) -c "import secrets; print(secrets.token_urlsafe(64))") \
	DATABASE_URL=postgres://nobody@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0

.PHONY: help demo servers stop reset install install-dev assets test check lint types imports migrations deploy lock bench-plan bench-lots bench-textbook bench-models bench-forecast bench-demand bench-weekly bench-cells bench-speed bench-newcomers bench-baskets bench-tune bench-simulate bench-elasticity bench-inventory bench-markdown

help:
	@echo "make demo      the whole product with its demo, at http://127.0.0.1:$(PORT)/"
	@echo "make test      every test, with servers of its own"
	@echo "make check     style, types, imports, migrations, production settings"
	@echo "make servers   Postgres and Valkey alone, for development"
	@echo "make stop      ends what make demo or make servers started"
	@echo "make reset     stop, and drop this clone's data"
	@echo "make assets    the front-end files, from the npm lock"
	@echo "make bench-plan seconds and gap of one plan over 7,500 generated items"
	@echo "make bench-lots DATA=folder  lots that share a machine, beside plain SCIP, on published cases"
	@echo "make bench-textbook the textbook's answers beside stockpyl's"
	@echo "make bench-models seconds and scores of every model on the demo's grocer (ARGS='--model NAME' for some)"
	@echo "make bench-cells   how honest bands are on the demo's grocer, by money and steadiness of items"
	@echo "make bench-newcomers  forecasts of new items, with and without similar ones (DATA=folder for M5)"
	@echo "make bench-tune     whether a search finds better settings for some of the demo's grocer's items"
	@echo "make bench-baskets  what the demo's grocer's orders hold together, and seconds on a million lines"
	@echo "make bench-inventory DATA=folder  forecasts and decisions together, in the VN2 competition's shop"
	@echo "make bench-simulate  item-days a second of a replay, beside a plain loop and stockpyl's simulator"
	@echo "make bench-elasticity  how demand went with price at the demo's grocer, promotions apart or not"
	@echo "make bench-markdown  seconds of price paths for 5,000 generated items on one core"
	@echo "make bench-forecast DATA=folder   the engine on M5's sales, scored as the competition was"
	@echo "make bench-demand DATA=folder     demand that empty shelves hid, found again in M5's sales"
	@echo "make bench-weekly DATA=folder     weekly forecasts of VN2's series, beside mlforecast's"
	@echo "make bench-speed DATA=folder      learning days beside mlforecast: seconds and memory"
	@echo "make lock      compiles requirements/*.in and package.json anew"

demo: install assets
	@$(RUN) -m config.local demo --port $(PORT)

servers: install
	@$(RUN) -m config.local servers

stop:
	@test ! -x $(RUN) || $(RUN) -m config.local stop

reset:
	@test ! -x $(RUN) || $(RUN) -m config.local reset

install:
	@$(PYTHON) config/bootstrap.py demo

install-dev:
	@$(PYTHON) config/bootstrap.py dev

assets: install
	@$(RUN) config/assets.py

test: install-dev assets
	@$(RUN) -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(TESTS)

check: install-dev lint types imports migrations deploy

lint:
	.venv/bin/ruff check .

types:
	.venv/bin/mypy

imports:
	.venv/bin/lint-imports

migrations:
	@DJANGO_SETTINGS_MODULE=config.settings.test $(RUN) -W "ignore:Got an error checking:RuntimeWarning" manage.py makemigrations --check --dry-run

deploy:
	@$(PRODUCTION) $(RUN) manage.py check --deploy --fail-level WARNING

bench-plan: install-dev
	@$(RUN) -m tests.benchmarks.plan

bench-inventory: install-dev
	@$(RUN) -W ignore -m tests.benchmarks.vn2 $(DATA) $(ARGS)

bench-lots: install-dev
	@$(RUN) -m tests.benchmarks.lot_sizing $(DATA) $(ARGS)

bench-textbook: install-dev
	@$(PYTHON) config/bootstrap.py bench
	@$(RUN) -W ignore -m tests.benchmarks.textbook $(ARGS)

bench-models: install-dev
	@$(RUN) -m tests.benchmarks.models $(ARGS)

bench-forecast: install-dev
	@$(RUN) -m tests.benchmarks.forecast $(DATA) $(ARGS)

bench-cells: install-dev
	@$(RUN) -m tests.benchmarks.cells $(ARGS)

bench-newcomers: install-dev
	@$(RUN) -m tests.benchmarks.newcomers $(DATA) $(ARGS)

bench-baskets: install-dev
	@$(RUN) -m tests.benchmarks.baskets $(ARGS)

bench-tune: install-dev
	@$(RUN) -m tests.benchmarks.tune $(ARGS)

bench-demand: install-dev
	@$(RUN) -m tests.benchmarks.demand $(DATA) $(ARGS)

bench-weekly: install-dev
	@$(PYTHON) config/bootstrap.py bench
	@$(RUN) -W ignore -m tests.benchmarks.vn2_forecast $(DATA) $(ARGS)

bench-simulate: install-dev
	@$(PYTHON) config/bootstrap.py bench
	@$(RUN) -W ignore -m tests.benchmarks.simulate $(ARGS)

bench-elasticity: install-dev
	@$(RUN) -m tests.benchmarks.elasticity $(ARGS)

bench-markdown: install-dev
	@$(RUN) -m tests.benchmarks.markdown $(ARGS)

bench-speed: install-dev
	@$(PYTHON) config/bootstrap.py bench
	@$(RUN) -W ignore -m tests.benchmarks.speed $(DATA) $(ARGS)

# One resolution for all: what runs is what was tested.
lock: install-dev
	$(LOCK) requirements/tools.in --output-file requirements/tools.txt
	$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	$(LOCK) requirements/demo.in --constraints requirements/dev.txt --output-file requirements/demo.txt
	$(LOCK) requirements/bench.in --constraints requirements/dev.txt --output-file requirements/bench.txt
	$(LOCK) requirements/base.in --constraints requirements/dev.txt --output-file requirements/base.txt
	$$(command -v npm || echo .venv/bin/npm) install --package-lock-only --ignore-scripts --no-audit --no-fund
