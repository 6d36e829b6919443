# Validation, sheets, wildcard constraints and what all stages need; no rules. sources.smk: helper functions for
# what a run reads; models.smk: for the model sheet.
import functools
import math
import os
import sys
import zlib
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from verbatim.config import code, decisions, settings, sources, sweep_plan
from verbatim.config.sweep_points import GridError
from verbatim.io import atomic, locks

try:
    settings.read_numbers(config, workflow.basedir)
    settings.check_config(config, workflow.basedir)
    ALL_MODELS = settings.read_models(config["models"], workflow.basedir)
    MODELS = settings.select_models(ALL_MODELS, config["select_models"])
    settings.check_sources(config, ALL_MODELS, MODELS)
    sources.check_revisions(config, ALL_MODELS, MODELS)
    sources.check_lists(config, ALL_MODELS)
    sources.use_cache(config)
    CLIP = sources.clip_folder(config)
    decisions.read_decisions(config["labels"]["decisions"], ALL_MODELS.index)
    SWEEP = sweep_plan.read_plan(config)
except (
    settings.ConfigError,
    decisions.DecisionError,
    GridError,
) as err:
    raise WorkflowError(str(err))


wildcard_constraints:
    finding=r"all|\d+",
    model="[a-z0-9_]+",
    shard=r"\d{5}",
    part=r"\d{5}",
    figure="[a-z0-9_]+",
    point="[a-z0-9_]+",
    seed=r"\d+",
    defence="[a-z]+",


RESULTS = config["results"]
WORLD = config["inputs"]["source"] == "world"


def code_of(*scripts):
    """Input function: every library module that decides what these scripts compute.

    A script is named "stage/rule", another file by its path from the top folder, with suffix.
    """
    top = Path(workflow.basedir)
    files = [
        top / name if name.endswith(".py") else top / "workflow/scripts" / f"{name}.py"
        for name in scripts
    ]
    # relative where it can be, so that a folder with its results can be moved without reruns
    library = os.path.relpath(top / "workflow" / "src" / "verbatim")
    return lambda wildcards: [f"{library}/{m}.py" for m in code.code_of(*files)]


def hold_results():
    """Keep every other run out of the results folder for as long as this one lasts."""
    try:
        locks.lock_results(RESULTS, workflow.basedir)
    except (locks.LockedError, OSError) as err:
        raise WorkflowError(str(err))


def shards(n, size):
    """Names of the shards that hold n things, `size` in each."""
    return [f"{i:05d}" for i in range(math.ceil(n / size))]


@functools.cache
def prompt_shards(stage, model):
    """Names of a model's prompt shards in a stage, one at least; the last takes what is beyond the plan."""
    planned = settings.planned_prompts(config, ALL_MODELS, stage, model)
    return shards(max(1, planned), config[stage]["prompts_a_shard"])


def of_shards(stage, suffix):
    """Input function: this file of every prompt shard of a model."""
    return lambda wildcards: [
        f"<results>/{stage}/{wildcards.model}/shards/{shard}{suffix}"
        for shard in prompt_shards(stage, wildcards.model)
    ]


def is_last_shard(stage):
    """Params function: whether a prompt shard is the last that was planned."""
    return (
        lambda wildcards: wildcards.shard == prompt_shards(stage, wildcards.model)[-1]
    )


def kept_folder(stage):
    """Params function: where finished work of a model is kept, by prompt; see verbatim/io/result_cache.py."""
    return lambda wildcards: f"{RESULTS}/{stage}/{wildcards.model}/kept"


def grow(amount):
    """Resource that is asked for again, twice and three times as much, when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def labels_of_models(wildcards=None):
    return [f"<results>/labels/{model}/labels.parquet" for model in MODELS.index]


def of_attacked(pattern):
    """A file of every selected model that was attacked."""
    return [pattern.replace("{model}", model) for model in attacked_models()]


def cost_files(wildcards=None):
    """What every stage spent on the selected models."""
    files = [
        f"<results>/{stage}/{model}/cost.parquet"
        for stage in ("whitebox", "blackbox", "postfilter")
        for model in attacked_models()
    ]
    return files + [f"<results>/labels/{model}/cost.parquet" for model in MODELS.index]


def all_tables():
    """Every table of a run; those that need the truth only where there is one."""
    names = ["table1_vs_paper", "costs"]
    names += ["precision"] if attacked_models() else []
    names += ["recall", "confusion"] if WORLD else []
    names += ["evaluation", "kinds", "depths"] if WORLD and attacked_models() else []
    names += ["findings"] if WORLD and finding_roles()["duplicated"] else []
    names += ["agreement"] if authors_models() else []
    tables = [f"<results>/tables/{name}.csv" for name in names]
    return ["<results>/table1.csv", *tables, "<results>/tables/tables.html"]


def world_table(name):
    """A table that needs the truth, or nothing where there is none."""
    return f"<results>/tables/{name}.csv" if WORLD else []


def detector_table(name):
    """A table of the attacked models' scores against the truth, or nothing where there is none."""
    return world_table(name) if attacked_models() else []


def all_figures():
    """Every figure of a run; those that need the truth only where there is one."""
    names = ["fig1_generations", "fig2_templates", "fig3_precision", "fig4_duplication"]
    names += ["fig5_near_misses", "triples", "table1"]
    truth = ["recall", "confusion", "roc", "detector_recall", "histogram", "unpicked"]
    names += truth if WORLD else []
    return [
        f"<results>/figures/{name}.{kind}" for name in names for kind in ("png", "pdf")
    ]


def all_evidence():
    """What lets a reader question a run: the verifier's counts and the review page. Bundles are asked for."""
    return ["<results>/evidence/verified.csv", "<results>/evidence/review/index.html"]


def known_prompts():
    """Tables that name every prompt of the run; needed only where privacy.only names some of them."""
    if not config["privacy"]["only"]:
        return []
    # a closed system's prompts, and those that the authors labelled, need not be among the selected ones
    closed = [model for model in MODELS.index if model in CLOSED]
    theirs = MODELS.index[MODELS["candidates"] == "authors"]
    return [
        "<results>/dedup/prompts.parquet",
        *(f"<results>/labels/{model}/generations.parquet" for model in closed),
        *(f"<results>/labels/{model}/selection.parquet" for model in theirs),
    ]


def bundle_settings(wildcards):
    """What a bundle says of how its finding was computed, and what replays it."""
    labels, sampling = config["labels"], config["sampling"]
    return {
        "sampling": {
            key: sampling[key] for key in ("sampler", "spacing", "steps", "guidance")
        }
        | {"upscaler": upscaler_settings(wildcards)},
        "labels": {
            key: labels[key] for key in ("preset", "size", "order", "mask", "guards")
        }
        | {"thresholds": labels["presets"][labels["preset"]]}
        | {"seeds": label_seeds(wildcards)},
        "evidence": {
            "size": config["evidence"]["size"],
            **config["evidence"]["search"],
        },
        "test": config["evidence"]["test"],
    }


def one_step_guidances():
    """Guidance of each ECS preset, the ranking preset's first; each costs one network row a prompt and seed."""
    presets = config["blackbox"]["presets"]
    main = presets[config["blackbox"]["preset"]]["guidance"]
    return [main, *sorted({p["guidance"] for p in presets.values()} - {main})]
