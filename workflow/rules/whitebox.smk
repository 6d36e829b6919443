# whitebox: prompts and a model -> Denoising Confidence Score of each prompt and seed. Webster 2023, eq. 1 and 2.
#
# INPUTS   <results>/dedup/prompts.parquet, the model's folder
# OUTPUTS  of denoise_whitebox, in <results>/whitebox/{model}/
#            shards/{shard}.parquet           a row a prompt and seed: one denoiser call; .cost.parquet: network rows
#            kept/                            finished parts, found again by prompt
#          of score_whitebox, in <results>/whitebox/{model}/
#            seeds.parquet                    the rows of all shards; cost.parquet
#            scores.parquet                   means over seeds, ranked by the preset


rule denoise_whitebox:
    input:
        unpack(run.models.loaded),
        prompts="<results>/dedup/prompts.parquet",
        code=code_of("whitebox/denoise_whitebox"),
    output:
        scores="<results>/whitebox/{model}/shards/{shard}.parquet",
        cost="<results>/whitebox/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/whitebox/denoise_whitebox/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/whitebox/denoise_whitebox/{model}-{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        **run.pick("whitebox", "guidance seeds batch prompts_a_shard prompts_a_part"),
        model=run.models.loading,
        last=run.last_shard("whitebox"),
        kept=run.kept("whitebox"),
    script:
        "../scripts/whitebox/denoise_whitebox.py"


rule score_whitebox:
    input:
        prompts="<results>/dedup/prompts.parquet",
        scores=run.of_shards("whitebox", ".parquet"),
        costs=run.of_shards("whitebox", ".cost.parquet"),
        code=code_of("whitebox/score_whitebox"),
    output:
        seeds="<results>/whitebox/{model}/seeds.parquet",
        scores="<results>/whitebox/{model}/scores.parquet",
        cost="<results>/whitebox/{model}/cost.parquet",
    log:
        "<results>/logs/whitebox/score_whitebox/{model}.log",
    benchmark:
        "<results>/benchmarks/whitebox/score_whitebox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        preset=config["whitebox"]["preset"],
        kept=run.kept("whitebox"),
    script:
        "../scripts/whitebox/score_whitebox.py"
