# guard: what a provider can put before a model: score at the first step, another generation, a check. After Wen 2024, 4.3.
#
# INPUTS   <results>/dedup/prompts.parquet, <results>/whitebox/{model}/seeds.parquet, the model and its generations
#          (<results>/labels/{model}/images.zip), the index and the training images
# OUTPUTS  in <results>/guard/{model}/
#          of select_alarms
#            alarms.parquet                   which generations the score stops; the threshold is in it
#          of generate_guarded
#            {defence}/images.parquet         which archive holds what was generated again; cost.parquet
#            {defence}/kept/                  these generations, in parts that are found again by prompt
#          of label_guarded
#            checks.parquet                   check, second judge and CLIP score of every generation
#          of count_guard
#            guard.csv                        copies let out, prompts disturbed, rows, by each part of the guard
#            outcomes.parquet                 the same generation by generation
#          of plot_guard
#            sheet.png                        without and with the guard, beside the training images


rule select_alarms:
    input:
        prompts="<results>/dedup/prompts.parquet",
        scores="<results>/whitebox/{model}/seeds.parquet",
        code=code_of("guard/select_alarms"),
    output:
        alarms="<results>/guard/{model}/alarms.parquet",
    log:
        "<results>/logs/guard/select_alarms/{model}.log",
    benchmark:
        "<results>/benchmarks/guard/select_alarms/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        **run.pick("guard", "score false_alarms seed"),
        seeds=config["labels"]["seeds"],
    script:
        "../scripts/guard/select_alarms.py"


rule generate_guarded:
    input:
        unpack(run.models.loaded),
        prompts="<results>/dedup/prompts.parquet",
        alarms="<results>/guard/{model}/alarms.parquet",
        code=code_of("guard/generate_guarded"),
    output:
        images="<results>/guard/{model}/{defence}/images.parquet",
        cost="<results>/guard/{model}/{defence}/cost.parquet",
    log:
        "<results>/logs/guard/generate_guarded/{model}-{defence}.log",
    benchmark:
        "<results>/benchmarks/guard/generate_guarded/{model}-{defence}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(480),
    params:
        **run.pick("labels", "seeds prompts_a_part"),
        **run.pick("sampling", "sampler spacing steps guidance batch"),
        model=run.models.loading,
        inference=config["mitigation"]["inference"],
        seed=config["guard"]["seed"],
        kept=guarded.kept,
    script:
        "../scripts/guard/generate_guarded.py"


rule label_guarded:
    input:
        prompts="<results>/dedup/prompts.parquet",
        alarms="<results>/guard/{model}/alarms.parquet",
        images="<results>/labels/{model}/images.zip",
        guarded=guarded.of_defences("images.parquet"),
        index=run.data.index,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        pairs=run.data.pairs,
        clusters="<results>/dedup/clusters.parquet",
        copies="<results>/dedup/copies.parquet",
        rows=run.data.rows,
        archives=run.data.archives,
        code=code_of("guard/label_guarded"),
    output:
        checks="<results>/guard/{model}/checks.parquet",
    log:
        "<results>/logs/guard/label_guarded/{model}.log",
    benchmark:
        "<results>/benchmarks/guard/label_guarded/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(480),
    params:
        **run.pick("labels", "preset order size mask guards neighbours relatives"),
        thresholds=run.thresholds("labels"),
        batch=config["labels"]["embed_batch"],
        defences=config["guard"]["defences"],
        search_size=config["evidence"]["size"],
        search=config["evidence"]["search"],
        judged=config["evidence"]["test"]["neighbours"],
    script:
        "../scripts/guard/label_guarded.py"


rule count_guard:
    input:
        alarms="<results>/guard/{model}/alarms.parquet",
        checks="<results>/guard/{model}/checks.parquet",
        costs=guarded.of_defences("cost.parquet"),
        clusters="<results>/dedup/clusters.parquet",
        code=code_of("guard/count_guard"),
    output:
        table="<results>/guard/{model}/guard.csv",
        outcomes="<results>/guard/{model}/outcomes.parquet",
    log:
        "<results>/logs/guard/count_guard/{model}.log",
    benchmark:
        "<results>/benchmarks/guard/count_guard/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("guard", "defences score false_alarms judge"),
        **run.pick("tables", "confidence resamples"),
        bootstrap_seed=config["tables"]["seed"],
        seeds=config["labels"]["seeds"],
        rows_a_generation=audits.rows_a_generation(
            **run.pick("sampling", "sampler steps guidance")
        ),
    script:
        "../scripts/guard/count_guard.py"


rule plot_guard:
    input:
        outcomes="<results>/guard/{model}/outcomes.parquet",
        checks="<results>/guard/{model}/checks.parquet",
        images="<results>/labels/{model}/images.zip",
        guarded=guarded.of_defences("images.parquet"),
        rows=run.data.rows,
        archives=run.data.archives,
        known_prompts=run.known_prompts,
        code=code_of("guard/plot_guard"),
    output:
        sheet="<results>/guard/{model}/sheet.png",
    log:
        "<results>/logs/guard/plot_guard/{model}.log",
    benchmark:
        "<results>/benchmarks/guard/plot_guard/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        **run.pick("privacy", "images only"),
        **run.pick("guard", "defences shown seed"),
        size=config["labels"]["size"],
    script:
        "../scripts/guard/plot_guard.py"
