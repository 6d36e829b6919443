# membership: the attacks on each run, and membership inference on the shadow models.
# Carlini 2022 (arXiv 2112.03570) and 2023 (arXiv 2301.13188).
#
# INPUTS   <results>/sweep/points, pool.parquet and shared; <results>/mitigation/runs
# OUTPUTS  of score_point, in <results>/membership/runs/{point}/{seed}/{defence}/
#            scores.parquet                   DCS, ECS and cliques of a run
#          of score_membership, in <results>/membership/lira/
#            scores.parquet, measures.parquet a row a shadow model and image
#          of score_inpainting, in <results>/membership/inpainting/
#            errors.parquet, measures.parquet the same of completed halves
#          of count_relative, in <results>/membership/relative/
#            distances.parquet, measures.parquet   generations of models without captions


rule score_point:
    input:
        pool=rules.select_pool.output.pool,
        rows=rules.train_point.output.rows,
        model=rules.train_point.output.model,
        state=rules.train_point.output.state,
        images=rules.generate_point.output.images,
        generations=rules.generate_point.output.generations,
        code=code_of("membership/score_point"),
    output:
        scores="<results>/membership/runs/{point}/{seed}/{defence}/scores.parquet",
    log:
        "<results>/logs/membership/score_point/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/membership/score_point/{point}-{seed}-{defence}.tsv"
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
        seeds=config["membership"]["attack"]["seeds"],
        ecs_seeds=config["blackbox"]["seeds"],
        batch=config["whitebox"]["batch"],
        others=config["membership"]["attack"]["others"],
        held_out=config["membership"]["attack"]["held_out"],
        ecs=config["blackbox"]["presets"][config["blackbox"]["preset"]],
        clique=config["postfilter"]["presets"][config["postfilter"]["preset"]],
        inference=SWEEP.defence_constants,
        conditioning=SWEEP.conditioning,
    script:
        "../scripts/membership/score_point.py"


rule score_membership:
    input:
        images=rules.build_sweep_images.output.images,
        rows=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/rows.parquet"),
        states=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/state.parquet"),
        models=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/model"),
        code=code_of("membership/score_membership"),
    output:
        scores="<results>/membership/lira/scores.parquet",
        measures="<results>/membership/lira/measures.parquet",
    log:
        "<results>/logs/membership/score_membership.log",
    benchmark:
        "<results>/benchmarks/membership/score_membership.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        points=SWEEP.shadows,
        seed=config["sweep"]["seeds"][0],
        timestep=config["membership"]["lira"]["timestep"],
        variance=config["membership"]["lira"]["variance"],
        noises=list(range(config["membership"]["lira"]["noises"])),
        flip=config["membership"]["lira"]["flip"],
        fprs=config["membership"]["lira"]["fpr"],
        neighbours=config["membership"]["lira"]["neighbours"],
        batch=config["sampling"]["batch"],
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/membership/score_membership.py"


rule score_inpainting:
    input:
        images=rules.build_sweep_images.output.images,
        rows=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/rows.parquet"),
        states=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/state.parquet"),
        models=SWEEP.of_shadows("<results>/sweep/points/{point}/{seed}/model"),
        code=code_of("membership/score_inpainting"),
    output:
        errors="<results>/membership/inpainting/errors.parquet",
        measures="<results>/membership/inpainting/measures.parquet",
    log:
        "<results>/logs/membership/score_inpainting.log",
    benchmark:
        "<results>/benchmarks/membership/score_inpainting.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        points=SWEEP.shadows,
        seed=config["sweep"]["seeds"][0],
        timestep=config["membership"]["lira"]["timestep"],
        variance=config["membership"]["lira"]["variance"],
        images=config["membership"]["inpainting"]["images"],
        completions=config["membership"]["inpainting"]["completions"],
        best=config["membership"]["inpainting"]["best"],
        steps=config["membership"]["inpainting"]["steps"],
        batch=config["sampling"]["batch"],
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/membership/score_inpainting.py"


rule count_relative:
    input:
        images=rules.build_sweep_images.output.images,
        rows=SWEEP.of_bare("<results>/sweep/points/{point}/{seed}/rows.parquet"),
        generations=SWEEP.of_bare(
            "<results>/mitigation/runs/{point}/{seed}/none/generations.parquet"
        ),
        archives=SWEEP.of_bare(
            "<results>/mitigation/runs/{point}/{seed}/none/images.zip"
        ),
        code=code_of("membership/count_relative"),
    output:
        distances="<results>/membership/relative/distances.parquet",
        measures="<results>/membership/relative/measures.parquet",
    log:
        "<results>/logs/membership/count_relative.log",
    benchmark:
        "<results>/benchmarks/membership/count_relative.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        runs=SWEEP.bare,
        nearest=config["membership"]["relative"]["nearest"],
        alpha=config["membership"]["relative"]["alpha"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/membership/count_relative.py"
