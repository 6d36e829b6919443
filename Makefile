# The README's commands. Each is complete by itself: it makes .venv from the lock first.
# CORES: processor cores to use.
# CONFIG: config entries over config/config.yaml, e.g. CONFIG='select_models=[sd2] whitebox="{preset: paper}"'.
# SEEDS: the worlds of `make seeds`; settings were tried on seed 0.
# PROFILE: default (this machine) or slurm; workflow/profiles/.
# ARGS: other options of snakemake, e.g. ARGS=--dry-run. Not --config: snakemake reads only the last one.
CORES ?= all
CONFIG ?=
SEEDS ?= 1 2
PROFILE ?= default
ARGS ?=
# some images set it, and then every job compiles every import anew
export PYTHONDONTWRITEBYTECODE =
# Snakemake keeps a cache in the user's; where that may not be written, in the checkout (models stay where they were)
ifneq ($(shell d="$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake"; mkdir -p "$$d" 2> /dev/null && test -w "$$d" && echo yes),yes)
ifndef HF_HOME
export HF_HOME := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/huggingface
endif
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif
SNAKEMAKE = .venv/bin/snakemake --workflow-profile workflow/profiles/$(PROFILE) $(HERE) --rerun-incomplete $(ARGS)
HERE = $(if $(filter default,$(PROFILE)),--cores $(CORES))
SET = $(if $(strip $(CONFIG)),--config $(CONFIG))
# the results folder that CONFIG names, e.g. CONFIG=results=elsewhere
RESULTS = $(lastword results $(patsubst results=%,%,$(filter results=%,$(CONFIG))))
empty :=
comma := ,
SEED_LIST = [$(subst $(empty) $(empty),$(comma),$(strip $(SEEDS)))]

# a file is one worker's, and files start in the order of tests/conftest.py: the longest first
PYTEST = .venv/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help asked serve attribute audit guard mitigations triggers table1 unlock all claims release sbom smoke world world-check study study-quick test test-quick test-gpu test-slurm test-slurm-chaos test-conda test-release browser test-page seeds lint docs lock setup

help:            ## what there is to do
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## +/\t/' | expand -t 20

setup:           ## make .venv from envs/requirements.lock (once)
	@./setup.sh

table1: setup    ## Table 1 of the embedded world, in results/table1.csv
	$(SNAKEMAKE) $(SET) -- $(RESULTS)/table1.csv

# of `make audit`, all optional. IMAGES: a folder of images; without, a sample of the embedded world.
# MODEL: a diffusers folder, a hub id or a key of the models sheet; without, the embedded world's sd1.
# CAPTIONS: a table of captions, owners and controls. AUDIT: other keys, e.g. AUDIT='generations: 20, fail_above: 0'.
IMAGES ?=
MODEL ?=
CAPTIONS ?=
AUDIT ?=
quoted = '$(subst ','',$(1))'
AUDITED = $(strip $(if $(IMAGES),images: $(call quoted,$(IMAGES))$(comma)) $(if $(MODEL),model: $(call quoted,$(MODEL))$(comma)) \
  $(if $(CAPTIONS),captions: $(call quoted,$(CAPTIONS))$(comma)) $(AUDIT))

audit: setup     ## which images of a folder a model gives back; results/audit/report.html
	$(SNAKEMAKE) $(if $(MODEL),--configfile config/config.yaml config/audit.yaml) \
	  $(if $(CONFIG)$(AUDITED),--config $(CONFIG)) $(if $(AUDITED),audit="{$(AUDITED)}") -- audit

# of `make serve`: MODEL is a diffusers folder; PORT a free port of this machine. It answers until Ctrl-C.
PORT ?= 7860
serve: setup     ## a checkpoint behind HTTP on this machine, as if it were a closed system, for `make asked`
	.venv/bin/python workflow/tools/serve_checkpoint.py --port $(PORT) $(if $(MODEL),'$(subst ','\'',$(MODEL))',workflow/resources/world/sd1)

asked: setup     ## Table 1 of a system that is asked over HTTP (make serve) beside direct calls; results/asked
	$(SNAKEMAKE) --configfile config/config.yaml config/asked.yaml $(SET) -- asked

# of `make attribute`: an image file, or a folder of them; the embedded world's training images, or those of inputs.source
IMAGE ?=
attribute: setup ## which training images an image is nearest to, and whether it is a copy; results/evidence/attributed.png
	$(SNAKEMAKE) --config $(CONFIG) evidence="{attribution: {images: $(call quoted,$(IMAGE))}}" -- attribution

guard: setup     ## a guard before a model, evaluated: copies let out, prompts disturbed, cost; results/guard
	$(SNAKEMAKE) $(SET) -- guard

mitigations: setup ## defences of one model before and after a second attack: copies, quality, cost; results/tables/mitigations.csv
	$(SNAKEMAKE) $(SET) -- mitigations

triggers: setup  ## memorized images found by a search over words, without captions, beside DCS; results/tables/triggers.csv
	$(SNAKEMAKE) $(SET) -- triggers

unlock: setup    ## after a killed run: end its SLURM jobs (PROFILE=slurm), take its lock away; then run again
	$(if $(filter slurm,$(PROFILE)),workflow/profiles/slurm/cancel_jobs.sh)
	$(SNAKEMAKE) --unlock

all: setup       ## everything: tables, figures, checks
	$(SNAKEMAKE) $(SET) -- all

claims: all      ## everything, then each claim of workflow/docs/claims.md beside this run
	.venv/bin/python workflow/tools/check_claims.py $(RESULTS)

# of `make release`: SBOM=no takes the bill of materials as it is, or none; making it needs the package registry
SBOM ?= yes
release: setup $(if $(filter no,$(SBOM)),,sbom) ## a finished run as a package to cite, check and rerun; results/release/crate
	$(SNAKEMAKE) $(SET) -- release_results
	$(SNAKEMAKE) --report $(RESULTS)/release/report.html $(SET) -- release_results
	$(SNAKEMAKE) --forcerun build_crate $(SET) -- release

sbom: setup      ## bill of materials of envs/requirements.lock (CycloneDX); results/release/sbom.cdx.json
	@mkdir -p $(RESULTS)/release
	.venv/bin/pip install -q 'uv>=0.9,<1'
	.venv/bin/uv tool run --quiet --from 'cyclonedx-bom==7.5.0' cyclonedx-py requirements --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --output-format JSON --output-file $(RESULTS)/release/sbom.cdx.json \
	  envs/requirements.lock

world: setup     ## train the embedded world's models anew, in hours; results/trained/world/release
	nice -n 10 $(SNAKEMAKE) --configfile config/config.yaml config/train.yaml $(SET) -- results/trained/world/release/provenance.json

world-check: setup ## whether they show what the released ones show; results/trained/tables/findings.csv
	$(SNAKEMAKE) --configfile config/config.yaml config/train.yaml $(SET) -- results/trained/tables/findings.csv

study: setup     ## the copying study: what drives copies, what stops them; results/claims
	$(SNAKEMAKE) $(SET) -- study

study-quick: setup ## few points of it and one seed, in a quarter of an hour; `make study` goes on from it
	$(SNAKEMAKE) --configfile config/config.yaml config/study_quick.yaml $(SET) -- study

seeds: setup     ## worlds of other seeds, reduced; results/tables/seeds.csv
	for seed in $(SEEDS); do \
	  $(SNAKEMAKE) --configfile config/config.yaml config/seeds.yaml \
	    --config $(CONFIG) results=results/seeds/$$seed world="{seed: $$seed}" -- evaluation || exit 1; \
	done
	$(SNAKEMAKE) --config $(CONFIG) tables="{seed_runs: $(SEED_LIST)}" -- results/tables/seeds.csv

smoke: setup     ## the whole chain on a small world, in results/smoke
	$(SNAKEMAKE) --configfile config/config.yaml config/smoke.yaml --config $(CONFIG) results=results/smoke -- all

test: setup      ## every test: units, the workflow on the smoke world
	$(PYTEST) tests

# a third worker for two cores: some units wait, for a server or a process
test-quick: setup ## units that are not slow, their laws on fewer examples: what to run at every change
	$(PYTEST) -n 3 --hypothesis-profile=few -m "unit and not slow" tests/src tests/scripts

test-gpu: setup  ## scores, samplers and search on a GPU beside the CPU, then rows a second; without a GPU the CPU beside itself
	.venv/bin/python -m pytest -v -p no:xdist tests/gpu tests/src/models/test_fitting.py
	.venv/bin/python tests/benchmarks/gpu.py $(if $(shell command -v nvidia-smi),,--size small --most 16)

# SLURM_FOLDER: where both keep their runs, so that the second goes on from the first's; empty: a temporary one
SLURM_FOLDER ?=
ON_SLURM = VERBATIM_SLURM=$(SLURM_FOLDER) .venv/bin/python -m pytest -v -s -p no:xdist

test-slurm: setup  ## the smoke world on a real, throw-away SLURM cluster, against a run without
	$(ON_SLURM) tests/slurm/test_smoke_on_slurm.py

test-slurm-chaos: setup  ## jobs cancelled, a node down, too little memory, ten times kill -9: the same tables
	$(ON_SLURM) tests/slurm/test_chaos.py

test-conda: setup  ## the environments of envs/ made and used, by a stand-in for conda
	VERBATIM_CONDA=1 .venv/bin/python -m pytest -v -s -p no:xdist tests/conda

test-release: setup  ## a release read by others' validators, which the package registry has
	VERBATIM_RELEASE=1 .venv/bin/python -m pytest -v -p no:xdist tests/release

browser:         ## a headless Chromium for test-page (Debian and its kin; as root)
	command -v chromium > /dev/null || { apt-get update -qq && apt-get install -y -q --no-install-recommends chromium; }

test-page: setup browser ## the review page in a real browser (make test skips it where there is none)
	.venv/bin/python -m pytest -q tests/scripts/evidence/test_review_page.py

lint: setup      ## ruff, snakefmt, snakemake --lint, mypy
	.venv/bin/ruff check . && .venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile workflow/rules
	.venv/bin/snakemake --lint
	.venv/bin/mypy

# RUN: results folder of a finished run whose numbers the documents show; empty: they stay
RUN ?=
docs: setup      ## config/README.md and the columns of results/README.md; with RUN=results also the numbers of README.md and workflow/docs
	.venv/bin/python workflow/schemas/describe.py
	.venv/bin/python workflow/schemas/describe_tables.py
	$(if $(RUN),.venv/bin/python workflow/tools/fill_documents.py $(RUN))

lock: setup      ## make envs/requirements.lock anew from envs/requirements.in
	.venv/bin/pip install -q 'uv>=0.9,<1'
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
	  envs/requirements.in -o envs/requirements.lock
