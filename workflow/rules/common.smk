# Validation, sheets, wildcard constraints and helper functions; no rules.
import math
import sys
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from verbatim import configuration

try:
    configuration.check_config(config, workflow.basedir)
    ALL_MODELS = configuration.read_models(config["models"], workflow.basedir)
    MODELS = configuration.select_models(ALL_MODELS, config["select_models"])
except configuration.ConfigError as err:
    raise WorkflowError(str(err))


wildcard_constraints:
    model="[a-z0-9_]+",
    shard=r"\d{5}",
    figure="[a-z0-9_]+",


RESULTS = config["results"]
WORLD = config["inputs"]["source"] == "world"
if not WORLD:
    from verbatim.inputs import layouts

    try:
        SOURCE = {
            files.shard: files
            for files in layouts.list_files(config["inputs"]["source"])
        }
    except layouts.InputError as err:
        raise WorkflowError(str(err))


def code(*modules):
    """Paths of library modules (under verbatim/, no suffix), as inputs of the rules that they compute for."""
    return [workflow.source_path(f"../src/verbatim/{module}.py") for module in modules]


def shards(n, size):
    """Names of the shards that hold n things, `size` in each."""
    return [f"{i:05d}" for i in range(math.ceil(n / size))]


def input_shards():
    """Names of the embedding shards: known at parse time, planned for the world, listed for a folder."""
    if WORLD:
        from verbatim.world import planting

        return shards(
            planting.count_rows(config["world"]["planted"]),
            config["world"]["rows_a_shard"],
        )
    return list(SOURCE)


def source_file(kind, shard):
    """The file of a shard that holds its `embeddings` or its `metadata`."""
    if WORLD:
        name = {
            "embeddings": "img_emb/img_emb_{}.npy",
            "metadata": "metadata/metadata_{}.parquet",
        }[kind]
        return "<results>/world/embeddings/" + name.format(f"{int(shard):04d}")
    return getattr(SOURCE[shard], kind)


def source_files(kind):
    """`source_file` of all shards, in order of their rows."""
    return [source_file(kind, shard) for shard in input_shards()]


def picture_archives():
    """The img2dataset archives that this run makes; those of a user's folder are just there."""
    return (
        [f"<results>/world/data/{shard}.tar" for shard in input_shards()]
        if WORLD
        else []
    )


def picture_folder():
    """The folder of the img2dataset archives."""
    if config["inputs"]["pictures"]:
        return config["inputs"]["pictures"]
    return f"{RESULTS}/world/data" if WORLD else f"{config['inputs']['source']}/data"


def extra_prompts():
    """A list with the file of captions to judge beside the selected ones, or an empty one."""
    file = config["inputs"]["extra_prompts"]
    return {"": [], "world": ["<results>/world/extra_prompts.parquet"]}.get(
        file, [file]
    )


def prompt_shards():
    """Names of the prompt shards of a model: planned for the most prompts there can be."""
    return shards(
        configuration.most_prompts(config), config["whitebox"]["prompts_a_shard"]
    )


def attacked_models():
    """Selected models whose white- and black-box scores are asked for."""
    return list(MODELS.index[MODELS["whitebox"] == "yes"])


def sheet_row(wildcards):
    """The model's row of the sheet, as a dict: what a script may know of it."""
    return configuration.sheet_row(ALL_MODELS, wildcards.model)


def model_folder(wildcards):
    """What must exist before a model can be loaded: model_index.json of a trained or a local folder."""
    row = ALL_MODELS.loc[wildcards.model]
    if row["source"] == "train":
        return f"<results>/world/models/{wildcards.model}/model_index.json"
    if Path(row["source"]).is_dir():
        return f"{row['source']}/model_index.json"
    return []  # a hub id, in the local cache


def candidates_of(wildcards):
    return ALL_MODELS.loc[wildcards.model, "candidates"]


def candidate_files(wildcards):
    """What a model's candidates are selected from, by the sheet's word for it."""
    candidates = candidates_of(wildcards)
    models = configuration.candidate_models(candidates)
    if candidates == "own":
        return {
            "dcs": f"<results>/whitebox/{wildcards.model}/scores.parquet",
            "ecs": f"<results>/blackbox/{wildcards.model}/scores.parquet",
            "clique": f"<results>/postfilter/{wildcards.model}/scores.parquet",
        }
    if candidates.startswith("top:"):
        return {"ecs": f"<results>/blackbox/{models[0]}/scores.parquet"}
    return {"labels": [f"<results>/labels/{model}/labels.parquet" for model in models]}


def found_in(wildcards):
    """Models whose found prompts are candidates of this one."""
    candidates = candidates_of(wildcards)
    return (
        configuration.candidate_models(candidates)
        if candidates.startswith("found:")
        else []
    )


def clip_file(name):
    """A file of the CLIP model that made the embeddings."""
    folder = config["inputs"]["clip"]
    return f"<results>/world/clip/{name}" if folder == "world" else f"{folder}/{name}"
