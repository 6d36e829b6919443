# Validation, sheets, wildcard constraints and helper functions; no rules.
import math
import sys
import zlib
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from verbatim import configuration

try:
    configuration.read_numbers(config, workflow.basedir)
    configuration.check_config(config, workflow.basedir)
    ALL_MODELS = configuration.read_models(config["models"], workflow.basedir)
    MODELS = configuration.select_models(ALL_MODELS, config["select_models"])
    configuration.check_sources(config, ALL_MODELS, MODELS)
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
        number = f"{int(shard):04d}"
        name = {
            "embeddings": f"img_emb/img_emb_{number}.npy",
            "metadata": f"metadata/metadata_{number}.parquet",
        }[kind]
        return f"<results>/world/embeddings/{name}"
    return getattr(SOURCE[shard], kind)


def source_files(kind):
    """`source_file` of all shards, in order of their rows."""
    return [source_file(kind, shard) for shard in input_shards()]


def picture_archives():
    """The img2dataset archives: those that this run makes, or those that lie in a user's folder now."""
    if WORLD:
        return [f"<results>/world/data/{shard}.tar" for shard in input_shards()]
    return layouts.list_archives(picture_folder())


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
    """Names of the prompt shards of a model, one at least; the last takes what is beyond the plan."""
    planned = max(1, configuration.planned_prompts(config))
    return shards(planned, config["whitebox"]["prompts_a_shard"])


def attacked_models():
    """Selected models whose white- and black-box scores are asked for."""
    return list(MODELS.index[MODELS["whitebox"] == "yes"])


def loading_row(wildcards):
    """The cells of the sheet that decide how the model is loaded, as a dict."""
    return configuration.loading_row(ALL_MODELS, wildcards.model)


def model_folder(wildcards):
    """What must exist before a model can be loaded: model_index.json of a trained or a local folder."""
    row = ALL_MODELS.loc[wildcards.model]
    if row["source"] == "train":
        return f"<results>/world/models/{wildcards.model}/model_index.json"
    index = Path(row["source"]) / "model_index.json"
    return str(index) if index.is_file() else []  # a hub id, in the local cache


def model_weights(wildcards):
    """What tells one state of a trained model from another: the digests of its weights."""
    if ALL_MODELS.loc[wildcards.model, "source"] == "train":
        return f"<results>/world/models/{wildcards.model}/weights.sha256"
    return []  # a public checkpoint is told by its folder or revision


def checked_model(wildcards):
    """What is known of a model that is not made here before any work is done for it."""
    made_here = ALL_MODELS.loc[wildcards.model, "source"] == "train"
    return [] if made_here else f"<results>/inputs/models/{wildcards.model}.tsv"


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


def world_seed(name):
    """Seed of one training: the world's, and different for each network."""
    return zlib.crc32(f"{config['world']['seed']}/{name}".encode())


def training_set(wildcards):
    """Rows tables, and what filters them, by the `training` column of the sheet."""
    row = ALL_MODELS.loc[wildcards.model]
    if row["training"].startswith("style:"):
        style = row["training"].removeprefix("style:")
        return {"rows": [f"<results>/world/styles/{style}/rows.parquet"]}
    inputs = {
        "rows": expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards())
    }
    if row["training"] == "deduplicated":
        inputs["kept_rows"] = "<results>/dedup/kept_rows.parquet"
    return inputs


def training_start(wildcards):
    """What a training starts from: the shared VAE for a latent model, another model for a fine-tune."""
    row = ALL_MODELS.loc[wildcards.model]
    inputs = {}
    if row["family"] == "sd":
        inputs["vae"] = "<results>/world/vae/config.json"
        inputs["vae_weights"] = (
            "<results>/world/vae/diffusion_pytorch_model.safetensors"
        )
    if row["init"]:
        inputs["init"] = f"<results>/world/models/{row['init']}/model_index.json"
        inputs["init_weights"] = f"<results>/world/models/{row['init']}/weights.sha256"
    return inputs


def training_settings(wildcards):
    """The config block of a training: the family's, or `finetune` on top of it."""
    row = ALL_MODELS.loc[wildcards.model]
    settings = dict(config["world"][row["family"]])
    if row["init"]:
        settings |= {
            k: v for k, v in config["world"]["finetune"].items() if k != "pictures"
        }
    return settings


def sheet_columns(*columns):
    """These columns of the selected models, in the order of the sheet, as plain records."""
    return MODELS[["model", *columns]].to_dict("records")


def labels_of_models(wildcards=None):
    return [f"<results>/labels/{model}/labels.parquet" for model in MODELS.index]


def of_attacked(pattern):
    """A file of every selected model that was attacked."""
    return [pattern.replace("{model}", model) for model in attacked_models()]


def cost_files(wildcards=None):
    """The cost of every job that called a network for the selected models."""
    attacked = attacked_models()
    files = [
        f"<results>/whitebox/{model}/shards/{shard}.cost.parquet"
        for model in attacked
        for shard in (prompt_shards() if attacked else [])
    ]
    files += [
        f"<results>/{stage}/{model}/cost.parquet"
        for stage in ("blackbox", "postfilter")
        for model in attacked
    ]
    return files + [f"<results>/labels/{model}/cost.parquet" for model in MODELS.index]


def all_tables():
    """Every table of a run; those that need the truth only where there is one."""
    names = ["table1_vs_paper", "costs"]
    names += ["precision"] if attacked_models() else []
    names += ["recall", "confusion"] if WORLD else []
    names += ["evaluation", "kinds", "depths"] if WORLD and attacked_models() else []
    tables = [f"<results>/tables/{name}.csv" for name in names]
    return ["<results>/table1.csv", *tables, "<results>/tables/tables.html"]


def world_table(name):
    """A table that needs the truth, or nothing where there is none."""
    return f"<results>/tables/{name}.csv" if WORLD else []


def detector_table(name):
    """A table of the attacked models' scores against the truth, or nothing where there is none."""
    return world_table(name) if attacked_models() else []


def trained_on_kept(model):
    return model["training"] == "deduplicated" and model["source"] == "train"


def shown_models():
    """Models that a figure of the attack shows: those attacked, or all where none is."""
    return attacked_models() or list(MODELS.index)


def all_figures():
    """Every figure of a run; those that need the truth only where there is one."""
    names = ["fig1_syntheses", "fig2_templates", "fig3_precision", "fig4_duplication"]
    names += ["fig5_near_misses", "triples", "table1"]
    truth = ["recall", "confusion", "roc", "detector_recall", "histogram", "unpicked"]
    names += truth if WORLD else []
    return [
        f"<results>/figures/{name}.{kind}" for name in names for kind in ("png", "pdf")
    ]


def names_of(models):
    """Model -> its name in Table 1, in the order of the sheet."""
    return {model: MODELS.loc[model, "name"] for model in models}


def one_step_guidances():
    """Guidance of each ECS preset, the ranking preset's first; each costs one network row a prompt and seed."""
    presets = config["blackbox"]["presets"]
    main = presets[config["blackbox"]["preset"]]["guidance"]
    return [main, *sorted({p["guidance"] for p in presets.values()} - {main})]
