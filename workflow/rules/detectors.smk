# detectors: the selected prompts and a model -> scores of memorization that other papers publish. detectors.scores names them.
#
# INPUTS   <results>/blackbox/{model}/selection.parquet, the model's folder
# OUTPUTS  of denoise_detectors, in <results>/detectors/{model}/
#            shards/{shard}.parquet           a row a prompt, seed and score; .cost.parquet: network rows
#            kept/                            finished parts, found again by prompt
#          of merge_detectors, in <results>/detectors/{model}/
#            seeds.parquet                    the rows of all shards; cost.parquet
#            detectors.parquet                means over seeds, beside what each score costs by itself
#          of denoise_tokens, where detectors.tokens asks for it, from <results>/labels/{model}/labels.parquet
#            tokens.parquet                   which words of the copied prompts trigger the copy


rule denoise_detectors:
    input:
        unpack(run.models.loaded),
        selection="<results>/blackbox/{model}/selection.parquet",
        code=code_of("detectors/denoise_detectors"),
    output:
        scores="<results>/detectors/{model}/shards/{shard}.parquet",
        cost="<results>/detectors/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/detectors/denoise_detectors/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/detectors/denoise_detectors/{model}-{shard}.tsv"
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
        **run.pick(
            "detectors",
            "scores seeds steps guidance anisotropy batch gradient_batch prompts_a_shard prompts_a_part",
        ),
        model=run.models.loading,
        last=run.last_shard("detectors"),
        kept=run.kept("detectors"),
    script:
        "../scripts/detectors/denoise_detectors.py"


rule merge_detectors:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        scores=run.of_shards("detectors", ".parquet"),
        costs=run.of_shards("detectors", ".cost.parquet"),
        code=code_of("detectors/merge_detectors"),
    output:
        seeds="<results>/detectors/{model}/seeds.parquet",
        scores="<results>/detectors/{model}/detectors.parquet",
        cost="<results>/detectors/{model}/cost.parquet",
    log:
        "<results>/logs/detectors/merge_detectors/{model}.log",
    benchmark:
        "<results>/benchmarks/detectors/merge_detectors/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        **run.pick("detectors", "seeds steps"),
        kept=run.kept("detectors"),
    script:
        "../scripts/detectors/merge_detectors.py"


rule denoise_tokens:
    input:
        unpack(run.models.loaded),
        labels="<results>/labels/{model}/labels.parquet",
        code=code_of("detectors/denoise_tokens"),
    output:
        tokens="<results>/detectors/{model}/tokens.parquet",
    log:
        "<results>/logs/detectors/denoise_tokens/{model}.log",
    benchmark:
        "<results>/benchmarks/detectors/denoise_tokens/{model}.tsv"
    wildcard_constraints:
        model=run.models.run_here,
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(60),
    params:
        **run.pick("detectors", "seeds steps gradient_batch"),
        model=run.models.loading,
    script:
        "../scripts/detectors/denoise_tokens.py"
