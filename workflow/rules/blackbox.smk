# blackbox: the top prompts and a model -> one-step images, Edge Consistency Score. Webster 2023, eq. 3.
#
# INPUTS   <results>/dedup/prompts.parquet, <results>/whitebox/{model}/scores.parquet, the model's folder; of a closed
#          system behind HTTP that takes seed and steps no scores, and the description of its endpoint
# OUTPUTS  in <results>/blackbox/{model}/
#          of select_blackbox
#            selection.parquet                the top prompts by DCS (without scores: the most duplicated), and all extra ones
#          of generate_blackbox, and of fetch_blackbox for a closed system behind HTTP
#            shards/{shard}.images.parquet    which archive holds a prompt's one-step images; .cost.parquet
#            kept/                            these images, in parts that are found again by prompt
#          of compare_edges
#            shards/{shard}.parquet           the score of each prompt, from the images alone: that makes it black box
#          of score_blackbox
#            scores.parquet                   the scores of all shards, ranked; images.parquet, cost.parquet


rule select_blackbox:
    input:
        prompts="<results>/dedup/prompts.parquet",
        scores=run.models.dcs,
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
    wildcard_constraints:
        model=run.models.run_here,
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


if config["inputs"]["download"]["local"]:

    localrules:
        fetch_blackbox,


rule fetch_blackbox:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        code=code_of("blackbox/fetch_blackbox"),
    output:
        images="<results>/blackbox/{model}/shards/{shard}.images.parquet",
        cost="<results>/blackbox/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/blackbox/fetch_blackbox/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/blackbox/fetch_blackbox/{model}-{shard}.tsv"
    wildcard_constraints:
        model=run.models.asked_for,
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        downloads=1,
        mem_mb=grow(2500),
        runtime=grow(2880),
    params:
        **run.pick("blackbox", "seeds prompts_a_shard prompts_a_part"),
        guidances=run.guidances,
        last=run.last_shard("blackbox"),
        kept=run.kept("blackbox"),
        endpoint=run.models.endpoint,
        answers=run.models.answers,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/blackbox/fetch_blackbox.py"


rule compare_edges:
    input:
        images="<results>/blackbox/{model}/shards/{shard}.images.parquet",
        code=code_of("blackbox/compare_edges"),
    output:
        scores="<results>/blackbox/{model}/shards/{shard}.parquet",
    log:
        "<results>/logs/blackbox/compare_edges/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/blackbox/compare_edges/{model}-{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        **run.pick("blackbox", "seeds preset presets"),
    script:
        "../scripts/blackbox/compare_edges.py"


rule score_blackbox:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        images=run.of_shards("blackbox", ".images.parquet"),
        scores=run.of_shards("blackbox", ".parquet"),
        costs=run.of_shards("blackbox", ".cost.parquet"),
        code=code_of("blackbox/score_blackbox"),
    output:
        images="<results>/blackbox/{model}/images.parquet",
        scores="<results>/blackbox/{model}/scores.parquet",
        cost="<results>/blackbox/{model}/cost.parquet",
    log:
        "<results>/logs/blackbox/score_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/score_blackbox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        kept=run.kept("blackbox"),
    script:
        "../scripts/blackbox/score_blackbox.py"
