# study: small models trained under control, their images, and what the attacks make of them.
# Somepalli 2022 (arXiv 2212.03860) and 2023 (arXiv 2305.20086), Carlini 2023 (arXiv 2301.13188), Wen 2024.
#
# INPUTS   <results>/study/world/images.npy, images.parquet, clip, vae (study_images.smk); the sheet study.points
# OUTPUTS  <results>/study/pool.parquet                   images that points train on, and those that none does
#          <results>/study/points/{point}/{seed}/         one trained model: model/, rows, state, training_log
#          <results>/study/runs/{point}/{seed}/{defence}/ its images with a defence: images.zip, generations, scores


rule select_pool:
    input:
        images=rules.build_images.output.images,
        table=rules.build_images.output.table,
        code=code_of("study/select_pool"),
    output:
        pool="<results>/study/pool.parquet",
    log:
        "<results>/logs/study/select_pool.log",
    benchmark:
        "<results>/benchmarks/study/select_pool.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        duplicated=config["study"]["base"]["duplicated"],
        held_out=config["study"]["held_out"],
        most=max(
            # of the whole sheet: a selection must not change the pool of the points already trained
            [point.images * (1 + (point.half >= 0)) for point in ALL_POINTS.values()]
        ),
        seed=config["world"]["seed"],
    script:
        "../scripts/study/select_pool.py"


rule train_point:
    input:
        pool=rules.select_pool.output.pool,
        images=rules.build_images.output.images,
        table=rules.build_images.output.table,
        clip=rules.train_study_clip.output.config,
        clip_weights=rules.train_study_clip.output.weights,
        vae=rules.train_study_vae.output.config,
        vae_weights=rules.train_study_vae.output.weights,
        code=code_of("study/train_point"),
    output:
        rows="<results>/study/points/{point}/{seed}/rows.parquet",
        model=directory("<results>/study/points/{point}/{seed}/model"),
        state="<results>/study/points/{point}/{seed}/state.parquet",
        training_log="<results>/study/points/{point}/{seed}/training_log.parquet",
    log:
        "<results>/logs/study/train_point/{point}-{seed}.log",
    benchmark:
        "<results>/benchmarks/study/train_point/{point}-{seed}.tsv"
    priority: 20
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        point=point_settings,
        training={
            name: value
            for name, value in config["study"]["training"].items()
            if name != "checkpoint_every"
        },
        checkpoint_every=config["study"]["training"]["checkpoint_every"],
        mitigations=lambda wildcards: used_constants(
            "mitigations", ALL_POINTS[wildcards.point].mitigation
        ),
        captions=config["study"]["captions"],
        seed=study_seed("training"),
        checkpoint=lambda wildcards: f"{RESULTS}/study/checkpoints/{wildcards.point}-{wildcards.seed}.safetensors",
    script:
        "../scripts/study/train_point.py"


rule generate_point:
    input:
        rows=rules.train_point.output.rows,
        model=rules.train_point.output.model,
        state=rules.train_point.output.state,
        code=code_of("study/generate_point"),
    output:
        images="<results>/study/runs/{point}/{seed}/{defence}/images.zip",
        generations="<results>/study/runs/{point}/{seed}/{defence}/generations.parquet",
    log:
        "<results>/logs/study/generate_point/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/study/generate_point/{point}-{seed}-{defence}.tsv"
    priority: 30
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        sampler=config["sampling"]["sampler"],
        spacing=config["sampling"]["spacing"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
        sample=config["study"]["sample"],
        more=config["study"]["more"],
        others=config["study"]["attack"]["others"],
        inference=lambda wildcards: used_constants("inference", wildcards.defence),
        unconditional=lambda wildcards: ALL_POINTS[wildcards.point].conditioning
        == "none",
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../scripts/study/generate_point.py"


rule score_point:
    input:
        pool=rules.select_pool.output.pool,
        rows=rules.train_point.output.rows,
        model=rules.train_point.output.model,
        state=rules.train_point.output.state,
        images=rules.generate_point.output.images,
        generations=rules.generate_point.output.generations,
        code=code_of("study/score_point"),
    output:
        scores="<results>/study/runs/{point}/{seed}/{defence}/scores.parquet",
    log:
        "<results>/logs/study/score_point/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/study/score_point/{point}-{seed}-{defence}.tsv"
    priority: 40
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        guidance=config["whitebox"]["guidance"],
        seeds=config["study"]["attack"]["seeds"],
        ecs_seeds=config["blackbox"]["seeds"],
        batch=config["whitebox"]["batch"],
        others=config["study"]["attack"]["others"],
        held_out=config["study"]["attack"]["held_out"],
        ecs=config["blackbox"]["presets"][config["blackbox"]["preset"]],
        clique=config["postfilter"]["presets"][config["postfilter"]["preset"]],
        inference=lambda wildcards: used_constants("inference", wildcards.defence),
        conditioning=lambda wildcards: ALL_POINTS[wildcards.point].conditioning,
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../scripts/study/score_point.py"
