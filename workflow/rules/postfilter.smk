# postfilter: the top prompts -> many full generations, and cliques of near copies among them.
# Carlini et al. 2023, section 4; the `+Carlini` variant of Webster 2023, section 4 and Fig. 3.
#
# INPUTS   <results>/blackbox/{model}/{selection,scores}.parquet, the model
# OUTPUTS  in <results>/postfilter/{model}/
#          of select_postfilter
#            selection.parquet                top prompts by ECS, and all extra ones
#          of filter_prompts
#            shards/{shard}.parquet           clique of each prompt; .images.parquet, .cost.parquet
#            kept/                            every generation, in parts that are found again by prompt
#          of score_postfilter
#            scores.parquet                   clique size and distance, kept or not, how certain, ranked
#            images.parquet                   which archive holds a prompt's images; cost.parquet


rule select_postfilter:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        scores="<results>/blackbox/{model}/scores.parquet",
        code=code_of("postfilter/select_postfilter"),
    output:
        selection="<results>/postfilter/{model}/selection.parquet",
    log:
        "<results>/logs/postfilter/select_postfilter/{model}.log",
    benchmark:
        "<results>/benchmarks/postfilter/select_postfilter/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        n_prompts=config["postfilter"]["n_prompts"],
    script:
        "../scripts/postfilter/select_postfilter.py"


rule filter_prompts:
    input:
        unpack(run.models.loaded_stages),
        selection="<results>/postfilter/{model}/selection.parquet",
        code=code_of("postfilter/filter_prompts"),
    output:
        images="<results>/postfilter/{model}/shards/{shard}.images.parquet",
        scores="<results>/postfilter/{model}/shards/{shard}.parquet",
        cost="<results>/postfilter/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/postfilter/filter_prompts/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/postfilter/filter_prompts/{model}-{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(720),
    params:
        **run.pick("postfilter", "preset n_images first_round stop_early futility"),
        **run.pick("postfilter", "max_nodes prompts_a_shard prompts_a_part"),
        **run.pick("sampling", "sampler spacing steps guidance batch"),
        model=run.models.loading,
        upscaler=run.models.upscaler,
        thresholds=run.thresholds("postfilter"),
        last=run.last_shard("postfilter"),
        kept=run.kept("postfilter"),
    script:
        "../scripts/postfilter/filter_prompts.py"


rule score_postfilter:
    input:
        selection="<results>/postfilter/{model}/selection.parquet",
        images=run.of_shards("postfilter", ".images.parquet"),
        scores=run.of_shards("postfilter", ".parquet"),
        costs=run.of_shards("postfilter", ".cost.parquet"),
        code=code_of("postfilter/score_postfilter"),
    output:
        images="<results>/postfilter/{model}/images.parquet",
        scores="<results>/postfilter/{model}/scores.parquet",
        cost="<results>/postfilter/{model}/cost.parquet",
    log:
        "<results>/logs/postfilter/score_postfilter/{model}.log",
    benchmark:
        "<results>/benchmarks/postfilter/score_postfilter/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        kept=run.kept("postfilter"),
    script:
        "../scripts/postfilter/score_postfilter.py"
