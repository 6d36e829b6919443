# blackbox: the top prompts and a model -> one-step images, Edge Consistency Score. Webster 2023, eq. 3.
#
# INPUTS   <results>/dedup/prompts.parquet, <results>/whitebox/{model}/scores.parquet, the model's folder
# OUTPUTS  <results>/blackbox/{model}/selection.parquet   the top prompts by DCS, and all extra ones
#          <results>/blackbox/{model}/kept/               one-step images, in parts that are found again by prompt
#          <results>/blackbox/{model}/shards/{shard}.images.parquet, .cost.parquet, .parquet   of each shard
#          <results>/blackbox/{model}/images.parquet      which archive holds a prompt's images; cost.parquet
#          <results>/blackbox/{model}/scores.parquet      from the images alone: that makes it black box


rule select_blackbox:
    input:
        prompts="<results>/dedup/prompts.parquet",
        scores="<results>/whitebox/{model}/scores.parquet",
        code=code_of("blackbox/select_blackbox"),
    output:
        selection="<results>/blackbox/{model}/selection.parquet",
    log:
        "<results>/logs/blackbox/select_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/select_blackbox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        n_prompts=config["blackbox"]["n_prompts"],
    script:
        "../scripts/blackbox/select_blackbox.py"


rule generate_blackbox:
    input:
        unpack(run.models.loaded),
        selection="<results>/blackbox/{model}/selection.parquet",
        code=code_of("blackbox/generate_blackbox"),
    output:
        images="<results>/blackbox/{model}/shards/{shard}.images.parquet",
        cost="<results>/blackbox/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/blackbox/generate_blackbox/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/blackbox/generate_blackbox/{model}-{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        **run.pick("blackbox", "seeds batch prompts_a_shard prompts_a_part"),
        model=run.models.loading,
        guidances=run.guidances,
        last=run.last_shard("blackbox"),
        kept=run.kept("blackbox"),
    script:
        "../scripts/blackbox/generate_blackbox.py"


rule score_blackbox:
    input:
        images="<results>/blackbox/{model}/shards/{shard}.images.parquet",
        code=code_of("blackbox/score_blackbox"),
    output:
        scores="<results>/blackbox/{model}/shards/{shard}.parquet",
    log:
        "<results>/logs/blackbox/score_blackbox/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/blackbox/score_blackbox/{model}-{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        **run.pick("blackbox", "seeds preset presets"),
    script:
        "../scripts/blackbox/score_blackbox.py"


rule merge_blackbox:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        images=run.of_shards("blackbox", ".images.parquet"),
        scores=run.of_shards("blackbox", ".parquet"),
        costs=run.of_shards("blackbox", ".cost.parquet"),
        code=code_of("blackbox/merge_blackbox"),
    output:
        images="<results>/blackbox/{model}/images.parquet",
        scores="<results>/blackbox/{model}/scores.parquet",
        cost="<results>/blackbox/{model}/cost.parquet",
    log:
        "<results>/logs/blackbox/merge_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/merge_blackbox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        kept=run.kept("blackbox"),
    script:
        "../scripts/blackbox/merge_blackbox.py"
