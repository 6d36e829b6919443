# tables, against the truth: what only a world whose copies are known can say, of one run and of several seeds.


rule count_recall:
    input:
        truth="<results>/world/truth.parquet",
        labels=labels_of_models,
        code=code_of("tables/count_recall"),
    output:
        table=report(
            "<results>/tables/recall.csv",
            caption="../report/count_recall.rst",
            category="4 Tables",
            labels={"result": "Recall (CSV)"},
        ),
    log:
        "<results>/logs/tables/count_recall.log",
    benchmark:
        "<results>/benchmarks/tables/count_recall.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=list(MODELS.index),
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/count_recall.py"


rule compare_truth:
    input:
        truth="<results>/world/truth.parquet",
        labels=labels_of_models,
        code=code_of("tables/compare_truth"),
    output:
        table=report(
            "<results>/tables/confusion.csv",
            caption="../report/compare_truth.rst",
            category="4 Tables",
            labels={"result": "Labels against truth (CSV)"},
        ),
    log:
        "<results>/logs/tables/compare_truth.log",
    benchmark:
        "<results>/benchmarks/tables/compare_truth.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=list(MODELS.index),
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
        seed=config["tables"]["seed"],
    script:
        "../scripts/tables/compare_truth.py"


rule score_detectors:
    input:
        truth="<results>/world/truth.parquet",
        prompts="<results>/dedup/prompts.parquet",
        whitebox=of_attacked("<results>/whitebox/{model}/scores.parquet"),
        blackbox=of_attacked("<results>/blackbox/{model}/scores.parquet"),
        postfilter=of_attacked("<results>/postfilter/{model}/scores.parquet"),
        labels=of_attacked("<results>/labels/{model}/labels.parquet"),
        code=code_of("tables/score_detectors"),
    output:
        table=report(
            "<results>/tables/evaluation.csv",
            caption="../report/score_detectors.rst",
            category="4 Tables",
            labels={"result": "Every score as a detector (CSV)"},
        ),
        prompts="<results>/tables/detectors.csv",
        kinds=report(
            "<results>/tables/kinds.csv",
            caption="../report/score_detectors.rst",
            category="4 Tables",
            labels={"result": "Every score by kind and count (CSV)"},
        ),
        roc="<results>/tables/roc.csv",
        depths=report(
            "<results>/tables/depths.csv",
            caption="../report/score_detectors.rst",
            category="4 Tables",
            labels={"result": "Precision at k of every score (CSV)"},
        ),
    log:
        "<results>/logs/tables/score_detectors.log",
    benchmark:
        "<results>/benchmarks/tables/score_detectors.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        models=attacked_models(),
        fpr=config["tables"]["fpr"],
        fpr_strict=config["tables"]["fpr_strict"],
        depths=config["tables"]["depths"],
        resamples=config["tables"]["resamples"],
        folds=config["tables"]["folds"],
        confidence=config["tables"]["confidence"],
        seed=config["tables"]["seed"],
    script:
        "../scripts/tables/score_detectors.py"


rule check_world:
    input:
        truth="<results>/world/truth.parquet",
        prompts="<results>/dedup/prompts.parquet",
        labels=labels_of_models,
        evaluation="<results>/tables/evaluation.csv",
        kinds="<results>/tables/kinds.csv",
        precision="<results>/tables/precision.csv",
        recall="<results>/tables/recall.csv",
        code=code_of("tables/check_world"),
    output:
        table="<results>/tables/findings.csv",
    log:
        "<results>/logs/tables/check_world.log",
    benchmark:
        "<results>/benchmarks/tables/check_world.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=list(MODELS.index),
        roles=finding_roles(),
    script:
        "../scripts/tables/check_world.py"


rule compare_seeds:
    input:
        table1=expand(
            "<results>/seeds/{seed}/table1.csv", seed=config["tables"]["seed_runs"]
        ),
        recall=expand(
            "<results>/seeds/{seed}/tables/recall.csv",
            seed=config["tables"]["seed_runs"],
        ),
        evaluation=expand(
            "<results>/seeds/{seed}/tables/evaluation.csv",
            seed=config["tables"]["seed_runs"],
        ),
        kinds=expand(
            "<results>/seeds/{seed}/tables/kinds.csv",
            seed=config["tables"]["seed_runs"],
        ),
        depths=expand(
            "<results>/seeds/{seed}/tables/depths.csv",
            seed=config["tables"]["seed_runs"],
        ),
        confusion=expand(
            "<results>/seeds/{seed}/tables/confusion.csv",
            seed=config["tables"]["seed_runs"],
        ),
        code=code_of("tables/compare_seeds"),
    output:
        table="<results>/tables/seeds.csv",
    log:
        "<results>/logs/tables/compare_seeds.log",
    benchmark:
        "<results>/benchmarks/tables/compare_seeds.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        seeds=config["tables"]["seed_runs"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/compare_seeds.py"
