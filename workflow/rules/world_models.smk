# The embedded world, its models: small diffusion models trained on the scenes.
# They stand where the public checkpoints stand in the paper (Webster 2023, section 3).
#
# INPUTS   <results>/world/{truth.parquet,images.npy,data/,clip/}, the rows that <results>/dedup/ keeps. Only a models sheet
#          with the source `train` asks for this: that of config/config.yaml names workflow/resources/world, the
#          released models, which are loaded as public checkpoints are
# OUTPUTS  in <results>/world/
#          of train_vae, train_text_encoder, train_model, train_upscaler
#            vae/, t5/                        what the models share: VAE, the pixel models' frozen text encoder
#            models/{model}/                  one diffusers folder a model; upscalers/{model}/: its second stage
#            training/{network}/              losses, and the rows that a model was trained on
#          of generate_closed
#            closed/                          the images that the closed system is known by, with a manifest
#          of build_checkpoints
#            release/                         the models as they are released, with their provenance


rule train_vae:
    input:
        images="<results>/world/images.npy",
        truth="<results>/world/truth.parquet",
        code=code_of("world/train_vae"),
    output:
        config="<results>/world/vae/config.json",
        weights="<results>/world/vae/diffusion_pytorch_model.safetensors",
        training_log="<results>/world/training/vae/log.parquet",
    log:
        "<results>/logs/world/train_vae.log",
    benchmark:
        "<results>/benchmarks/world/train_vae.tsv"
    priority: 100
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["world"]["vae"],
        seed=run.training.seed("vae"),
        checkpoint=run.training.checkpoint("vae"),
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_vae.py"


# IF reads captions through a language model that is trained before and frozen
rule train_text_encoder:
    input:
        truth="<results>/world/truth.parquet",
        clip="<results>/world/clip/open_clip_config.json",
        clip_weights="<results>/world/clip/open_clip_model.safetensors",
        code=code_of("world/train_text_encoder"),
    output:
        config="<results>/world/t5/text_encoder/config.json",
        weights="<results>/world/t5/weights.sha256",
        training_log="<results>/world/training/t5/log.parquet",
    log:
        "<results>/logs/world/train_text_encoder.log",
    benchmark:
        "<results>/benchmarks/world/train_text_encoder.tsv"
    priority: 90
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        **run.pick("world", "context checkpoint_every"),
        settings=config["world"]["text"],
        seed=run.training.seed("t5"),
        checkpoint=run.training.checkpoint("t5"),
    script:
        "../scripts/world/train_text_encoder.py"


rule train_model:
    input:
        unpack(run.training.data),
        unpack(run.training.start),
        clip="<results>/world/clip/open_clip_config.json",
        clip_weights="<results>/world/clip/open_clip_model.safetensors",
        code=code_of("world/train_model"),
    output:
        index="<results>/world/models/{model}/model_index.json",
        weights="<results>/world/models/{model}/weights.sha256",
        rows="<results>/world/training/{model}/rows.parquet",
        training_log="<results>/world/training/{model}/log.parquet",
    log:
        "<results>/logs/world/train_model/{model}.log",
    benchmark:
        "<results>/benchmarks/world/train_model/{model}.tsv"
    wildcard_constraints:
        model="|".join(run.training.models),
    # the longest jobs first: the others fill the gaps
    priority: 80
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        family=run.training.family,
        settings=run.training.settings,
        seed=run.training.seed_of,
        checkpoint=run.training.checkpoint_of,
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_model.py"


# stage II of a model of family `if`, on the rows of its stage I
rule train_upscaler:
    input:
        unpack(run.training.data),
        text="<results>/world/t5/text_encoder/config.json",
        text_weights="<results>/world/t5/weights.sha256",
        code=code_of("world/train_upscaler"),
    output:
        index="<results>/world/upscalers/{model}/model_index.json",
        weights="<results>/world/upscalers/{model}/weights.sha256",
        training_log="<results>/world/training/{model}_upscaler/log.parquet",
    log:
        "<results>/logs/world/train_upscaler/{model}.log",
    benchmark:
        "<results>/benchmarks/world/train_upscaler/{model}.tsv"
    priority: 80
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        settings=config["world"]["upscaler"],
        reduction=config["world"]["if"]["reduction"],
        seed=run.training.upscaler_seed,
        checkpoint=run.training.upscaler_checkpoint,
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_upscaler.py"


rule generate_closed:
    input:
        index=f"<results>/world/models/{sheet.CLOSED}/model_index.json",
        weights=f"<results>/world/models/{sheet.CLOSED}/weights.sha256",
        truth="<results>/world/truth.parquet",
        code=code_of("world/generate_closed"),
    output:
        manifest="<results>/world/closed/manifest.csv",
    log:
        "<results>/logs/world/generate_closed.log",
    benchmark:
        "<results>/benchmarks/world/generate_closed.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        **run.pick("world.closed", "prompts seeds"),
        **run.pick("sampling", "sampler steps guidance batch"),
        seed=config["world"]["seed"],
    script:
        "../scripts/world/generate_closed.py"


rule build_checkpoints:
    input:
        models=run.training.of_models(
            "<results>/world/models/{model}/model_index.json", run.training.of_sheet
        ),
        weights=run.training.of_models(
            "<results>/world/models/{model}/weights.sha256", run.training.of_sheet
        ),
        upscalers=run.training.of_models(
            "<results>/world/upscalers/{model}/model_index.json",
            run.training.with_upscaler,
        ),
        clip="<results>/world/clip/open_clip_config.json",
        vae="<results>/world/vae/config.json",
        descriptor="<results>/world/descriptor/config.json",
        closed="<results>/world/closed/manifest.csv",
        logs=run.training.logs,
        rows=run.training.of_models(
            "<results>/world/training/{model}/rows.parquet", run.training.models
        ),
        trainers=code_of(
            "world/build_dataset",
            "world/train_clip",
            "world/train_vae",
            "world/train_text_encoder",
            "world/train_model",
            "world/train_upscaler",
            "world/train_descriptor",
        ),
        code=code_of("world/build_checkpoints"),
    output:
        provenance="<results>/world/release/provenance.json",
    log:
        "<results>/logs/world/build_checkpoints.log",
    benchmark:
        "<results>/benchmarks/world/build_checkpoints.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        models=run.training.released,
        trained=run.training.models,
        closed="midjourney",
        config=run.training.world_settings,
    script:
        "../scripts/world/build_checkpoints.py"
