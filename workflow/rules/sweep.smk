# sweep: small models trained under control, one a point of the sheet and study seed.
# Somepalli 2022 (arXiv 2212.03860) and 2023 (arXiv 2305.20086); shadow models: Carlini 2023 (arXiv 2301.13188).
#
# INPUTS   <results>/sweep/shared (sweep_images.smk); the sheet sweep.points
# OUTPUTS  of select_pool
#            <results>/sweep/pool.parquet     images that points train on, and those that none does
#          of train_point, in <results>/sweep/points/{point}/{seed}/
#            model/, rows.parquet             one trained model, and what it was trained on
#            state.parquet, training_log      what came of the training


rule select_pool:
    input:
        images=rules.build_sweep_images.output.images,
        table=rules.build_sweep_images.output.table,
        code=code_of("sweep/select_pool"),
    output:
        pool="<results>/sweep/pool.parquet",
    log:
        "<results>/logs/sweep/select_pool.log",
    benchmark:
        "<results>/benchmarks/sweep/select_pool.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        duplicated=config["sweep"]["base"]["duplicated"],
        held_out=config["sweep"]["held_out"],
        most=SWEEP.pool_size,
        seed=config["world"]["seed"],
    script:
        "../scripts/sweep/select_pool.py"


rule train_point:
    input:
        pool=rules.select_pool.output.pool,
        images=rules.build_sweep_images.output.images,
        table=rules.build_sweep_images.output.table,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        vae=rules.train_sweep_vae.output.config,
        vae_weights=rules.train_sweep_vae.output.weights,
        base=rules.train_sweep_base.output.config,
        base_weights=rules.train_sweep_base.output.weights,
        code=code_of("sweep/train_point"),
    output:
        rows="<results>/sweep/points/{point}/{seed}/rows.parquet",
        model=directory("<results>/sweep/points/{point}/{seed}/model"),
        state="<results>/sweep/points/{point}/{seed}/state.parquet",
        training_log="<results>/sweep/points/{point}/{seed}/training_log.parquet",
    log:
        "<results>/logs/sweep/train_point/{point}-{seed}.log",
    benchmark:
        "<results>/benchmarks/sweep/train_point/{point}-{seed}.tsv"
    priority: 20
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        point=SWEEP.settings,
        training={
            name: value
            for name, value in config["sweep"]["training"].items()
            if name != "checkpoint_every"
        },
        checkpoint_every=config["sweep"]["training"]["checkpoint_every"],
        mitigations=SWEEP.training_constants,
        captions=config["sweep"]["captions"],
        seed=SWEEP.training_seed,
        checkpoints=f"{RESULTS}/sweep/checkpoints",
    script:
        "../scripts/sweep/train_point.py"
