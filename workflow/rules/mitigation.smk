# mitigation: generations of the sweep's models, without a defence and behind each one. Somepalli 2023, Wen 2024.
#
# INPUTS   <results>/sweep/points/{point}/{seed}/: model/, rows.parquet, state.parquet; pool.parquet
# OUTPUTS  of generate_point, in <results>/mitigation/runs/{point}/{seed}/{defence}/
#            images.zip, generations.parquet  generations of a model, behind one defence or none
#          of build_users, in <results>/mitigation/users/
#            metadata.parquet                 prompts that stand for those of users
#          of generate_users, in <results>/mitigation/users/
#            images.zip, prompts.parquet      generations of users' prompts


rule generate_point:
    input:
        rows=rules.train_point.output.rows,
        model=rules.train_point.output.model,
        state=rules.train_point.output.state,
        code=code_of("mitigation/generate_point"),
    output:
        images="<results>/mitigation/runs/{point}/{seed}/{defence}/images.zip",
        generations="<results>/mitigation/runs/{point}/{seed}/{defence}/generations.parquet",
    log:
        "<results>/logs/mitigation/generate_point/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/mitigation/generate_point/{point}-{seed}-{defence}.tsv"
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
        sample=config["mitigation"]["sample"],
        more=config["mitigation"]["more"],
        others=config["membership"]["attack"]["others"],
        inference=SWEEP.defence_constants,
        unconditional=SWEEP.unconditional,
    script:
        "../scripts/mitigation/generate_point.py"


rule build_users:
    input:
        pool=rules.select_pool.output.pool,
        rows=SWEEP.of_users("<results>/sweep/points/{point}/{seed}/rows.parquet"),
        code=code_of("mitigation/build_users"),
    output:
        prompts="<results>/mitigation/users/metadata.parquet",
    log:
        "<results>/logs/mitigation/build_users.log",
    benchmark:
        "<results>/benchmarks/mitigation/build_users.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        n=config["mitigation"]["users"]["n"],
        seed=config["world"]["seed"],
    script:
        "../scripts/mitigation/build_users.py"


rule generate_users:
    input:
        prompts=users_prompts,
        model=SWEEP.of_users("<results>/sweep/points/{point}/{seed}/model"),
        state=SWEEP.of_users("<results>/sweep/points/{point}/{seed}/state.parquet"),
        code=code_of("mitigation/generate_users"),
    output:
        images="<results>/mitigation/users/images.zip",
        generations="<results>/mitigation/users/prompts.parquet",
    log:
        "<results>/logs/mitigation/generate_users.log",
    benchmark:
        "<results>/benchmarks/mitigation/generate_users.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        n=config["mitigation"]["users"]["n"],
        seed=config["world"]["seed"],
        sampler=config["sampling"]["sampler"],
        spacing=config["sampling"]["spacing"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
    script:
        "../scripts/mitigation/generate_users.py"
