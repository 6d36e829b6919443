# study, measuring: what the images of a run are like and unlike. Somepalli 2022 and 2023.
#
# INPUTS   <results>/study/runs/{point}/{seed}/{defence}/images.zip, generations.parquet; the points' rows and state
# OUTPUTS  <results>/study/features.npz                   descriptors and complexity of every image of the pool
#          <results>/study/runs/{point}/{seed}/{defence}/similarities.parquet, measures.parquet
#          <results>/study/dataset/{seed}/                 clusters of each point's training images, and their captions
#          <results>/study/users/                          prompts of users, their images, what these match


rule embed_pool:
    input:
        pool=rules.select_pool.output.pool,
        images=rules.build_images.output.images,
        clip=rules.train_study_clip.output.config,
        clip_weights=rules.train_study_clip.output.weights,
        detectors=detector_files,
        code=code_of("study/embed_pool"),
    output:
        features="<results>/study/features.npz",
    log:
        "<results>/logs/study/embed_pool.log",
    benchmark:
        "<results>/benchmarks/study/embed_pool.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["study"]["measures"]["descriptors"],
        detectors_state=lambda wildcards, input: sources.files_state(input.detectors),
        inception=config["study"]["measures"]["inception"],
    script:
        "../scripts/study/embed_pool.py"


rule count_similarity:
    input:
        pool=rules.select_pool.output.pool,
        training=rules.build_images.output.images,
        rows=rules.train_point.output.rows,
        state=rules.train_point.output.state,
        images=rules.generate_point.output.images,
        generations=rules.generate_point.output.generations,
        features=rules.embed_pool.output.features,
        clip=rules.train_study_clip.output.config,
        clip_weights=rules.train_study_clip.output.weights,
        detectors=detector_files,
        code=code_of("study/count_similarity"),
    output:
        similarities="<results>/study/runs/{point}/{seed}/{defence}/similarities.parquet",
        measures="<results>/study/runs/{point}/{seed}/{defence}/measures.parquet",
    log:
        "<results>/logs/study/count_similarity/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/study/count_similarity/{point}-{seed}-{defence}.tsv"
    priority: 50
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["study"]["measures"]["descriptors"],
        detectors_state=lambda wildcards, input: sources.files_state(input.detectors),
        first=config["study"]["measures"]["descriptor"],
        inception=config["study"]["measures"]["inception"],
        threshold=config["study"]["measures"]["threshold"],
        resamples=config["study"]["measures"]["resamples"],
        confidence=config["tables"]["confidence"],
        copy_rmse=config["labels"]["presets"][config["labels"]["preset"]]["mv"],
    script:
        "../scripts/study/count_similarity.py"


rule count_dataset:
    input:
        pool=rules.select_pool.output.pool,
        table=rules.build_images.output.table,
        features=rules.embed_pool.output.features,
        clip=rules.train_study_clip.output.config,
        clip_weights=rules.train_study_clip.output.weights,
        states=of_dataset_points("<results>/study/points/{point}/{seed}/state.parquet"),
        similarities=of_dataset_points(
            "<results>/study/runs/{point}/{seed}/none/similarities.parquet"
        ),
        generations=of_dataset_points(
            "<results>/study/runs/{point}/{seed}/none/generations.parquet"
        ),
        code=code_of("study/count_dataset"),
    output:
        clusters="<results>/study/dataset/{seed}/clusters.parquet",
        measures="<results>/study/dataset/{seed}/measures.parquet",
    log:
        "<results>/logs/study/count_dataset/{seed}.log",
    benchmark:
        "<results>/benchmarks/study/count_dataset/{seed}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        points=dataset_points,
        captions=config["study"]["captions"],
        descriptor=config["study"]["measures"]["descriptor"],
        threshold=config["study"]["measures"]["cluster"],
        copy_above=config["study"]["measures"]["threshold"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/count_dataset.py"


rule build_users:
    input:
        pool=rules.select_pool.output.pool,
        rows=f"{USERS_POINT}/rows.parquet",
        code=code_of("study/build_users"),
    output:
        prompts="<results>/study/users/metadata.parquet",
    log:
        "<results>/logs/study/build_users.log",
    benchmark:
        "<results>/benchmarks/study/build_users.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        n=config["study"]["users"]["n"],
        seed=config["world"]["seed"],
    script:
        "../scripts/study/build_users.py"


rule generate_users:
    input:
        prompts=users_prompts,
        model=f"{USERS_POINT}/model",
        state=f"{USERS_POINT}/state.parquet",
        code=code_of("study/generate_users"),
    output:
        images="<results>/study/users/images.zip",
        generations="<results>/study/users/prompts.parquet",
    log:
        "<results>/logs/study/generate_users.log",
    benchmark:
        "<results>/benchmarks/study/generate_users.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        n=config["study"]["users"]["n"],
        seed=config["world"]["seed"],
        sampler=config["sampling"]["sampler"],
        spacing=config["sampling"]["spacing"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
    script:
        "../scripts/study/generate_users.py"


rule count_users:
    input:
        pool=rules.select_pool.output.pool,
        training=rules.build_images.output.images,
        rows=f"{USERS_POINT}/rows.parquet",
        images=rules.generate_users.output.images,
        generations=rules.generate_users.output.generations,
        features=rules.embed_pool.output.features,
        clip=rules.train_study_clip.output.config,
        clip_weights=rules.train_study_clip.output.weights,
        detectors=detector_files,
        code=code_of("study/count_users"),
    output:
        users="<results>/study/users/generations.parquet",
        measures="<results>/study/users/measures.parquet",
    log:
        "<results>/logs/study/count_users.log",
    benchmark:
        "<results>/benchmarks/study/count_users.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["study"]["measures"]["descriptors"],
        detectors_state=lambda wildcards, input: sources.files_state(input.detectors),
        first=config["study"]["measures"]["descriptor"],
        threshold=config["study"]["measures"]["threshold"],
        describes=config["study"]["users"]["describes"],
        confidence=config["tables"]["confidence"],
        study_seed=config["study"]["seeds"][0],
    script:
        "../scripts/study/count_users.py"
