# similarity: what the generations of a run are like and unlike. Somepalli 2022 and 2023.
#
# INPUTS   <results>/mitigation/runs and users; <results>/sweep/points, pool.parquet and shared
# OUTPUTS  of embed_pool
#            <results>/similarity/features.npz   descriptors and complexity of every image of the pool
#          of count_similarity, in <results>/similarity/runs/{point}/{seed}/{defence}/
#            similarities.parquet, measures.parquet
#          of count_dataset, in <results>/similarity/dataset/{seed}/
#            clusters.parquet, measures.parquet  clusters of each point's training images
#          of count_users, in <results>/similarity/users/
#            generations.parquet, measures.parquet   what users' generations match


rule embed_pool:
    input:
        pool=rules.select_pool.output.pool,
        images=rules.build_sweep_images.output.images,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        detectors=detector_files,
        code=code_of("similarity/embed_pool"),
    output:
        features="<results>/similarity/features.npz",
    log:
        "<results>/logs/similarity/embed_pool.log",
    benchmark:
        "<results>/benchmarks/similarity/embed_pool.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["similarity"]["descriptors"],
        detectors_state=detectors_state,
        inception=config["similarity"]["inception"],
    script:
        "../scripts/similarity/embed_pool.py"


rule count_similarity:
    input:
        pool=rules.select_pool.output.pool,
        training=rules.build_sweep_images.output.images,
        rows=rules.train_point.output.rows,
        state=rules.train_point.output.state,
        images=rules.generate_point.output.images,
        generations=rules.generate_point.output.generations,
        features=rules.embed_pool.output.features,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        detectors=detector_files,
        code=code_of("similarity/count_similarity"),
    output:
        similarities="<results>/similarity/runs/{point}/{seed}/{defence}/similarities.parquet",
        measures="<results>/similarity/runs/{point}/{seed}/{defence}/measures.parquet",
    log:
        "<results>/logs/similarity/count_similarity/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/similarity/count_similarity/{point}-{seed}-{defence}.tsv"
    priority: 50
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["similarity"]["descriptors"],
        detectors_state=detectors_state,
        first=config["similarity"]["descriptor"],
        inception=config["similarity"]["inception"],
        threshold=config["similarity"]["threshold"],
        resamples=config["similarity"]["resamples"],
        confidence=config["tables"]["confidence"],
        copy_rmse=config["labels"]["presets"][config["labels"]["preset"]]["mv"],
    script:
        "../scripts/similarity/count_similarity.py"


rule count_dataset:
    input:
        pool=rules.select_pool.output.pool,
        table=rules.build_sweep_images.output.table,
        features=rules.embed_pool.output.features,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        states=SWEEP.of_dataset("<results>/sweep/points/{point}/{seed}/state.parquet"),
        similarities=SWEEP.of_dataset(
            "<results>/similarity/runs/{point}/{seed}/none/similarities.parquet"
        ),
        generations=SWEEP.of_dataset(
            "<results>/mitigation/runs/{point}/{seed}/none/generations.parquet"
        ),
        code=code_of("similarity/count_dataset"),
    output:
        clusters="<results>/similarity/dataset/{seed}/clusters.parquet",
        measures="<results>/similarity/dataset/{seed}/measures.parquet",
    log:
        "<results>/logs/similarity/count_dataset/{seed}.log",
    benchmark:
        "<results>/benchmarks/similarity/count_dataset/{seed}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        points=SWEEP.dataset_points,
        captions=config["sweep"]["captions"],
        descriptor=config["similarity"]["descriptor"],
        threshold=config["similarity"]["cluster"],
        copy_above=config["similarity"]["threshold"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/similarity/count_dataset.py"


rule count_users:
    input:
        pool=rules.select_pool.output.pool,
        training=rules.build_sweep_images.output.images,
        rows=SWEEP.of_users("<results>/sweep/points/{point}/{seed}/rows.parquet"),
        images=rules.generate_users.output.images,
        generations=rules.generate_users.output.generations,
        features=rules.embed_pool.output.features,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        detectors=detector_files,
        code=code_of("similarity/count_users"),
    output:
        users="<results>/similarity/users/generations.parquet",
        measures="<results>/similarity/users/measures.parquet",
    log:
        "<results>/logs/similarity/count_users.log",
    benchmark:
        "<results>/benchmarks/similarity/count_users.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["similarity"]["descriptors"],
        detectors_state=detectors_state,
        first=config["similarity"]["descriptor"],
        threshold=config["similarity"]["threshold"],
        describes=config["similarity"]["describes"],
        confidence=config["tables"]["confidence"],
        study_seed=config["sweep"]["seeds"][0],
    script:
        "../scripts/similarity/count_users.py"
