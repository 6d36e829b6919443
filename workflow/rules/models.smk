# What the model sheet says of a model: files, candidates, training, name; no rules.
from verbatim.models import load, load_upscaler

CLOSED = settings.closed_models(ALL_MODELS)
# patterns of the wildcard {model}: models that are run here, and those that only their images are known of
RUN_HERE = (
    "|".join(model for model in ALL_MODELS.index if model not in CLOSED) or "(?!)"
)
IMAGES_ONLY = "|".join(CLOSED) or "(?!)"


def attacked_models():
    """Selected models whose white- and black-box scores are asked for."""
    return list(MODELS.index[MODELS["whitebox"] == "yes"])


def loading_row(wildcards):
    """The cells of the sheet that decide how the model is loaded, as a dict."""
    return settings.loading_row(ALL_MODELS, wildcards.model)


def model_folder(wildcards):
    """What must exist before a model can be loaded: model_index.json of a trained or a local folder."""
    row = ALL_MODELS.loc[wildcards.model]
    if row["source"] == "train":
        return f"<results>/world/models/{wildcards.model}/model_index.json"
    index = Path(row["source"]) / "model_index.json"
    return str(index) if index.is_file() else []  # a hub id, in the local cache


def loaded_state(wildcards):
    """Which files would be loaded of a model now: weights that were exchanged are checked and used anew."""
    row = ALL_MODELS.loc[wildcards.model]
    return load.model_state(row["source"], row["family"], row["revision"] or None)


def model_weights(wildcards):
    """What tells one state of a trained model from another: the digests of its weights."""
    if ALL_MODELS.loc[wildcards.model, "source"] == "train":
        return f"<results>/world/models/{wildcards.model}/weights.sha256"
    return []  # of a public checkpoint `checked_model` has them


def upscaler_settings(wildcards):
    """Source and settings of a model's second stage, as a dict; empty for a model of one stage."""
    return settings.upscaler_row(ALL_MODELS, wildcards.model, config["sampling"])


def upscaler_folder(wildcards):
    """What must exist before a model's second stage can be loaded, as `model_folder`; nothing without one."""
    source = ALL_MODELS.loc[wildcards.model, "upscaler"]
    if source == "train":
        return f"<results>/world/upscalers/{wildcards.model}/model_index.json"
    index = Path(source) / "model_index.json"
    return str(index) if source and index.is_file() else []


def upscaler_weights(wildcards):
    """The digests of the weights of a second stage that is trained here, as `model_weights`."""
    if ALL_MODELS.loc[wildcards.model, "upscaler"] == "train":
        return f"<results>/world/upscalers/{wildcards.model}/weights.sha256"
    return []


def checked_upscaler(wildcards):
    """What is loaded of a second stage that is not made here, with digests, as `checked_model`."""
    made_here = ALL_MODELS.loc[wildcards.model, "upscaler"] in ("", "train")
    return [] if made_here else f"<results>/inputs/upscalers/{wildcards.model}.tsv"


def upscaler_state(wildcards):
    """Which files would be loaded of a second stage now, as `loaded_state`."""
    row = ALL_MODELS.loc[wildcards.model]
    return load_upscaler.upscaler_state(
        row["upscaler"], row["family"], row["upscaler_revision"] or None
    )


def checked_model(wildcards):
    """What is loaded of a model that is not made here, with digests, known before any work is done for it.

    Nothing is loaded of a closed system.
    """
    made_here = ALL_MODELS.loc[wildcards.model, "source"] == "train"
    return (
        []
        if made_here or wildcards.model in CLOSED
        else f"<results>/inputs/models/{wildcards.model}.tsv"
    )


def candidates_of(wildcards):
    return ALL_MODELS.loc[wildcards.model, "candidates"]


def candidate_files(wildcards):
    """What a model's candidates are selected from, by the sheet's word for it."""
    candidates = candidates_of(wildcards)
    models = settings.candidate_models(candidates)
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
    if candidates == "manifest":
        return {
            "rows": expand(
                "<results>/inputs/rows/{shard}.parquet", shard=input_shards()
            )
        }
    if candidates.startswith("top:"):
        return {"ecs": f"<results>/blackbox/{models[0]}/scores.parquet"}
    return {"labels": [f"<results>/labels/{model}/labels.parquet" for model in models]}


def found_in(wildcards):
    """Models whose found prompts are candidates of this one."""
    candidates = candidates_of(wildcards)
    return (
        settings.candidate_models(candidates) if candidates.startswith("found:") else []
    )


def generations_manifest(wildcards):
    """The manifest of a closed system's images."""
    return str(settings.find_manifest(ALL_MODELS.loc[wildcards.model, "source"]))


def label_seeds(wildcards):
    """Seeds of a model's generations; none for a closed system: whatever its manifest has."""
    return [] if wildcards.model in CLOSED else config["labels"]["seeds"]


def candidates_wanted(wildcards):
    """How many prompts a model takes from each ranking."""
    transferred = candidates_of(wildcards).startswith("top:")
    return config["labels"]["n_transfer" if transferred else "n_prompts"]


def world_seed(name):
    """Seed of one training: the world's, and different for each network."""
    return zlib.crc32(f"{config['world']['seed']}/{name}".encode())


def trained_models():
    """Models of the sheet that are trained here."""
    return list(ALL_MODELS.index[ALL_MODELS["source"] == "train"])


def world_settings():
    """Every setting of the world, for the provenance of what is released: any of them changes it."""
    return dict(config["world"])


def trained_upscalers():
    """Models of the sheet whose second stage is trained here."""
    return list(ALL_MODELS.index[ALL_MODELS["upscaler"] == "train"])


def training_set(wildcards):
    """Rows tables, and what filters them, by what a model is trained on."""
    training = settings.training_row(ALL_MODELS, wildcards.model)["training"]
    if training.startswith("style:"):
        style = training.removeprefix("style:")
        return {"rows": [f"<results>/world/styles/{style}/rows.parquet"]}
    inputs = {
        "rows": expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards())
    }
    if training == "deduplicated":
        inputs["kept_rows"] = "<results>/dedup/kept_rows.parquet"
    if training == "single":
        inputs["kept_rows"] = "<results>/world/single_rows.parquet"
    return inputs


def training_start(wildcards):
    """What a training starts from: the shared VAE for a latent model, another model for one that goes on."""
    row = settings.training_row(ALL_MODELS, wildcards.model)
    inputs = {}
    if row["family"] == "sd":
        inputs["vae"] = "<results>/world/vae/config.json"
        inputs["vae_weights"] = (
            "<results>/world/vae/diffusion_pytorch_model.safetensors"
        )
    if row["family"] == "if":
        inputs["text"] = "<results>/world/t5/text_encoder/config.json"
        inputs["text_weights"] = "<results>/world/t5/weights.sha256"
    if row["init"]:
        inputs["init"] = f"<results>/world/models/{row['init']}/model_index.json"
        inputs["init_weights"] = f"<results>/world/models/{row['init']}/weights.sha256"
    return inputs


def training_settings(wildcards):
    """The config block of a training: the family's, with what `base` or `finetune` changes."""
    world = config["world"]
    row = settings.training_row(ALL_MODELS, wildcards.model)
    found = dict(world[row["family"]])
    if wildcards.model == settings.BASE:
        found |= world["base"]
    elif row["init"] not in ("", settings.BASE):
        found |= {k: v for k, v in world["finetune"].items() if k != "images"}
    return found


def finding_roles():
    """What each selected model stands for in the findings that `check_world` lists."""
    dedup = [m for m in attacked_models() if MODELS.loc[m, "deduplicated"] == "yes"]
    full = [m for m in attacked_models() if m not in dedup]
    rest = [m for m in MODELS.index if m not in full[:1] + dedup[:1]]
    tuned = [m for m in rest if MODELS.loc[m, "deduplicated"] == "no"]
    return {
        "duplicated": full[0] if full else "",
        "deduplicated": dedup[0] if dedup else "",
        "tuned": tuple(tuned),
        "others": tuple(m for m in rest if m not in tuned),
    }


def sheet_columns(*columns):
    """These columns of the selected models, in the order of the sheet, as plain records."""
    return MODELS[["model", *columns]].to_dict("records")


def authors_models():
    """Selected models that the authors labelled too, by `labels.authors`."""
    return [model for model in MODELS.index if model in config["labels"]["authors"]]


def trained_on_kept(model):
    return model["training"] == "deduplicated" and model["source"] == "train"


def shown_models():
    """Models that a figure of the attack shows: those attacked, or all where none is."""
    return attacked_models() or list(MODELS.index)


def names_of(models):
    """Model -> its name in Table 1, in the order of the sheet."""
    return {model: MODELS.loc[model, "name"] for model in models}
