# tables, on mitigations: which prompts they are tested on, and what they stop before and after a second attack.
# Target `mitigations`, never part of `all`; of the embedded world only, because it judges by what was planted.
#
# INPUTS   <results>/world/truth.parquet; what the rules of mitigation_attacked.smk write
# OUTPUTS  in <results>/tables/
#          of select_mitigated
#            mitigated.parquet                memorized prompts, prompts trained on once, and prompts never trained on
#          of compare_mitigations
#            mitigations.csv                  a row a model and defence: copies, quality, cost, copies brought back
#            mitigation_scores.csv            every score behind every defence, as a detector of memorized prompts


rule select_mitigated:
    input:
        truth="<results>/world/truth.parquet",
        code=code_of("tables/select_mitigated"),
    output:
        prompts="<results>/tables/mitigated.parquet",
    log:
        "<results>/logs/tables/select_mitigated.log",
    benchmark:
        "<results>/benchmarks/tables/select_mitigated.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("mitigation.attacked", "prompts images seed"),
    script:
        "../scripts/tables/select_mitigated.py"


rule compare_mitigations:
    input:
        prompts="<results>/tables/mitigated.parquet",
        checks=mitigated.of_models("checks.parquet"),
        quality=mitigated.of_models("quality.parquet"),
        scores=mitigated.of_all("scores.parquet"),
        spent=mitigated.of_all("spent.parquet"),
        code=code_of("tables/compare_mitigations"),
    output:
        table="<results>/tables/mitigations.csv",
        scores="<results>/tables/mitigation_scores.csv",
    log:
        "<results>/logs/tables/compare_mitigations.log",
    benchmark:
        "<results>/benchmarks/tables/compare_mitigations.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("tables", "confidence resamples seed"),
        models=mitigated.models_told,
        changes=mitigated.changes,
        threshold=run.thresholds("labels")["mv"],
    script:
        "../scripts/tables/compare_mitigations.py"
