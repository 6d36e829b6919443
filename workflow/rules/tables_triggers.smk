# tables, on triggers: what a search without captions finds, beside random words and beside the known captions.
# Target `triggers`, never part of `all`; of the embedded world only, because it judges by what was planted.
#
# INPUTS   <results>/world/truth.parquet, <results>/labels/{model}/labels.parquet; what detectors_triggers.smk writes
# OUTPUTS  in <results>/tables/
#          of compare_triggers
#            triggers.csv                     a row a model and method: network rows, memorized images and templates found


rule compare_triggers:
    input:
        truth="<results>/world/truth.parquet",
        known=triggers.of_models("<results>/labels/{model}/labels.parquet"),
        found=triggers.of_models("<results>/detectors/{model}/triggers/labels.parquet"),
        prompts=triggers.of_all("prompts.parquet"),
        searches=triggers.search_costs,
        costs=triggers.of_all("cost.parquet"),
        code=code_of("tables/compare_triggers"),
    output:
        table="<results>/tables/triggers.csv",
    log:
        "<results>/logs/tables/compare_triggers.log",
    benchmark:
        "<results>/benchmarks/tables/compare_triggers.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=triggers.models_told,
        methods=triggers.names,
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/compare_triggers.py"
