# Validation, sheets, wildcard constraints and helper functions; no rules.
import functools
import math
import sys
import zlib
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from verbatim import configuration, decisions, sources
from verbatim.study import grid

try:
    configuration.read_numbers(config, workflow.basedir)
    configuration.check_config(config, workflow.basedir)
    ALL_MODELS = configuration.read_models(config["models"], workflow.basedir)
    MODELS = configuration.select_models(ALL_MODELS, config["select_models"])
    configuration.check_sources(config, ALL_MODELS, MODELS)
    sources.check_revisions(config, ALL_MODELS, MODELS)
    sources.check_lists(config, ALL_MODELS)
    sources.use_cache(config)
    CLIP = sources.clip_folder(config)
    decisions.read_decisions(config["labels"]["decisions"], ALL_MODELS.index)
    ALL_POINTS = grid.read_grid(config["study"]["points"], config["study"]["base"])
    POINTS = grid.select_points(
        ALL_POINTS, config["study"]["select_points"], config["study"]["points"]
    )
    grid.check_defended(
        ALL_POINTS, config["study"]["defended"], config["study"]["points"]
    )
except (
    configuration.ConfigError,
    decisions.DecisionError,
    grid.GridError,
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
if not WORLD:
    from verbatim.inputs import layouts

    try:
        SOURCE = layouts.list_files(config["inputs"]["source"])
    except layouts.InputError as err:
        raise WorkflowError(str(err))
    PLACES = {shard: place for place, shard in enumerate(SOURCE.shards)}


CLOSED = configuration.closed_models(ALL_MODELS)
# patterns of the wildcard {model}: models that are run here, and those that only their pictures are known of
RUN_HERE = (
    "|".join(model for model in ALL_MODELS.index if model not in CLOSED) or "(?!)"
)
PICTURES_ONLY = "|".join(CLOSED) or "(?!)"


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
    return list(SOURCE.shards)


def index_parts():
    """The parts of the index of all embeddings, each of dedup.shards_a_part shards."""
    parts = shards(len(input_shards()), config["dedup"]["shards_a_part"])
    return [f"<results>/dedup/index/{part}.faiss" for part in parts]


def shards_of_part(part):
    """Names of the embedding shards that a part of the index holds."""
    size = config["dedup"]["shards_a_part"]
    return input_shards()[int(part) * size : (int(part) + 1) * size]


def dedup_memory():
    """MB that a job needs which keeps dedup.memory_mb of rows in memory: libraries, and a shard of captions."""
    return 2 * config["dedup"]["memory_mb"] + 2000


def source_file(kind, shard):
    """The file of a shard that holds its `embeddings` or its `metadata`.

    No metadata where tables are cut differently than the embeddings: the manifest says which hold the shard.
    """
    if WORLD:
        number = f"{int(shard):04d}"
        name = {
            "embeddings": f"img_emb/img_emb_{number}.npy",
            "metadata": f"metadata/metadata_{number}.parquet",
        }[kind]
        return f"<results>/world/embeddings/{name}"
    place = PLACES[shard]
    if kind == "metadata":
        return [] if SOURCE.by_position else SOURCE.metadata[place]
    if SOURCE.embeddings:
        return SOURCE.embeddings[place]
    if SOURCE.archives:
        return f"<results>/inputs/img_emb/img_emb_{shard}.npy"
    # tables alone: whoever asks for embeddings is told the name of a file that is not there
    return f"{config['inputs']['source']}/img_emb/img_emb_{shard}.npy"


def source_files(kind):
    """The `embeddings` or the `metadata` of all shards, in order of their rows."""
    if not WORLD and kind == "metadata":
        return list(SOURCE.metadata)
    if not WORLD and SOURCE.embeddings:
        return list(SOURCE.embeddings)
    return [source_file(kind, shard) for shard in input_shards()]


def source_archive(shard):
    """The img2dataset archive whose pictures make up a shard, of a source without embeddings."""
    return str(Path(source_file("metadata", shard)).with_suffix(".tar"))


def has_embeddings():
    """Whether there are embeddings, or pictures to make them of; tables alone give captions and urls."""
    return WORLD or bool(SOURCE.embeddings or SOURCE.archives)


def picture_archives():
    """The img2dataset archives: those that this run makes, or those that lie in a user's folder now.

    Of very many only the folder: an archive that is added later changes its time.
    """
    if WORLD:
        return [f"<results>/world/data/{shard}.tar" for shard in input_shards()]
    folder = picture_folder()
    found = layouts.list_archives(folder)
    return [folder] if len(found) > 5000 else found


def picture_folder():
    """The folder of the img2dataset archives."""
    if config["inputs"]["pictures"]:
        return config["inputs"]["pictures"]
    if WORLD:
        return f"{RESULTS}/world/data"
    return layouts.archive_folder(config["inputs"]["source"])


def url_cache():
    """The folder that pictures fetched by url are kept in."""
    return config["inputs"]["download"]["cache"] or f"{RESULTS}/inputs/urls"


def downloaded_mb():
    """Megabytes that downloads hold at most: each worker a file, and as many that wait to be written."""
    settings = config["inputs"]["download"]
    return 2 * settings["workers"] * settings["max_bytes"] // 1_000_000


def extra_prompts():
    """A list with the file of captions to judge beside the selected ones, or an empty one."""
    file = config["inputs"]["extra_prompts"]
    return {"": [], "world": ["<results>/world/extra_prompts.parquet"]}.get(
        file, [file]
    )


@functools.cache
def prompt_shards(stage, model):
    """Names of a model's prompt shards in a stage, one at least; the last takes what is beyond the plan."""
    planned = configuration.planned_prompts(config, ALL_MODELS, stage, model)
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
    """Params function: where finished work of a model is kept, by prompt; see verbatim/parts.py."""
    return lambda wildcards: f"{RESULTS}/{stage}/{wildcards.model}/kept"


def grow(amount):
    """Resource that is asked for again, twice and three times as much, when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def prompt_list():
    """The file of captions that are the prompts, or an empty list."""
    return config["dedup"]["prompt_list"] or []


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
    if candidates == "authors":
        return {
            "authors": config["labels"]["authors"][wildcards.model],
            "rows": expand(
                "<results>/inputs/rows/{shard}.parquet", shard=input_shards()
            ),
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


def syntheses_manifest(wildcards):
    """The manifest of a closed system's pictures."""
    return str(configuration.find_manifest(ALL_MODELS.loc[wildcards.model, "source"]))


def label_seeds(wildcards):
    """Seeds of a model's syntheses; none for a closed system: whatever its manifest has."""
    return [] if wildcards.model in CLOSED else config["labels"]["seeds"]


def candidates_wanted(wildcards):
    """How many prompts a model takes from each ranking."""
    transferred = candidates_of(wildcards).startswith("top:")
    return config["labels"]["n_transfer" if transferred else "n_prompts"]


def clip_file(name):
    """A file of the CLIP model that made the embeddings."""
    return f"<results>/world/clip/{name}" if CLIP == "world" else f"{CLIP}/{name}"


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


def authors_models():
    """Selected models that the authors labelled too, by `labels.authors`."""
    return [model for model in MODELS.index if model in config["labels"]["authors"]]


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
    names += ["agreement"] if authors_models() else []
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


def all_evidence():
    """What lets a reader question a run: the verifier's counts and the review page. Bundles are asked for."""
    return ["<results>/evidence/verified.csv", "<results>/evidence/review/index.html"]


def bundle_settings():
    """What a bundle says of how its finding was computed, and what replays it."""
    labels, sampling = config["labels"], config["sampling"]
    return {
        "sampling": {key: sampling[key] for key in ("sampler", "steps", "guidance")},
        "labels": {
            key: labels[key]
            for key in ("preset", "size", "seeds", "order", "mask", "guards")
        }
        | {"thresholds": labels["presets"][labels["preset"]]},
        "evidence": {
            "size": config["evidence"]["size"],
            **config["evidence"]["search"],
        },
        "test": config["evidence"]["test"],
    }


def names_of(models):
    """Model -> its name in Table 1, in the order of the sheet."""
    return {model: MODELS.loc[model, "name"] for model in models}


def one_step_guidances():
    """Guidance of each ECS preset, the ranking preset's first; each costs one network row a prompt and seed."""
    presets = config["blackbox"]["presets"]
    main = presets[config["blackbox"]["preset"]]["guidance"]
    return [main, *sorted({p["guidance"] for p in presets.values()} - {main})]


def study_seed(name):
    """Input of a study's random numbers: the study seed, and different for each use of it."""
    return lambda wildcards: zlib.crc32(f"{wildcards.seed}/{name}".encode())


def point_settings(wildcards):
    """What decides a point's training: its line of the sheet, without its name."""
    return ALL_POINTS[wildcards.point].settings()


def study_runs():
    """Every run of the study: (point, seed, defence)."""
    study = config["study"]
    return grid.list_runs(POINTS, study["seeds"], study["defended"], study["defences"])


def of_study_runs(name):
    """This file of every run of the study."""
    return [
        f"<results>/study/runs/{point}/{seed}/{defence}/{name}"
        for point, seed, defence in study_runs()
    ]


def of_study_points(name):
    """This file of every trained model of the study, shadow models too."""
    return [
        f"<results>/study/points/{point}/{seed}/{name}"
        for point, seed in grid.list_trainings(POINTS, config["study"]["seeds"])
    ]
